package embedded

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"

	"zaqar/messaging"
)

// PutPool implements storage.Pools.
func (s *Store) PutPool(ctx context.Context, p messaging.Pool) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	c := &s.control
	return c.change(true, func() ([]staged, error) {
		if err := c.poolURIFree(p); err != nil {
			return nil, err
		}
		value := detachedPool(&p)
		return []staged{c.put(tablePools, p.Name, &value)}, nil
	})
}

// poolURIFree refuses a URI that another pool has. The caller holds c.mu.
func (c *controlPlane) poolURIFree(p messaging.Pool) (err error) {
	c.eachPool(func(other *messaging.Pool) bool {
		if other.URI == p.URI && other.Name != p.Name {
			err = messaging.E(messaging.Conflict, "The URI is in use by another pool.")
		}
		return err == nil
	})
	return err
}

func (c *controlPlane) eachPool(f func(*messaging.Pool) (more bool)) {
	c.scan(tablePools, "", "", func(_ string, value any) bool { return f(value.(*messaging.Pool)) })
}

const noPool = "The pool does not exist."

// Pool implements storage.Pools.
func (s *Store) Pool(ctx context.Context, name string) (messaging.Pool, error) {
	return oneRecord(ctx, s, tablePools, name, detachedPool, noPool)
}

// detachedPool is a copy that shares nothing.
func detachedPool(p *messaging.Pool) messaging.Pool {
	out := *p
	out.Options = bytes.Clone(p.Options)
	return out
}

// detachedFlavor is a copy that shares nothing.
func detachedFlavor(f *messaging.Flavor) messaging.Flavor {
	out := *f
	out.Capabilities = slices.Clone(f.Capabilities)
	return out
}

// Pools implements storage.Pools.
func (s *Store) Pools(ctx context.Context, after string, limit int) ([]messaging.Pool, error) {
	return manyRecords(ctx, s, tablePools, "", after, cmp.Or(limit, math.MaxInt), detachedPool)
}

// PoolsOf implements storage.Pools.
func (s *Store) PoolsOf(ctx context.Context, f messaging.FlavorRef) ([]messaging.Pool, error) {
	return view(ctx, &s.control, func() (out []messaging.Pool) {
		for _, p := range s.control.poolsOf(f) {
			out = append(out, detachedPool(p))
		}
		return out
	})
}

func (c *controlPlane) poolsOf(f messaging.FlavorRef) (out []*messaging.Pool) {
	c.eachPool(func(p *messaging.Pool) bool {
		if p.Flavor == f {
			out = append(out, p)
		}
		return true
	})
	return out
}

// AmendPool implements storage.Pools.
func (s *Store) AmendPool(ctx context.Context, name string, edit func(*messaging.Pool) error) (out messaging.Pool, err error) {
	if err := s.enter(ctx); err != nil {
		return out, err
	}
	c := &s.control
	err = c.change(true, func() ([]staged, error) {
		old, _ := c.get(tablePools, name).(*messaging.Pool)
		if old == nil {
			return nil, messaging.E(messaging.NotFound, noPool)
		}
		p := detachedPool(old)
		if err := edit(&p); err != nil {
			return nil, err
		}
		p.Name = name
		if err := c.poolURIFree(p); err != nil {
			return nil, err
		}
		out = p
		value := detachedPool(&p)
		return []staged{c.put(tablePools, name, &value)}, nil
	})
	if err != nil {
		return messaging.Pool{}, err
	}
	return out, nil
}

// DeletePool implements storage.Pools.
func (s *Store) DeletePool(ctx context.Context, name string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	c := &s.control
	return c.change(false, func() ([]staged, error) {
		p, _ := c.get(tablePools, name).(*messaging.Pool)
		if p == nil {
			return nil, nil
		}
		if err := c.poolFree(p); err != nil {
			return nil, err
		}
		return []staged{c.erase(tablePools, name)}, nil
	})
}

// poolFree refuses while queues are placed on the pool or a flavor would be
// left without one. The caller holds c.mu.
func (c *controlPlane) poolFree(p *messaging.Pool) (err error) {
	c.scan(tablePlacements, "", "", func(_ string, value any) bool {
		if value.(*messaging.Placement).Pool == p.Name {
			err = messaging.E(messaging.Conflict, "The pool holds queues.")
		}
		return err == nil
	})
	if err != nil || p.Flavor == (messaging.FlavorRef{}) {
		return err
	}
	if c.get(tableFlavors, flavorKey(p.Flavor)) != nil && len(c.poolsOf(p.Flavor)) == 1 {
		return messaging.E(messaging.Conflict, "The pool is the last one of its flavor.")
	}
	return nil
}

