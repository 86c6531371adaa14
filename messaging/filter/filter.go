package filter

import "bytes"

// Scope is the part of a message that a policy is about.
type Scope string

// The scopes.
const (
	// Body is about the members of the body, nested ones included.
	Body Scope = "MessageBody"
	// Attributes is about the members of the object MessageAttributes in the
	// body: each has a Type (or DataType) String, Number or String.Array and a
	// Value (or StringValue), a string that is one. Others count as not there.
	Attributes Scope = "MessageAttributes"
)

const attributesKey = "MessageAttributes"

// Policy is a compiled filter policy. nil lets every message pass. It may be
// used concurrently.
type Policy struct {
	root  *object
	scope Scope
}

// Match reports whether the message with the body, a JSON text, satisfies the
// policy. What is no JSON satisfies none, but is not looked for.
func (p *Policy) Match(body []byte) bool {
	if p == nil {
		return true
	}
	body = trim(body)
	if len(body) == 0 || body[0] != '{' {
		return false
	}
	if p.scope == Attributes {
		return p.root.matchAttributes(member(body, attributesKey))
	}
	return p.root.match(body)
}

// object is what an object of a message has to satisfy.
type object struct {
	names []string       // of the members that matter
	index map[string]int // of names, if there are many
	all   []term
}

// term is one requirement: of the member at a place in names, or, if there are
// any, that all terms of one of the alternatives are satisfied.
type term struct {
	any [][]term

	at     int
	is     []condition // the value meets one of these,
	inside *object     // or satisfies this.

	dotted bool // If there is no such member, the path counts:
	pathAt int
	rest   *object
}

// fewNames is how many members are looked for without an index, and collected
// without an allocation.
const fewNames = 8

// match reports whether a value satisfies o: an object by its members, an array
// by one of its elements. Anything else has no members.
func (o *object) match(value []byte) bool {
	if len(value) == 0 || value[0] != '[' {
		return o.matchOne(value)
	}
	e := elementsOf(value)
	if !e.next() {
		return o.matchOne(nil)
	}
	for more := true; more; more = e.next() {
		if o.matchOne(e.value) {
			return true
		}
	}
	return false
}

// matchOne is match for what is no array.
func (o *object) matchOne(value []byte) bool {
	var few [fewNames][]byte
	found := o.collect(value, few[:])
	return satisfied(o.all, found)
}

// matchAttributes is match for the object MessageAttributes.
func (o *object) matchAttributes(value []byte) bool {
	var few [fewNames][]byte
	found := o.collect(value, few[:])
	for i := range found {
		found[i] = attribute(found[i])
	}
	return satisfied(o.all, found)
}

// collect puts the values of the members that matter to their places, in few if
// there is room. What is no object has none.
func (o *object) collect(value []byte, few [][]byte) [][]byte {
	found := few
	if len(o.names) > len(found) {
		found = make([][]byte, len(o.names))
	}
	if len(value) == 0 || value[0] != '{' {
		return found
	}
	for m := membersOf(value); m.next(); {
		if i := o.place(m.name); i >= 0 {
			found[i] = m.value
		}
	}
	return found
}

func (o *object) place(name []byte) int {
	if o.index != nil {
		if i, ok := o.index[string(name)]; ok {
			return i
		}
		return -1
	}
	for i := range o.names {
		if o.names[i] == string(name) {
			return i
		}
	}
	return -1
}

func satisfied(all []term, found [][]byte) bool {
	for i := range all {
		if !all[i].satisfied(found) {
			return false
		}
	}
	return true
}

func (t *term) satisfied(found [][]byte) bool {
	if t.any != nil {
		for _, alternative := range t.any {
			if satisfied(alternative, found) {
				return true
			}
		}
		return false
	}
	value := found[t.at]
	switch {
	case value == nil && t.dotted:
		return t.rest.match(found[t.pathAt])
	case t.inside != nil:
		return t.inside.match(value)
	}
	return meets(t.is, value)
}

// attribute returns the value of a message attribute as JSON text, nil if it is
// of a type that does not count.
func attribute(a []byte) []byte {
	var kind, value []byte
	if len(a) == 0 || a[0] != '{' {
		return nil
	}
	for m := membersOf(a); m.next(); {
		switch string(m.name) {
		case "Type", "DataType":
			kind = m.value
		case "Value", "StringValue":
			value = m.value
		}
	}
	if len(kind) == 0 || kind[0] != '"' || len(value) == 0 {
		return nil
	}
	switch string(baseType(text(kind))) {
	case "String":
		return only(value, '"', '"')
	case "Number":
		value = unquoted(value)
		if _, ok := parseDecimal(value); ok {
			return value
		}
	case "String.Array":
		return only(unquoted(value), '[', '[')
	}
	return nil
}

// baseType takes away the label that custom types have behind a dot.
func baseType(kind []byte) []byte {
	if string(kind) != "String.Array" {
		kind, _, _ = bytes.Cut(kind, []byte("."))
	}
	return kind
}

// only returns the JSON text if it begins with one of the characters, else nil.
func only(value []byte, first, last byte) []byte {
	if len(value) == 0 || value[0] < first || last < value[0] {
		return nil
	}
	return value
}

// unquoted returns what a JSON string holds, and any other JSON text as it is.
func unquoted(value []byte) []byte {
	if value[0] != '"' {
		return value
	}
	return trim(text(value))
}
