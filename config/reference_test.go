package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// markdown returns docs/configuration.md: all sections and options.
func markdown() string {
	var b strings.Builder
	b.WriteString(preface)
	for _, s := range table() {
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
	return b.String()
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

func (s section) table(b *strings.Builder, e Effect, head string, row func(Option) string) {
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

var update = flag.Bool("update", false, "write docs/configuration.md")

func TestReferenceIsUpToDate(t *testing.T) {
	const file = "../docs/configuration.md"
	want := markdown()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("docs/configuration.md is out of date; make docs writes it\n%s", d)
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