func flavorKey(f messaging.FlavorRef) string { return string(projectKey(f.Project)) + f.Name }

// PutFlavor implements storage.Flavors.
func (s *Store) PutFlavor(ctx context.Context, f messaging.Flavor) error {
	value := detachedFlavor(&f)
	return s.putRecord(ctx, tableFlavors, flavorKey(f.Ref), &value)
}

// Flavor implements storage.Flavors.
func (s *Store) Flavor(ctx context.Context, ref messaging.FlavorRef) (messaging.Flavor, error) {
	return oneRecord(ctx, s, tableFlavors, flavorKey(ref), detachedFlavor, "The flavor does not exist.")
}

// Flavors implements storage.Flavors.
func (s *Store) Flavors(ctx context.Context, p messaging.Project, after string, limit int) ([]messaging.Flavor, error) {
	prefix := string(projectKey(p))
	return manyRecords(ctx, s, tableFlavors, prefix, prefix+after, limit, detachedFlavor)
}

// DeleteFlavor implements storage.Flavors.
func (s *Store) DeleteFlavor(ctx context.Context, ref messaging.FlavorRef) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	c := &s.control
	return c.change(false, func() ([]staged, error) {
		var edits []staged
		if c.get(tableFlavors, flavorKey(ref)) != nil {
			edits = append(edits, c.erase(tableFlavors, flavorKey(ref)))
		}
		for _, old := range c.poolsOf(ref) {
			p := *old
			p.Flavor = messaging.FlavorRef{}
			edits = append(edits, c.put(tablePools, p.Name, &p))
		}
		return edits, nil
	})
}

// Place implements storage.Placements.
func (s *Store) Place(ctx context.Context, p messaging.Placement) error {
	return s.putRecord(ctx, tablePlacements, queueKey(p.Queue), &p)
}

// PlaceNew implements storage.Placements.
func (s *Store) PlaceNew(ctx context.Context, p messaging.Placement) (out messaging.Placement, err error) {
	if err := s.enter(ctx); err != nil {
		return out, err
	}
	c := &s.control
	err = c.change(true, func() ([]staged, error) {
		if old, _ := c.get(tablePlacements, queueKey(p.Queue)).(*messaging.Placement); old != nil {
			out = *old
			return nil, nil
		}
		out = p
		return []staged{c.put(tablePlacements, queueKey(p.Queue), &p)}, nil
	})
	if err != nil {
		return messaging.Placement{}, err
	}
	return out, nil
}

// Placement implements storage.Placements.
func (s *Store) Placement(ctx context.Context, q messaging.QueueRef) (messaging.Placement, error) {
	return oneRecord(ctx, s, tablePlacements, queueKey(q), detachedPlacement, "The queue is not placed on a pool.")
}

// detachedPlacement is a copy.
func detachedPlacement(p *messaging.Placement) messaging.Placement { return *p }

// Placements implements storage.Placements.
func (s *Store) Placements(ctx context.Context, p messaging.Project) ([]messaging.Placement, error) {
	return s.placements(ctx, string(projectKey(p)), func(*messaging.Placement) bool { return true }, 0)
}

// PlacedOn implements storage.Placements.
func (s *Store) PlacedOn(ctx context.Context, pool string, limit int) ([]messaging.Placement, error) {
	return s.placements(ctx, "", func(p *messaging.Placement) bool { return p.Pool == pool }, limit)
}

func (s *Store) placements(ctx context.Context, prefix string, keep func(*messaging.Placement) bool, limit int) ([]messaging.Placement, error) {
	return view(ctx, &s.control, func() (out []messaging.Placement) {
		s.control.scan(tablePlacements, prefix, prefix, func(_ string, value any) bool {
			if p := value.(*messaging.Placement); keep(p) {
				out = append(out, *p)
			}
			return limit == 0 || len(out) < limit
		})
		return out
	})
}

// Unplace implements storage.Placements.
func (s *Store) Unplace(ctx context.Context, q messaging.QueueRef) error {
	return s.deleteRecord(ctx, tablePlacements, queueKey(q))
}
