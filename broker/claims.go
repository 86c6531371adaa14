package broker

import (
	"context"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// CreateClaim leases up to Limit of the oldest available messages. A Claim
// without ID says that there was none. With Wait it waits for a first one
// (http-v2 §9.1).
//
// Messages that have been claimed too often are moved to the dead-letter queue
// on the way (http-v2 §11.4).
func (b *Broker) CreateClaim(ctx context.Context, who messaging.Caller, q messaging.QueueRef, in CreateClaim) (ClaimView, error) {
	defer b.follow(&ctx, who, "CreateClaim")()
	s, err := b.enterClaims(ctx, who, q, "claims:create")
	if err != nil {
		return ClaimView{}, err
	}
	limit, err := pageSize(in.Limit, s.MaxMessagesPerClaimOrPop)
	if err != nil {
		return ClaimView{}, err
	}
	terms, err := s.terms(in.TTL, in.Grace, minClaimGrace)
	if err != nil {
		return ClaimView{}, err
	}
	if err := s.checkWait(in.Wait, in.Waiter); err != nil {
		return ClaimView{}, err
	}
	terms.Limit, terms.Arena = limit, in.Arena
	var lease storage.Lease
	err = b.await(ctx, q, true, in.Wait, in.Waiter, func() (finding, error) {
		lease, err = b.claim(ctx, b.active.Load(), q, terms) // the setup may change during the wait
		return finding{some: len(lease.Messages) > 0, all: len(lease.Messages) == limit}, err
	})
	if err != nil {
		return ClaimView{}, err
	}
	return ClaimView{Claim: lease.Claim, Messages: Messages{Now: b.now(), List: lease.Messages}}, nil
}

// claim leases messages that can be opened, and moves on those claimed too
// often. The lease is the zero value if nothing was available.
func (b *Broker) claim(ctx context.Context, s *setup, q messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	r, err := b.record(ctx, q)
	if err != nil {
		return storage.Lease{}, err
	}
	t.Delayed = s.undelayed(r)
	grave := graveOf(q, r)
	t.MaxClaims = grave.after
	var shut error // why messages leased before could not be opened
	for {
		lease, err := b.data.Claim(ctx, q, t)
		if err != nil {
			return storage.Lease{}, fault(err)
		}
		if lease.Claim.ID == "" {
			return storage.Lease{}, shut
		}
		b.waiters.expect(q, lease.Claim.Expires)
		buried := b.bury(ctx, s, q, grave, lease)
		lease.Messages, err = b.opened(ctx, s, q, lease.Messages)
		switch {
		case len(lease.Messages) > 0:
			b.counters.claimed.Add(int64(len(lease.Messages)))
			return lease, nil
		case buried != nil:
			return storage.Lease{}, buried
		case err != nil:
			shut = err
		}
		// All of it went to the dead-letter queue or stands aside: what comes
		// behind?
	}
}

// ShowClaim returns a live claim with the messages it still holds, or NotFound
// (http-v2 §9.3).
func (b *Broker) ShowClaim(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.ClaimID) (ClaimView, error) {
	defer b.follow(&ctx, who, "ShowClaim")()
	s, err := b.enterClaims(ctx, who, q, "claims:get")
	if err != nil {
		return ClaimView{}, err
	}
	claim, held, err := b.data.Held(ctx, q, id)
	if err != nil {
		return ClaimView{}, noClaim(err)
	}
	if held, err = b.opened(ctx, s, q, held); err != nil {
		return ClaimView{}, err
	}
	return ClaimView{Claim: claim, Messages: Messages{Now: b.now(), List: held}}, nil
}

// UpdateClaim restarts a live claim from now with the terms given, or the
// configured defaults, or returns NotFound (http-v2 §9.5).
func (b *Broker) UpdateClaim(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.ClaimID, in UpdateClaim) error {
	defer b.follow(&ctx, who, "UpdateClaim")()
	s, err := b.enterClaims(ctx, who, q, "claims:update")
	if err != nil {
		return err
	}
	terms, err := s.terms(in.TTL, in.Grace, 0)
	if err != nil {
		return err
	}
	began := b.now()
	if err := b.data.Renew(ctx, q, id, terms); err != nil {
		return noClaim(err)
	}
	b.waiters.expect(q, began.Add(time.Duration(terms.TTL)*time.Second))
	return nil
}

// ReleaseClaim dissolves a claim: its messages are available at once. An
// unknown claim is no error (http-v2 §9.6).
func (b *Broker) ReleaseClaim(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.ClaimID) error {
	defer b.follow(&ctx, who, "ReleaseClaim")()
	if _, err := b.enterClaims(ctx, who, q, "claims:delete"); err != nil {
		return err
	}
	return b.release(ctx, q, id)
}

func (b *Broker) release(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) error {
	freed, err := b.data.Release(ctx, q, id)
	if err != nil {
		return fault(err)
	}
	if freed > 0 {
		b.waiters.arrived(q, freed)
	}
	return nil
}

// enterClaims begins a use case on the claims of a queue. Topics have none.
func (b *Broker) enterClaims(ctx context.Context, who messaging.Caller, q messaging.QueueRef, rule string) (*setup, error) {
	s, err := b.enter(ctx, who, q, rule)
	if err == nil && q.Topic {
		return nil, messaging.E(messaging.Unsupported, "Messages of topics cannot be claimed.")
	}
	return s, err
}

// terms fills in the defaults for what is absent and checks the ranges.
func (s *setup) terms(ttl, grace *int64, minGrace int64) (storage.Terms, error) {
	t := storage.Terms{TTL: s.DefaultClaimTTL, Grace: s.DefaultClaimGrace}
	if ttl != nil {
		t.TTL = *ttl
	}
	if grace != nil {
		t.Grace = *grace
	}
	if err := ranged("ttl", t.TTL, minClaimTTL, s.MaxClaimTTL); err != nil {
		return t, err
	}
	return t, ranged("grace", t.Grace, minGrace, s.MaxClaimGrace)
}

// noClaim gives NotFound a text.
func noClaim(err error) error {
	if is(err, messaging.NotFound) {
		return messaging.Wrap(messaging.NotFound, "The claim does not exist, has ended or holds no message any more.", err)
	}
	return fault(err)
}
