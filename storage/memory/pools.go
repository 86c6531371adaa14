package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"zaqar/messaging"
)

// PutPool implements storage.Pools.
func (s *Store) PutPool(ctx context.Context, p messaging.Pool) error {
	return s.locked(ctx, func() error { return s.putPool(p) })
}

// Pool implements storage.Pools.
func (s *Store) Pool(ctx context.Context, name string) (found messaging.Pool, err error) {
	err = s.locked(ctx, func() error {
		p, exists := s.pools[name]
		if !exists {
			return errNoPool()
		}
		found = wholePool(p)
		return nil
	})
	return found, err
}

// Pools implements storage.Pools.
func (s *Store) Pools(ctx context.Context, after string, limit int) ([]messaging.Pool, error) {
	found, err := s.poolsWhere(ctx, func(p messaging.Pool) bool { return p.Name > after })
	if limit > 0 {
		found = page(found, limit)
	}
	return found, err
}

// PoolsOf implements storage.Pools.
func (s *Store) PoolsOf(ctx context.Context, f messaging.FlavorRef) ([]messaging.Pool, error) {
	return s.poolsWhere(ctx, func(p messaging.Pool) bool { return p.Flavor == f })
}

// AmendPool implements storage.Pools.
func (s *Store) AmendPool(ctx context.Context, name string, edit func(*messaging.Pool) error) (stored messaging.Pool, err error) {
	err = s.locked(ctx, func() error {
		p, exists := s.pools[name]
		if !exists {
			return errNoPool()
		}
		p = wholePool(p)
		if err := edit(&p); err != nil {
			return err
		}
		p.Name = name
		stored = p
		return s.putPool(p)
	})
	if err != nil {
		return messaging.Pool{}, err
	}
	return stored, nil
}

// DeletePool implements storage.Pools.
func (s *Store) DeletePool(ctx context.Context, name string) error {
	return s.locked(ctx, func() error {
		p, exists := s.pools[name]
		if !exists {
			return nil
		}
		for _, pool := range s.placements {
			if pool == name {
				return messaging.E(messaging.Conflict, "The pool holds queues.")
			}
		}
		if s.lastOfFlavor(p) {
			return messaging.E(messaging.Conflict, "The pool is the last one of its flavor.")
		}
		delete(s.pools, name)
		return nil
	})
}

// PutFlavor implements storage.Flavors.
func (s *Store) PutFlavor(ctx context.Context, f messaging.Flavor) error {
	return s.locked(ctx, func() error {
		s.flavors[f.Ref] = wholeFlavor(f)
		return nil
	})
}

// Flavor implements storage.Flavors.
func (s *Store) Flavor(ctx context.Context, ref messaging.FlavorRef) (found messaging.Flavor, err error) {
	err = s.locked(ctx, func() error {
		f, exists := s.flavors[ref]
		if !exists {
			return messaging.E(messaging.NotFound, "The flavor does not exist.")
		}
		found = wholeFlavor(f)
		return nil
	})
	return found, err
}

// Flavors implements storage.Flavors.
func (s *Store) Flavors(ctx context.Context, p messaging.Project, after string, limit int) (found []messaging.Flavor, err error) {
	err = s.locked(ctx, func() error {
		for ref, f := range s.flavors {
			if ref.Project == p && ref.Name > after {
				found = append(found, wholeFlavor(f))
			}
		}
		slices.SortFunc(found, func(a, b messaging.Flavor) int { return cmp.Compare(a.Ref.Name, b.Ref.Name) })
		found = page(found, limit)
		return nil
	})
	return found, err
}

// DeleteFlavor implements storage.Flavors.
func (s *Store) DeleteFlavor(ctx context.Context, ref messaging.FlavorRef) error {
	return s.locked(ctx, func() error {
		delete(s.flavors, ref)
		for name, p := range s.pools {
			if p.Flavor == ref {
				p.Flavor = messaging.FlavorRef{}
				s.pools[name] = p
			}
		}
		return nil
	})
}

// Place implements storage.Placements.
func (s *Store) Place(ctx context.Context, p messaging.Placement) error {
	return s.locked(ctx, func() error {
		s.placements[p.Queue] = p.Pool
		return nil
	})
}

