package embedded

import (
	"testing"

	"zaqar/messaging"
	"zaqar/storage"
)

// Of claims that ended long before they would have expired nothing stays, though
// there was always one alive.
func TestEndedClaimsTakeNoMemory(t *testing.T) {
	const rounds = 500
	w := ready(t)
	ctx, q := t.Context(), boxes[0]
	drafts := make([]messaging.Draft, rounds+1)
	for i := range drafts {
		drafts[i] = messaging.Draft{TTL: forever, Body: []byte("1")}
	}
	_, err := w.store.Append(ctx, q, "alice", drafts, storage.AppendOptions{})
	must(t, err)
	claim := func(ttl int64) storage.Lease {
		t.Helper()
		lease, err := w.store.Claim(ctx, q, storage.Terms{TTL: ttl, Limit: 1})
		must(t, err)
		if len(lease.Messages) != 1 {
			t.Fatalf("claimed %d messages", len(lease.Messages))
		}
		return lease
	}
	kept := claim(3600)
	for range rounds {
		lease := claim(43200)
		by := storage.Hold{By: []messaging.ClaimID{lease.Claim.ID}}
		must(t, w.store.Remove(ctx, q, []messaging.MessageID{lease.Messages[0].ID}, by))
	}
	in := w.store.lookup(q)
	in.mu.Lock()
	known, places := len(in.claims), len(in.expiry.items)
	in.mu.Unlock()
	if known != 1 || places > 100 {
		t.Errorf("%d claims known and %d places in the order of their ends, after %d of which one lives", known, places, rounds+1)
	}
	if due, ok, err := w.store.Due(ctx, q); err != nil || !ok || due.After(kept.Claim.Expires) {
		t.Errorf("the claim that lives ends at %v, the queue is due at %v, %v, %v", kept.Claim.Expires, due, ok, err)
	}
}
