package filter

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"zaqar/messaging"
)

// The limits of a policy.
const (
	// MaxSize is how long the JSON text of a policy may be, in bytes.
	MaxSize = 256 << 10
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
	o, combinations, err := c.object(root, raw, 1)
	switch {
	case err != nil:
		return nil, err
	case len(o.all) == 0:
		return nil, nil
	case combinations > MaxCombinations:
		return nil, invalid(root, "is too complex: it allows more than %d combinations of values", MaxCombinations)
	}
	return &Policy{root: o, scope: scope}, nil
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

// object compiles a policy, and tells how many combinations of values it allows.
func (c *compiler) object(path string, raw []byte, depth int) (*object, int, error) {
	o := new(object)
	all, combinations, err := c.terms(o, path, raw, depth)
	if err != nil {
		return nil, 0, err
	}
	o.all = all
	o.settle()
	return o, combinations, nil
}

// terms compiles the members of a policy into requirements of o, which they may
// be all or an alternative of.
func (c *compiler) terms(o *object, path string, raw []byte, depth int) ([]term, int, error) {
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
			t, n, err = c.alternatives(o, below(path, orKey), m.Value, depth+1)
		} else {
			t, n, err = c.term(o, below(path, m.Name), m, depth)
		}
		if err != nil {
			return nil, 0, err
		}
		all = append(all, t)
		combinations = times(combinations, n)
	}
	return all, combinations, nil
}