// PlaceNew implements storage.Placements.
func (s *Store) PlaceNew(ctx context.Context, p messaging.Placement) (holds messaging.Placement, err error) {
	err = s.locked(ctx, func() error {
		if _, placed := s.placements[p.Queue]; !placed {
			s.placements[p.Queue] = p.Pool
		}
		holds = messaging.Placement{Queue: p.Queue, Pool: s.placements[p.Queue]}
		return nil
	})
	return holds, err
}

// Placement implements storage.Placements.
func (s *Store) Placement(ctx context.Context, q messaging.QueueRef) (found messaging.Placement, err error) {
	err = s.locked(ctx, func() error {
		pool, placed := s.placements[q]
		if !placed {
			return messaging.E(messaging.NotFound, "The queue is in no pool.")
		}
		found = messaging.Placement{Queue: q, Pool: pool}
		return nil
	})
	return found, err
}

// Placements implements storage.Placements.
func (s *Store) Placements(ctx context.Context, project messaging.Project) ([]messaging.Placement, error) {
	return s.placementsWhere(ctx, func(p messaging.Placement) bool { return p.Queue.Project == project })
}

// PlacedOn implements storage.Placements.
func (s *Store) PlacedOn(ctx context.Context, pool string, limit int) ([]messaging.Placement, error) {
	found, err := s.placementsWhere(ctx, func(p messaging.Placement) bool { return p.Pool == pool })
	return page(found, limit), err
}

// Unplace implements storage.Placements.
func (s *Store) Unplace(ctx context.Context, q messaging.QueueRef) error {
	return s.locked(ctx, func() error {
		delete(s.placements, q)
		return nil
	})
}

func (s *Store) putPool(p messaging.Pool) error {
	for name, other := range s.pools {
		if name != p.Name && other.URI == p.URI {
			return messaging.E(messaging.Conflict, "The URI is that of another pool.")
		}
	}
	s.pools[p.Name] = wholePool(p)
	return nil
}

// lastOfFlavor reports whether the pool has a flavor that exists and that no
// other pool has.
func (s *Store) lastOfFlavor(p messaging.Pool) bool {
	if _, exists := s.flavors[p.Flavor]; !exists {
		return false
	}
	for name, other := range s.pools {
		if name != p.Name && other.Flavor == p.Flavor {
			return false
		}
	}
	return true
}

// poolsWhere returns the pools that pass, ascending by name.
func (s *Store) poolsWhere(ctx context.Context, pass func(messaging.Pool) bool) (found []messaging.Pool, err error) {
	err = s.locked(ctx, func() error {
		for _, p := range s.pools {
			if pass(p) {
				found = append(found, wholePool(p))
			}
		}
		slices.SortFunc(found, func(a, b messaging.Pool) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
	return found, err
}

// placementsWhere returns the placements that pass by project, queues before
// topics, then by name.
func (s *Store) placementsWhere(ctx context.Context, pass func(messaging.Placement) bool) (found []messaging.Placement, err error) {
	err = s.locked(ctx, func() error {
		for q, pool := range s.placements {
			if p := (messaging.Placement{Queue: q, Pool: pool}); pass(p) {
				found = append(found, p)
			}
		}
		slices.SortFunc(found, func(a, b messaging.Placement) int { return compareRefs(a.Queue, b.Queue) })
		return nil
	})
	return found, err
}

func compareRefs(a, b messaging.QueueRef) int {
	return cmp.Or(
		cmp.Compare(a.Project, b.Project),
		cmp.Compare(order(a.Topic), order(b.Topic)),
		cmp.Compare(a.Name, b.Name))
}

func order(topic bool) int {
	if topic {
		return 1
	}
	return 0
}

func errNoPool() error {
	return messaging.E(messaging.NotFound, "The pool does not exist.")
}

// wholePool copies a pool with its options.
func wholePool(p messaging.Pool) messaging.Pool {
	p.Options = bytes.Clone(p.Options)
	return p
}

// wholeFlavor copies a flavor with its capabilities.
func wholeFlavor(f messaging.Flavor) messaging.Flavor {
	f.Capabilities = slices.Clone(f.Capabilities)
	return f
}
