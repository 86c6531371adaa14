package config

import (
	"regexp"
	"slices"
)

// optionID names an option, by its key or, where one looks for it, by an alias.
type optionID struct{ section, key string }

// index finds options by name.
type index struct {
	sections []section
	names    map[optionID]optionID // from any name to the current one
	options  map[optionID]Option
	env      map[string]optionID // by the name of the environment variable
}

func newIndex(table []section) index {
	x := index{table, map[optionID]optionID{}, map[optionID]Option{}, map[string]optionID{}}
	for _, s := range table {
		for _, o := range s.Options {
			id := optionID{s.Name, o.Key}
			x.options[id] = o
			for _, n := range append([]string{o.Key}, o.Aliases...) {
				x.names[optionID{s.Name, n}] = id
				x.env[envName(s.Name, n)] = optionID{s.Name, n}
			}
		}
	}
	return x
}

// find returns the option of that name or alias.
func (x index) find(name optionID) (Option, bool) {
	o, ok := x.options[x.names[name]]
	return o, ok
}

func (x index) section(name string) *section {
	for i := range x.sections {
		if x.sections[i].Name == name {
			return &x.sections[i]
		}
	}
	return nil
}

// values are the layers, and which value in them counts.
type values struct {
	index     index
	layers    []layer
	reference *regexp.Regexp
}

// given returns the assignments that count for an option: the last one, or
// all of them for one that accumulates.
func (v *values) given(id optionID, o Option) []assignment {
	var all []assignment
	for _, l := range slices.Backward(v.layers) {
		for _, name := range append([]string{o.Key}, o.Aliases...) {
			found := l.named(optionID{id.section, name})
			if len(found) == 0 {
				continue
			}
			if !o.Multi {
				return found[len(found)-1:]
			}
			all = slices.Concat(found, all)
		}
	}
	return all
}

func (l layer) named(id optionID) []assignment {
	var found []assignment
	for _, a := range l {
		if a.section == id.section && a.key == id.key {
			found = append(found, a)
		}
	}
	return found
}

// set reports where an option is set.
func (v *values) set(section, key string) (Origin, bool) {
	id := optionID{section, key}
	o, ok := v.index.find(id)
	if !ok {
		return Origin{}, false
	}
	if g := v.given(id, o); len(g) > 0 {
		return g[len(g)-1].from, true
	}
	return Origin{}, false
}

// raw returns the unexpanded text of an option or of any key a file has.
func (v *values) raw(id optionID) (string, bool) {
	o, known := v.index.find(id)
	if !known {
		o = Option{Key: id.key}
	} else {
		id = v.index.names[id]
	}
	if g := v.given(id, o); len(g) > 0 {
		return g[len(g)-1].text, true
	}
	return o.Default, known
}
