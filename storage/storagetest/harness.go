package storagetest

import (
	"log/slog"
	"slices"
	"testing"

	"zaqar/storage"
)

// Store is both planes in one object.
type Store interface {
	storage.Data
	storage.Control
}

// Harness is how the suite gets at the stores of a driver.
type Harness struct {
	// Open starts a store with nothing in it. What it needs in the world (a
	// directory, a schema) is made for the test and removed by t.Cleanup. The
	// suite closes the store.
	Open func(t testing.TB, env storage.Env) Store
	// Reopen stops a store that Open or Reopen returned, politely or not, and
	// starts another on the same data. Nil: the data is gone with the store.
	Reopen func(t testing.TB, env storage.Env, old Store) Store

	// Uncounted says that Sweep cannot count, because expired things vanish on
	// their own.
	Uncounted bool
	// Placeless says that the id of a message that is gone is an unknown
	// marker, instead of keeping its place.
	Placeless bool
}

// Run checks every promise of the contract on the stores of the harness.
func Run(t *testing.T, h Harness) {
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			for _, p := range g.promises {
				t.Run(p.name, func(t *testing.T) { p.check(start(t, h)) })
			}
		})
	}
}

// group is a chapter of the suite.
type group struct {
	name     string
	promises []promise
}

// promise is one statement: what holds, and a check that fails if it does not.
type promise struct {
	name  string
	check func(*subject)
}

func groups() []group {
	return []group{
		{"queues", queuePromises()},
		{"stats", statsPromises()},
		{"messages", slices.Concat(messagePromises(), scanPromises())},
		{"removal", removalPromises()},
		{"claims", slices.Concat(claimPromises(), extensionPromises())},
		{"dead letters and delay", deadLetterPromises()},
		{"subscriptions", slices.Concat(subscriptionPromises(), amendmentPromises())},
		{"outbox", outboxPromises()},
		{"pools", slices.Concat(poolPromises(), flavorPromises(), placementPromises())},
		{"quotas", quotaPromises()},
		{"lifecycle", lifecyclePromises()},
		{"concurrency", slices.Concat(cancellationPromises(), concurrencyPromises())},
	}
}

// start opens a fresh store for one test.
func start(t *testing.T, h Harness) *subject {
	t.Helper()
	clock := NewClock()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	s := &subject{T: t, h: h, clock: clock, env: storage.Env{Now: clock.Now, Log: log}}
	s.Store = h.Open(t, s.env)
	t.Cleanup(func() { s.Close() })
	return s
}
