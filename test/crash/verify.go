package crash

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Listing is all that the server shows of one queue at rest: claimed, delayed
// and own messages included.
type Listing struct {
	Messages             []Seen
	Claimed, Free, Total int // its statistics
}

// Verify compares all queues at rest with the ledger, and settles what became
// of the requests that got no answer. The listings were made since the given
// time, after Restarted, with no other request under way since.
func (l *Ledger) Verify(since time.Time, queues map[string]Listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &look{attempt: l.begin("verify", ""), what: "listed", end: l.now()}
	o.start = since
	seen := map[*record]bool{}
	for _, queue := range slices.Sorted(maps.Keys(queues)) {
		o.queue = queue
		l.verifyMessages(o, queues[queue].Messages, seen)
		l.verifyCounts(o, queues[queue])
		l.book(queue).orphans = nil
	}
	for _, queue := range l.deadLettersLast(queues) {
		l.verifyAbsent(o, queue, seen)
	}
	for _, m := range l.removals {
		l.verifyWhole(m)
	}
	l.removals = nil
	l.verified = o.end
}

func (l *Ledger) verifyMessages(o *look, shown []Seen, seen map[*record]bool) {
	last := map[string]*record{}
	adopted := map[string]*claim{}
	for _, s := range shown {
		r := l.see(o, s)
		if r == nil {
			continue
		}
		if seen[r] {
			l.violate(Twice, r, "is listed twice, now in %s", o.queue)
		}
		seen[r] = true
		l.verifyClaim(o, r, s.Claim, adopted)
		if r.queue != o.queue {
			continue // dead letters are in the order of their moves
		}
		if before := last[r.key.From]; before != nil && before.key.N >= r.key.N {
			l.violate(Disorder, r, "is listed behind %v", before.key)
		}
		last[r.key.From] = r
	}
	l.verifyOrphans(o, adopted)
}

// verifyClaim checks the claim a message is listed under.
func (l *Ledger) verifyClaim(o *look, r *record, id string, adopted map[string]*claim) {
	for _, k := range r.takes {
		c := k.claim
		if c == nil || c.id == id {
			continue
		}
		if c.surelyLive(o.start, o.end) {
			l.violate(ClaimLost, r, "is under claim %s and listed under %q", c.id, id)
		}
		if len(c.ends) > 0 && c.ended.IsZero() {
			c.ended = o.start // the unanswered release happened
		}
	}
	if id == "" {
		return
	}
	c := l.claims[id]
	switch {
	case c == nil:
		c = &claim{id: id, queue: o.queue, records: map[*record]bool{}, start: l.verified, end: o.end,
			low: l.verified.Add(MinClaimTTL - slack), high: o.end.Add(MaxClaimTTL + slack)}
		l.claims[id] = c
		adopted[id] = c
		l.book(o.queue).adopted = append(l.book(o.queue).adopted, c)
	case !c.ended.IsZero() && c.ended.Before(o.start):
		l.violate(ClaimBack, r, "is listed under claim %s, which was released", id)
	case c.high.Before(o.start):
		l.violate(ClaimBack, r, "is listed under claim %s, which expired %v ago", id, o.start.Sub(c.high))
	}
	if adopted[id] != nil {
		c.records[r] = true
		l.take(r, &take{start: c.start, end: c.end, claim: c, spent: r.spent(l)})
		return
	}
	if !c.records[r] {
		l.violate(ClaimBack, r, "is listed under claim %s, which was made without it", id)
	}
	c.ends = slices.DeleteFunc(c.ends, func(e *Release) bool { return e.outcome == unknown && e.epoch < o.epoch })
}

// verifyOrphans says that claims nobody was told of are those of unanswered
// requests, as many and as large as these at most.
func (l *Ledger) verifyOrphans(o *look, adopted map[string]*claim) {
	limits := slices.Sorted(slices.Values(l.book(o.queue).orphans))
	sizes := map[int][]*claim{}
	for _, id := range slices.Sorted(maps.Keys(adopted)) {
		c := adopted[id]
		sizes[c.size()] = append(sizes[c.size()], c)
	}
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(sizes))) { // the largest first
		for _, c := range sizes[n] {
			if len(limits) == 0 || limits[len(limits)-1] < n {
				for r := range c.records {
					l.violate(Unclaimed, r, "is held with %d others by claim %s, which nobody made", n-1, c.id)
					break
				}
				continue
			}
			limits = limits[:len(limits)-1]
		}
	}
}

