package filter

import "math/bits"

// MaxFacts is how many things a policy may ask for: each member with conditions
// and each object counts, and each dot in a name up to three times. Alternatives
// that ask for the same share it.
const MaxFacts = 255

// factWords is for as many, and the one that the policy is satisfied.
const factWords = (MaxFacts + 1) / 64

// facts is a set of what is known to be true of a message.
type facts [factWords]uint64

func (f *facts) has(i int) bool { return f[i>>6]&(1<<(i&63)) != 0 }

func (f *facts) set(i int) { f[i>>6] |= 1 << (i & 63) }

func (f *facts) add(o *facts) {
	for i := range f {
		f[i] |= o[i]
	}
}

func (f *facts) remove(o *facts) {
	for i := range f {
		f[i] &^= o[i]
	}
}

func (f *facts) keep(o *facts) {
	for i := range f {
		f[i] &= o[i]
	}
}

// take removes the first and returns it, -1 if there is none.
func (f *facts) take() int {
	for i, word := range f {
		if word != 0 {
			f[i] &= word - 1
			return i<<6 | bits.TrailingZeros64(word)
		}
	}
	return -1
}

func (f *facts) count() (n int) {
	for _, word := range f {
		n += bits.OnesCount64(word)
	}
	return n
}

// holds reports whether f has all of o.
func (f *facts) holds(o *facts) bool {
	var missing uint64
	for i := range f {
		missing |= o[i] &^ f[i]
	}
	return missing == 0
}

// touches reports whether f has one of o.
func (f *facts) touches(o *facts) bool {
	var common uint64
	for i := range f {
		common |= o[i] & f[i]
	}
	return common != 0
}

func (f *facts) empty() bool { return *f == facts{} }

// formula is what has to be true together.
type formula struct {
	all       facts
	any       []choice
	fallbacks []fallback
}

// choice is satisfied by one of the facts or of the formulas.
type choice struct {
	facts    facts
	formulas []formula // until they are settled
	rules    *rules
}

// fallback is what a name with a dot asks for: one of the facts about the member
// of that name, or, if there is no such member, the one about the path.
type fallback struct {
	own          facts
	there, along int
}

func (f *formula) satisfied(s *state) bool {
	s.work++
	if !s.known.holds(&f.all) {
		return false
	}
	for i := range f.fallbacks {
		b := &f.fallbacks[i]
		if s.known.has(b.there) {
			if !s.known.touches(&b.own) {
				return false
			}
		} else if !s.known.has(b.along) {
			return false
		}
	}
	for i := range f.any {
		if !f.any[i].satisfied(s) {
			return false
		}
	}
	return true
}

func (c *choice) satisfied(s *state) bool {
	if s.known.touches(&c.facts) {
		return true
	}
	if c.rules == nil {
		return false
	}
	w := c.rules.walk(&s.known)
	for i := w.next(); i >= 0; i = w.next() {
		if c.rules.all[i].satisfied(s) {
			return true
		}
	}
	return false
}
