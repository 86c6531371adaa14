package storagetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// TestModelCatches checks that Model finds the faults of broken stores and
// shrinks the histories that show them to the steps that matter.
func TestModelCatches(t *testing.T) {
	for _, tt := range []struct {
		name  string
		open  func(*memory.Store) Store
		steps int    // of the shortest history
		needs string // the step that goes wrong
	}{
		{"hands out a claimed message", func(s *memory.Store) Store { return doubleClaimer{immortal{s}} }, 3, "Claim from"},
		{"forgets a delete on restart", func(s *memory.Store) Store { return &forgetful{immortal: immortal{s}} }, 5, "Remove from"},
		{"renews without extending lives", func(s *memory.Store) Store { return hasty{immortal{s}} }, 5, "Renew in"},
		{"is late", func(s *memory.Store) Store { return late{immortal{s}} }, 3, "Due of"},
		{"shows positions out of order", func(s *memory.Store) Store { return unordered{immortal{s}} }, 2, "Append to"},
		{"mixes queues and topics", func(s *memory.Store) Store { return topicless{immortal{s}} }, 2, "CreateQueue"},
		{"panics", func(s *memory.Store) Store { return panicker{immortal{s}} }, 1, "Purge"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := Harness{
				Open: func(_ testing.TB, env storage.Env) Store { return tt.open(memory.New(env)) },
				Reopen: func(_ testing.TB, _ storage.Env, old Store) Store {
					if f, broken := old.(*forgetful); broken {
						f.revive()
					}
					return old
				},
			}
			f := find(t, h)
			text := f.String()
			t.Log(text)
			if n := len(f.history); n > tt.steps {
				t.Errorf("%d steps, %d are enough", n, tt.steps)
			}
			if !strings.Contains(text, tt.needs) || !strings.Contains(f.problem, "store: ") {
				t.Errorf("the report does not show the fault (%s)", tt.needs)
			}
		})
	}
}

// find looks for a history on which the store fails, and shrinks it.
func find(t *testing.T, h Harness) *failure {
	t.Helper()
	for seed := range uint64(200) {
		if f := replay(t, h, newHistory(seed, 250, true)); f != nil {
			return shrink(t, h, f)
		}
	}
	t.Fatal("the fault is not found")
	return nil
}

func TestHistoriesRepeat(t *testing.T) {
	texts := func(seed uint64) (all []string) {
		for _, st := range newHistory(seed, 300, true) {
			all = append(all, st.text)
		}
		return all
	}
	if !slices.Equal(texts(7), texts(7)) {
		t.Error("a seed gives two histories")
	}
	if slices.Equal(texts(7), texts(8)) {
		t.Error("two seeds give one history")
	}
}

// TestHistoriesReachEverything guards against generators that never hit: every
// operation succeeds, comes back empty and fails in some history.
func TestHistoriesReachEverything(t *testing.T) {
	reached := map[string]int{}
	for seed := range uint64(60) {
		env := NewClock()
		x := newSide(memory.New(storage.Env{Now: env.Now}), env, Harness{})
		x.restart = func() {}
		for _, st := range newHistory(seed, 250, true) {
			env.Advance(st.pass)
			words := answer(st, x)
			op, _, _ := strings.Cut(st.text, " ")
			for _, mark := range []string{"error: " + string(messaging.Claimed), "error: " + string(messaging.NotClaimed),
				"error: " + string(messaging.NotFound), "error: " + string(messaging.Conflict), "refused by"} {
				if strings.HasPrefix(words, mark) {
					reached[op+" "+mark]++
				}
			}
			switch {
			case strings.Contains(words, "spent 1"), strings.Contains(words, "spent 2"):
				reached[op+" spent"]++
			case strings.HasPrefix(words, "0 moved"), strings.HasPrefix(words, "0 freed"), strings.HasPrefix(words, "0 messages"):
				reached[op+" nothing"]++
			case strings.HasSuffix(words, " moved"), strings.HasSuffix(words, " freed"), strings.Contains(words, " messages [m"):
				reached[op+" some"]++
			}
		}
	}
	for _, want := range []string{
		"Scan nothing", "Scan some", "Fetch nothing", "Fetch some", "Pop nothing", "Pop some",
		"Move nothing", "Move some", "Release nothing", "Release some", "Claim some", "Claim spent", "Held some",
		"Remove error: message is claimed", "Remove error: not claimed", "Held error: not found", "Renew error: not found",
		"Subscription error: not found", "AmendSubscription error: conflict", "AmendSubscription refused by",
		"PutPool error: conflict", "AmendPool error: conflict", "DeletePool error: conflict",
	} {
		if reached[want] < 5 {
			t.Errorf("%q happened %d times in 60 histories", want, reached[want])
		}
	}
}

// doubleClaimer hands out what others hold when nothing else is left.
type doubleClaimer struct{ immortal }

func (s doubleClaimer) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	lease, err := s.Store.Claim(ctx, q, t)
	if err == nil && lease.Claim.ID == "" {
		for _, m := range values(s.Scan(ctx, q, everything)) {
			if m.Claim != "" {
				s.Release(ctx, q, m.Claim)
				return s.Store.Claim(ctx, q, t)
			}
		}
	}
	return lease, err
}

func values(list []messaging.Message, _ error) []messaging.Message { return list }

// forgetful brings deleted messages back at a restart.
type forgetful struct {
	immortal
	queue  messaging.QueueRef
	drafts []messaging.Draft
}

func (s *forgetful) Remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) error {
	list := values(s.Fetch(ctx, q, ids))
	err := s.Store.Remove(ctx, q, ids, hold)
	for _, m := range list {
		if err == nil {
			s.queue = q
			s.drafts = append(s.drafts, messaging.Draft{TTL: m.TTL, Body: m.Body})
		}
	}
	return err
}

func (s *forgetful) revive() {
	s.Append(context.Background(), s.queue, "", s.drafts, storage.AppendOptions{})
	s.drafts = nil
}

// hasty renews claims without keeping their messages alive.
type hasty struct{ immortal }

func (s hasty) Renew(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID, t storage.Terms) error {
	c, _, err := s.Held(ctx, q, id)
	if err == nil && c.TTL < t.TTL {
		return nil
	}
	return s.Store.Renew(ctx, q, id, t)
}

// late names instants that are a second too late.
type late struct{ immortal }

func (s late) Due(ctx context.Context, q messaging.QueueRef) (time.Time, bool, error) {
	at, some, err := s.Store.Due(ctx, q)
	return at.Add(time.Second), some, err
}

// unordered swaps the positions of the first two messages of a page.
type unordered struct{ immortal }

func (s unordered) Scan(ctx context.Context, q messaging.QueueRef, f storage.Scan) ([]messaging.Message, error) {
	list, err := s.Store.Scan(ctx, q, f)
	if len(list) > 1 {
		list[0].Position, list[1].Position = list[1].Position, list[0].Position
	}
	return list, err
}

// topicless takes a topic for the queue of its name.
type topicless struct{ immortal }

func (s topicless) CreateQueue(ctx context.Context, q messaging.QueueRef, m *messaging.Metadata) (bool, error) {
	q.Topic = false
	return s.Store.CreateQueue(ctx, q, m)
}

// panicker does not survive a purge.
type panicker struct{ immortal }

func (panicker) Purge(context.Context, messaging.QueueRef) error { panic("no purge") }
