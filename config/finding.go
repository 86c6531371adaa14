package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Origin says where a value came from: a line of a file, an environment
// variable or a flag. The zero Origin is the default.
type Origin struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Name string `json:"from,omitempty"` // of the variable or flag
}

// String is FILE:LINE, or the name of the variable or flag; empty for the default.
func (o Origin) String() string {
	switch {
	case o.File != "" && o.Line > 0:
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	case o.File != "":
		return o.File
	default:
		return o.Name
	}
}

// Severity says whether a finding keeps the server from starting.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is something an operator should know about the configuration.
type Finding struct {
	Severity Severity `json:"severity"`
	Origin
	Section string `json:"section,omitempty"`
	Key     string `json:"key,omitempty"`
	Text    string `json:"text"`
}

// String is one line: where, which key, what.
func (f Finding) String() string {
	var b strings.Builder
	if at := f.Origin.String(); at != "" {
		b.WriteString(at + ": ")
	}
	b.WriteString(string(f.Severity) + ": ")
	if f.Section != "" {
		b.WriteString("[" + f.Section + "] ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Text)
	return b.String()
}

// Report is everything that was found, in the order of files and lines.
type Report []Finding

// Errors returns the findings that keep the server from starting.
func (r Report) Errors() Report { return r.only(Error) }

// Warnings returns the others.
func (r Report) Warnings() Report { return r.only(Warning) }

func (r Report) only(s Severity) Report {
	return slices.DeleteFunc(slices.Clone(r), func(f Finding) bool { return f.Severity != s })
}

// String is one line per finding.
func (r Report) String() string {
	var b strings.Builder
	for _, f := range r {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

func (r *Report) add(s Severity, at Origin, section, key, format string, args ...any) {
	*r = append(*r, Finding{s, at, section, key, fmt.Sprintf(format, args...)})
}

// sort brings findings into the order in which files were read; what is in no
// file comes last.
func (r Report) sort(files []string) {
	rank := func(f Finding) int {
		if i := slices.Index(files, f.File); i >= 0 {
			return i
		}
		return len(files)
	}
	slices.SortStableFunc(r, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Line, b.Line))
	})
}
