package messaging

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// shownLength is how much of a refused value an error repeats, in bytes.
const shownLength = 40

// Quoted returns foreign text for use in an error: in quotes, its beginning.
func Quoted(s string) string {
	if cut := trimmed(s); cut != s {
		return strconv.Quote(cut) + "…"
	}
	return strconv.Quote(s)
}

// Given returns a JSON text for use in an error: its beginning.
func Given(value []byte) string {
	s := string(value)
	if cut := trimmed(s); cut != s {
		return cut + "…"
	}
	return s
}

func trimmed(s string) string {
	if len(s) <= shownLength {
		return s
	}
	end := shownLength
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// FalseLike reports whether a JSON text is null, false, zero, or an empty
// string, array or object: what the original takes for "not set".
func FalseLike(value []byte) bool {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return true
	}
	switch value[0] {
	case 'n', 'f':
		return true
	case 't':
		return false
	case '"':
		return len(value) == len(`""`)
	case '[', '{':
		return len(bytes.TrimSpace(value[1:len(value)-1])) == 0
	}
	n, err := strconv.ParseFloat(string(value), 64)
	return err == nil && n == 0
}
