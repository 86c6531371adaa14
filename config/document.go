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
	for _, s := range table() {
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

func (s section) active() int {
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
