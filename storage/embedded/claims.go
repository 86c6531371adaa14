package embedded

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// maxTTL is the longest lifetime of a message or claim, seconds.
const maxTTL = math.MaxUint32

// Claim implements storage.Claims.
func (s *Store) Claim(ctx context.Context, ref messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	if err := s.enter(ctx); err != nil {
		return storage.Lease{}, err
	}
	if err := checkTerms(t); err != nil {
		return storage.Lease{}, err
	}
	q := s.lookup(ref)
	if q == nil {
		return storage.Lease{}, nil
	}
	for {
		lease, err := s.lease(q, t)
		if err != nil || lease.Claim.ID == "" || len(lease.Messages)+len(lease.Spent) > 0 {
			return lease, err
		}
		// All of it was damaged and is gone now.
	}
}

// lease makes a claim. The Lease holds no message if all were damaged, and no
// claim if there was nothing to take.
func (s *Store) lease(q *queue, t storage.Terms) (storage.Lease, error) {
	taken, spent := pick(q, t.Limit), &picked{q: q}
	g, cl, err := q.claim(t, taken, spent)
	if err != nil || g == nil {
		return storage.Lease{}, err
	}
	view := s.claimView(&cl)
	taken.heldBy(cl.id, view.ID)
	spent.heldBy(cl.id, view.ID)
	// Others may write the claim meanwhile. A caller that went away still gets
	// it or not, as a whole. What cannot be read is free again when it expires.
	ctx := context.Background()
	messages, err := taken.read(ctx, t.Arena, nil)
	exhausted, serr := spent.read(ctx, t.Arena, nil)
	if werr := g.wait(); werr != nil {
		return storage.Lease{}, werr
	}
	if err != nil || serr != nil {
		return storage.Lease{}, unreadable(err, serr)
	}
	return storage.Lease{Claim: view, Messages: messages, Spent: exhausted}, nil
}

func checkTerms(t storage.Terms) error {
	if t.TTL < 1 || t.TTL > maxTTL || t.Grace < 0 || t.Grace > maxTTL || t.TTL+t.Grace > maxTTL {
		return messaging.E(messaging.Invalid, "A claim's ttl and grace together may have 4294967295 seconds at most.")
	}
	return nil
}

// claim leases what is free. What it takes is shown as it will be once the
// claim is on disk, but for who holds it.
func (q *queue) claim(t storage.Terms, taken, spent *picked) (*group, claim, error) {
	now, grace := q.store.now(), uint32(t.Grace)
	cl := claim{ttl: uint32(t.TTL), renewed: now, expires: expiry(now, uint32(t.TTL))}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.catchClaims(now)
	q.eachFree(now, t.Delayed, func(c *chunk, i int) bool {
		e := &c.entries[i]
		seen := *e
		if t.MaxClaims > 0 && int64(e.claims) >= t.MaxClaims {
			if spent.len() >= max(t.Limit, spentLimit) {
				return false
			}
			spent.take(&seen)
		} else {
			if seen.expires < cl.expires {
				seen.ttl = cl.ttl + grace
				seen.expires = expiry(now, seen.ttl)
			}
			seen.claims += min(1, maxClaims-seen.claims)
			taken.take(&seen)
		}
		e.flags |= entryClaims
		c.mark(i)
		return taken.len() < t.Limit
	})
	if taken.len()+spent.len() == 0 {
		return nil, claim{}, nil
	}
	ch := &change{q: q, op: operation{kind: recClaim, now: now, ttl: cl.ttl, grace: grace, targets: taken.targets(), spent: spent.targets()}}
	g, err := ch.submit(1, func(first uint64) { ch.op.claim, cl.id = first, first })
	if err != nil {
		taken.drop()
		spent.drop()
		return nil, claim{}, err
	}
	return g, cl, nil
}

// spentLimit bounds the exhausted messages one claim hands back.
const spentLimit = 1000

func (s *Store) claimView(cl *claim) messaging.Claim {
	return messaging.Claim{
		ID:      messaging.ClaimID(s.id(cl.id)),
		TTL:     int64(cl.ttl),
		Renewed: time.UnixMilli(cl.renewed),
		Expires: time.UnixMilli(cl.expires),
	}
}

