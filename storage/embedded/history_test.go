package embedded_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/embedded/disk/faultdisk"
	"zaqar/storage/storagetest"
)

// busy is a store that compacts itself and sweeps while others use it.
type busy struct {
	*embedded.Store
	t     testing.TB
	calls *atomic.Int64
}

func (s busy) work() {
	switch s.calls.Add(1) % 20 {
	case 0:
		if err := s.Compact(); err != nil {
			s.t.Errorf("compact: %v", err)
		}
	case 10:
		if _, err := s.Sweep(s.t.Context()); err != nil {
			s.t.Errorf("sweep: %v", err)
		}
	}
}

func (s busy) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	defer s.work()
	return s.Store.Append(ctx, q, by, drafts, o)
}

func (s busy) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	defer s.work()
	return s.Store.Claim(ctx, q, t)
}

func (s busy) Remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) error {
	defer s.work()
	return s.Store.Remove(ctx, q, ids, hold)
}

// cut opens stores on a disk that loses what is not synced when they are opened
// again, while the old one still holds files open.
func cut() storagetest.Harness {
	disks := map[storagetest.Store]*faultdisk.Disk{}
	open := func(t testing.TB, env storage.Env, d *faultdisk.Disk) storagetest.Store {
		s, err := embedded.Open("store", embedded.Config{FS: d, SegmentSize: 4 << 10, SweepEvery: 10 * time.Millisecond}, env)
		if err != nil {
			t.Fatal(err)
		}
		disks[s] = d
		return s
	}
	return storagetest.Harness{
		Open: func(t testing.TB, env storage.Env) storagetest.Store {
			return open(t, env, faultdisk.New(faultdisk.Config{}))
		},
		Reopen: func(t testing.TB, env storage.Env, old storagetest.Store) storagetest.Store {
			d := disks[old].Crash(faultdisk.Cut{Loss: faultdisk.LoseAll})
			_ = old.Close() // fails: its disk is dead
			return open(t, env, d)
		},
	}
}

func TestHistory(t *testing.T) {
	t.Run("power cut", func(t *testing.T) { storagetest.History(t, cut()) })
	t.Run("disk", func(t *testing.T) { storagetest.History(t, harness(onDisk)) })
	t.Run("tiny segments", func(t *testing.T) { storagetest.History(t, harness(tiny)) })
	t.Run("compaction", func(t *testing.T) {
		storagetest.History(t, storagetest.Harness{Open: func(t testing.TB, env storage.Env) storagetest.Store {
			dir, c := tiny(t)
			c.SweepEvery = 10 * time.Millisecond
			s, err := embedded.Open(dir, c, env)
			if err != nil {
				t.Fatal(err)
			}
			return busy{s, t, new(atomic.Int64)}
		}})
	})
}
