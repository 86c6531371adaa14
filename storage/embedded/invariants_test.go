package embedded

import (
	"errors"
	"fmt"
	"maps"
	"math"

	"zaqar/messaging"
)

// consistent checks what the parts of a store must agree on when nothing is on
// its way to disk. It waits for what still is.
func (s *Store) consistent() error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	if g, err := s.journal.barrier(); err == nil {
		_ = g.wait()
	}
	if g := s.control.latest(); g != nil {
		_ = g.wait()
	}
	live := map[uint32]int64{}
	var errs []error
	s.queuemu.RLock()
	defer s.queuemu.RUnlock()
	moved := 0
	var sum account // of all projects
	for _, a := range s.projects {
		sum.queues += a.queues
		sum.messages.Add(a.messages.Load())
		sum.bytes.Add(a.bytes.Load())
	}
	for ref, q := range s.queues {
		if q.ref != ref || s.numbers[q.number] != q {
			errs = append(errs, fmt.Errorf("queue %v is known as %v and by the wrong number", q.ref, ref))
		}
		q.mu.Lock()
		if err := q.consistent(live); err != nil {
			errs = append(errs, fmt.Errorf("%v: %w", ref, err))
		}
		moved += len(q.ids)
		if q.account != s.projects[ref.Project] {
			errs = append(errs, fmt.Errorf("%v counts for another project", ref))
		}
		sum.queues--
		if ref.Part == "" {
			sum.messages.Add(-int64(q.live))
			sum.bytes.Add(-q.bytes)
		}
		q.mu.Unlock()
	}
	if len(s.queues) != len(s.numbers) || moved != len(s.moved) {
		errs = append(errs, fmt.Errorf("%d queues, %d numbers; %d messages moved, %d known as such", len(s.queues), len(s.numbers), moved, len(s.moved)))
	}
	if sum.queues != 0 || sum.messages.Load() != 0 || sum.bytes.Load() != 0 {
		errs = append(errs, fmt.Errorf("projects count %d queues, %d messages and %d bytes too many", sum.queues, sum.messages.Load(), sum.bytes.Load()))
	}
	s.control.consistent(live)
	errs = append(errs, s.control.subscribers())
	return errors.Join(append(errs, s.accounts(live))...)
}

// accounts checks the books of the segments against what is live in each.
func (s *Store) accounts(live map[uint32]int64) error {
	owed := map[uint32]int64{}
	for number, seg := range *s.segments.Load() {
		if seg.live.Load() != live[number] {
			return fmt.Errorf("segment %d counts %d live bytes, there are %d", number, seg.live.Load(), live[number])
		}
		delete(live, number)
		for older, n := range seg.needs {
			if older >= number {
				return fmt.Errorf("segment %d needs the newer segment %d", number, older)
			}
			owed[older] += n
		}
	}
	for number, seg := range *s.segments.Load() {
		if seg.owes.Load() != owed[number] {
			return fmt.Errorf("segment %d owes %d bytes, others need %d", number, seg.owes.Load(), owed[number])
		}
	}
	if len(live) > 0 {
		return fmt.Errorf("bytes live in segments that are gone: %v", live)
	}
	return nil
}

func (c *controlPlane) consistent(live map[uint32]int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for t := range c.tables {
		c.tables[t].Scan(func(_ string, it *item) bool {
			live[it.seg] += int64(it.size)
			return true
		})
	}
}

func (q *queue) consistent(live map[uint32]int64) error {
	n, claimed, last, bytes := 0, 0, uint64(0), int64(0)
	soonest := int64(math.MaxInt64)
	held := map[uint64]int{}
	for at, c := range q.chunks {
		inChunk, soon := 0, int64(math.MaxInt64)
		for i := range c.entries {
			e := &c.entries[i]
			if e.pos <= last {
				return fmt.Errorf("position %d behind %d", e.pos, last)
			}
			last = e.pos
			if ready := c.ready[i/64]>>(i%64)&1 == 1; ready != e.free() {
				return fmt.Errorf("position %d is free: %v, marked as such: %v", e.pos, e.free(), ready)
			}
			if e.free() && at < q.hint {
				return fmt.Errorf("chunk %d has a free entry, the hint is %d", at, q.hint)
			}
			if e.flags&entryDead != 0 {
				continue
			}
			if e.flags&entryPending != 0 {
				return fmt.Errorf("position %d is marked for an operation", e.pos)
			}
			inChunk++
			soon = min(soon, e.expires)
			live[e.seg] += int64(padded(int(e.size)))
			bytes += e.body()
			if e.claim != 0 {
				claimed++
				held[e.claim]++
			}
			if id, named := q.names[e.pos]; named != (e.flags&entryMoved != 0) || named && q.ids[id] != e.pos {
				return fmt.Errorf("position %d has the name %d, which is at %d", e.pos, id, q.ids[id])
			}
		}
		if inChunk != c.live || inChunk == 0 || soon < c.soonest || soon < q.soonest {
			return fmt.Errorf("chunk %d: %d live, counted %d; expires at %d, not before %d (queue %d)", at, inChunk, c.live, soon, c.soonest, q.soonest)
		}
		n, soonest = n+inChunk, min(soonest, soon)
	}
	if bytes != q.bytes {
		return fmt.Errorf("%d bytes of bodies, counted %d", bytes, q.bytes)
	}
	if n != q.live || claimed != q.claimed || len(q.ids) != len(q.names) || q.hint > len(q.chunks) {
		return fmt.Errorf("%d live, counted %d; %d claimed, counted %d; %d ids, %d names; hint %d of %d", n, q.live, claimed, q.claimed, len(q.ids), len(q.names), q.hint, len(q.chunks))
	}
	if len(held) != len(q.claims) {
		return fmt.Errorf("entries name %d claims, %d are known", len(held), len(q.claims))
	}
	due := soonest
	for id, cl := range q.claims {
		if cl.id != id || cl.left != held[id] || cl.renewals != 0 || cl.ending {
			return fmt.Errorf("claim %d holds %d entries: %+v", id, held[id], *cl)
		}
		due = min(due, cl.expires)
		if !q.expires(cl) {
			return fmt.Errorf("claim %d will never expire", id)
		}
	}
	if due < math.MaxInt64 && (q.watched == 0 || q.watched > max(due, 1)) {
		return fmt.Errorf("something expires at %d, the sweeper comes at %d", due, q.watched)
	}
	return nil
}

// expires reports whether the end of the claim is in the heap.
func (q *queue) expires(cl *claim) bool {
	for _, it := range q.expiry.items {
		if it.value == cl && it.at == cl.expires {
			return true
		}
	}
	return false
}

// subscribers checks what is kept beside the records of subscriptions.
func (c *controlPlane) subscribers() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var errs []error
	counts := map[messaging.QueueRef]int{}
	c.scan(tableSubscriptions, "", "", func(key string, value any) bool {
		sub := value.(*messaging.Subscription)
		counts[sub.Source]++
		if c.store.env.Now().Before(sub.Expires) && c.named[subscriptionPrefix(sub.Source)+sub.Subscriber] != key {
			errs = append(errs, fmt.Errorf("subscription %s is not found by its subscriber", sub.ID))
		}
		return true
	})
	if !maps.Equal(counts, c.sources) {
		errs = append(errs, fmt.Errorf("subscriptions are counted as %v and are %v", c.sources, counts))
	}
	if n := len(c.named); n > c.tables[tableSubscriptions].Len() {
		errs = append(errs, fmt.Errorf("%d names of %d subscriptions", n, c.tables[tableSubscriptions].Len()))
	}
	return errors.Join(errs...)
}
