package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The scanner finds where JSON values end, in one pass that also holds them
// against every rule of the documents: the grammar of RFC 8259, UTF-8, escapes
// in pairs where UTF-16 needs them, integers of 64 bits, MaxDepth. It builds
// nothing. What is wrong with a text it refuses is for Reader to find out.

// malformed is what scanning functions return instead of an offset.
const malformed = -1

// scanValue returns the offset behind the value that begins at i, inside depth
// arrays and objects.
func scanValue(b []byte, i, depth int) int {
	if i >= len(b) {
		return malformed
	}
	switch b[i] {
	case '"':
		return scanString(b, i)
	case '{':
		return scanObject(b, i, depth+1)
	case '[':
		return scanArray(b, i, depth+1)
	case 't':
		return scanWord(b, i, "true")
	case 'f':
		return scanWord(b, i, "false")
	case 'n':
		return scanWord(b, i, "null")
	}
	return scanNumber(b, i)
}

func scanObject(b []byte, i, depth int) int {
	if depth > MaxDepth {
		return malformed
	}
	if i = scanBlank(b, i+1); at(b, i) == '}' {
		return i + 1
	}
	for {
		if at(b, i) != '"' {
			return malformed
		}
		if i = scanString(b, i); i < 0 {
			return malformed
		}
		if i = scanBlank(b, i); at(b, i) != ':' {
			return malformed
		}
		if i = scanValue(b, scanBlank(b, i+1), depth); i < 0 {
			return malformed
		}
		var over bool
		if i, over = scanNext(b, i, '}'); over {
			return i
		}
	}
}

func scanArray(b []byte, i, depth int) int {
	if depth > MaxDepth {
		return malformed
	}
	if i = scanBlank(b, i+1); at(b, i) == ']' {
		return i + 1
	}
	for {
		if i = scanValue(b, i, depth); i < 0 {
			return malformed
		}
		var over bool
		if i, over = scanNext(b, i, ']'); over {
			return i
		}
	}
}

// scanNext goes from behind a member or an element to the next one. At the end
// of all, or where there is neither, it is over.
func scanNext(b []byte, i int, end byte) (next int, over bool) {
	switch i = scanBlank(b, i); at(b, i) {
	case end:
		return i + 1, true
	case ',':
		return scanBlank(b, i+1), false
	}
	return malformed, true
}

// at returns the byte at i; 0, which no rule allows anywhere, behind the end.
func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// scanBlank returns the offset of the first byte from i on that is no blank.
func scanBlank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

func scanWord(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return malformed
	}
	return i + len(word)
}

func scanNumber(b []byte, i int) int {
	start := i
	if at(b, i) == '-' {
		i++
	}
	first := i
	if i = scanDigits(b, i); i == first || b[first] == '0' && i > first+1 {
		return malformed
	}
	integer := true
	if at(b, i) == '.' {
		integer, first = false, i+1
		if i = scanDigits(b, first); i == first {
			return malformed
		}
	}
	if c := at(b, i); c == 'e' || c == 'E' {
		integer, first = false, i+1
		if c := at(b, first); c == '+' || c == '-' {
			first++
		}
		if i = scanDigits(b, first); i == first {
			return malformed
		}
	}
	if integer && hugeInteger(b[start:i]) {
		return malformed
	}
	return i
}

func scanDigits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

// scanString returns the offset behind the string whose quote is at i.
func scanString(b []byte, i int) int {
	for i++; ; {
		i = scanPlain(b, i)
		switch c := at(b, i); {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = scanEscape(b, i); i < 0 {
				return malformed
			}
		case c < ' ': // or the end
			return malformed
		default:
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 {
				return malformed
			}
			i += size
		}
	}
}

// special looks for bytes that are not plain among the first eight of b: the
// lowest bit that is set is the highest of the first such byte. A subtraction in
// each byte sets its highest bit where the byte was smaller, and what it borrows
// from the bytes above can only make those look special that stand behind a
// special one.
func special(b []byte) uint64 {
	const (
		ones = 0x0101010101010101
		tops = 0x80 * ones
	)
	x := binary.LittleEndian.Uint64(b)
	return (x | (x - ' '*ones) | (x ^ '"'*ones - ones) | (x ^ '\\'*ones - ones)) & tops
}

// scanPlain returns the offset of the first byte from i on that is not plain:
// a quote, a backslash, a control character or no ASCII.
func scanPlain(b []byte, i int) int {
	for ; i+32 <= len(b); i += 32 {
		c := b[i : i+32]
		if special(c[:8])|special(c[8:16])|special(c[16:24])|special(c[24:]) != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if found := special(b[i:]); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] < utf8.RuneSelf && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// scanEscape returns the offset behind the escape whose backslash is at i, or
// behind the second of two that are one character.
func scanEscape(b []byte, i int) int {
	switch at(b, i+1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
	default:
		return malformed
	}
	switch unit := hexUnit(b, i+2); {
	case unit < 0 || 0xDC00 <= unit && unit < 0xE000:
		return malformed
	case unit < 0xD800 || unit >= 0xE000:
		return i + 6
	}
	if at(b, i+6) != '\\' || at(b, i+7) != 'u' {
		return malformed
	}
	if low := hexUnit(b, i+8); low < 0xDC00 || low >= 0xE000 {
		return malformed
	}
	return i + 12
}

// hexUnit returns the number that four hex digits at i make.
func hexUnit(b []byte, i int) int {
	if len(b)-i < 4 {
		return malformed
	}
	unit := 0
	for _, c := range b[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return malformed
		}
		unit = unit<<4 | int(c)
	}
	return unit
}
