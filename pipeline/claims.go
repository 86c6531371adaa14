package pipeline

import (
	"context"

	"zaqar/messaging"
	"zaqar/storage"
)

// claims shows stages what is done to claims.
type claims struct{ staged[ClaimStore] }

// Claim implements storage.Claims.
func (c *claims) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (lease storage.Lease, err error) {
	defer c.failing(&err)
	return c.of(q).Claim(ctx, q, t)
}

// Held implements storage.Claims.
func (c *claims) Held(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) (claim messaging.Claim, held []messaging.Message, err error) {
	defer c.failing(&err)
	return c.of(q).Held(ctx, q, id)
}

// Renew implements storage.Claims.
func (c *claims) Renew(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID, t storage.Terms) (err error) {
	defer c.failing(&err)
	return c.of(q).Renew(ctx, q, id, t)
}

// Release implements storage.Claims.
func (c *claims) Release(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) (freed int, err error) {
	defer c.failing(&err)
	return c.of(q).Release(ctx, q, id)
}
