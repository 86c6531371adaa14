package filter

// rules finds those of many formulas that can hold, without looking at each. A
// formula waits for one of a few facts that a message has to pay for with
// members. One that may hold by what is missing counts until a member that it
// must be without is there.
type rules struct {
	all     []formula
	by      [][]uint8 // the formulas that wait for a fact
	waiting facts
	without facts   // a set of formulas
	spoils  []facts // the sets of formulas that cannot do without a fact
	missing facts   // those of spoils
}

// newRules needs formulas that are settled, and what is known of an object
// without members.
func newRules(all []formula, absent *facts) *rules {
	r := &rules{all: all}
	var uses [MaxFacts + 1]int
	for i := range all {
		for fact := range uses {
			if all[i].all.has(fact) {
				uses[fact]++
			}
		}
	}
	for i := range all {
		needs := all[i].needs(absent, uses[:])
		if needs.empty() {
			r.without.set(i)
		}
		for fact := range uses {
			if needs.has(fact) {
				r.wait(i, fact)
			}
			if needs.empty() && all[i].all.has(fact) {
				r.spoil(i, fact)
			}
		}
	}
	return r
}

func (r *rules) wait(formula, fact int) {
	for len(r.by) <= fact {
		r.by = append(r.by, nil)
	}
	r.by[fact] = append(r.by[fact], uint8(formula))
	r.waiting.set(fact)
}

func (r *rules) spoil(formula, fact int) {
	for len(r.spoils) <= fact {
		r.spoils = append(r.spoils, facts{})
	}
	r.spoils[fact].set(formula)
	r.missing.set(fact)
}

// needs returns facts of which f cannot do without one, none of them absent's.
// None are returned if there are no such.
func (f *formula) needs(absent *facts, uses []int) facts {
	var one facts
	least := -1
	for fact := range uses {
		if f.all.has(fact) && !absent.has(fact) && (least < 0 || uses[fact] < uses[least]) {
			least = fact
		}
	}
	if least >= 0 {
		one.set(least)
		return one
	}
	for i := range f.fallbacks {
		one = f.fallbacks[i].own
		one.set(f.fallbacks[i].along)
		if !one.touches(absent) {
			return one
		}
	}
	for i := range f.any {
		if one = f.any[i].needs(absent); !one.empty() {
			return one
		}
	}
	return facts{}
}

func (c *choice) needs(absent *facts) facts {
	needs := c.facts
	if r := c.rules; r != nil {
		if !r.without.empty() {
			return facts{}
		}
		needs.add(&r.waiting)
	}
	if needs.touches(absent) {
		return facts{}
	}
	return needs
}

// settle makes the rules of alternatives.
func (f *formula) settle(absent *facts) {
	for i := range f.any {
		c := &f.any[i]
		for j := range c.formulas {
			c.formulas[j].settle(absent)
		}
		if len(c.formulas) > 0 {
			c.rules = newRules(c.formulas, absent)
		}
		c.formulas = nil
	}
}

// walk goes through the formulas of rules that can hold.
type walk struct {
	*rules
	without facts
	waiting facts
	now     []uint8
}

func (r *rules) walk(known *facts) walk {
	w := walk{rules: r, without: r.without, waiting: r.waiting}
	w.waiting.keep(known)
	if !r.without.empty() {
		lost := r.missing
		lost.remove(known)
		for fact := lost.take(); fact >= 0; fact = lost.take() {
			w.without.remove(&r.spoils[fact])
		}
	}
	return w
}

// next returns the next formula, -1 at the end. It may return one twice.
func (w *walk) next() int {
	for len(w.now) == 0 {
		fact := w.waiting.take()
		if fact < 0 {
			return w.without.take()
		}
		w.now = w.by[fact]
	}
	i := w.now[0]
	w.now = w.now[1:]
	return int(i)
}
