// Package checksum computes the checksum that clients of the service expect
// with a message: the MD5 of the body in the JSON form of Python's json.dumps
// (http-v2 §11.6).
//
// A body is stored as it was sent, so its text may differ from that form in
// blanks, escapes, number spelling and duplicate members. Form rewrites it:
//
//	separators   ", " and ": ", no other blanks
//	objects      members in the order received; of duplicates the last value,
//	             at the place of the first
//	strings      ASCII only: \" \\ \b \f \n \r \t, everything else outside
//	             U+0020–U+007E as \uxxxx, in pairs beyond U+FFFF
//	integers     as they are (-0 is 0)
//	fractions    the shortest text that reads back as the same double, with an
//	             exponent below 1e-04 and from 1e+16 on
package checksum

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Of returns "MD5:" and 32 lower-case hex digits for a body, which is one JSON
// text. It fails only if the text is not well-formed JSON.
func Of(body []byte) (string, error) {
	text, err := form(body)
	if err != nil {
		return "", err
	}
	sum := md5.Sum(text)
	return "MD5:" + hex.EncodeToString(sum[:]), nil
}

// form returns the JSON text in the form that is summed.
func form(body []byte) ([]byte, error) {
	w := writer{
		dec: jsontext.NewDecoder(bytes.NewBuffer(body),
			jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
		out: make([]byte, 0, len(body)+len(body)/8),
	}
	if err := w.value(); err != nil {
		return nil, fmt.Errorf("checksum: %w", err)
	}
	if _, err := w.dec.ReadToken(); err != io.EOF {
		return nil, errors.New("checksum: text after the JSON value")
	}
	return w.out, nil
}

type writer struct {
	dec *jsontext.Decoder
	out []byte
}

func (w *writer) value() error {
	switch w.dec.PeekKind() {
	case '{':
		return w.object()
	case '[':
		return w.array()
	}
	raw, err := w.dec.ReadValue()
	if err != nil {
		return err
	}
	switch raw.Kind() {
	case '"':
		w.out = appendString(w.out, raw)
	case '0':
		w.out = appendNumber(w.out, raw)
	default:
		w.out = append(w.out, raw...)
	}
	return nil
}

func (w *writer) array() error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	w.out = append(w.out, '[')
	for first := true; w.dec.PeekKind() != ']'; first = false {
		if !first {
			w.out = append(w.out, ", "...)
		}
		if err := w.value(); err != nil {
			return err
		}
	}
	w.out = append(w.out, ']')
	_, err := w.dec.ReadToken()
	return err
}

// member is where a member of an object stands in the output.
type member struct{ start, colon, end int }

func (w *writer) object() error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	w.out = append(w.out, '{')
	start := len(w.out)
	var members []member
	places := map[string]int{}
	duplicates := false
	for w.dec.PeekKind() != '}' {
		if len(members) > 0 {
			w.out = append(w.out, ", "...)
		}
		m, err := w.member()
		if err != nil {
			return err
		}
		name := string(w.out[m.start:m.colon])
		if at, seen := places[name]; seen {
			duplicates = true
			members[at] = m
			continue
		}
		places[name] = len(members)
		members = append(members, m)
	}
	if duplicates {
		w.rewrite(start, members)
	}
	w.out = append(w.out, '}')
	_, err := w.dec.ReadToken()
	return err
}

func (w *writer) member() (m member, err error) {
	name, err := w.dec.ReadValue()
	if err != nil {
		return m, err
	}
	m.start = len(w.out)
	w.out = appendString(w.out, name)
	m.colon = len(w.out)
	w.out = append(w.out, ": "...)
	err = w.value()
	m.end = len(w.out)
	return m, err
}

// rewrite replaces what was written from start on by the members given.
func (w *writer) rewrite(start int, members []member) {
	var text []byte
	for i, m := range members {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = append(text, w.out[m.start:m.end]...)
	}
	w.out = append(w.out[:start], text...)
}

// appendNumber appends the text of a JSON number as Python writes it.
func appendNumber(dst, number []byte) []byte {
	if !bytes.ContainsAny(number, ".eE") {
		if string(number) == "-0" {
			number = number[1:]
		}
		return append(dst, number...)
	}
	f, _ := strconv.ParseFloat(string(number), 64) // out of range: infinite
	return appendFloat(dst, f)
}

func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	// Ten to the power of exp is the first digit's place: d.ddde±xx.
	text := strconv.AppendFloat(nil, f, 'e', -1, 64)
	exp, _ := strconv.Atoi(string(text[bytes.IndexByte(text, 'e')+1:]))
	if exp < -4 || exp >= 16 {
		return append(dst, text...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if !bytes.ContainsRune(dst[start:], '.') {
		dst = append(dst, ".0"...)
	}
	return dst
}

// appendString appends a JSON string literal in its ASCII form. It works on
// the literal, so that a lone surrogate, which no Go string can hold, stays
// what it is.
func appendString(dst, literal []byte) []byte {
	dst = append(dst, '"')
	for s := literal[1 : len(literal)-1]; len(s) > 0; {
		switch c := s[0]; {
		case c == '\\' && s[1] == 'u':
			unit, _ := strconv.ParseUint(string(s[2:6]), 16, 16)
			dst = appendUnit(dst, uint16(unit))
			s = s[6:]
		case c == '\\' && s[1] == '/':
			dst = append(dst, '/')
			s = s[2:]
		case c == '\\':
			dst = append(dst, s[:2]...)
			s = s[2:]
		case c < utf8.RuneSelf:
			dst = appendUnit(dst, uint16(c))
			s = s[1:]
		default:
			r, size := utf8.DecodeRune(s)
			for _, unit := range utf16.AppendRune(nil, r) {
				dst = appendUnit(dst, unit)
			}
			s = s[size:]
		}
	}
	return append(dst, '"')
}

// appendUnit appends one UTF-16 code unit.
func appendUnit(dst []byte, unit uint16) []byte {
	const hexDigits = "0123456789abcdef"
	switch unit {
	case '"', '\\':
		return append(dst, '\\', byte(unit))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if ' ' <= unit && unit <= '~' {
		return append(dst, byte(unit))
	}
	return append(dst, '\\', 'u', hexDigits[unit>>12], hexDigits[unit>>8&15], hexDigits[unit>>4&15], hexDigits[unit&15])
}
