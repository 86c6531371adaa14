package memory

import (
	"cmp"
	"context"
	"slices"

	"zaqar/messaging"
)

// CreateQueue implements storage.Queues.
func (s *Store) CreateQueue(ctx context.Context, q messaging.QueueRef, m *messaging.Metadata) (created bool, err error) {
	err = s.locked(ctx, func() error {
		if _, exists := s.queues[q]; !exists {
			s.queues[q] = m
			created = true
		}
		return nil
	})
	return created, err
}

// Queue implements storage.Queues.
func (s *Store) Queue(ctx context.Context, q messaging.QueueRef) (found messaging.Queue, err error) {
	err = s.locked(ctx, func() error {
		m, exists := s.queues[q]
		if !exists {
			return errNoQueue()
		}
		found = messaging.Queue{Ref: q, Metadata: m}
		return nil
	})
	return found, err
}

// AmendQueue implements storage.Queues.
func (s *Store) AmendQueue(ctx context.Context, q messaging.QueueRef, edit func(*messaging.Metadata) (*messaging.Metadata, error)) (stored messaging.Queue, err error) {
	err = s.locked(ctx, func() error {
		m, exists := s.queues[q]
		if !exists {
			return errNoQueue()
		}
		m, err := edit(m)
		if err != nil {
			return err
		}
		s.queues[q] = m
		stored = messaging.Queue{Ref: q, Metadata: m}
		return nil
	})
	return stored, err
}

// DeleteQueue implements storage.Queues.
func (s *Store) DeleteQueue(ctx context.Context, q messaging.QueueRef) error {
	return s.locked(ctx, func() error {
		delete(s.queues, q)
		return nil
	})
}

// Queues implements storage.Queues.
func (s *Store) Queues(ctx context.Context, p messaging.Project, topics bool, after string, limit int) (found []messaging.Queue, err error) {
	err = s.locked(ctx, func() error {
		for q, m := range s.queues {
			if q.Project == p && q.Topic == topics && q.Name > after {
				found = append(found, messaging.Queue{Ref: q, Metadata: m})
			}
		}
		slices.SortFunc(found, func(a, b messaging.Queue) int { return cmp.Compare(a.Ref.Name, b.Ref.Name) })
		found = page(found, limit)
		return nil
	})
	return found, err
}

// CountQueues implements storage.Queues.
func (s *Store) CountQueues(ctx context.Context, p messaging.Project, topics bool) (n int, err error) {
	err = s.locked(ctx, func() error {
		for q := range s.queues {
			if q.Project == p && q.Topic == topics {
				n++
			}
		}
		return nil
	})
	return n, err
}

func errNoQueue() error {
	return messaging.E(messaging.NotFound, "The queue does not exist.")
}
