// Package ini reads the INI dialect of existing zaqar.conf files and
// remembers where each value stood, so that a complaint can name file and
// line.
//
// The dialect (operations §1.1):
//
//	# a comment line, also with ';', in column one only
//	[section:with:colons]
//	key = value          '=' or ':' separates, whichever comes first
//	key: first line
//	  second line        a blank or tab continues the value
//	                     a blank line ends it
//	key = "value"        one pair of quotes around the whole value is dropped
//
// There are no trailing comments: a '#' within a value belongs to it. Section
// names are case-sensitive and taken as they are. Values are returned as
// text; substitution, types and defaults are the caller's business.
package ini

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Pos is a place in a file.
type Pos struct {
	File string
	Line int // from 1
}

// String is FILE:LINE, as editors take it.
func (p Pos) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Entry is one assignment. The lines of a value of several lines are joined
// by line feeds.
type Entry struct {
	Pos
	Section string
	Key     string
	Value   string
}

// Error is a line that is not of the dialect.
type Error struct {
	Pos
	What string
}

// Error is FILE:LINE and what is wrong there.
func (e *Error) Error() string { return e.Pos.String() + ": " + e.What }

// File is what a file holds.
type File struct {
	Entries []Entry // in the order of the file, repeated keys included
	Headers []Entry // each section header, with Section and Pos only
}

// Parse reads a file called name. It goes on after a bad line: it returns
// what it understood, and every Error.
func Parse(r io.Reader, name string) (File, []error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return File{}, []error{&Error{Pos{name, 0}, "cannot be read: " + err.Error()}}
	}
	p := parser{name: name}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		p.line++
		if !utf8.Valid(line) {
			p.fail("not valid UTF-8")
			continue
		}
		p.take(strings.TrimRight(string(line), " \t\r\v\f"))
	}
	p.flush()
	return p.file, p.errs
}

// parser holds the section and the assignment that may still be continued.
type parser struct {
	name    string
	line    int
	section string
	open    *Entry
	lines   []string
	skip    bool // continuation lines belong to a line that was refused
	file    File
	errs    []error
}

func (p *parser) take(line string) {
	switch {
	case line == "":
		p.flush()
	case line[0] == ' ' || line[0] == '\t':
		p.continuation(strings.TrimLeft(line, " \t"))
	case line[0] == '#' || line[0] == ';':
		p.flush()
	case line[0] == '[':
		p.flush()
		p.header(line)
	default:
		p.flush()
		p.assignment(line)
	}
}

func (p *parser) continuation(text string) {
	switch {
	case p.open != nil:
		p.lines = append(p.lines, text)
	case !p.skip:
		p.fail("the line begins with a blank, so it continues a value, but there is none before it")
	}
}

func (p *parser) header(line string) {
	switch {
	case !strings.HasSuffix(line, "]"):
		p.fail("a section header ends with ']' and nothing after it")
	case len(line) == 2:
		p.fail("the section has no name")
	default:
		p.section = line[1 : len(line)-1]
		p.file.Headers = append(p.file.Headers, Entry{Pos: p.pos(), Section: p.section})
	}
}

func (p *parser) assignment(line string) {
	cut := strings.IndexAny(line, "=:")
	if cut < 0 {
		p.fail("neither a section, nor a comment, nor 'key = value'")
		return
	}
	key := strings.TrimSpace(line[:cut])
	switch {
	case key == "":
		p.fail("there is no key before '" + line[cut:cut+1] + "'")
	case p.section == "":
		p.fail("the key " + key + " stands before any section; [DEFAULT] is the first one")
	default:
		p.open = &Entry{Pos: p.pos(), Section: p.section, Key: key}
		p.lines = append(p.lines[:0], strings.TrimSpace(line[cut+1:]))
	}
}

// flush ends the assignment that was open.
func (p *parser) flush() {
	p.skip = false
	if p.open == nil {
		return
	}
	p.open.Value = unquote(strings.Join(p.lines, "\n"))
	p.file.Entries = append(p.file.Entries, *p.open)
	p.open = nil
}

func (p *parser) pos() Pos { return Pos{p.name, p.line} }

func (p *parser) fail(what string) {
	p.errs = append(p.errs, &Error{p.pos(), what})
	p.skip = true
}

func unquote(s string) string {
	if n := len(s); n > 1 && s[0] == s[n-1] && (s[0] == '"' || s[0] == '\'') {
		return s[1 : n-1]
	}
	return s
}
