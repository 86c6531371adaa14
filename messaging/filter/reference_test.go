package filter_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"zaqar/messaging/filter"
)

// reference judges as the package promises, in the most obvious way: over
// decoded values, with numbers as fractions.
type reference struct{ scope filter.Scope }

func decode(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func (r reference) match(t *testing.T, policy, body string) bool {
	t.Helper()
	p, _ := decode(t, policy).(map[string]any)
	if len(p) == 0 {
		return true
	}
	b, ok := decode(t, body).(map[string]any)
	if !ok {
		return false
	}
	if r.scope == filter.Attributes {
		b = attributes(b["MessageAttributes"])
	}
	return r.object(p, b)
}

// attributes turns message attributes into plain values.
func attributes(v any) map[string]any {
	all, _ := v.(map[string]any)
	plain := map[string]any{}
	for name, v := range all {
		a, _ := v.(map[string]any)
		kind, _ := firstOf(a, "Type", "DataType").(string)
		value := firstOf(a, "Value", "StringValue")
		text, isText := value.(string)
		text = strings.TrimLeft(text, " \t\r\n")
		switch {
		case kind == "String" || strings.HasPrefix(kind, "String.") && kind != "String.Array":
			if isText {
				plain[name] = value
			}
		case kind == "Number" || strings.HasPrefix(kind, "Number."):
			if _, ok := new(big.Rat).SetString(text); ok && isText && json.Valid([]byte(text)) {
				plain[name] = json.Number(text)
			}
		case kind == "String.Array":
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber()
			var list []any
			if isText && d.Decode(&list) == nil {
				plain[name] = list
			}
		}
	}
	return plain
}

func firstOf(m map[string]any, names ...string) any {
	for _, name := range names {
		if v, ok := m[name]; ok {
			return v
		}
	}
	return nil
}

func flat(list []any) (all []any) {
	for _, v := range list {
		if inner, ok := v.([]any); ok {
			all = append(all, flat(inner)...)
		} else {
			all = append(all, v)
		}
	}
	return all
}

func (r reference) object(policy map[string]any, value any) bool {
	return each(value, func(m map[string]any) bool {
		for name, p := range policy {
			if name == "$or" {
				if !r.alternatives(p.([]any), m) {
					return false
				}
			} else if !r.member(name, p, m) {
				return false
			}
		}
		return true
	})
}

// each reports whether an object passes: the value itself or, of an array, one
// of its elements. What is no object has no members.
func each(value any, passes func(map[string]any) bool) bool {
	if list, ok := value.([]any); ok {
		if all := flat(list); len(all) > 0 {
			return slices.ContainsFunc(all, func(v any) bool { return each(v, passes) })
		}
	}
	m, _ := value.(map[string]any)
	return passes(m)
}

func (r reference) alternatives(policies []any, m map[string]any) bool {
	for _, p := range policies {
		if r.object(p.(map[string]any), m) {
			return true
		}
	}
	return false
}

func (r reference) member(name string, p any, m map[string]any) bool {
	value, there := m[name]
	if first, rest, dotted := strings.Cut(name, "."); !there && dotted && first != "" && rest != "" && r.scope == filter.Body {
		// A name to the end: $or in it is no other than others.
		return each(m[first], func(m map[string]any) bool { return r.member(rest, p, m) })
	}
	if inside, ok := p.(map[string]any); ok {
		return r.object(inside, value)
	}
	for _, c := range p.([]any) {
		if meets(c, value, there) {
			return true
		}
	}
	return false
}

func meets(condition, value any, there bool) bool {
	if o, ok := condition.(map[string]any); ok {
		if want, ok := o["exists"]; ok {
			return want == there
		}
	}
	if !there {
		return false
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, v := range flat(list) {
		if _, ok := v.(map[string]any); !ok && meetsScalar(condition, v) {
			return true
		}
	}
	return false
}

func meetsScalar(condition, value any) bool {
	o, ok := condition.(map[string]any)
	if !ok {
		return equal(condition, value)
	}
	if but, ok := o["anything-but"]; ok {
		list, ok := but.([]any)
		if !ok {
			list = []any{but}
		}
		for _, c := range list {
			if meetsScalar(c, value) {
				return false
			}
		}
		return true
	}
	if n, ok := value.(json.Number); ok {
		comparisons, ok := o["numeric"].([]any)
		return ok && inRange(n, comparisons)
	}
	text, ok := value.(string)
	if !ok {
		return false
	}
	for operator, operand := range o {
		with, _ := operand.(string)
		switch operator {
		case "prefix":
			return strings.HasPrefix(text, with)
		case "suffix":
			return strings.HasSuffix(text, with)
		case "equals-ignore-case":
			return strings.EqualFold(text, with)
		case "cidr":
			a, err := netip.ParseAddr(text)
			p := netip.MustParsePrefix(with)
			mapped := p.Addr().Is4In6() && p.Bits() >= 96 // it holds nothing but IPv4 addresses
			return err == nil && a.Zone() == "" && (p.Contains(a) || p.Contains(a.Unmap()) || mapped && a.Is4() && p.Contains(netip.AddrFrom16(a.As16())))
		}
	}
	return false
}

func rational(n json.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		panic("not a number: " + string(n))
	}
	return r
}

func equal(a, b any) bool {
	x, ok := a.(json.Number)
	y, ok2 := b.(json.Number)
	if ok && ok2 {
		return rational(x).Cmp(rational(y)) == 0
	}
	return ok == ok2 && a == b
}

func inRange(n json.Number, comparisons []any) bool {
	for i := 0; i < len(comparisons); i += 2 {
		order := rational(n).Cmp(rational(comparisons[i+1].(json.Number)))
		operator := comparisons[i].(string)
		if order < 0 && !strings.Contains(operator, "<") || order > 0 && !strings.Contains(operator, ">") || order == 0 && !strings.Contains(operator, "=") {
			return false
		}
	}
	return true
}

// tame reports whether the reference can take the text: no numbers of millions
// of digits.
func tame(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return true
		}
		var number string
		switch token := token.(type) {
		case json.Number:
			number = string(token)
		case string:
			number = token
		}
		_, exponent, ok := strings.Cut(strings.ToLower(number), "e")
		if ok && len(exponent) > 4 {
			return false
		}
	}
}

// indented is the same JSON text with space wherever it may stand.
func indented(text string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "\r\n", "\t "); err != nil {
		return text
	}
	return " " + b.String() + "\n"
}
