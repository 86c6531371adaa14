package embedded_test

import (
	"context"
	"testing"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/embedded/disk/faultdisk"
	"zaqar/storage/storagetest"
)

// restless is a store that compacts itself all the time.
type restless struct {
	*embedded.Store
	t     testing.TB
	disk  *faultdisk.Disk
	every int // calls from one compaction to the next
	calls int
}

func (s *restless) compact() {
	s.calls++
	if s.every > 0 && s.calls%s.every == 0 {
		if err := s.Compact(); err != nil {
			s.t.Fatalf("compact: %v", err)
		}
	}
}

func (s *restless) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	defer s.compact()
	return s.Store.Append(ctx, q, by, drafts, o)
}

func (s *restless) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	defer s.compact()
	return s.Store.Claim(ctx, q, t)
}

func (s *restless) Renew(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID, t storage.Terms) error {
	defer s.compact()
	return s.Store.Renew(ctx, q, id, t)
}

func (s *restless) Release(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) (int, error) {
	defer s.compact()
	return s.Store.Release(ctx, q, id)
}

func (s *restless) Remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) error {
	defer s.compact()
	return s.Store.Remove(ctx, q, ids, hold)
}

func (s *restless) Move(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, held messaging.ClaimID, to messaging.QueueRef, ttl int64) (int, error) {
	defer s.compact()
	return s.Store.Move(ctx, q, ids, held, to, ttl)
}

func (s *restless) Purge(ctx context.Context, q messaging.QueueRef) error {
	defer s.compact()
	return s.Store.Purge(ctx, q)
}

func (s *restless) DeleteQueue(ctx context.Context, q messaging.QueueRef) error {
	defer s.compact()
	return s.Store.DeleteQueue(ctx, q)
}

// restlessHarness opens stores with tiny segments. Every restart is a power cut
// that takes everything it may, if politely is false.
func restlessHarness(every int, politely bool) storagetest.Harness {
	config := func(d *faultdisk.Disk) embedded.Config {
		return embedded.Config{FS: d, SegmentSize: 4 << 10, SweepEvery: -1}
	}
	open := func(t testing.TB, env storage.Env, d *faultdisk.Disk) storagetest.Store {
		s, err := embedded.Open("store", config(d), env)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		return &restless{Store: s, t: t, disk: d, every: every}
	}
	return storagetest.Harness{
		Open: func(t testing.TB, env storage.Env) storagetest.Store {
			return open(t, env, faultdisk.New(faultdisk.Config{}))
		},
		Reopen: func(t testing.TB, env storage.Env, old storagetest.Store) storagetest.Store {
			s := old.(*restless)
			d := s.disk
			if !politely {
				d = d.Crash(faultdisk.Cut{Loss: faultdisk.LoseAll})
			}
			if err := s.Close(); err != nil && politely {
				t.Fatalf("close: %v", err)
			}
			return open(t, env, d)
		},
	}
}

func TestModel(t *testing.T) {
	t.Run("power cuts", func(t *testing.T) { storagetest.Model(t, restlessHarness(0, false)) })
	t.Run("power cuts and compaction", func(t *testing.T) { storagetest.Model(t, restlessHarness(2, false)) })
	t.Run("restarts and compaction", func(t *testing.T) { storagetest.Model(t, restlessHarness(5, true)) })
}
