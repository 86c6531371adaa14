package embedded

import (
	"slices"
)

// change is an operation on stored messages on its way to disk.
type change struct {
	q    *queue
	op   operation
	to   *queue // move: where to
	size int    // bytes its record takes
	n    int    // messages it concerned, once it has been applied
}

// submit sends the change to the journal. The caller holds q.mu and has marked
// the targets. numbers is how many sequence numbers prepare needs.
func (ch *change) submit(numbers uint64, prepare func(first uint64)) (*group, error) {
	s := ch.q.store
	ch.op.queue = ch.q.number
	encode := func(b []byte, first uint64) []byte {
		if prepare != nil {
			prepare(first)
		}
		before := len(b)
		b = appendOperation(b, &ch.op)
		ch.size = len(b) - before
		return b
	}
	g, err := s.journal.submit(numbers, encode, ch.apply, ch.abort)
	if err != nil {
		ch.unmark()
	}
	return g, err
}

// apply makes the change in memory once it is on disk.
func (ch *change) apply(seg *segment, at uint32) {
	q, to := ch.q, ch.q
	if ch.to != nil {
		to = ch.to
	}
	lockBoth(q, to)
	defer unlockBoth(q, to)
	ch.n = q.carryOut(&ch.op, to, seg, ch.size)
	q.watch()
	to.watch()
}

// abort takes back the marks of a change that was not written.
func (ch *change) abort() {
	ch.q.mu.Lock()
	ch.unmark()
	ch.q.mu.Unlock()
}

// mark notes on the entry that the change is on its way.
func (ch *change) mark(c *chunk, i int, flag uint8) {
	e := &c.entries[i]
	e.flags |= flag
	c.mark(i)
	ch.op.targets = append(ch.op.targets, target{pos: e.pos, seg: e.seg})
}

func (ch *change) unmark() {
	q := ch.q
	clear := func(c *chunk, i int) {
		c.entries[i].flags &^= entryPending
		q.ready(c, i)
		c.soonest, c.latest = min(c.soonest, c.entries[i].expires), max(c.latest, c.entries[i].expires)
		q.schedule(c)
	}
	switch ch.op.kind {
	case recPurge:
		q.each(ch.op.from, func(c *chunk, i int) bool {
			e := &c.entries[i]
			if e.pos > ch.op.to {
				return false
			}
			if e.flags&entryKills != 0 {
				clear(c, i)
			}
			return true
		})
	case recRenew:
		if cl := q.claims[ch.op.claim]; cl != nil {
			cl.renewals--
			q.expiry.push(cl.expires, cl)
		}
	case recRelease:
		if cl := q.claims[ch.op.claim]; cl != nil {
			cl.ending = false
		}
	default:
		for _, ts := range [][]target{ch.op.targets, ch.op.spent} {
			for _, t := range ts {
				if c, i, ok := q.find(t.pos); ok {
					clear(c, i)
				}
			}
		}
	}
}

// carryOut changes memory as the operation says. It serves live operation and
// recovery alike: seg is the segment that holds the operation's record, of size
// bytes. It returns how many messages a release set free or a move took.
func (q *queue) carryOut(op *operation, to *queue, seg *segment, size int) (n int) {
	switch op.kind {
	case recClaim:
		q.carryOutClaim(op, seg, size)
	case recRenew:
		q.carryOutRenew(op, seg, size)
	case recRelease:
		if cl := q.claims[op.claim]; cl != nil {
			q.noteState(cl.held, seg, size)
			return q.free(cl, op.now)
		}
	case recRemove:
		sh := q.store.share(seg, size, len(op.targets))
		for _, t := range op.targets {
			q.killTarget(t, &sh)
		}
		sh.end()
	case recPurge:
		q.carryOutPurge(op, seg, size)
	case recMove:
		return q.carryOutMove(op, to, seg, size)
	}
	return 0
}

