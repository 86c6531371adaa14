package config

import (
	"fmt"
	"regexp"
	"strings"
)

// reference finds what substitution replaces: an escaped dollar sign, $name
// and ${name}. A dollar sign before anything else stands for itself.
func reference() *regexp.Regexp {
	return regexp.MustCompile(`\$\$|\\\$|\$[A-Za-z_][A-Za-z0-9_.]*|\$\{[A-Za-z_][A-Za-z0-9_.]*\}`)
}

// expand replaces the references in a value of the section. secret tells
// whether a secret went in.
func (v *values) expand(section, text string, trail []option) (out string, secret bool, err error) {
	if !strings.Contains(text, "$") {
		return text, false, nil
	}
	out = v.reference.ReplaceAllStringFunc(text, func(m string) string {
		if m == "$$" || m == `\$` {
			return "$"
		}
		value, sec, e := v.referred(section, strings.Trim(m, "${}"), trail)
		if e != nil && err == nil {
			err = e
		}
		secret = secret || sec
		return value
	})
	return out, secret, err
}

// referred returns the value of the option that a reference names: of the same
// section, else of [DEFAULT], or of a section named before a dot.
func (v *values) referred(section, name string, trail []option) (string, bool, error) {
	candidates := []option{{section, name}, {"DEFAULT", name}}
	if s, k, ok := strings.Cut(name, "."); ok {
		candidates = []option{{s, k}}
	}
	for _, id := range candidates {
		for _, t := range trail {
			if t == id {
				return "", false, fmt.Errorf("$%s refers to itself", name)
			}
		}
		text, ok := v.raw(id)
		if !ok {
			continue
		}
		o, _ := v.index.find(id)
		value, secret, err := v.expand(id.section, text, append(trail, id))
		return value, secret || o.Secret, err
	}
	return "", false, fmt.Errorf("$%s names no option; a dollar sign is written $$", name)
}
