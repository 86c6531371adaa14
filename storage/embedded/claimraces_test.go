package embedded

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/internal/testwait"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// claimRace is a claim for 10 s of one message, about which an operation is asked
// for just before it expires, and another while the first is written, just
// after.
type claimRace struct {
	first, second func(*Store, messaging.ClaimID) error
	late          bool // the second comes when the claim would have expired
	refused       bool // the second is: the claim is not live
	free          bool // the message is, in the end
}

func TestClaimsChangedTwiceAtOnce(t *testing.T) {
	ctx, q := context.Background(), boxes[0]
	release := func(s *Store, id messaging.ClaimID) error { _, err := s.Release(ctx, q, id); return err }
	renew := func(s *Store, id messaging.ClaimID) error { return s.Renew(ctx, q, id, storage.Terms{TTL: 60}) }
	remove := func(s *Store, id messaging.ClaimID) error {
		list, err := s.Scan(ctx, q, everything)
		if err != nil {
			return err
		}
		return s.Remove(ctx, q, []messaging.MessageID{list[0].ID}, storage.Hold{By: []messaging.ClaimID{id}})
	}
	for name, c := range map[string]claimRace{
		// A renewal that was asked for in time keeps the claim alive, however
		// long the disk takes, and does not undo a release that comes later.
		"renewal, release": {first: renew, second: release, late: true, free: true},
		"renewal, renewal": {first: renew, second: renew, late: true},
		"renewal, delete":  {first: renew, second: remove, late: true},
		// After a release nobody acts on the claim, though the release may
		// be acknowledged later.
		"release, renewal": {first: release, second: renew, refused: true, free: true},
		"release, release": {first: release, second: release, free: true},
		"release, delete":  {first: release, second: remove, refused: true, free: true},
		"delete, release":  {first: remove, second: release},
	} {
		t.Run(name, func(t *testing.T) { c.run(t, q) })
	}
}

func (c claimRace) run(t *testing.T, q messaging.QueueRef) {
	ctx := context.Background()
	var now atomic.Int64
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	env := storage.Env{Now: func() time.Time { return time.UnixMilli(now.Load()) }}
	s, err := open("store", Config{FS: w.disk, SweepEvery: -1}, env)
	must(t, err)
	defer s.Close()
	w.store = s
	_, err = s.Append(ctx, q, clients[0], []messaging.Draft{{TTL: forever, Body: []byte("1")}}, storage.AppendOptions{})
	must(t, err)
	lease, err := s.Claim(ctx, q, storage.Terms{TTL: 10, Limit: 1})
	must(t, err)
	id := lease.Claim.ID

	now.Store(9_999)
	gate := w.hold()
	first := w.later(act{do: func(*world) error { return c.first(s, id) }})
	arrives(t, gate)
	if c.late {
		now.Store(10_001)
	}
	second := w.later(act{do: func(*world) error { return c.second(s, id) }})
	testwait.Until(t, "the second act waits or has ended", func() bool { return w.waiting() > 0 || len(second) > 0 })
	gate.Open()
	must(t, <-first)
	err = <-second
	if refused := errors.Is(err, messaging.NotFound) || errors.Is(err, messaging.NotClaimed); refused != c.refused || err != nil && !refused {
		t.Errorf("the second is answered with %v", err)
	}
	again, err := s.Claim(ctx, q, storage.Terms{TTL: 10, Limit: 1})
	must(t, err)
	if free := len(again.Messages) == 1; free != c.free {
		t.Errorf("afterwards the message is free: %v", free)
	}
}

// waiting counts the submissions behind the group that is being written.
func (w *world) waiting() int {
	j := w.store.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.gathering.ops)
}
