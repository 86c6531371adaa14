package memory

import (
	"context"
	"maps"
	"slices"

	"zaqar/messaging"
)

// PutQuota implements storage.Quotas.
func (s *Store) PutQuota(ctx context.Context, q messaging.Quota) error {
	return s.locked(ctx, func() error {
		s.quotas[q.Project] = maps.Clone(q.Limits)
		return nil
	})
}

// Quota implements storage.Quotas.
func (s *Store) Quota(ctx context.Context, p messaging.Project) (found messaging.Quota, err error) {
	err = s.locked(ctx, func() error {
		limits, exists := s.quotas[p]
		if !exists {
			return messaging.E(messaging.NotFound, "The project has no quota of its own.")
		}
		found = messaging.Quota{Project: p, Limits: maps.Clone(limits)}
		return nil
	})
	return found, err
}

// Quotas implements storage.Quotas.
func (s *Store) Quotas(ctx context.Context, after messaging.Project, limit int) (found []messaging.Quota, err error) {
	err = s.locked(ctx, func() error {
		for _, p := range slices.Sorted(maps.Keys(s.quotas)) {
			if p > after {
				found = append(found, messaging.Quota{Project: p, Limits: maps.Clone(s.quotas[p])})
			}
		}
		found = page(found, limit)
		return nil
	})
	return found, err
}

// DeleteQuota implements storage.Quotas.
func (s *Store) DeleteQuota(ctx context.Context, p messaging.Project) error {
	return s.locked(ctx, func() error {
		delete(s.quotas, p)
		return nil
	})
}
