package filter

import (
	"bytes"
	"net/netip"
	"slices"
	"unicode"
	"unicode/utf8"
)

// scalars tells which conditions a value meets that is neither an object nor an
// array. However many conditions there are, looking a value up takes time in
// proportion to its length.
type scalars struct {
	buts               facts // of anything-but, met by all that is not excluded
	texts, folds       map[string]*effect
	tokens             map[string]*effect // true, false and null
	numbers            map[int64]*effect  // by units
	prefixes, suffixes affixes
	longestFold        int

	ranges, networks []asked // until they are settled
	ofRanges         classes[int64]
	ofNetworks       classes[netip.Addr]
}

// asked is a condition and the fact that it is met.
type asked struct {
	*condition
	fact int
}

// effect is what follows from a lookup.
type effect struct{ meets, excludes facts }

// affixes are prefixes or suffixes.
type affixes struct {
	lengths []int // different ones, in order
	of      map[string]*effect
}

// classes are ordered values, and the facts about each and about what lies
// between two: before the first, the first, after it, and so on.
type classes[T any] struct {
	points []T
	of     []facts
}

// with adds to what follows from a key.
func with[K comparable](b *builder, m *map[K]*effect, key K, fact int, excluded bool) {
	if *m == nil {
		*m = map[K]*effect{}
	}
	var e effect
	if old := (*m)[key]; old != nil {
		e = *old
	}
	if excluded {
		e.excludes.set(fact)
	} else {
		e.meets.set(fact)
	}
	if b.effects[e] == nil { // many are alike
		b.effects[e] = &e
	}
	(*m)[key] = b.effects[e]
}

// add makes what meets the condition tell the fact.
func (v *scalars) add(b *builder, c *condition, fact int) {
	switch c.operator {
	case anythingBut:
		v.buts.set(fact)
		for i := range c.none {
			v.addOne(b, &c.none[i], fact, true)
		}
	case inRange:
		v.ranges = append(v.ranges, asked{c, fact})
	case inNetwork:
		v.networks = append(v.networks, asked{c, fact})
	default:
		v.addOne(b, c, fact, false)
	}
}

func (v *scalars) addOne(b *builder, c *condition, fact int, excluded bool) {
	switch c.operator {
	case equalsString:
		with(b, &v.texts, c.text, fact, excluded)
	case equalsToken:
		with(b, &v.tokens, c.text, fact, excluded)
	case equalsNumber:
		with(b, &v.numbers, c.low.number.units, fact, excluded)
	case hasPrefix:
		with(b, &v.prefixes.of, c.text, fact, excluded)
	case hasSuffix:
		with(b, &v.suffixes.of, c.text, fact, excluded)
	case equalsFold:
		v.longestFold = max(v.longestFold, len(c.text))
		with(b, &v.folds, string(appendFolded(nil, []byte(c.text))), fact, excluded)
	}
}

// settle ends adding.
func (v *scalars) settle() {
	v.prefixes.settle()
	v.suffixes.settle()
	v.settleRanges()
	v.settleNetworks()
	v.ranges, v.networks = nil, nil
}

func (a *affixes) settle() {
	for text := range a.of {
		a.lengths = append(a.lengths, len(text))
	}
	slices.Sort(a.lengths)
	a.lengths = slices.Compact(a.lengths)
}

func (v *scalars) settleRanges() {
	if len(v.ranges) == 0 {
		return
	}
	k := &v.ofRanges
	for i := range v.ranges {
		for _, end := range []bound{v.ranges[i].low, v.ranges[i].high} {
			if end.set {
				k.points = append(k.points, end.number.units)
			}
		}
	}
	slices.Sort(k.points)
	k.points = slices.Compact(k.points)
	k.of = make([]facts, 2*len(k.points)+1)
	for class := range k.of {
		// One number of the class.
		n := decimal{units: k.points[0] - 1}
		if class > 0 {
			n = decimal{units: k.points[(class-1)/2], more: class%2 == 0}
		}
		for i := range v.ranges {
			if v.ranges[i].inRange(n) {
				k.of[class].set(v.ranges[i].fact)
			}
		}
	}
}

