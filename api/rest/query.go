package rest

import (
	"net/url"
	"strconv"
	"strings"
)

// query is a query string, read by the rules of http-v2 §1.2. Reading a value
// of the wrong form sets err; the first one stays.
type query struct {
	pairs []pair
	err   error
}

// pair is one parameter as sent: decoded name, undecoded value. Blank ones are
// left out, since they count as absent.
type pair struct{ name, value string }

func parseQuery(raw string) query {
	var q query
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(part, "=")
		if value != "" {
			q.pairs = append(q.pairs, pair{decoded(name), value})
		}
	}
	return q
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
func (q *query) list(name string) (elements []string, given bool) {
	for _, p := range q.pairs {
		if p.name != name {
			continue
		}
		given = true
		for element := range strings.SplitSeq(decoded(p.value), ",") {
			if element != "" {
				elements = append(elements, element)
			}
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
	return &n
}

// count returns an integer that says how many, nil when absent. What no page
// can hold becomes a number that no limit allows.
func (q *query) count(name string) *int {
	n := q.int(name)
	if n == nil {
		return nil
	}
	const many = 1 << 30
	small := int(max(-many, min(*n, many)))
	return &small
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
type nextPage struct{ b strings.Builder }

func newNextPage(path string) *nextPage {
	n := new(nextPage)
	n.b.WriteString(path)
	n.b.WriteByte('?')
	return n
}

func (n *nextPage) add(name, value string) {
	n.b.WriteString(url.QueryEscape(name))
	n.b.WriteByte('=')
	n.b.WriteString(url.QueryEscape(value))
	n.b.WriteByte('&')
}

func (n *nextPage) ints(q *query, names ...string) {
	for _, name := range names {
		if v := q.int(name); v != nil {
			n.add(name, strconv.FormatInt(*v, 10))
		}
	}
}

func (n *nextPage) bools(q *query, names ...string) {
	for _, name := range names {
		if _, ok := q.scalar(name); ok {
			n.add(name, strconv.FormatBool(q.bool(name)))
		}
	}
}

// href returns the link with the marker at its end.
func (n *nextPage) href(marker string) string {
	n.b.WriteString("marker=")
	n.b.WriteString(url.QueryEscape(marker))
	return n.b.String()
}
