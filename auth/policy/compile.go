package policy

import (
	"fmt"
	"slices"
	"strings"

	"zaqar/internal/spelling"
)

// Finding is something that is wrong or odd about the rules.
type Finding struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Rule  string `json:"rule,omitempty"` // empty: the file as a whole
	Text  string `json:"text"`
	Error bool   `json:"error"` // else a warning
}

// String is the finding as one line: place, severity, rule and text.
func (f Finding) String() string {
	severity := "warning"
	if f.Error {
		severity = "error"
	}
	about := ""
	if f.Rule != "" {
		about = f.Rule + ": "
	}
	return fmt.Sprintf("%s:%d: %s: %s%s", f.File, f.Line, severity, about, f.Text)
}

// Compile makes a Policy of the defaults and of files that change them. The
// files count in their order, later ones override earlier ones. defaultRule is
// the name of the rule that stands for those that others refer to and nobody
// defined ([oslo_policy] policy_default_rule). The Policy is nil if there is
// an error among the findings.
func Compile(files []File, defaultRule string) (*Policy, []Finding) {
	c := &compiler{rules: map[string]*draft{}, fallback: defaultRule}
	for _, r := range Rules() {
		c.rules[r.Name] = &draft{compiled: compiled{name: r.Name, native: true}, source: definition{text: r.Default}}
	}
	for _, f := range files {
		if f.IsJSON() {
			c.report(f.Name, 1, "", false, "the file is in JSON, which the original has given up for YAML")
		}
		c.read(f)
	}
	return c.finish(files)
}

// finish compiles what was read.
func (c *compiler) finish(files []File) (*Policy, []Finding) {
	names := c.names()
	for _, name := range names {
		c.compile(c.rules[name])
	}
	c.checkCycles(names)
	c.checkNames(names)
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		byFile := fileAt(files, a.File) - fileAt(files, b.File)
		if byFile == 0 {
			return a.Line - b.Line
		}
		return byFile
	})
	if slices.ContainsFunc(c.findings, func(f Finding) bool { return f.Error }) {
		return nil, c.findings
	}
	p := &Policy{rules: map[string]*compiled{}}
	for name, d := range c.rules {
		p.rules[name] = &d.compiled
	}
	return p, c.findings
}

func fileAt(files []File, name string) int {
	return slices.IndexFunc(files, func(f File) bool { return f.Name == name })
}

// Default returns the rules of a deployment that defines none of its own.
func Default() *Policy {
	p, findings := Compile(nil, "")
	if p == nil {
		panic(fmt.Sprint("policy: the table of rules is wrong: ", findings))
	}
	return p
}

type compiler struct {
	rules    map[string]*draft
	fallback string
	findings []Finding
}

// draft is a rule on its way.
type draft struct {
	compiled
	source definition
	refers []*draft
	used   bool // another rule refers to it
}

func (c *compiler) report(file string, line int, rule string, isError bool, text string) {
	c.findings = append(c.findings, Finding{file, line, rule, text, isError})
}

func (c *compiler) read(f File) {
	for _, d := range f.definitions(func(line int, rule, what string) { c.report(f.Name, line, rule, true, what) }) {
		at := c.rules[d.name]
		if at == nil {
			at = &draft{compiled: compiled{name: d.name}}
			c.rules[d.name] = at
		}
		at.source, at.file, at.line = d, f.Name, d.line
	}
}

// names lists the rules in order: those of the table first.
func (c *compiler) names() []string {
	var native, own []string
	for _, r := range Rules() {
		native = append(native, r.Name)
	}
	for name, d := range c.rules {
		if !d.native {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return append(native, own...)
}

func (c *compiler) compile(d *draft) {
	p := parser{
		refer: func(name string) (*compiled, bool) { return c.refer(d, name) },
		warn:  func(what string) { c.report(d.file, d.line, d.name, false, what) },
	}
	var err error
	if d.source.list != nil {
		d.text = listText(d.source.list)
		d.check, err = p.list(d.source.list)
	} else {
		d.text = d.source.text
		d.check, err = p.expression(d.source.text)
	}
	if err != nil {
		c.report(d.file, d.line, d.name, true, err.Error())
	}
}

// refer finds what a reference in a rule means.
func (c *compiler) refer(from *draft, name string) (*compiled, bool) {
	to := c.rules[name]
	if to == nil {
		if to = c.rules[c.fallback]; to == nil || c.fallback == "" {
			return nil, false
		}
		c.report(from.file, from.line, from.name, false, fmt.Sprintf("there is no rule %q; rule %q stands for it%s",
			name, c.fallback, suggestion(name, c.names())))
	}
	to.used = true
	from.refers = append(from.refers, to)
	return &to.compiled, true
}

// checkCycles finds rules that refer to themselves, directly or through others.
func (c *compiler) checkCycles(names []string) {
	const (
		unseen = iota
		open
		done
	)
	state := map[*draft]int{}
	var path []string
	var visit func(d *draft)
	visit = func(d *draft) {
		path = append(path, d.name)
		switch state[d] {
		case open:
			from := slices.Index(path, d.name)
			c.report(d.file, d.line, d.name, true, "refers to itself: "+strings.Join(path[from:], " -> "))
		case unseen:
			state[d] = open
			for _, to := range d.refers {
				visit(to)
			}
			state[d] = done
		}
		path = path[:len(path)-1]
	}
	for _, name := range names {
		visit(c.rules[name])
	}
}

// checkNames warns of rules that nobody asks for.
func (c *compiler) checkNames(names []string) {
	var native []string
	for _, r := range Rules() {
		native = append(native, r.Name)
	}
	for _, name := range names {
		if d := c.rules[name]; !d.native && !d.used && name != c.fallback {
			c.report(d.file, d.line, name, false, "nothing asks for this rule and no other refers to it; it has no effect"+suggestion(name, native))
		}
	}
}

// suggestion says what a name that does not exist may have been meant to be.
func suggestion(name string, words []string) string {
	if near := spelling.Nearest(name, words); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// listText shows a rule in the form of a list as one text.
func listText(alternatives []any) string {
	var either []string
	for _, a := range alternatives {
		words, isList := a.([]any)
		if !isList {
			words = []any{a}
		}
		var all []string
		for _, w := range words {
			all = append(all, fmt.Sprint(w))
		}
		text := strings.Join(all, " and ")
		if len(all) > 1 && len(alternatives) > 1 {
			text = "(" + text + ")"
		}
		either = append(either, text)
	}
	return strings.Join(either, " or ")
}
