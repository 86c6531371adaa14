package embedded

import (
	"context"
	"math"

	"zaqar/messaging"
)

// CreateQueue implements storage.Queues.
func (s *Store) CreateQueue(ctx context.Context, ref messaging.QueueRef, m *messaging.Metadata) (created bool, err error) {
	if err := s.enter(ctx, false); err != nil {
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
	if err := s.enter(ctx, false); err != nil {
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
		if g != nil {
			_ = g.wait() // look again: it may have failed
			continue
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
	if err := s.enter(ctx, false); err != nil {
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
	if err := s.enter(ctx, false); err != nil {
		return err
	}
	return s.control.delete(tableQueues, queueKey(ref))
}

// delete erases a record if it is there.
func (c *controlPlane) delete(t table, key string) error {
	return c.change(false, func() ([]staged, error) {
		if c.get(t, key) == nil {
			return nil, nil
		}
		return []staged{c.erase(t, key)}, nil
	})
}

// Queues implements storage.Queues.
func (s *Store) Queues(ctx context.Context, p messaging.Project, topics bool, after string, limit int) (out []messaging.Queue, err error) {
	c := &s.control
	prefix := queueKey(messaging.QueueRef{Project: p, Topic: topics})
	err = c.view(ctx, func() {
		c.scan(tableQueues, prefix, prefix+after, func(key string, value any) bool {
			out = append(out, messaging.Queue{Ref: decodeQueueKey(key), Metadata: value.(*messaging.Metadata)})
			return len(out) < limit
		})
	})
	return out, err
}

// CountQueues implements storage.Queues.
func (s *Store) CountQueues(ctx context.Context, p messaging.Project, topics bool) (n int, err error) {
	err = s.control.view(ctx, func() { n = s.control.counts[scope{p, topics}] })
	return n, err
}

// container returns the place for the queue's messages, making one if needed.
func (s *Store) container(ref messaging.QueueRef) (*queue, error) {
	if q := s.lookup(ref); q != nil && !q.dropped.Load() {
		return q, nil
	}
	s.queuemu.Lock()
	defer s.queuemu.Unlock()
	if q := s.queues[ref]; q != nil && !q.dropped.Load() {
		return q, nil
	}
	q := newQueue(s, ref, 0)
	c := &s.control
	c.mu.Lock()
	defer c.mu.Unlock()
	edits := []staged{c.put(tableContainers, queueKey(ref), uint64(0))}
	_, err := c.submit(1, edits, func(first uint64) {
		q.number = first
		edits[0].value, edits[0].now.value = encodeControl(first), first
	}, func() { s.unmake(q) })
	if err != nil {
		return nil, err
	}
	s.queues[ref], s.numbers[q.number] = q, q
	return q, nil
}

// noteMoved remembers which queue a message is in that was moved; nil forgets.
func (s *Store) noteMoved(id uint64, q *queue) {
	s.movedmu.Lock()
	defer s.movedmu.Unlock()
	if q == nil {
		delete(s.moved, id)
	} else {
		s.moved[id] = q
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

// unmake forgets a container whose record was not written.
func (s *Store) unmake(q *queue) {
	q.dropped.Store(true)
	s.queuemu.Lock()
	defer s.queuemu.Unlock()
	delete(s.numbers, q.number)
	if s.queues[q.ref] == q {
		delete(s.queues, q.ref)
	}
}

// Drop implements storage.Messages. The container's record is erased, and with
// it everything in the log that names the queue's number.
func (s *Store) Drop(ctx context.Context, ref messaging.QueueRef) error {
	if err := s.enter(ctx, false); err != nil {
		return err
	}
	for {
		q := s.lookup(ref)
		if q == nil || q.dropped.Load() {
			return s.settled(ctx)
		}
		g, again, err := q.drop()
		if err != nil {
			return err
		}
		if err := g.wait(); err != nil || !again {
			return err
		}
	}
}

// settled waits for what is being written to the control plane.
func (s *Store) settled(ctx context.Context) error { return s.control.view(ctx, func() {}) }

// drop submits the removal of the queue. With again it only returns a group to
// wait for before the next try.
func (q *queue) drop() (g *group, again bool, err error) {
	s, c := q.store, &q.store.control
	q.mu.Lock()
	defer q.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.dropped.Load() {
		return c.last, true, nil
	}
	edits := []staged{c.erase(tableContainers, queueKey(q.ref))}
	if g := c.arriving(edits); g != nil {
		return g, true, nil
	}
	edits[0].after = func() { s.dropped(q) }
	q.dropped.Store(true)
	g, err = c.submit(0, edits, nil, func() {
		s.queuemu.Lock()
		s.queues[q.ref] = q
		q.dropped.Store(false)
		s.queuemu.Unlock()
	})
	if err != nil {
		q.dropped.Store(false)
	}
	return g, false, err
}

// dropped forgets a queue whose removal is on disk.
func (s *Store) dropped(q *queue) {
	s.queuemu.Lock()
	delete(s.numbers, q.number)
	if s.queues[q.ref] == q {
		delete(s.queues, q.ref)
	}
	s.queuemu.Unlock()
	q.mu.Lock()
	q.discard()
	q.mu.Unlock()
}

// discard takes all entries of the queue off their segments.
func (q *queue) discard() {
	for _, c := range q.chunks {
		for i := range c.entries {
			if e := &c.entries[i]; e.flags&entryDead == 0 {
				q.store.forget(e)
				if e.flags&entryMoved != 0 {
					q.store.noteMoved(q.names[e.pos], nil)
				}
			}
		}
	}
	q.chunks, q.claims, q.ids, q.names = nil, nil, nil, nil
	q.expiry, q.delays = heap[*claim]{}, heap[uint64]{}
	q.live, q.claimed, q.hint, q.soonest = 0, 0, 0, math.MaxInt64
}