// size is the number of messages that count towards its limit.
func (c *claim) size() int {
	n := 0
	for r := range c.records {
		for _, k := range r.takes {
			if k.claim == c && !k.spent {
				n++
			}
		}
	}
	return n
}

func (l *Ledger) verifyCounts(o *look, g Listing) {
	claimed, expiring := 0, 0
	for _, s := range g.Messages {
		if s.Claim == "" {
			continue
		}
		claimed++
		if l.claims[s.Claim].low.Before(o.end) {
			expiring++ // perhaps between the two answers
		}
	}
	if g.Total != len(g.Messages) || g.Free != g.Total-g.Claimed || g.Claimed > claimed || g.Claimed < claimed-expiring {
		l.violate(Miscounted, nil, "queue %s lists %d messages, %d of them claimed; its statistics say total %d, claimed %d, free %d",
			o.queue, len(g.Messages), claimed, g.Total, g.Claimed, g.Free)
	}
}

// deadLettersLast returns the names of the queues such that what is missing in
// one can be looked for where its dead letters go.
func (l *Ledger) deadLettersLast(queues map[string]Listing) []string {
	return slices.SortedFunc(maps.Keys(queues), func(a, b string) int {
		return cmp.Or(cmp.Compare(l.rules[b].DeadLetters, l.rules[a].DeadLetters), cmp.Compare(a, b))
	})
}

// verifyAbsent finds a reason for each message that is not there.
func (l *Ledger) verifyAbsent(o *look, queue string, seen map[*record]bool) {
	b := l.book(queue)
	var missing []*record
	for _, r := range slices.SortedFunc(maps.Keys(b.live), func(a, b *record) int { return a.key.compare(b.key) }) {
		switch {
		case seen[r]:
		case !r.confirmed:
			l.cancel(r.post)
		case r.spent(l): // it may have been moved, and taken there
			l.note(r, &o.attempt, "not listed: it must have become a dead letter")
			l.move(o, r, l.rules[queue])
		case slices.ContainsFunc(r.removals, func(m *Removal) bool { return m.outcome == unknown }):
			l.note(r, &o.attempt, "not listed: the removal happened")
			l.blame(r, b.pops == 0)
			l.bury(r, o.start)
		default:
			missing = append(missing, r)
		}
	}
	if len(missing) <= b.pops {
		for _, r := range missing {
			l.note(r, &o.attempt, "not listed: popped by an unanswered request")
			l.bury(r, o.start)
		}
	} else {
		l.violateMissing(o, queue, missing)
	}
	b.pops = 0
}

func (l *Ledger) violateMissing(o *look, queue string, missing []*record) {
	for _, r := range missing {
		if r.post.outcome == unknown && !r.seen {
			l.violate(HalfPosted, r, "is not there, another one of its batch of %d is", len(r.post.records))
		} else {
			l.violate(Lost, r, "is not in %s; %d are missing, unanswered pops explain %d",
				queue, len(missing), l.book(queue).pops)
		}
		l.bury(r, o.start)
	}
}

// blame takes in that a removal without an answer happened to a message.
func (l *Ledger) blame(r *record, alone bool) {
	var open []*Removal
	for _, m := range r.removals {
		if m.outcome == unknown {
			open = append(open, m)
		}
	}
	if alone && len(open) == 1 {
		open[0].took = append(open[0].took, r)
	}
}

// verifyWhole says that an unanswered removal took all or nothing.
func (l *Ledger) verifyWhole(m *Removal) {
	if len(m.spared) > 0 && len(m.took) > 0 {
		l.violate(HalfRemoved, m.took[0], "is gone, but not %v, which the same request removes", m.spared[0].key)
	}
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.From, o.From), cmp.Compare(k.N, o.N))
}
