package embedded

import (
	"context"

	"zaqar/messaging"
)

// putRecord writes a record of the control plane, whatever was there before.
// It keeps the value.
func (s *Store) putRecord(ctx context.Context, t table, key string, value any) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	c := &s.control
	return c.change(true, func() ([]staged, error) {
		return []staged{c.put(t, key, value)}, nil
	})
}

// deleteRecord erases a record of the control plane if it is there.
func (s *Store) deleteRecord(ctx context.Context, t table, key string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	c := &s.control
	return c.change(false, func() ([]staged, error) {
		if c.get(t, key) == nil {
			return nil, nil
		}
		return []staged{c.erase(t, key)}, nil
	})
}

// oneRecord returns a copy of a record as last written. If there is none, it fails
// with NotFound, in the words of absent.
func oneRecord[T any](ctx context.Context, s *Store, t table, key string, detached func(*T) T, absent string) (out T, err error) {
	found, err := view(ctx, &s.control, func() *T {
		value, _ := s.control.get(t, key).(*T)
		return value
	})
	if err != nil {
		return out, err
	}
	if found == nil {
		return out, messaging.E(messaging.NotFound, absent)
	}
	return detached(found), nil
}

// manyRecords returns copies of records whose keys begin with prefix and come
// after another, in order, limit at most.
func manyRecords[T any](ctx context.Context, s *Store, t table, prefix, after string, limit int, detached func(*T) T) ([]T, error) {
	return view(ctx, &s.control, func() (out []T) {
		s.control.scan(t, prefix, after, func(_ string, value any) bool {
			if len(out) >= limit {
				return false
			}
			out = append(out, detached(value.(*T)))
			return true
		})
		return out
	})
}
