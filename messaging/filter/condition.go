package filter

import (
	"bytes"
	"net/netip"
)

// condition is one of those of which a value has to meet one.
type condition struct {
	operator  operator
	text      string
	fold      []byte // of equals-ignore-case
	low, high bound
	prefix    netip.Prefix
	none      []condition // of anything-but
}

type operator uint8

const (
	equalsString operator = iota
	equalsToken           // true, false and null
	equalsNumber          // to low
	inRange               // between low and high
	hasPrefix
	hasSuffix
	equalsFold
	inNetwork
	anythingBut
	exists
	existsNot
)

// bound is one end of a range of numbers.
type bound struct {
	number    decimal
	set, open bool // open: the number itself is outside
}

// meets reports whether a value meets one of the conditions. nil is no value at
// all.
func meets(conditions []condition, value []byte) bool {
	if len(value) == 0 {
		return contains(conditions, existsNot)
	}
	if contains(conditions, exists) {
		return true
	}
	if value[0] != '[' {
		return meetsOne(conditions, value)
	}
	for e := elementsOf(value); e.next(); {
		if meetsOne(conditions, e.value) {
			return true
		}
	}
	return false
}

func contains(conditions []condition, o operator) bool {
	for i := range conditions {
		if conditions[i].operator == o {
			return true
		}
	}
	return false
}

// scalar is a value that is neither an object nor an array.
type scalar struct {
	token  []byte // the JSON text of what is no string
	text   []byte // what a string holds
	number decimal
	kind   byte // '"' for strings, '0' for numbers, 't' for the rest
}

func scalarOf(value []byte) scalar {
	if value[0] == '"' {
		return scalar{kind: '"', text: text(value)}
	}
	if n, ok := parseDecimal(value); ok {
		return scalar{kind: '0', number: n}
	}
	return scalar{kind: 't', token: value}
}

// meetsOne is meets for what is no array.
func meetsOne(conditions []condition, value []byte) bool {
	if value[0] == '{' {
		return false
	}
	s := scalarOf(value)
	for i := range conditions {
		if conditions[i].met(&s) {
			return true
		}
	}
	return false
}

func (c *condition) met(s *scalar) bool {
	switch c.operator {
	case equalsToken:
		return s.kind == 't' && string(s.token) == c.text
	case equalsNumber:
		return s.kind == '0' && s.number.compare(c.low.number) == 0
	case inRange:
		return s.kind == '0' && c.inRange(s.number)
	case anythingBut:
		for i := range c.none {
			if c.none[i].met(s) {
				return false
			}
		}
		return true
	}
	return s.kind == '"' && c.metByText(s.text)
}

func (c *condition) metByText(text []byte) bool {
	switch c.operator {
	case equalsString:
		return string(text) == c.text
	case hasPrefix:
		return len(text) >= len(c.text) && string(text[:len(c.text)]) == c.text
	case hasSuffix:
		return len(text) >= len(c.text) && string(text[len(text)-len(c.text):]) == c.text
	case equalsFold:
		return bytes.EqualFold(text, c.fold)
	case inNetwork:
		return c.inNetwork(text)
	}
	return false
}

func (c *condition) inRange(n decimal) bool {
	if c.low.set {
		if order := n.compare(c.low.number); order < 0 || order == 0 && c.low.open {
			return false
		}
	}
	if c.high.set {
		if order := n.compare(c.high.number); order > 0 || order == 0 && c.high.open {
			return false
		}
	}
	return true
}

// longestAddress is more than any address without a zone has.
const longestAddress = 64

func (c *condition) inNetwork(text []byte) bool {
	if len(text) > longestAddress {
		return false
	}
	a, err := netip.ParseAddr(string(text))
	return err == nil && (c.prefix.Contains(a.Unmap()) || c.prefix.Contains(a))
}
