package config

import (
	"fmt"
	"io"
	"strings"
)

// Sample writes a commented file of every option that has an effect, with its
// default. Where there is none, the value is left out.
func Sample(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# A sample zaqar.conf: every option with its default.\n" +
		"# Without any configuration file the server starts all the same.\n")
	for _, s := range Table() {
		if s.active() == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n[%s]\n", s.Name)
		comment(&b, s.Help)
		for _, o := range s.Options {
			if o.Effect != Active {
				continue
			}
			b.WriteString("\n")
			comment(&b, o.Help)
			comment(&b, "Allowed: "+o.Allowed+".")
			fmt.Fprintf(&b, "#%s\n", strings.TrimRight(o.Key+" = "+inFile(o.Default), " "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s Section) active() int {
	n := 0
	for _, o := range s.Options {
		if o.Effect == Active {
			n++
		}
	}
	return n
}

// comment writes text as comment lines of at most 78 characters.
func comment(b *strings.Builder, text string) {
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 78 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// Markdown writes the reference of all sections and options.
func Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(preface)
	for _, s := range Table() {
		fmt.Fprintf(&b, "\n## `[%s]`\n\n%s\n", s.Name, s.Help)
		s.table(&b, Active, "| Key | Default | Meaning | Allowed | Reload |\n|---|---|---|---|---|\n", func(o Option) string {
			help := o.Help
			if len(o.Aliases) > 0 {
				help += " Older name: `" + strings.Join(o.Aliases, "`, `") + "`."
			}
			if o.Secret {
				help += " Secret."
			}
			return fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", o.Key, code(o.Default), cell(help), cell(o.Allowed), yes(o.Live))
		})
		s.table(&b, Later, "Checked, but without effect in this version:\n\n| Key | Default | Meaning |\n|---|---|---|\n", func(o Option) string {
			return fmt.Sprintf("| `%s` | %s | %s |\n", o.Key, code(o.Default), cell(o.Help))
		})
		s.table(&b, Replaced, "Accepted with a warning, replaced:\n\n| Key | By what |\n|---|---|\n", noteRow)
		s.table(&b, Ignored, "Accepted with a warning, ignored:\n\n| Key | Why |\n|---|---|\n", noteRow)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const preface = `# Configuration

<!-- Generated from the tables in config/: go test ./config -run TestReference -update -->

The server starts without any configuration: HTTP on 127.0.0.1:8888, a crash-safe store on the local disk, no
authentication, private endpoints on. An existing ` + "`zaqar.conf`" + ` is read as it is.

` + "`zaqar config sample`" + ` prints a commented file of everything that has an effect, ` + "`zaqar config check`" + ` reports every
mistake of the configuration at once, ` + "`zaqar config show`" + ` prints what is in force and where each value comes from.

## Where values come from

Later ones win:

1. ` + "`zaqar.conf`, `zaqar-server.conf`, `zaqar-queues.conf`" + `: each one the first found in ` + "`~/.zaqar/`, `~/`, `/etc/zaqar/`, `/etc/`" + `.
   ` + "`--config-file F`" + ` (repeatable) replaces this search.
2. ` + "`*.conf`" + ` in ` + "`zaqar.conf.d/`, `zaqar-server.conf.d/`, `zaqar-queues.conf.d/`" + ` in the same places, in the order of their names.
   ` + "`--config-dir D`" + ` (repeatable) replaces this search.
   Directories named in the environment variable ` + "`ZAQAR_CONFIG_DIRS`" + `, separated by ` + "`:`" + `, are searched instead of these; empty: none.
3. Environment variables ` + "`OS_<SECTION>__<KEY>`" + ` in capitals, with ` + "`_` for `:` and `-`: `OS_DRIVERS_TRANSPORT_WSGI__PORT=8889`" + `.
4. Flags.

## Syntax

` + "`key = value` or `key: value` under a `[section]`" + `. Comment lines begin with ` + "`#` or `;`" + ` in column one; there are no trailing
comments. A line that begins with a blank continues the value above. One pair of quotes around a value is dropped.
` + "`$name` and `${name}`" + ` stand for another option of the section or of ` + "`[DEFAULT]`; `$$`" + ` is a dollar sign. Unknown keys and
sections are reported and ignored. A value that is not allowed keeps the server from starting.

SIGHUP re-reads everything. Options marked *yes* under Reload change at once; the log names others that changed and
need a restart. A configuration with mistakes is refused as a whole, and the old one stays in force.
`

func (s Section) table(b *strings.Builder, e Effect, head string, row func(Option) string) {
	for _, o := range s.Options {
		if o.Effect != e {
			continue
		}
		if head != "" {
			b.WriteString("\n" + head)
			head = ""
		}
		b.WriteString(row(o))
	}
}

func noteRow(o Option) string { return fmt.Sprintf("| `%s` | %s |\n", o.Key, cell(o.Note)) }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
