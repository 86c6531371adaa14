package config

import (
	"fmt"
	"slices"
	"strings"
)

// Masked prints the effective configuration as an INI file: every option that
// has an effect, where its value comes from, and stars for secrets.
func (c *Config) Masked() string {
	var b strings.Builder
	section := ""
	for _, v := range c.Values {
		if v.Section != section {
			section = v.Section
			fmt.Fprintf(&b, "[%s]\n", section)
		}
		if v.Origin != (Origin{}) {
			fmt.Fprintf(&b, "# from %s\n", v.Origin)
		}
		lines := []string{v.Shown()}
		if v.Multi {
			lines = strings.Split(v.Shown(), "\n")
		}
		for _, line := range lines {
			fmt.Fprintf(&b, "%s = %s\n", v.Key, inFile(line))
		}
	}
	return b.String()
}

// inFile spells a value so that reading the file gives it back.
func inFile(text string) string {
	text = strings.ReplaceAll(text, "$", "$$")
	text = strings.ReplaceAll(text, "\n", "\n  ")
	if text != strings.TrimSpace(text) || len(text) > 1 && text[0] == text[len(text)-1] && strings.ContainsAny(text[:1], `"'`) {
		return `"` + text + `"`
	}
	return text
}

// Change is an option whose value differs between two configurations.
type Change struct {
	Section, Key string
	From, To     string // secrets masked
	Live         bool   // a running server can take it
}

// Changes lists what differs from an older configuration.
func (c *Config) Changes(old *Config) []Change {
	var all []Change
	for i, v := range c.Values {
		if o := old.Values[i]; o.Text != v.Text {
			all = append(all, Change{v.Section, v.Key, o.Shown(), v.Shown(), v.Live})
		}
	}
	return all
}

// Adopt returns the configuration in force after a running server took the
// changes it can take: the options that are live as next has them, the others
// as they were.
func (c *Config) Adopt(next *Config) *Config {
	merged := *c
	merged.Files = next.Files
	merged.Values = slices.Clone(c.Values)
	for i, v := range next.Values {
		if v.Live {
			merged.Values[i] = v
		}
	}
	return &merged
}
