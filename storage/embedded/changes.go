package embedded

import (
	"context"
	"math"
	"slices"

	"zaqar/messaging"
	"zaqar/storage"
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
		q.soonest, c.soonest = min(q.soonest, c.entries[i].expires), min(c.soonest, c.entries[i].expires)
	}
	switch ch.op.kind {
	case recPurge:
		q.each(0, func(c *chunk, i int) bool {
			if e := &c.entries[i]; e.pos <= ch.op.to && e.flags&entryKills != 0 {
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
			return q.free(cl)
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
	var touched []*chunk
	sh := q.store.share(seg, size, max(1, q.live-len(kept)))
	q.each(0, func(c *chunk, i int) bool {
		e := &c.entries[i]
		if e.pos > op.to {
			return false
		}
		if !kept[e.pos] {
			sh.withAll(e.pos, e.seg)
			q.kill(c, i)
			if len(touched) == 0 || touched[len(touched)-1] != c {
				touched = append(touched, c)
			}
		}
		return true
	})
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

// Remove implements storage.Messages.
func (s *Store) Remove(ctx context.Context, ref messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) error {
	if err := s.enter(ctx, false); err != nil {
		return err
	}
	q := s.lookup(ref)
	if q == nil || len(ids) == 0 {
		return nil
	}
	g, err := q.remove(ids, hold)
	if err != nil || g == nil {
		return err
	}
	return g.wait()
}

func (q *queue) remove(ids []messaging.MessageID, hold storage.Hold) (*group, error) {
	by := make(map[uint64]bool, len(hold.By))
	for _, id := range hold.By {
		if n, ok := q.store.number(string(id)); ok && n != 0 {
			by[n] = true
		}
	}
	now := q.store.now()
	ch := &change{q: q, op: operation{kind: recRemove}}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advance(now)
	type place struct {
		c *chunk
		i int
	}
	var found []place
	var refusal error
	q.resolve(ids, func(c *chunk, i int) {
		e := &c.entries[i]
		if !visible(e, now) {
			return
		}
		found = append(found, place{c, i})
		if err := permits(hold, by, e); err != nil && (refusal == nil || err.Kind == messaging.Claimed) {
			refusal = err
		}
	})
	if refusal != nil || len(found) == 0 {
		return nil, refusal
	}
	for _, p := range found {
		ch.mark(p.c, p.i, entryKills)
	}
	return ch.submit(0, nil)
}

// permits reports why the entry may not be deleted, or nil.
func permits(hold storage.Hold, by map[uint64]bool, e *entry) *messaging.Error {
	leased := e.claim != 0 || e.flags&entryClaims != 0
	switch {
	case hold.Unclaimed && leased:
		return messaging.E(messaging.Claimed, "")
	case len(hold.By) == 0:
		return nil
	case !leased:
		return messaging.E(messaging.NotClaimed, "")
	case !by[e.claim]:
		return messaging.E(messaging.Claimed, "")
	}
	return nil
}

// Pop implements storage.Messages. What cannot be read is not removed.
func (s *Store) Pop(ctx context.Context, ref messaging.QueueRef, t storage.Take) ([]messaging.Message, error) {
	if err := s.enter(ctx, false); err != nil {
		return nil, err
	}
	q := s.lookup(ref)
	if q == nil {
		return nil, nil
	}
	for {
		found := &picked{q: q}
		ch := q.pick(found, t)
		if found.len() == 0 {
			return nil, nil
		}
		out, err := found.read(ctx, nil)
		if err != nil || len(out) == 0 {
			ch.abort()
		}
		if err != nil {
			return nil, err
		}
		if len(out) == 0 {
			continue // all of it was damaged and is gone now
		}
		q.mu.Lock()
		g, err := ch.submit(0, nil)
		q.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if err := g.wait(); err != nil {
			return nil, err
		}
		return out, nil
	}
}

// pick marks and picks what Pop may have.
func (q *queue) pick(found *picked, t storage.Take) *change {
	now := q.store.now()
	opens := q.store.keys.set(t.Keys)
	ch := &change{q: q, op: operation{kind: recRemove}}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advance(now)
	q.eachFree(t.Delayed, func(c *chunk, i int) bool {
		if e := &c.entries[i]; opens[e.key] {
			found.take(e)
			ch.mark(c, i, entryKills)
		}
		return found.len() < t.Limit
	})
	return ch
}

// Move implements storage.Messages.
func (s *Store) Move(ctx context.Context, ref messaging.QueueRef, ids []messaging.MessageID, held messaging.ClaimID, to messaging.QueueRef, ttl int64) (int, error) {
	if err := s.enter(ctx, false); err != nil {
		return 0, err
	}
	if ttl < 0 || ttl > maxTTL {
		return 0, messaging.E(messaging.Invalid, "A ttl must be between 0 and 4294967295 seconds.")
	}
	claim, ok := s.number(string(held))
	if !ok {
		return 0, nil
	}
	for {
		q := s.lookup(ref)
		if q == nil {
			return 0, nil
		}
		target, err := s.container(to)
		if err != nil {
			return 0, err
		}
		ch, g, err := q.move(ids, claim, target, uint32(ttl))
		if err != nil {
			return 0, err
		}
		if ch == nil {
			_ = g.wait() // whatever comes of it, the next look shows it
			continue
		}
		if g == nil {
			return 0, nil
		}
		if err := g.wait(); err != nil {
			return 0, err
		}
		return ch.n, nil
	}
}

// move submits the move of what the claim holds. While one of the queues is
// being dropped there is no change, only a group to wait for. If there is
// nothing to move there is no group.
func (q *queue) move(ids []messaging.MessageID, claim uint64, to *queue, ttl uint32) (*change, *group, error) {
	now := q.store.now()
	ch := &change{q: q, to: to, op: operation{kind: recMove, now: now, to: to.number}}
	lockBoth(q, to)
	defer unlockBoth(q, to)
	q.advance(now)
	if q.dropped.Load() || to.dropped.Load() {
		return nil, q.store.control.latest(), nil
	}
	q.resolve(ids, func(c *chunk, i int) {
		e := &c.entries[i]
		if !visible(e, now) || e.claim != claim || claim == 0 || e.flags&entryPending != 0 {
			return
		}
		ch.mark(c, i, entryKills)
		life := place{id: q.identity(e), ttl: e.ttl, expires: e.expires}
		if ttl > 0 {
			life.ttl, life.expires = ttl, expiry(now, ttl)
		}
		ch.op.places = append(ch.op.places, life)
	})
	if len(ch.op.targets) == 0 {
		return ch, nil, nil
	}
	g, err := ch.submit(uint64(len(ch.op.targets)), func(first uint64) {
		for i := range ch.op.places {
			ch.op.places[i].pos = first + uint64(i)
		}
	})
	return ch, g, err
}

// lockBoth locks two queues in the order of their numbers, so that no two
// callers wait for each other.
func lockBoth(a, b *queue) {
	switch {
	case a == b:
		a.mu.Lock()
	case a.number < b.number:
		a.mu.Lock()
		b.mu.Lock()
	default:
		b.mu.Lock()
		a.mu.Lock()
	}
}

func unlockBoth(a, b *queue) {
	a.mu.Unlock()
	if a != b {
		b.mu.Unlock()
	}
}

// Purge implements storage.Messages.
func (s *Store) Purge(ctx context.Context, ref messaging.QueueRef) error {
	if err := s.enter(ctx, false); err != nil {
		return err
	}
	q := s.lookup(ref)
	if q == nil {
		return nil
	}
	g, err := q.purge()
	if err != nil {
		return err
	}
	return g.wait()
}

func (q *queue) purge() (*group, error) {
	now := q.store.now()
	ch := &change{q: q, op: operation{kind: recPurge, now: now, to: math.MaxUint64}}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advance(now)
	q.each(0, func(c *chunk, i int) bool {
		e := &c.entries[i]
		if e.claim != 0 || e.flags&entryClaims != 0 {
			ch.op.targets = append(ch.op.targets, target{pos: e.pos, seg: e.seg})
		} else {
			e.flags |= entryKills
			c.mark(i)
		}
		return true
	})
	return ch.submit(1, func(first uint64) { ch.op.to = first })
}