func (q *queue) carryOutClaim(op *operation, seg *segment, size int) {
	cl := q.claims[op.claim]
	if cl == nil {
		cl = &claim{id: op.claim, ttl: op.ttl, renewed: op.now, expires: expiry(op.now, op.ttl)}
		q.adopt(cl)
	}
	sh := q.store.share(seg, size, len(op.targets)+len(op.spent))
	cl.held = slices.Grow(cl.held, len(op.targets)+len(op.spent))
	for n, ts := range [][]target{op.targets, op.spent} {
		for _, t := range ts {
			c, i, ok := q.find(t.pos)
			if !ok {
				continue
			}
			e := &c.entries[i]
			e.flags &^= entryClaims
			q.lease(c, i, cl)
			sh.with(e.seg)
			if n == 0 {
				e.claims += min(1, maxClaims-e.claims)
				q.extend(c, i, cl, op.grace)
			}
		}
	}
	sh.end()
	slices.Sort(cl.held)
	if cl.left == 0 {
		q.dissolve(cl)
	}
}

func (q *queue) carryOutRenew(op *operation, seg *segment, size int) {
	cl := q.claims[op.claim]
	if cl == nil {
		return
	}
	cl.renewals = max(0, cl.renewals-1)
	q.restart(cl, op.now, op.ttl)
	q.noteState(cl.held, seg, size)
	for _, pos := range cl.held {
		c, i, ok := q.find(pos)
		if ok && c.entries[i].claim == cl.id && c.entries[i].expires > op.now {
			q.extend(c, i, cl, op.grace)
		}
	}
}

// noteState notes that an operation in seg changed the state of the messages.
func (q *queue) noteState(held []uint64, seg *segment, size int) {
	sh := q.store.share(seg, size, len(held))
	for _, pos := range held {
		if c, i, ok := q.find(pos); ok {
			sh.with(c.entries[i].seg)
		}
	}
	sh.end()
}

// killTarget removes the message if it exists.
func (q *queue) killTarget(t target, sh *sharing) {
	if c, i, ok := q.find(t.pos); ok {
		if now := c.entries[i].seg; now != t.seg { // it was copied meanwhile
			q.store.strays.add(now, t.pos)
		}
		q.kill(c, i)
		q.settle(c)
	}
	sh.withAll(t.pos, t.seg)
}

func (q *queue) carryOutPurge(op *operation, seg *segment, size int) {
	kept := make(map[uint64]bool, len(op.targets))
	for _, t := range op.targets {
		kept[t.pos] = true
	}
	about := make(map[uint32]bool) // segments with records of what is deleted
	var touched []*chunk
	q.each(op.from, func(c *chunk, i int) bool {
		e := &c.entries[i]
		if e.pos > op.to {
			return false
		}
		if kept[e.pos] {
			return true
		}
		about[e.seg] = true
		for _, n := range q.store.strays.of(e.pos) {
			about[n] = true
		}
		q.kill(c, i)
		if len(touched) == 0 || touched[len(touched)-1] != c {
			touched = append(touched, c)
		}
		return true
	})
	sh := q.store.share(seg, size, len(about))
	for n := range about {
		sh.with(n)
	}
	sh.end()
	for _, c := range touched {
		q.settle(c)
	}
}

func (q *queue) carryOutMove(op *operation, to *queue, seg *segment, size int) (moved int) {
	sh := q.store.share(seg, size, len(op.targets))
	for n, t := range op.targets {
		c, i, ok := q.find(t.pos)
		if !ok {
			sh.withAll(t.pos, t.seg)
			continue
		}
		e := c.entries[i].at(op.places[n])
		q.store.keepAlive(&e) // before the segment might seem dead
		q.killTarget(t, &sh)
		to.add(e, op.places[n].id)
		moved++
	}
	sh.end()
	return moved
}

// at returns the entry as it is after a move.
func (e entry) at(p place) entry {
	e.pos, e.ttl, e.expires = p.pos, p.ttl, p.expires
	e.claim, e.claims, e.flags = 0, 0, 0
	return e
}
