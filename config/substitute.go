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

// mostReferences is how many references one value may lead to. A few lines
// that name each other twice would otherwise make a text beyond all bounds.
const mostReferences = 1000

// expand replaces the references in a value of the section. secret tells
// whether a secret went in.
func (v *values) expand(section, text string, trail []optionID) (out string, secret bool, err error) {
	e := expansion{values: v, left: mostReferences}
	return e.expand(section, text, trail)
}

// expansion is the work on one value.
type expansion struct {
	*values
	left int // references that may still be followed
}

func (v *expansion) expand(section, text string, trail []optionID) (out string, secret bool, err error) {
	if !strings.Contains(text, "$") {
		return text, false, nil
	}
	out = v.reference.ReplaceAllStringFunc(text, func(m string) string {
		if err != nil {
			return ""
		}
		if m == "$$" || m == `\$` {
			return "$"
		}
		var value string
		var sec bool
		value, sec, err = v.referred(section, strings.Trim(m, "${}"), trail)
		secret = secret || sec
		return value
	})
	return out, secret, err
}

// referred returns the value of the option that a reference names: of the same
// section, else of [DEFAULT], or of a section named before a dot.
func (v *expansion) referred(section, name string, trail []optionID) (string, bool, error) {
	if v.left--; v.left < 0 {
		return "", false, fmt.Errorf("leads to more than %d references", mostReferences)
	}
	candidates := []optionID{{section, name}, {"DEFAULT", name}}
	if s, k, ok := strings.Cut(name, "."); ok {
		candidates = []optionID{{s, k}}
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
