package embedded

import (
	"context"
	"math"

	"zaqar/messaging"
)

// CreateQueue implements storage.Queues.
func (s *Store) CreateQueue(ctx context.Context, ref messaging.QueueRef, m *messaging.Metadata) (created bool, err error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	c := &s.control
	key := queueKey(ref)
	err = c.change(true, func() ([]staged, error) {
		created = c.get(tableQueues, key) == nil
		if !created {
			return nil, nil
		}
		return []staged{c.put(tableQueues, key, m)}, nil
	})
	return created && err == nil, err
}

// Queue implements storage.Queues.
func (s *Store) Queue(ctx context.Context, ref messaging.QueueRef) (messaging.Queue, error) {
	if err := s.enter(ctx); err != nil {
		return messaging.Queue{}, err
	}
	c := &s.control
	for {
		c.mu.RLock()
		it := c.queues[ref]
		var value any
		var g *group
		if it != nil {
			value, g = it.value, it.group
		}
		c.mu.RUnlock()
		if g != nil && g.wait() != nil {
			continue // it has been taken back
		}
		if value == nil {
			return messaging.Queue{}, errNoQueue()
		}
		return messaging.Queue{Ref: ref, Metadata: value.(*messaging.Metadata)}, nil
	}
}

func errNoQueue() error { return messaging.E(messaging.NotFound, "The queue does not exist.") }

// AmendQueue implements storage.Queues.
func (s *Store) AmendQueue(ctx context.Context, ref messaging.QueueRef, edit func(*messaging.Metadata) (*messaging.Metadata, error)) (messaging.Queue, error) {
	if err := s.enter(ctx); err != nil {
		return messaging.Queue{}, err
	}
	c := &s.control
	key := queueKey(ref)
	out := messaging.Queue{Ref: ref}
	err := c.change(true, func() ([]staged, error) {
		value := c.get(tableQueues, key)
		if value == nil {
			return nil, errNoQueue()
		}
		var err error
		if out.Metadata, err = edit(value.(*messaging.Metadata)); err != nil {
			return nil, err
		}
		return []staged{c.put(tableQueues, key, out.Metadata)}, nil
	})
	if err != nil {
		return messaging.Queue{}, err
	}
	return out, nil
}

// DeleteQueue implements storage.Queues.
func (s *Store) DeleteQueue(ctx context.Context, ref messaging.QueueRef) error {
	return s.deleteRecord(ctx, tableQueues, queueKey(ref))
}

// Queues implements storage.Queues.
func (s *Store) Queues(ctx context.Context, p messaging.Project, topics bool, after string, limit int) ([]messaging.Queue, error) {
	c := &s.control
	prefix := queueKey(messaging.QueueRef{Project: p, Topic: topics})
	return view(ctx, c, func() (out []messaging.Queue) {
		c.scan(tableQueues, prefix, prefix+after, func(key string, value any) bool {
			out = append(out, messaging.Queue{Ref: decodeQueueKey(key), Metadata: value.(*messaging.Metadata)})
			return len(out) < limit
		})
		return out
	})
}

// CountQueues implements storage.Queues.
func (s *Store) CountQueues(ctx context.Context, p messaging.Project, topics bool) (int, error) {
	return view(ctx, &s.control, func() int { return s.control.counts[scope{p, topics}] })
}

// container returns the place for the queue's messages, making one if needed.
func (s *Store) container(ref messaging.QueueRef) (*queue, error) {
	for {
		if q := s.lookup(ref); q != nil && !q.dropped.Load() {
			return q, nil
		}
		q, g, err := s.make(ref)
		if err != nil || q != nil {
			return q, err
		}
		_ = g.wait() // whatever comes of it, the next look shows it
	}
}

// make makes a container for the queue if there is none. While the one before
// it is being dropped there is only a group to wait for.
func (s *Store) make(ref messaging.QueueRef) (*queue, *group, error) {
	s.queuemu.Lock()
	defer s.queuemu.Unlock()
	c := &s.control
	c.mu.Lock()
	defer c.mu.Unlock()
	if q := s.queues[ref]; q != nil {
		if q.dropped.Load() {
			return nil, c.last, nil
		}
		return q, nil, nil
	}
	// Idle queues are many: they share the text of their names with their record
	// and keep nothing of the request alive that made them.
	key := queueKey(ref)
	if it := c.queues[ref]; it != nil {
		key = it.key
	}
	ref = decodeQueueKey(key)
	q := newQueue(s, ref, 0)
	edits := []staged{c.put(tableContainers, key, uint64(0))}
	_, err := c.submit(1, edits, func(first uint64) {
		q.number = first
		edits[0].value, edits[0].now.value = encodeControl(first), first
	}, func() { s.forgetQueue(q) })
	if err != nil {
		return nil, nil, err
	}
	s.queues[ref], s.numbers[q.number] = q, q
	s.join(q)
	return q, nil, nil
}

