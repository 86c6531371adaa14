package filter

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// What follows reads JSON that was checked when it was posted. Of anything else
// it makes nothing in particular, but it ends.

// members walks over the members of an object. Names are without quotes and
// escapes; values are JSON texts.
type members struct {
	rest        []byte
	name, value []byte
}

// membersOf needs a text that begins with a brace.
func membersOf(object []byte) members { return members{rest: object[1:]} }

// nextName goes on to the next member and leaves its value in rest, to be
// skipped.
func (m *members) nextName() bool {
	rest := separated(m.rest)
	if m.rest = rest; len(rest) == 0 || rest[0] != '"' {
		return false
	}
	end := valueEnd(rest)
	m.name = text(rest[:end])
	rest = trim(rest[end:])
	if len(rest) == 0 || rest[0] != ':' {
		return false
	}
	m.rest = trim(rest[1:])
	return true
}

// skip reads the value in rest.
func (m *members) skip() bool {
	end := valueEnd(m.rest)
	m.value, m.rest = m.rest[:end], m.rest[end:]
	return end > 0
}

func (m *members) next() bool { return m.nextName() && m.skip() }

// member returns the value of the last member with the name, nil if there is
// none.
func member(object []byte, name string) (value []byte) {
	for m := membersOf(object); m.next(); {
		if string(m.name) == name {
			value = m.value
		}
	}
	return value
}

// elements walks over the elements of an array. Arrays in it are as if their
// elements stood in their place.
type elements struct {
	rest  []byte
	depth int // of arrays in the array

	brackets int // that were passed
}

// elementsOf needs a text that begins with a bracket.
func elementsOf(array []byte) elements { return elements{rest: array[1:]} }

// nextStart goes on to the next element, which is left in rest, or to the
// bracket at the end.
func (e *elements) nextStart() bool {
	for {
		e.rest = separated(e.rest)
		switch {
		case len(e.rest) > 0 && e.rest[0] == '[':
			e.depth++
		case len(e.rest) > 0 && e.rest[0] == ']' && e.depth > 0:
			e.depth--
		default:
			return len(e.rest) > 0 && e.rest[0] != ']'
		}
		e.rest = e.rest[1:]
		e.brackets++
	}
}

// separated takes away space, and the comma before the next value.
func separated(text []byte) []byte {
	text = trim(text)
	if len(text) > 0 && text[0] == ',' {
		text = trim(text[1:])
	}
	return text
}

// trim takes away the space before a value.
func trim(text []byte) []byte {
	for len(text) > 0 {
		switch text[0] {
		case ' ', '\t', '\r', '\n':
			text = text[1:]
		default:
			return text
		}
	}
	return text
}

// valueEnd returns the length of the value that text begins with, 0 if there is
// none.
func valueEnd(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case '"':
		return stringEnd(text)
	case '{', '[':
		return nestEnd(text)
	}
	for i, c := range text {
		switch c {
		case ',', ':', '}', ']', '"', '{', '[', ' ', '\t', '\r', '\n':
			return i
		}
	}
	return len(text)
}

func stringEnd(text []byte) int {
	for i := 1; ; {
		quote := bytes.IndexByte(text[i:], '"')
		if quote < 0 {
			return len(text)
		}
		end := i + quote
		escapes := 0
		for text[end-1-escapes] == '\\' && end-1-escapes > 0 {
			escapes++
		}
		if i = end + 1; escapes%2 == 0 {
			return i
		}
	}
}

// nestEnd is valueEnd for objects and arrays.
func nestEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// text returns what a JSON string holds, sharing its bytes if it has no escapes.
func text(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 && len(quoted) > 1 {
		return quoted[1 : len(quoted)-1]
	}
	plain, _ := jsontext.AppendUnquote(nil, quoted)
	return plain
}
