package memory

import (
	"context"

	"zaqar/messaging"
	"zaqar/storage"
)

// Claim implements storage.Claims.
func (s *Store) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (lease storage.Lease, err error) {
	err = s.in(ctx, q, func(b *box) error {
		available := b.available(t.Delayed)
		if len(available) == 0 {
			return nil
		}
		c := &messaging.Claim{ID: messaging.ClaimID(s.id(s.next()))}
		b.claims[c.ID] = c
		b.renew(c, t)
		for _, m := range available {
			if len(lease.Messages) == t.Limit {
				break
			}
			m.Claim = c.ID
			if t.MaxClaims > 0 && int64(m.Claims) >= t.MaxClaims {
				lease.Spent = append(lease.Spent, *m)
				continue
			}
			m.Claims++
			b.extend(m, c, t)
			lease.Messages = append(lease.Messages, *m)
		}
		lease.Claim = *c
		return nil
	})
	return lease, err
}

// Held implements storage.Claims.
func (s *Store) Held(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) (c messaging.Claim, held []messaging.Message, err error) {
	err = s.in(ctx, q, func(b *box) error {
		held = values(b.held(id))
		if len(held) == 0 {
			return errNoClaim()
		}
		c = *b.claims[id]
		return nil
	})
	return c, held, err
}

// Renew implements storage.Claims.
func (s *Store) Renew(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID, t storage.Terms) error {
	return s.in(ctx, q, func(b *box) error {
		held := b.held(id)
		if len(held) == 0 {
			return errNoClaim()
		}
		c := b.claims[id]
		b.renew(c, t)
		for _, m := range held {
			b.extend(m, c, t)
		}
		return nil
	})
}

// Release implements storage.Claims.
func (s *Store) Release(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) (freed int, err error) {
	err = s.in(ctx, q, func(b *box) error {
		freed = b.dissolve(id)
		return nil
	})
	return freed, err
}

func errNoClaim() error {
	return messaging.E(messaging.NotFound, "The claim does not exist.")
}

// renew starts the life of the claim at the instant of the box.
func (b *box) renew(c *messaging.Claim, t storage.Terms) {
	c.TTL, c.Renewed, c.Expires = t.TTL, b.now, after(b.now, t.TTL)
}

// extend makes a message that would expire before its claim outlive it.
func (b *box) extend(m *messaging.Message, c *messaging.Claim, t storage.Terms) {
	if m.Expires.Before(c.Expires) {
		m.TTL = t.TTL + t.Grace
		m.Expires = after(b.now, m.TTL)
	}
}

// held returns the messages under the claim, oldest first; none for an id that
// is not that of a live claim.
func (b *box) held(id messaging.ClaimID) []*messaging.Message {
	var list []*messaging.Message
	for _, m := range b.messages {
		if m.Claim != "" && m.Claim == id {
			list = append(list, m)
		}
	}
	return list
}

// dissolve ends a claim and returns the number of messages set free.
func (b *box) dissolve(id messaging.ClaimID) int {
	held := b.held(id)
	for _, m := range held {
		m.Claim = ""
	}
	delete(b.claims, id)
	return len(held)
}
