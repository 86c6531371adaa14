package filter

import "math"

// digits is how many digits behind the point a number of a policy may have,
// and largest how large it may be.
const (
	digits  = 5
	largest = 1_000_000_000

	scale = 100_000 // 10 to the power of digits
)

// decimal is a number in relation to those of policies, exactly: the units of
// 1/scale that it holds, rounded down, and whether there was more.
type decimal struct {
	units int64
	more  bool
}

// compare returns -1, 0 or +1 as d is less than, equal to or more than a number
// of a policy.
func (d decimal) compare(n decimal) int {
	switch {
	case d.units < n.units:
		return -1
	case d.units > n.units || d.more:
		return +1
	}
	return 0
}

// parseDecimal reads the JSON text of a number, of any length. Far outside of
// what policies may hold, all numbers are alike.
func parseDecimal(text []byte) (decimal, bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	whole, text := leadingDigits(text)
	if len(whole) == 0 {
		return decimal{}, false
	}
	var fraction []byte
	if len(text) > 0 && text[0] == '.' {
		if fraction, text = leadingDigits(text[1:]); len(fraction) == 0 {
			return decimal{}, false
		}
	}
	exponent, ok := parseExponent(text)
	if !ok {
		return decimal{}, false
	}
	m := magnitude{left: len(whole) + exponent + digits}
	m.take(whole)
	m.take(fraction)
	m.fill()
	d := decimal{m.units, m.more}
	if negative {
		d.units = -d.units
		if d.more {
			d.units-- // rounded down
		}
	}
	return d, true
}

// magnitude gathers the units of a number from its digits.
type magnitude struct {
	units int64
	left  int // digits until the last that is a whole unit
	more  bool
}

const manyUnits = math.MaxInt64/10 - 1

func (m *magnitude) take(digits []byte) {
	for _, c := range digits {
		switch {
		case m.left <= 0:
			m.more = m.more || c != '0'
		case m.units <= manyUnits-1:
			m.units = min(m.units*10+int64(c-'0'), manyUnits)
		}
		m.left--
	}
}

// fill stands for the zeros that a large exponent implies.
func (m *magnitude) fill() {
	for ; m.left > 0 && m.units > 0 && m.units < manyUnits; m.left-- {
		m.units = min(m.units*10, manyUnits)
	}
}

func leadingDigits(text []byte) (digits, rest []byte) {
	for i, c := range text {
		if c < '0' || '9' < c {
			return text[:i], text[i:]
		}
	}
	return text, nil
}

// parseExponent reads the rest of a number behind its digits. An exponent that
// no text is long enough to balance is cut.
func parseExponent(text []byte) (int, bool) {
	if len(text) == 0 {
		return 0, true
	}
	if text[0] != 'e' && text[0] != 'E' {
		return 0, false
	}
	text = text[1:]
	sign := 1
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	all, rest := leadingDigits(text)
	if len(all) == 0 || len(rest) > 0 {
		return 0, false
	}
	n := 0
	for _, c := range all {
		n = min(n*10+int(c-'0'), 1<<40)
	}
	return sign * n, true
}
