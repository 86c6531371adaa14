package filter

// builder brings the terms of a policy about the same member to one place, each
// with facts of its own.
type builder struct {
	scope   Scope
	next    int // fact
	full    bool
	effects map[effect]*effect
}

// build returns nil if the terms ask for too much.
func build(all []term, scope Scope) *Policy {
	b := &builder{scope: scope, effects: map[effect]*effect{}}
	root := new(object)
	passes := b.fact()
	root.goals = append(root.goals, goal{passes, b.formula(root, all)})
	if b.full {
		return nil
	}
	root.settle()
	return &Policy{root: root, scope: scope, passes: passes}
}

func (b *builder) fact() int {
	if b.next > MaxFacts {
		b.full = true
		return 0
	}
	b.next++
	return b.next - 1
}

func (b *builder) formula(o *object, all []term) formula {
	var f formula
	for i := range all {
		if t := &all[i]; t.any != nil {
			f.any = append(f.any, b.choice(o, t.any))
		} else {
			b.term(&f, o, t.name, t)
		}
		if b.full {
			break
		}
	}
	return f
}

func (b *builder) choice(o *object, any [][]term) choice {
	var c choice
	for _, all := range any {
		f := b.formula(o, all)
		switch {
		case len(f.fallbacks) > 0:
		case len(f.any) == 0 && f.all.count() == 1:
			c.facts.add(&f.all)
			continue
		case len(f.any) == 1 && f.all.empty():
			c.facts.add(&f.any[0].facts)
			c.formulas = append(c.formulas, f.any[0].formulas...)
			continue
		}
		c.formulas = append(c.formulas, f)
	}
	return c
}

// term adds to f what t asks of the member of o with the name.
func (b *builder) term(f *formula, o *object, name string, t *term) {
	p := o.place(name)
	first, rest, dotted := cut(name)
	dotted = dotted && b.scope == Body
	own := b.ask(p, t, dotted)
	if !dotted {
		if own.count() == 1 {
			f.all.add(&own)
		} else {
			f.any = append(f.any, choice{facts: own})
		}
		return
	}
	if p.there < 0 {
		p.there = b.fact()
		p.present.set(p.there)
	}
	path := o.place(first)
	inner := path.object()
	var is formula
	if !b.full {
		b.term(&is, inner, rest, t)
	}
	along := b.goal(inner, is)
	path.facts.set(along)
	f.fallbacks = append(f.fallbacks, fallback{own, p.there, along})
}

// goal returns the fact that the formula holds for an object.
func (b *builder) goal(o *object, is formula) int {
	for i := range o.goals {
		if g := &o.goals[i]; g.is.plain() && is.plain() && g.is.all == is.all {
			return g.fact
		}
	}
	g := goal{b.fact(), is}
	o.goals = append(o.goals, g)
	return g.fact
}

func (f *formula) plain() bool { return len(f.any) == 0 && len(f.fallbacks) == 0 }

// ask has a place tell what t asks for, by one of the facts that are returned. A
// member with a dot in its name is not yet missing when there is none.
func (b *builder) ask(p *place, t *term, dotted bool) (own facts) {
	if t.inside != nil {
		inner := p.object()
		own.set(b.goal(inner, b.formula(inner, t.inside)))
		p.facts.add(&own)
		return own
	}
	if own, ok := p.asked[t.raw]; ok {
		return own
	}
	if p.asked == nil {
		p.asked = map[string]facts{}
	}
	first := b.fact()
	own.set(first)
	buts := 0
	for i := range t.is {
		c := &t.is[i]
		fact := first
		switch c.operator {
		case exists:
			p.present.set(fact)
			continue
		case existsNot:
			if !dotted {
				p.absent.set(fact)
			}
			continue
		case anythingBut:
			if buts++; buts > 1 { // what one excludes the other may let pass
				fact = b.fact()
				own.set(fact)
			}
		}
		if p.scalars == nil {
			p.scalars = new(scalars)
		}
		p.scalars.add(b, c, fact)
	}
	p.facts.add(&own)
	p.asked[t.raw] = own
	return own
}

func (p *place) object() *object {
	if p.inside == nil {
		p.inside = new(object)
	}
	return p.inside
}

// place returns the one for a name, which is new if need be.
func (o *object) place(name string) *place {
	if i, ok := o.index[name]; ok {
		return o.places[i]
	}
	if o.index == nil {
		o.index = map[string]int{}
	}
	p := &place{name: name, there: -1}
	o.index[name] = len(o.places)
	o.places = append(o.places, p)
	return p
}

// settle ends building, with what is true of an object without members.
func (o *object) settle() {
	for _, p := range o.places {
		p.asked = nil
		p.facts.add(&p.present)
		if p.scalars != nil {
			p.scalars.settle()
		}
		if p.inside != nil {
			p.inside.settle()
			p.absent.add(&p.inside.bare)
		}
		o.facts.add(&p.facts)
		o.absent.add(&p.absent)
	}
	if len(o.places) <= fewNames {
		o.index = nil // comparing is as quick
	}
	formulas := make([]formula, len(o.goals))
	for i := range o.goals {
		o.goals[i].is.settle(&o.absent)
		formulas[i] = o.goals[i].is
	}
	o.rules = newRules(formulas, &o.absent)
	s := state{known: o.absent}
	for i := range o.goals {
		if g := &o.goals[i]; g.is.satisfied(&s) {
			o.bare.set(g.fact)
		}
	}
}
