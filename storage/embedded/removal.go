package embedded

import (
	"context"

	"zaqar/messaging"
	"zaqar/storage"
)

// Remove implements storage.Messages.
func (s *Store) Remove(ctx context.Context, ref messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	q := s.lookup(ref)
	if q == nil || len(ids) == 0 {
		return nil
	}
	for {
		g, decided, err := q.remove(ids, hold)
		if err != nil || g == nil {
			return err
		}
		if err := g.wait(); err != nil || decided {
			return err
		}
	}
}

// remove submits the removal. If a release of a claim that matters is on its way
// to disk it decides nothing, and there is only a group to wait for.
func (q *queue) remove(ids []messaging.MessageID, hold storage.Hold) (g *group, decided bool, err error) {
	by := make(map[uint64]bool, len(hold.By))
	for _, id := range hold.By {
		if n, ok := q.store.number(string(id)); ok && n != 0 {
			by[n] = true
		}
	}
	now := q.store.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.catchClaims(now)
	type place struct {
		c *chunk
		i int
	}
	var few [32]place // more than most ask for
	found := few[:0]
	var refusal error
	ending := false
	q.resolve(ids, func(c *chunk, i int) {
		e := &c.entries[i]
		if !visible(e, now) {
			return
		}
		found = append(found, place{c, i})
		if cl := q.claims[e.claim]; cl != nil && by[cl.id] && cl.ending {
			ending = true
		}
		if err := permits(hold, by, e); err != nil && (refusal == nil || err.Kind == messaging.Claimed) {
			refusal = err
		}
	})
	if refusal != nil || len(found) == 0 {
		return nil, true, refusal
	}
	if ending {
		g, err = q.store.journal.barrier()
		return g, false, err
	}
	ch := &change{q: q, op: operation{kind: recRemove, targets: make([]target, 0, len(found))}}
	for _, p := range found {
		ch.mark(p.c, p.i, entryKills)
	}
	g, err = ch.submit(0, nil)
	return g, true, err
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
	if err := s.enter(ctx); err != nil {
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
		out, err := found.read(ctx, nil, nil)
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
	q.catchClaims(now)
	q.eachFree(now, t.Delayed, func(c *chunk, i int) bool {
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
	if err := s.enter(ctx); err != nil {
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
	q.mu.Lock()
	q.catchUp(now)
	q.mu.Unlock()
	lockBoth(q, to)
	defer unlockBoth(q, to)
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

// Purge implements storage.Messages. A great many messages are deleted in lots:
// after a crash before it returns some may be gone and others not.
func (s *Store) Purge(ctx context.Context, ref messaging.QueueRef) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	q := s.lookup(ref)
	if q == nil {
		return nil
	}
	end := s.journal.horizon()
	for from, more := uint64(0), true; more; {
		var g *group
		var err error
		if g, from, more, err = q.purge(from, end); err != nil {
			return err
		}
		if err := g.wait(); err != nil {
			return err
		}
	}
	return nil
}

// purgeLot is how many messages one record of a purge covers, so that neither
// the queue nor the writer of the log is busy with it for long.
const purgeLot = 32 * lot

// purge submits the deletion of what lies at the positions from from to before
// end, or of a first lot of it. With more, the next lot begins at next.
func (q *queue) purge(from, end uint64) (g *group, next uint64, more bool, err error) {
	now := q.store.now()
	ch := &change{q: q, op: operation{kind: recPurge, now: now, from: from}}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.catchUp(now)
	seen := 0
	q.each(from, func(c *chunk, i int) bool {
		e := &c.entries[i]
		if more = seen == purgeLot && e.pos < end; more || e.pos >= end {
			return false
		}
		seen++
		next = e.pos + 1
		if e.claim != 0 || e.flags&entryClaims != 0 {
			ch.op.targets = append(ch.op.targets, target{pos: e.pos, seg: e.seg})
		} else {
			e.flags |= entryKills
			c.mark(i)
		}
		return true
	})
	if !more {
		next = end // with what is on its way to disk
	}
	ch.op.to = next - 1
	g, err = ch.submit(0, nil)
	return g, next, more, err
}
