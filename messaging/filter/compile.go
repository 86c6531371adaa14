package filter

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"zaqar/messaging"
)

// The limits of a policy.
const (
	// MaxSize is how long the JSON text of a policy may be, in bytes: what a
	// request that makes a subscription can hold, less room for its other members.
	MaxSize = 60 << 10
	// MaxCombinations is how many combinations of values a policy may allow: the
	// product of the numbers of conditions of all members, added up over the
	// alternatives of $or.
	MaxCombinations = 150
	// MaxDepth is how deep objects may be nested, dots and $or included.
	MaxDepth = 16
)

// orKey is the name in the place of which alternatives stand.
const orKey = "$or"

// Compile reads the JSON text of a policy. nil means that every message passes:
// the policy is empty, null or not there. Errors are Invalid and name the place,
// beginning with filter_policy.
func Compile(raw []byte, scope Scope) (*Policy, error) {
	const root = "filter_policy"
	if scope != Body && scope != Attributes {
		return nil, invalid("filter_policy_scope", "must be %s or %s, not %s", Body, Attributes, messaging.Quoted(string(scope)))
	}
	raw = bytes.Trim(raw, " \t\r\n")
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if len(raw) > MaxSize {
		return nil, invalid(root, "must have at most %d bytes, not %d", MaxSize, len(raw))
	}
	c := compiler{scope: scope}
	all, combinations, err := c.terms(root, raw, 1)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, nil
	case combinations > MaxCombinations:
		return nil, invalid(root, "is too complex: it allows more than %d combinations of values", MaxCombinations)
	}
	p := build(all, scope)
	if p == nil {
		return nil, invalid(root, "is too complex: it asks for more than %d things", MaxFacts)
	}
	return p, nil
}

// term is one requirement: of the member with the name or, if there are any,
// that all terms of one of the alternatives are satisfied.
type term struct {
	any [][]term

	name   string
	is     []condition // the value meets one of these,
	inside []term      // or satisfies these.
	raw    string      // the conditions, as they were written
}

type compiler struct{ scope Scope }

func invalid(path, format string, args ...any) error {
	return messaging.E(messaging.Invalid, path+" "+fmt.Sprintf(format, args...)+".")
}

// below names the place of a member.
func below(path, name string) string {
	if messaging.ValidName(name) || name == orKey {
		return path + "." + name
	}
	return path + "[" + messaging.Quoted(name) + "]"
}

func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// times multiplies numbers of combinations, up to more than any policy may have.
func times(a, b int) int { return min(a*b, MaxCombinations+1) }

// terms compiles the members of a policy, and tells how many combinations of
// values it allows.
func (c *compiler) terms(path string, raw []byte, depth int) ([]term, int, error) {
	if depth > MaxDepth {
		return nil, 0, invalid(path, "is nested too deep: more than %d levels", MaxDepth)
	}
	list, err := messaging.DecodeMetadata(raw)
	if err != nil {
		return nil, 0, invalid(path, "must be an object, not %s", messaging.Given(raw))
	}
	var all []term
	combinations := 1
	for _, m := range list.Members() {
		var t term
		var n int
		if m.Name == orKey {
			t, n, err = c.alternatives(below(path, orKey), m.Value, depth+1)
		} else {
			t, n, err = c.term(below(path, m.Name), m, depth)
		}
		if err != nil {
			return nil, 0, err
		}
		all = append(all, t)
		combinations = times(combinations, n)
	}
	return all, combinations, nil
}

func (c *compiler) alternatives(path string, raw []byte, depth int) (term, int, error) {
	list, ok := elementList(raw)
	if !ok || len(list) < 2 {
		return term{}, 0, invalid(path, "must be an array of two policies or more, not %s", messaging.Given(raw))
	}
	t := term{any: make([][]term, len(list))}
	sum := 0
	for i, raw := range list {
		all, n, err := c.terms(at(path, i), raw, depth)
		if err != nil {
			return term{}, 0, err
		}
		if len(all) == 0 {
			return term{}, 0, invalid(at(path, i), "must have a member")
		}
		t.any[i] = all
		sum = min(sum+n, MaxCombinations+1)
	}
	return t, sum, nil
}

// term compiles one member.
func (c *compiler) term(path string, m messaging.Member, depth int) (term, int, error) {
	t := term{name: m.Name}
	var n int
	var err error
	switch m.Value[0] {
	case '[':
		t.raw = string(m.Value)
		t.is, err = conditions(path, m.Value)
		n = len(t.is)
	case '{':
		if c.scope == Attributes {
			return term{}, 0, invalid(path, "must be an array: there are no objects in attributes")
		}
		t.inside, n, err = c.terms(path, m.Value, depth+1)
		if err == nil && len(t.inside) == 0 {
			err = invalid(path, "must have a member")
		}
	default:
		err = invalid(path, "must be an array of conditions, not %s", messaging.Given(m.Value))
	}
	if err == nil && c.scope == Body && depth+dots(m.Name) > MaxDepth {
		err = invalid(path, "is nested too deep: more than %d levels", MaxDepth)
	}
	return t, n, err
}

// dots counts the objects that a name may lead through.
func dots(name string) (n int) {
	for _, rest, ok := cut(name); ok; _, rest, ok = cut(rest) {
		n++
	}
	return n
}

// cut cuts a name into the first one of a path and the rest of it.
func cut(name string) (first, rest string, ok bool) {
	first, rest, ok = strings.Cut(name, ".")
	return first, rest, ok && first != "" && rest != ""
}

// elementList cuts an array into the texts of its elements.
func elementList(raw []byte) ([]jsontext.Value, bool) {
	d := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '[' {
		return nil, false
	}
	list := []jsontext.Value{}
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		list = append(list, v.Clone())
	}
	return list, true
}
