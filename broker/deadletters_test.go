package broker_test

import (
	"context"
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/storage"
)

// cycle claims up to limit messages and lets the claim expire.
func (w *world) cycle(q messaging.QueueRef, limit int) string {
	w.Helper()
	view := w.claim(q, limit)
	w.clock.move(60)
	return bodies(view.Messages)
}

func TestDeadLetters(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_max_claim_count":2,"_dead_letter_queue":"d.l-q","_dead_letter_queue_messages_ttl":100}`)
	id := w.post(q, `"x"`)[0]
	for _, want := range []string{`"x"`, `"x"`, ``} {
		wantEqual(t, "claimed", w.cycle(q, 1), want)
	}
	wantEqual(t, "left", w.list(q, everything()), "")
	wantEqual(t, "queues", w.names(false), "d.l-q q")
	dead := mustList(w, queue("d.l-q")).List
	if len(dead) != 1 {
		t.Fatalf("%d dead letters", len(dead))
	}
	m := dead[0]
	if m.ID != id || string(m.Body) != `"x"` || m.TTL != 100 || m.Claim != "" || m.Claims != 0 || m.Poster != "me" || m.Age(w.clock.at) != 180 {
		t.Errorf("dead letter %+v", m)
	}
	w.clock.move(39)
	wantEqual(t, "99 s after the move", w.list(queue("d.l-q"), everything()), `"x"`)
	w.clock.move(1)
	wantEqual(t, "100 s after the move", w.list(queue("d.l-q"), everything()), "")
}

func TestDeadLettersKeepTheirTTL(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_max_claim_count":1,"_dead_letter_queue":"d"}`)
	w.create(queue("d"), `{"team":"a","_default_message_delay":500}`)
	w.postAll(q, broker.Post{Body: []byte("1"), TTL: ptr[int64](300)})
	w.post(queue("d"), "older")
	w.cycle(q, 1)
	w.claim(q, 1)
	dead := mustList(w, queue("d")).List
	wantEqual(t, "dead letters", bodies(broker.Messages{List: dead}), "older 1")
	wantEqual(t, "ttl", dead[1].TTL, int64(300))
	wantEqual(t, "available at once", w.list(queue("d"), broker.ListMessages{Echo: true}), "1")
	w.clock.move(240)
	wantEqual(t, "at its old end", w.list(queue("d"), everything()), "older")
	show, _ := w.ShowQueue(w.ctx(), w.who, queue("d"))
	wantEqual(t, "metadata of the target", string(show.Members()[0].Value), `"a"`)
}

func TestDeadLettersNeedCountAndQueue(t *testing.T) {
	for _, metadata := range []string{
		`{}`,
		`{"_max_claim_count":1}`,
		`{"_dead_letter_queue":"d"}`,
		`{"_max_claim_count":0,"_dead_letter_queue":"d"}`,
		`{"_max_claim_count":null,"_dead_letter_queue":"d"}`,
		`{"_max_claim_count":1,"_dead_letter_queue":null}`,
		`{"_max_claim_count":1,"_dead_letter_queue":""}`,
	} {
		w := newWorld(t)
		w.create(q, metadata)
		w.post(q, "1")
		for range 4 {
			wantEqual(t, metadata+": claimed", w.cycle(q, 1), "1")
		}
		wantEqual(t, "queues", w.names(false), "q")
	}
	// Settings that only another program could have stored.
	for _, metadata := range []string{
		`{"_max_claim_count":1,"_dead_letter_queue":"q"}`,
		`{"_max_claim_count":1,"_dead_letter_queue":"a/b"}`,
		`{"_max_claim_count":-3,"_dead_letter_queue":"d"}`,
	} {
		w := newWorld(t)
		if _, err := w.store.CreateQueue(w.ctx(), q, object(t, metadata)); err != nil {
			t.Fatal(err)
		}
		w.post(q, "1")
		for range 3 {
			wantEqual(t, metadata+": claimed", w.cycle(q, 1), "1")
		}
	}
}

func TestClaimsAreFilledBehindDeadLetters(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_max_claim_count":1,"_dead_letter_queue":"d"}`)
	w.post(q, "0", "1", "2")
	w.cycle(q, 3)
	w.post(q, "3", "4", "5")
	wantEqual(t, "one behind three spent ones", w.cycle(q, 1), "3")
	wantEqual(t, "dead letters", w.list(queue("d"), everything()), "0 1 2")
	wantEqual(t, "the rest", w.cycle(q, 5), "4 5")
	wantEqual(t, "all spent", w.cycle(q, 5), "")
	wantEqual(t, "dead letters", w.list(queue("d"), everything()), "0 1 2 3 4 5")
	wantEqual(t, "left", w.list(q, everything()), "")
}