func (c *compiler) alternatives(o *object, path string, raw []byte, depth int) (term, int, error) {
	list, ok := elementList(raw)
	if !ok || len(list) < 2 {
		return term{}, 0, invalid(path, "must be an array of two policies or more, not %s", messaging.Given(raw))
	}
	t := term{any: make([][]term, len(list))}
	sum := 0
	for i, raw := range list {
		all, n, err := c.terms(o, at(path, i), raw, depth)
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
func (c *compiler) term(o *object, path string, m messaging.Member, depth int) (term, int, error) {
	t := term{at: o.look(m.Name)}
	var n int
	var err error
	switch m.Value[0] {
	case '[':
		t.is, err = conditions(path, m.Value)
		n = len(t.is)
	case '{':
		if c.scope == Attributes {
			return term{}, 0, invalid(path, "must be an array: there are no objects in attributes")
		}
		t.inside, n, err = c.object(path, m.Value, depth+1)
		if err == nil && len(t.inside.all) == 0 {
			err = invalid(path, "must have a member")
		}
	default:
		err = invalid(path, "must be an array of conditions, not %s", messaging.Given(m.Value))
	}
	if err != nil {
		return term{}, 0, err
	}
	if c.scope == Body {
		err = c.dotted(o, &t, path, m.Name, depth)
	}
	return t, n, err
}

// dotted gives a term the path that its name may stand for.
func (c *compiler) dotted(o *object, t *term, path, name string, depth int) error {
	first, rest, ok := strings.Cut(name, ".")
	if !ok || first == "" || rest == "" {
		return nil
	}
	if depth+1 > MaxDepth {
		return invalid(path, "is nested too deep: more than %d levels", MaxDepth)
	}
	further := term{is: t.is, inside: t.inside}
	inner := new(object)
	further.at = inner.look(rest)
	if err := c.dotted(inner, &further, path, rest, depth+1); err != nil {
		return err
	}
	inner.all = []term{further}
	inner.settle()
	t.dotted, t.pathAt, t.rest = true, o.look(first), inner
	return nil
}

// look returns the place of a name among those of o, which is new if need be.
func (o *object) look(name string) int {
	if i, ok := o.index[name]; ok {
		return i
	}
	if o.index == nil {
		o.index = map[string]int{}
	}
	o.index[name] = len(o.names)
	o.names = append(o.names, name)
	return len(o.names) - 1
}

// settle ends looking for places.
func (o *object) settle() {
	if len(o.names) <= fewNames {
		o.index = nil // comparing is as quick
	}
}

// conditions compiles the list of conditions for a member.
func conditions(path string, raw []byte) ([]condition, error) {
	list, ok := elementList(raw)
	if !ok || len(list) == 0 {
		return nil, invalid(path, "must list a condition")
	}
	all := make([]condition, len(list))
	for i, raw := range list {
		var err error
		if raw[0] == '{' {
			all[i], err = operation(at(path, i), raw)
		} else {
			all[i], err = literal(at(path, i), raw)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// literal compiles a value that is to be equalled.
func literal(path string, raw []byte) (condition, error) {
	switch raw[0] {
	case '"':
		s, _ := messaging.Text(raw)
		return condition{operator: equalsString, text: s}, nil
	case 't', 'f', 'n':
		return condition{operator: equalsToken, text: string(raw)}, nil
	case '[':
		return condition{}, invalid(path, "must be a value or an object of one operator, not an array")
	}
	n, err := number(path, raw)
	return condition{operator: equalsNumber, low: bound{number: n}}, err
}

// number reads a number of a policy.
func number(path string, raw []byte) (decimal, error) {
	n, ok := parseDecimal(raw)
	switch {
	case !ok:
		return n, invalid(path, "must be a number, not %s", messaging.Given(raw))
	case n.units < -largest*scale, n.units > largest*scale, n.units == largest*scale && n.more:
		return n, invalid(path, "must be a number between -%d and %[1]d, not %s", largest, messaging.Given(raw))
	case n.more:
		return n, invalid(path, "must be a number with at most %d digits behind the point, not %s", digits, messaging.Given(raw))
	}
	return n, nil
}

// operation compiles an object of one operator.
func operation(path string, raw []byte) (condition, error) {
	list, err := messaging.DecodeMetadata(raw)
	if err != nil {
		return condition{}, invalid(path, "must be an object, not %s", messaging.Given(raw))
	}
	members := list.Members()
	if len(members) != 1 {
		return condition{}, invalid(path, "must have one operator, not %d", len(members))
	}
	m := members[0]
	path = below(path, m.Name)
	switch m.Name {
	case "prefix":
		return affix(path, hasPrefix, m.Value)
	case "suffix":
		return affix(path, hasSuffix, m.Value)
	case "equals-ignore-case":
		s, ok := messaging.Text(m.Value)
		if !ok {
			return condition{}, invalid(path, "must be a string, not %s", messaging.Given(m.Value))
		}
		return condition{operator: equalsFold, fold: []byte(s)}, nil
	case "anything-but":
		return exclusion(path, m.Value)
	case "numeric":
		return numeric(path, m.Value)
	case "exists":
		return existence(path, m.Value)
	case "cidr":
		return network(path, m.Value)
	}
	return condition{}, invalid(path, "is no operator: there are prefix, suffix, equals-ignore-case, anything-but, numeric, exists and cidr")
}

func affix(path string, o operator, raw []byte) (condition, error) {
	s, ok := messaging.Text(raw)
	if !ok || s == "" {
		return condition{}, invalid(path, "must be a string that is not empty, not %s", messaging.Given(raw))
	}
	return condition{operator: o, text: s}, nil
}

func existence(path string, raw []byte) (condition, error) {
	switch string(raw) {
	case "true":
		return condition{operator: exists}, nil
	case "false":
		return condition{operator: existsNot}, nil
	}
	return condition{}, invalid(path, "must be true or false, not %s", messaging.Given(raw))
}

func network(path string, raw []byte) (condition, error) {
	s, _ := messaging.Text(raw)
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return condition{}, invalid(path, "must be a network like 10.0.0.0/8 or 2001:db8::/32, not %s", messaging.Given(raw))
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 { // as the addresses it holds are read
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return condition{operator: inNetwork, prefix: p.Masked()}, nil
}

// exclusion compiles what stands behind anything-but.
func exclusion(path string, raw []byte) (condition, error) {
	c := condition{operator: anythingBut}
	switch raw[0] {
	case '{':
		inner, err := operation(path, raw)
		if err != nil {
			return c, err
		}
		if inner.operator != hasPrefix && inner.operator != hasSuffix {
			return c, invalid(path, "takes no operators but prefix and suffix")
		}
		c.none = []condition{inner}
		return c, nil
	case '[':
		list, ok := elementList(raw)
		if !ok || len(list) == 0 {
			return c, invalid(path, "must list a value")
		}
		c.none = make([]condition, len(list))
		for i, raw := range list {
			var err error
			if c.none[i], err = excluded(at(path, i), raw); err != nil {
				return c, err
			}
		}
		return c, nil
	}
	inner, err := excluded(path, raw)
	c.none = []condition{inner}
	return c, err
}

func excluded(path string, raw []byte) (condition, error) {
	if raw[0] != '"' && raw[0] != '-' && (raw[0] < '0' || '9' < raw[0]) {
		return condition{}, invalid(path, "must be a string or a number, not %s", messaging.Given(raw))
	}
	return literal(path, raw)
}

// numeric compiles a comparison with one number, or a range between two.
func numeric(path string, raw []byte) (condition, error) {
	var c condition
	list, ok := elementList(raw)
	if !ok || len(list) != 2 && len(list) != 4 {
		return c, invalid(path, `must be an array like [">=", 1] or [">=", 1, "<", 10], not %s`, messaging.Given(raw))
	}
	c.operator = inRange
	for i := 0; i < len(list); i += 2 {
		o, _ := messaging.Text(list[i])
		n, err := number(at(path, i+1), list[i+1])
		if err != nil {
			return c, err
		}
		end := bound{number: n, set: true, open: o == "<" || o == ">"}
		switch {
		case o == "=" && len(list) == 2:
			c.operator, c.low = equalsNumber, end
		case (o == ">" || o == ">=") && i == 0:
			c.low = end
		case (o == "<" || o == "<=") && (i == 2 || len(list) == 2):
			c.high = end
		default:
			return c, invalid(at(path, i), `must be one of =, <, <=, > and >=, and of two the first > or >= and the second < or <=, not %s`, messaging.Given(list[i]))
		}
	}
	if len(list) == 4 && c.low.number.compare(c.high.number) >= 0 {
		return c, invalid(path, "must have the lower number first: %s is not below %s", list[1], list[3])
	}
	return c, nil
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
