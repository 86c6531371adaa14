package config

import (
	"fmt"
	"slices"

	"zaqar/internal/spelling"
)

// warnUnknown reports keys and sections that nothing reads.
func warnUnknown(v *values, headers []assignment, r *Report) {
	own := v.authSection()
	gone := gone()
	var told []string
	for _, h := range headers {
		if v.index.section(h.section) != nil || h.section == own || slices.Contains(told, h.section) {
			continue
		}
		told = append(told, h.section)
		if why, ok := gone[h.section]; ok {
			r.add(Warning, h.from, h.section, "", "%s", why)
			continue
		}
		r.add(Warning, h.from, h.section, "", "no such section; it is ignored%s", v.index.suggestSection(h.section))
	}
	for _, l := range v.layers {
		for _, a := range l {
			s := v.index.section(a.section)
			if s == nil {
				continue
			}
			if _, ok := v.index.find(optionID{a.section, a.key}); ok {
				continue
			}
			if why, ok := gone[a.section+"/"+a.key]; ok {
				r.add(Warning, a.from, a.section, a.key, "%s", why)
				continue
			}
			r.add(Warning, a.from, a.section, a.key, "no such key; it is ignored%s", v.index.suggestKey(*s, a.key))
		}
	}
}

func (x index) suggestSection(name string) string {
	var all []string
	for _, s := range x.sections {
		all = append(all, s.Name)
	}
	if near := spelling.Nearest(name, all); near != "" {
		return fmt.Sprintf("; did you mean [%s]?", near)
	}
	return ""
}

// suggestKey looks in the section first, then for a key of just that name
// elsewhere.
func (x index) suggestKey(in section, key string) string {
	var all []string
	for _, o := range in.Options {
		if o.Effect == Active || o.Effect == Later {
			all = append(all, o.Key)
		}
	}
	if near := spelling.Nearest(key, all); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	for _, s := range x.sections {
		for _, o := range s.Options {
			if o.Key == key && o.Effect == Active {
				return fmt.Sprintf("; it belongs into [%s]", s.Name)
			}
		}
	}
	return ""
}
