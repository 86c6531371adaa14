package storage

import (
	"context"

	"zaqar/messaging"
)

// Claims leases messages. The unit is the lease of one message (claim id,
// expiry, count of claims); a claim groups those made by one call.
type Claims interface {
	// Claim leases up to t.Limit of the oldest available messages (as for
	// Pop), oldest first, each counted as one claim more. When nothing is
	// available the Lease is empty.
	//
	// With t.MaxClaims > 0, an available message that has been claimed that
	// often already is leased too, but returned in Spent, not counted as a
	// claim and not towards the limit, so that the broker can move it away; the
	// search goes on behind it. A store may bound the number of Spent in one
	// call, to no less than t.Limit.
	//
	// A message that would expire before the claim gets a new lifetime: its
	// TTL becomes t.TTL+t.Grace, counted from now (http-v2 §9.4). This is not
	// done to Spent messages.
	Claim(ctx context.Context, q messaging.QueueRef, t Terms) (Lease, error)
	// Held returns a live claim with the messages it still holds, oldest
	// first, or NotFound.
	Held(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) (messaging.Claim, []messaging.Message, error)
	// Renew restarts a live claim from now with t.TTL and t.Grace, extending the
	// lifetimes of all that it holds as Claim does; other terms are ignored.
	// NotFound otherwise. A claim is renewed for all of its messages or for none.
	Renew(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID, t Terms) error
	// Release dissolves a claim; its messages are available at once, at their
	// old places. An unknown claim is not an error. It returns the number of
	// messages set free.
	Release(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) (int, error)
}

// Terms are the conditions of a claim.
type Terms struct {
	TTL, Grace int64  // seconds; TTL ≥ 1, Grace ≥ 0
	Limit      int    // ≥ 1
	MaxClaims  int64  // 0: no limit
	Delayed    bool   // messages whose delay has not elapsed are available too
	Arena      *Arena // may get the bodies; nil is fine
}

// Lease is what a call of Claim took. Claim.ID is empty when nothing was taken.
type Lease struct {
	Claim    messaging.Claim
	Messages []messaging.Message
	Spent    []messaging.Message
}