// noteMoved remembers which queue a message is in that was moved.
func (s *Store) noteMoved(id uint64, q *queue) {
	s.movedmu.Lock()
	defer s.movedmu.Unlock()
	s.moved[id] = q
}

// forgetMoved forgets that a message is in the queue. It may be in another one
// already.
func (s *Store) forgetMoved(id uint64, q *queue) {
	s.movedmu.Lock()
	defer s.movedmu.Unlock()
	if s.moved[id] == q {
		delete(s.moved, id)
	}
}

// where finds the queue and position of the message whose record says number
// and pos. The queue is nil if there is none.
func (s *Store) where(number, id, pos uint64) (*queue, uint64) {
	s.movedmu.Lock()
	q := s.moved[id]
	s.movedmu.Unlock()
	if q != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q, q.position(id)
	}
	return s.byNumber(number), pos
}

func (s *Store) byNumber(number uint64) *queue {
	s.queuemu.RLock()
	defer s.queuemu.RUnlock()
	return s.numbers[number]
}

// Drop implements storage.Messages. The container's record is erased, and with
// it everything in the log that names the queue's number.
func (s *Store) Drop(ctx context.Context, ref messaging.QueueRef) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	for {
		q := s.lookup(ref)
		if q == nil {
			return nil
		}
		g, rest, err := q.drop()
		if err != nil {
			return err
		}
		err = g.wait()
		if rest == nil {
			continue
		}
		if err == nil {
			rest.forget()
		}
		return err
	}
}

// drop submits the removal of the queue. When the group is on disk, rest is
// what was in it. Without rest there is only a group to wait for before the
// next try.
func (q *queue) drop() (g *group, rest *remains, err error) {
	s, c := q.store, &q.store.control
	q.mu.Lock()
	defer q.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.dropped.Load() {
		return c.last, nil, nil
	}
	edits := []staged{c.erase(tableContainers, queueKey(q.ref))}
	if g := c.arriving(edits); g != nil {
		return g, nil, nil
	}
	rest = new(remains)
	edits[0].after = func() { *rest = s.dropped(q) }
	g, err = c.submit(0, edits, nil, func() { q.dropped.Store(false) })
	q.dropped.Store(err == nil)
	return g, rest, err
}

// dropped lets go of a queue whose removal is on disk. The writer of the log has
// no time for what was in it.
func (s *Store) dropped(q *queue) remains {
	s.forgetQueue(q)
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.empty()
}

// forgetQueue removes a queue from the tables. Who still has it makes another.
func (s *Store) forgetQueue(q *queue) {
	q.mu.Lock() // whoever has just seen that it is not dropped has submitted by now
	q.dropped.Store(true)
	q.mu.Unlock()
	s.queuemu.Lock()
	delete(s.queues, q.ref)
	delete(s.numbers, q.number)
	s.part(q)
	s.queuemu.Unlock()
}

// remains are the messages that were in a queue, still counted in their
// segments.
type remains struct {
	q      *queue
	chunks []*chunk
	names  map[uint64]uint64
}

// empty takes everything out of the queue.
func (q *queue) empty() remains {
	r := remains{q, q.chunks, q.names}
	q.chunks, q.claims, q.ids, q.names = nil, nil, nil, nil
	q.expiry, q.delays = heap[*claim]{}, heap[uint64]{}
	q.count(-q.live, -q.bytes)
	q.claimed, q.hint, q.soonest, q.lapses = 0, 0, math.MaxInt64, nil
	return r
}

// forget takes the messages off their segments.
func (r remains) forget() {
	for _, c := range r.chunks {
		for i := range c.entries {
			if e := &c.entries[i]; e.flags&entryDead == 0 {
				r.q.store.forget(e)
				if e.flags&entryMoved != 0 {
					r.q.store.forgetMoved(r.names[e.pos], r.q)
				}
			}
		}
	}
}

// discard empties the queue for good.
func (q *queue) discard() { q.empty().forget() }
