package quota_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/quota"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// clock is a clock that tests move.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_900_000_000, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// world is a store with a Guard.
type world struct {
	testing.TB
	*quota.Guard
	clock *clock
	store *memory.Store
}

const p = messaging.Project("p")

var q = messaging.QueueRef{Project: p, Name: "q"}

func newWorld(t testing.TB, l messaging.Limits, edits ...func(*quota.Config)) *world {
	t.Helper()
	c := &clock{}
	w := &world{TB: t, clock: c, store: memory.New(storage.Env{Now: c.now})}
	config := quota.Config{Defaults: l}
	for _, edit := range edits {
		edit(&config)
	}
	w.Guard = w.another(w.store, config)
	return w
}

// another returns one more Guard, as of another node over the same stores.
func (w *world) another(control storage.Control, c quota.Config) *quota.Guard {
	w.Helper()
	g, err := quota.New(c, quota.Parts{Control: control, Data: w.store, Now: w.clock.now})
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// post stores n messages with bodies of 10 bytes if there is room.
func (w *world) post(g *quota.Guard, n int) error {
	hold, err := g.HoldMessages(w.Context(), p, n, int64(n)*10)
	if err != nil {
		return err
	}
	defer hold.Done()
	drafts := make([]messaging.Draft, n)
	for i := range drafts {
		drafts[i] = messaging.Draft{TTL: 60, Body: []byte(`"12345678"`)}
	}
	_, err = w.store.Append(context.Background(), q, "", drafts, storage.AppendOptions{})
	return err
}

func (w *world) stored() int64 {
	w.Helper()
	s, err := w.store.Stored(w.Context(), p)
	w.must(err)
	return s.Messages
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) wants(err error, kind messaging.Kind) {
	w.Helper()
	if !errors.Is(err, kind) {
		w.Fatalf("got %v, want %s", err, kind)
	}
}

// enter lets one request in and out, and returns how long to wait if it is
// refused.
func (w *world) enter(project messaging.Project, bytes int64) time.Duration {
	w.Helper()
	v, err := w.Enter(w.Context(), project)
	var e *messaging.Error
	switch {
	case err == nil:
		v.Leave(bytes)
		return 0
	case !errors.As(err, &e) || e.Kind != messaging.Exceeded || e.After <= 0:
		w.Fatalf("refused with %#v", err)
	}
	return e.After
}
