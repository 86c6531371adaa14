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
	root   *object
	scope  Scope
	passes int // the fact that the policy is satisfied
}

// Match reports whether the message with the body, a JSON text, satisfies the
// policy. What is no JSON satisfies none, but is not looked for.
func (p *Policy) Match(body []byte) bool {
	if p == nil {
		return true
	}
	var s state
	return p.match(body, &s)
}

func (p *Policy) match(body []byte, s *state) bool {
	body = trim(body)
	if len(body) == 0 || body[0] != '{' {
		return false
	}
	if p.scope == Attributes {
		s.work += len(body)
		p.root.tellAttributes(member(body, attributesKey), s)
	} else {
		p.root.tell(body, s)
	}
	return s.known.has(p.passes)
}

// state is what is known of a message.
type state struct {
	known facts
	work  int // bytes that were read, lookups and formulas
}

// object is what objects of a message are asked for.
type object struct {
	places []*place       // the members that matter
	index  map[string]int // of places, if there are many
	facts  facts          // those that the places tell
	absent facts          // those without any member
	goals  []goal         // what is concluded from them,
	rules  *rules         // and how,
	bare   facts          // the conclusions without any member
}

// goal is a fact that holds if the formula does.
type goal struct {
	fact int
	is   formula
}

// place is what is asked of one member.
type place struct {
	name    string
	facts   facts // all that it tells
	present facts // those by being there,
	absent  facts // by not being there,
	scalars *scalars
	inside  *object

	there int // the fact that it is there, -1 if that does not matter
	asked map[string]facts
}

// fewNames is how many members are looked for without an index.
const fewNames = 8

// tell adds the conclusions from a value, which begins with a brace, and returns
// its length. Each byte is read once or, if it belongs to a value that is
// compared, twice, whatever is asked.
func (o *object) tell(value []byte, s *state) int {
	s.known.remove(&o.facts)
	s.known.add(&o.absent)
	found := false
	m := membersOf(value)
	for m.nextName() {
		s.work += len(m.name) + 1
		p := o.find(m.name)
		if p == nil {
			if !m.skip() {
				break
			}
			s.work += len(m.value)
			continue
		}
		found = true
		s.known.remove(&p.facts)
		n := p.tell(m.rest, s)
		if m.rest = m.rest[n:]; n == 0 {
			break
		}
	}
	n := len(value) - len(separated(m.rest))
	o.conclude(found, s)
	return min(n+1, len(value))
}

func (o *object) conclude(found bool, s *state) {
	s.work++
	if !found {
		s.known.add(&o.bare)
		return
	}
	w := o.rules.walk(&s.known)
	for i := w.next(); i >= 0; i = w.next() {
		s.work++
		if g := &o.goals[i]; !s.known.has(g.fact) && g.is.satisfied(s) {
			s.known.set(g.fact)
		}
	}
}

// tellAttributes is tell for the object MessageAttributes.
func (o *object) tellAttributes(value []byte, s *state) {
	s.known.add(&o.absent)
	if len(value) > 0 && value[0] == '{' {
		s.work += len(value)
		for m := membersOf(value); m.next(); {
			p := o.find(m.name)
			if p == nil {
				continue
			}
			s.known.remove(&p.facts)
			if a := attribute(m.value); a != nil {
				p.tell(a, s)
			} else {
				s.known.add(&p.absent)
			}
		}
	}
	o.conclude(true, s)
}

func (o *object) find(name []byte) *place {
	if o.index != nil {
		if i, ok := o.index[string(name)]; ok {
			return o.places[i]
		}
		return nil
	}
	for _, p := range o.places {
		if p.name == string(name) {
			return p
		}
	}
	return nil
}

// tell adds what is told by the value that text begins with, and returns its
// length. Of an array each element tells.
func (p *place) tell(text []byte, s *state) int {
	if len(text) == 0 {
		return 0
	}
	s.known.add(&p.present)
	if text[0] != '[' || p.scalars == nil && p.inside == nil {
		return p.tellOne(text, s)
	}
	e := elementsOf(text)
	none := true
	for e.nextStart() {
		n := p.tellOne(e.rest, s)
		if e.rest = e.rest[n:]; n == 0 {
			break
		}
		none = false
	}
	if none && p.inside != nil {
		s.known.add(&p.inside.bare)
	}
	n := len(text) - len(e.rest)
	s.work += e.brackets
	return min(n+1, len(text))
}

// tellOne is tell for what is no array.
func (p *place) tellOne(text []byte, s *state) int {
	if len(text) == 0 {
		return 0
	}
	if text[0] == '{' && p.inside != nil {
		return p.inside.tell(text, s)
	}
	n := valueEnd(text)
	s.work += n
	if n == 0 || text[0] == '{' {
		return n
	}
	if p.scalars != nil {
		p.scalars.tell(text[:n], s)
	}
	if p.inside != nil {
		s.known.add(&p.inside.bare)
	}
	return n
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
