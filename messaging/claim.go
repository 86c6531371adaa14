package messaging

import "time"

// ClaimID identifies a claim. Opaque, same alphabet as MessageID.
type ClaimID string

// Claim is a lease on some messages of one queue. It is live while
// now < Expires and at least one of its messages exists.
type Claim struct {
	ID      ClaimID
	TTL     int64     // seconds
	Renewed time.Time // when it was created or last updated
	Expires time.Time // Renewed + TTL
}

// Age returns the whole seconds since the claim was created or last updated.
func (c *Claim) Age(now time.Time) int64 { return age(c.Renewed, now) }