func (v *scalars) settleNetworks() {
	if len(v.networks) == 0 {
		return
	}
	k := &v.ofNetworks
	for i := range v.networks {
		p := v.networks[i].prefix
		k.points = append(k.points, p.Addr(), lastOf(p))
	}
	slices.SortFunc(k.points, netip.Addr.Compare)
	k.points = slices.Compact(k.points)
	k.of = make([]facts, 2*len(k.points)+1)
	for i := range v.networks {
		p := v.networks[i].prefix
		first, _ := slices.BinarySearchFunc(k.points, p.Addr(), netip.Addr.Compare)
		last, _ := slices.BinarySearchFunc(k.points, lastOf(p), netip.Addr.Compare)
		for class := 2*first + 1; class <= 2*last+1; class++ {
			k.of[class].set(v.networks[i].fact)
		}
	}
}

// lastOf returns the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	all := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(all); i++ {
		all[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(all)
	return last
}

// tell adds to what is known what follows from a value, which is neither an
// object nor an array.
func (v *scalars) tell(value []byte, s *state) {
	var excluded facts
	s.work += len(value)
	if value[0] == '"' {
		v.tellText(text(value), s, &excluded)
	} else if n, ok := parseDecimal(value); ok {
		v.tellNumber(n, s, &excluded)
	} else {
		s.apply(v.tokens[string(value)], &excluded)
	}
	if !v.buts.empty() {
		met := v.buts
		met.remove(&excluded)
		s.known.add(&met)
	}
}

func (s *state) apply(e *effect, excluded *facts) {
	s.work++
	if e != nil {
		s.known.add(&e.meets)
		excluded.add(&e.excludes)
	}
}

func (v *scalars) tellNumber(n decimal, s *state, excluded *facts) {
	if v.numbers != nil && !n.more {
		s.apply(v.numbers[n.units], excluded)
	}
	if k := &v.ofRanges; k.points != nil {
		s.work++
		i, exact := slices.BinarySearch(k.points, n.units)
		s.known.add(k.at(i, exact, n.more))
	}
}

// at returns the facts about a value by where it would stand among the points,
// whether it is that point, and whether it is a little more.
func (k *classes[T]) at(i int, exact, more bool) *facts {
	switch {
	case exact && more:
		return &k.of[2*i+2]
	case exact:
		return &k.of[2*i+1]
	}
	return &k.of[2*i]
}

func (v *scalars) tellText(text []byte, s *state, excluded *facts) {
	if v.texts != nil {
		s.apply(v.texts[string(text)], excluded)
	}
	for _, n := range v.prefixes.lengths {
		if n > len(text) {
			break
		}
		s.apply(v.prefixes.of[string(text[:n])], excluded)
	}
	for _, n := range v.suffixes.lengths {
		if n > len(text) {
			break
		}
		s.apply(v.suffixes.of[string(text[len(text)-n:])], excluded)
	}
	if v.folds != nil && len(text) <= v.longestFold*utf8.UTFMax {
		var room [128]byte
		s.apply(v.folds[string(appendFolded(room[:0], text))], excluded)
	}
	if v.ofNetworks.points != nil && len(text) <= longestAddress {
		v.tellAddress(text, s)
	}
}

// longestAddress is more than any address without a zone has.
const longestAddress = 64

func (v *scalars) tellAddress(text []byte, s *state) {
	if bytes.IndexByte(text, '.') < 0 && bytes.IndexByte(text, ':') < 0 {
		return
	}
	a, err := netip.ParseAddr(string(text))
	if err != nil || a.Zone() != "" { // no network has zones
		return
	}
	v.tellOne(a, s)
	if a.Is4In6() {
		v.tellOne(a.Unmap(), s)
	}
}

func (v *scalars) tellOne(a netip.Addr, s *state) {
	s.work++
	i, exact := slices.BinarySearchFunc(v.ofNetworks.points, a, netip.Addr.Compare)
	s.known.add(v.ofNetworks.at(i, exact, false))
}

// appendFolded appends a text so that those that differ in letter case only
// become the same.
func appendFolded(to, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		to = utf8.AppendRune(to, least)
	}
	return to
}
