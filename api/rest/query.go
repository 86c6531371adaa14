package rest

import (
	"net/url"
	"strconv"
	"strings"
)

// query is a query string, read by the rules of http-v2 §1.2. Reading a value
// of the wrong form sets err; the first one stays. Values are valid until the
// next query string.
type query struct {
	pairs    []pair
	integers []int64
	counts   []int
	waits    bool // wait was asked for and is not 0
	err      error
}

// pair is one parameter as sent: decoded name, undecoded value. Blank ones are
// left out, since they count as absent.
type pair struct{ name, value string }

// keptPairs is for how many parameters room is kept.
const keptPairs = 32

// forget empties the query.
func (q *query) forget() {
	if cap(q.pairs) > keptPairs {
		*q = query{}
	}
	clear(q.pairs)
	*q = query{pairs: q.pairs[:0], integers: q.integers[:0], counts: q.counts[:0]}
}

// parse adds the parameters of a query string.
func (q *query) parse(raw string) {
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(part, "=")
		if value != "" {
			q.pairs = append(q.pairs, pair{decoded(name), value})
		}
	}
}

// decoded resolves escapes. A text with broken escapes stays as it is.
func decoded(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// scalar returns the last element of the last occurrence that is not blank.
func (q *query) scalar(name string) (string, bool) {
	for i := len(q.pairs) - 1; i >= 0; i-- {
		if q.pairs[i].name != name {
			continue
		}
		for rest := q.pairs[i].value; rest != ""; {
			at := strings.LastIndexByte(rest, ',')
			if last := rest[at+1:]; last != "" {
				return decoded(last), true
			}
			rest = rest[:at]
		}
	}
	return "", false
}

// text returns a parameter as it is, empty when absent.
func (q *query) text(name string) string {
	s, _ := q.scalar(name)
	return s
}

// list returns the elements of all occurrences and whether there was any
// occurrence. Ids hold no commas, so an escaped one separates as well.
func list[T ~string](q *query, name string) (elements []T, given bool) {
	const usual = 32
	for _, p := range q.pairs {
		if p.name != name {
			continue
		}
		given = true
		value := decoded(p.value)
		for more := true; more; {
			var element string
			element, value, more = strings.Cut(value, ",")
			if element == "" {
				continue
			}
			if elements == nil {
				elements = make([]T, 0, min(strings.Count(value, ",")+2, usual))
			}
			elements = append(elements, T(element))
		}
	}
	return elements, given
}

// int returns an integer, nil when absent.
func (q *query) int(name string) *int64 {
	s, ok := q.scalar(name)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		q.fail(name, "an integer")
		return nil
	}
	q.integers = append(q.integers, n)
	return &q.integers[len(q.integers)-1]
}

// count returns an integer that says how many, nil when absent. What no page
// can hold becomes a number that no limit allows.
func (q *query) count(name string) *int {
	n := q.int(name)
	if n == nil {
		return nil
	}
	const many = 1 << 30
	q.counts = append(q.counts, int(max(-many, min(*n, many))))
	return &q.counts[len(q.counts)-1]
}

// bool returns a boolean, false when absent.
func (q *query) bool(name string) bool {
	s, ok := q.scalar(name)
	if !ok {
		return false
	}
	switch s {
	case "true", "True", "t", "yes", "y", "1", "on":
		return true
	case "false", "False", "f", "no", "n", "0", "off":
		return false
	}
	q.fail(name, "true or false")
	return false
}

func (q *query) fail(name, want string) {
	if q.err == nil {
		q.err = invalid("The parameter " + name + " must be " + want + ".")
	}
}

// nextPage builds the href of the next page: the path, the parameters among
// names that the client sent, in their canonical spelling, and the marker.
// The query must have been read without error.
type nextPage struct{ b []byte }

// newNextPage begins a link in the memory of buf.
func newNextPage(buf []byte, path string) nextPage {
	return nextPage{append(append(buf[:0], path...), '?')}
}

func (n *nextPage) name(name string) {
	n.b = append(append(n.b, url.QueryEscape(name)...), '=')
}

func (n *nextPage) add(name, value string) {
	n.name(name)
	n.b = append(append(n.b, url.QueryEscape(value)...), '&')
}

func (n *nextPage) ints(q *query, names ...string) {
	for _, name := range names {
		if v := q.int(name); v != nil {
			n.name(name)
			n.b = append(strconv.AppendInt(n.b, *v, 10), '&')
		}
	}
}

func (n *nextPage) bools(q *query, names ...string) {
	for _, name := range names {
		if _, ok := q.scalar(name); ok {
			n.name(name)
			n.b = append(strconv.AppendBool(n.b, q.bool(name)), '&')
		}
	}
}

// href returns the link with the marker at its end.
func (n *nextPage) href(marker string) []byte {
	n.name("marker")
	n.b = append(n.b, url.QueryEscape(marker)...)
	return n.b
}