func TestReleaseAndRenewalDoNotResetTheCount(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_max_claim_count":2,"_dead_letter_queue":"d"}`)
	w.post(q, "1")
	for range 2 {
		view := w.claim(q, 1)
		wantKind(t, w.UpdateClaim(w.ctx(), w.who, q, view.Claim.ID, broker.UpdateClaim{}), "", "renewal")
		wantKind(t, w.ReleaseClaim(w.ctx(), w.who, q, view.Claim.ID), "", "release")
	}
	wantEqual(t, "third claim", bodies(w.claim(q, 1).Messages), "")
	wantEqual(t, "dead letters", w.list(queue("d"), everything()), "1")
}

func TestDeadLettersMoveOn(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_max_claim_count":1,"_dead_letter_queue":"d"}`)
	w.create(queue("d"), `{"_max_claim_count":2,"_dead_letter_queue":"q"}`)
	w.post(q, "1")
	for i, step := range []struct {
		q    messaging.QueueRef
		want string
	}{{q, "1"}, {q, ""}, {queue("d"), "1"}, {queue("d"), "1"}, {queue("d"), ""}, {q, "1"}, {q, ""}} {
		if got := w.cycle(step.q, 1); got != step.want {
			t.Errorf("step %d: claimed %q from %s, want %q", i, got, step.q.Name, step.want)
		}
	}
	wantEqual(t, "dead letters in the end", w.list(queue("d"), everything()), "1")
}

// boundedSpent is a store that stops looking for messages to claim when it has
// found t.Limit spent ones at the head of the queue.
type boundedSpent struct{ *faulty }

func (s boundedSpent) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	head, err := s.Store.Scan(ctx, q, storage.Scan{Limit: t.Limit})
	if err != nil {
		return storage.Lease{}, err
	}
	spent := 0
	for _, m := range head {
		if int64(m.Claims) >= t.MaxClaims {
			spent++
		}
	}
	if t.MaxClaims == 0 || spent < t.Limit {
		return s.faulty.Claim(ctx, q, t)
	}
	t.MaxClaims = 0
	lease, err := s.faulty.Claim(ctx, q, t)
	lease.Spent, lease.Messages = lease.Messages, nil
	return lease, err
}

func TestClaimGoesOnWhileOnlySpentMessagesCome(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_max_claim_count":1,"_dead_letter_queue":"d"}`)
	w.post(q, "0", "1", "2", "3", "4")
	w.cycle(q, 5)
	w.post(q, "5")
	store := boundedSpent{&faulty{Store: w.store}}
	w.Broker = w.brokerOn(w.store, store, broker.Defaults())
	wantEqual(t, "claimed", bodies(w.claim(q, 2).Messages), "5")
	wantEqual(t, "calls", store.calls, []string{"Claim", "Move", "Claim", "Move", "Claim", "Move"})
	wantEqual(t, "dead letters", w.list(queue("d"), everything()), "0 1 2 3 4")
}

func TestFailedMoveHidesNothing(t *testing.T) {
	for _, tt := range []struct {
		fails    string
		fresh    bool // whether the queue holds a message to claim, too
		want     string
		wantKind messaging.Kind
	}{
		{"Move", false, "", messaging.Internal},
		{"Move", true, "fresh", ""},
		{"CreateQueue", false, "", messaging.Internal},
		{"CreateQueue", true, "fresh", ""},
	} {
		w := newWorld(t)
		w.create(q, `{"_max_claim_count":1,"_dead_letter_queue":"d"}`)
		w.post(q, "spent")
		w.cycle(q, 1)
		if tt.fresh {
			w.post(q, "fresh")
		}
		store := &faulty{Store: w.store}
		w.Broker = w.brokerOn(store, store, broker.Defaults())
		store.fail = func(method string) error {
			if method == tt.fails {
				return errBroken
			}
			return nil
		}
		view, err := w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{TTL: ptr[int64](60)})
		wantKind(t, err, tt.wantKind, "%s fails", tt.fails)
		wantEqual(t, tt.fails+" fails: claimed", bodies(view.Messages), tt.want)
		wantEqual(t, tt.fails+" fails: dead letters", w.list(queue("d"), everything()), "")
		store.fail = nil
		if !tt.fresh {
			wantEqual(t, "visible at once", w.list(q, broker.ListMessages{Echo: true}), "spent")
		}
		w.clock.move(60)
		wantEqual(t, "next claim", bodies(w.claim(q, 5).Messages), "")
		want := "spent"
		if tt.fresh {
			want = "spent fresh"
		}
		wantEqual(t, "dead letters", w.list(queue("d"), everything()), want)
	}
}
