package config

import (
	"fmt"
	"slices"
)

// warnUnknown reports keys and sections that nothing reads.
func warnUnknown(v *values, headers []assignment, r *Report) {
	gone := gone()
	var told []string
	for _, h := range headers {
		if v.index.section(h.section) != nil || slices.Contains(told, h.section) {
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
			if _, ok := v.index.find(option{a.section, a.key}); ok {
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
	if near := nearest(name, all); near != "" {
		return fmt.Sprintf("; did you mean [%s]?", near)
	}
	return ""
}

// suggestKey looks in the section first, then for a key of just that name
// elsewhere.
func (x index) suggestKey(in Section, key string) string {
	var all []string
	for _, o := range in.Options {
		if o.Effect == Active || o.Effect == Later {
			all = append(all, o.Key)
		}
	}
	if near := nearest(key, all); near != "" {
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

// nearest returns the word that a slip of the pen would turn into name, or "".
func nearest(name string, words []string) string {
	best, least := "", 1+len(name)/4
	for _, w := range words {
		if d := distance(name, w); d <= least && (best == "" || d < distance(name, best)) {
			best = w
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements of single bytes
// that lead from a to b; letter case is free of charge.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if lower(a[i]) != lower(b[j]) {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// lower also makes dashes underscores, which are mistaken for each other.
func lower(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '-':
		return '_'
	}
	return c
}
