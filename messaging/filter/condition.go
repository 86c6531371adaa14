package filter

import (
	"net/netip"

	"zaqar/messaging"
)

// condition is one of those of which a value has to meet one.
type condition struct {
	operator  operator
	text      string
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
		return condition{operator: equalsFold, text: s}, nil
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