// Held implements storage.Claims.
func (s *Store) Held(ctx context.Context, ref messaging.QueueRef, id messaging.ClaimID) (messaging.Claim, []messaging.Message, error) {
	if err := s.enter(ctx); err != nil {
		return messaging.Claim{}, nil, err
	}
	q := s.lookup(ref)
	n, ok := s.number(string(id))
	if q == nil || !ok {
		return messaging.Claim{}, nil, errNoClaim()
	}
	now := s.now()
	found := pick(q, 10)
	q.mu.Lock()
	q.catchClaims(now)
	cl := q.claims[n]
	if cl == nil || cl.expires <= now {
		q.mu.Unlock()
		return messaging.Claim{}, nil, errNoClaim()
	}
	view := s.claimView(cl)
	for _, pos := range cl.held {
		if c, i, ok := q.find(pos); ok && c.entries[i].claim == n && visible(&c.entries[i], now) {
			found.take(&c.entries[i])
		}
	}
	q.mu.Unlock()
	messages, err := found.read(ctx, nil, nil)
	if err != nil {
		return messaging.Claim{}, nil, err
	}
	if len(messages) == 0 {
		return messaging.Claim{}, nil, errNoClaim()
	}
	return view, messages, nil
}

func errNoClaim() error {
	return messaging.E(messaging.NotFound, "The claim does not exist or has expired.")
}

// Renew implements storage.Claims.
func (s *Store) Renew(ctx context.Context, ref messaging.QueueRef, id messaging.ClaimID, t storage.Terms) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	if err := checkTerms(t); err != nil {
		return err
	}
	_, err := s.onClaim(ref, id, func(q *queue, cl *claim, now int64) *change {
		cl.renewals++
		return &change{q: q, op: operation{kind: recRenew, claim: cl.id, now: now, ttl: uint32(t.TTL), grace: uint32(t.Grace)}}
	})
	return err
}

// Release implements storage.Claims.
func (s *Store) Release(ctx context.Context, ref messaging.QueueRef, id messaging.ClaimID) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	freed, err := s.onClaim(ref, id, func(q *queue, cl *claim, now int64) *change {
		cl.ending = true
		return &change{q: q, op: operation{kind: recRelease, claim: cl.id, now: now}}
	})
	if errors.Is(err, messaging.NotFound) {
		return 0, nil
	}
	return freed, err
}

// onClaim carries out the change that make returns for a live claim, and
// returns how many messages it set free. NotFound if there is no such claim.
func (s *Store) onClaim(ref messaging.QueueRef, id messaging.ClaimID, make func(*queue, *claim, int64) *change) (int, error) {
	q := s.lookup(ref)
	n, ok := s.number(string(id))
	if q == nil || !ok {
		return 0, errNoClaim()
	}
	ch, g, err := q.onClaim(n, make)
	if err != nil {
		return 0, err
	}
	if err := g.wait(); err != nil {
		return 0, err
	}
	if ch == nil {
		return 0, errNoClaim() // it has just been released
	}
	return ch.n, nil
}

// onClaim submits the change. If a release of the claim is on its way to disk
// there is none, only a group to wait for.
func (q *queue) onClaim(id uint64, make func(*queue, *claim, int64) *change) (*change, *group, error) {
	now := q.store.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.catchClaims(now)
	cl := q.claims[id]
	if cl == nil || cl.expires <= now && cl.renewals == 0 { // a renewal on its way was in time
		return nil, nil, errNoClaim()
	}
	if cl.ending {
		g, err := q.store.journal.barrier()
		return nil, g, err
	}
	ch := make(q, cl, now)
	ch.op.targets = slices.Grow(ch.op.targets, cl.left)
	for _, pos := range cl.held {
		if c, i, ok := q.find(pos); ok && c.entries[i].claim == id {
			ch.op.targets = append(ch.op.targets, target{pos: pos, seg: c.entries[i].seg})
		}
	}
	g, err := ch.submit(0, nil)
	return ch, g, err
}
