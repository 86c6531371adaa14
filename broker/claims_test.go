package broker_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
)

func TestCreateClaim(t *testing.T) {
	w := newWorld(t)
	view, err := w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{})
	if err != nil || view.Claim.ID != "" || len(view.List) != 0 {
		t.Errorf("missing queue: %+v (%v)", view, err)
	}
	wantEqual(t, "queues", w.names(false), "")
	want := ""
	for i := range 23 {
		w.post(q, fmt.Sprint(i))
		want += fmt.Sprint(i) + " "
	}
	view, err = w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{})
	if err != nil || len(view.List) != 10 || view.Claim.TTL != 300 || !view.Now.Equal(w.clock.at) {
		t.Errorf("default claim: %d messages, %+v (%v)", len(view.List), view.Claim, err)
	}
	got := bodies(view.Messages)
	for _, limit := range []int{1, 2} {
		next := w.claim(q, limit)
		got += " " + bodies(next.Messages)
		for _, m := range next.List {
			if m.Claim != next.Claim.ID || m.Claims != 1 {
				t.Errorf("claimed message %+v of the claim %s", m, next.Claim.ID)
			}
		}
	}
	got += " " + bodies(w.claim(q, 20).Messages)
	wantEqual(t, "all claims", got, strings.TrimSpace(want))
	wantEqual(t, "nothing left", w.claim(q, 1).Claim.ID, messaging.ClaimID(""))
}

func TestClaimTermsAreChecked(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	limit := func(v int) *int { return &v }
	w := newWorld(t)
	for _, tt := range []struct {
		name string
		in   broker.CreateClaim
		bad  string // the field named in the error
	}{
		{"defaults", broker.CreateClaim{}, ""},
		{"smallest", broker.CreateClaim{TTL: n(60), Grace: n(60), Limit: limit(1)}, ""},
		{"largest", broker.CreateClaim{TTL: n(43200), Grace: n(43200), Limit: limit(20), Wait: 0}, ""},
		{"ttl 59", broker.CreateClaim{TTL: n(59)}, "ttl"},
		{"ttl 43201", broker.CreateClaim{TTL: n(43201)}, "ttl"},
		{"ttl 0", broker.CreateClaim{TTL: n(0)}, "ttl"},
		{"grace 59", broker.CreateClaim{Grace: n(59)}, "grace"},
		{"grace 43201", broker.CreateClaim{Grace: n(43201)}, "grace"},
		{"limit 0", broker.CreateClaim{Limit: limit(0)}, "limit"},
		{"limit 21", broker.CreateClaim{Limit: limit(21)}, "limit"},
		{"limit -1", broker.CreateClaim{Limit: limit(-1)}, "limit"},
		{"wait -1", broker.CreateClaim{Wait: -1}, "wait"},
		{"wait 21", broker.CreateClaim{Wait: 21}, "wait"},
	} {
		_, err := w.CreateClaim(w.ctx(), w.who, queue("missing"), tt.in)
		if tt.bad == "" {
			wantKind(t, err, "", "%s", tt.name)
			continue
		}
		wantKind(t, err, messaging.Invalid, "%s", tt.name)
		wantText(t, err, tt.bad+" must be between")
	}
	for _, tt := range []struct {
		name string
		in   broker.UpdateClaim
		want messaging.Kind
	}{
		{"empty", broker.UpdateClaim{}, messaging.NotFound},
		{"grace 0", broker.UpdateClaim{Grace: n(0)}, messaging.NotFound},
		{"grace -5", broker.UpdateClaim{Grace: n(-5)}, messaging.Invalid},
		{"grace 43201", broker.UpdateClaim{Grace: n(43201)}, messaging.Invalid},
		{"ttl 59", broker.UpdateClaim{TTL: n(59)}, messaging.Invalid},
		{"ttl 43201", broker.UpdateClaim{TTL: n(43201)}, messaging.Invalid},
	} {
		for _, id := range []messaging.ClaimID{"beef", "a/b", ""} {
			wantKind(t, w.UpdateClaim(w.ctx(), w.who, queue("missing"), id, tt.in), tt.want, "update of claim %q: %s", id, tt.name)
		}
	}
}

func TestShowClaim(t *testing.T) {
	w := newWorld(t)
	posted := w.post(q, "0", "1", "2")
	id := w.claim(q, 2).Claim.ID
	w.clock.move(7)
	view, err := w.ShowClaim(w.ctx(), w.who, q, id)
	if err != nil || view.Claim.TTL != 60 || view.Claim.Age(view.Now) != 7 {
		t.Errorf("%+v (%v)", view.Claim, err)
	}
	wantEqual(t, "held", bodies(view.Messages), "0 1")
	wantKind(t, w.DeleteMessage(w.ctx(), w.who, q, posted[0], id), "", "delete")
	view, _ = w.ShowClaim(w.ctx(), w.who, q, id)
	wantEqual(t, "held after a deletion", bodies(view.Messages), "1")
	for _, tt := range []struct {
		q  messaging.QueueRef
		id messaging.ClaimID
	}{{q, "beef"}, {q, ""}, {q, "a/b"}, {queue("other"), id}, {queue("missing"), id}} {
		_, err := w.ShowClaim(w.ctx(), w.who, tt.q, tt.id)
		wantKind(t, err, messaging.NotFound, "claim %q of %s", tt.id, tt.q.Name)
	}
	wantKind(t, w.DeleteMessage(w.ctx(), w.who, q, posted[1], id), "", "delete the last")
	_, err = w.ShowClaim(w.ctx(), w.who, q, id)
	wantKind(t, err, messaging.NotFound, "claim without messages")
}

func TestUpdateClaim(t *testing.T) {
	w := newWorld(t)
	w.post(q, "0", "1")
	id := w.claim(q, 2).Claim.ID
	w.clock.move(50)
	wantKind(t, w.UpdateClaim(w.ctx(), w.who, q, id, broker.UpdateClaim{TTL: ptr[int64](100)}), "", "update")
	view, err := w.ShowClaim(w.ctx(), w.who, q, id)
	if err != nil || view.Claim.TTL != 100 || view.Claim.Age(view.Now) != 0 {
		t.Errorf("after an update: %+v (%v)", view.Claim, err)
	}
	w.clock.move(99)
	wantKind(t, w.UpdateClaim(w.ctx(), w.who, q, id, broker.UpdateClaim{}), "", "update with the defaults")
	view, _ = w.ShowClaim(w.ctx(), w.who, q, id)
	wantEqual(t, "ttl", view.Claim.TTL, int64(300))
	wantEqual(t, "claim count", view.List[0].Claims, 1)
	w.clock.move(300)
	wantKind(t, w.UpdateClaim(w.ctx(), w.who, q, id, broker.UpdateClaim{}), messaging.NotFound, "update of an expired claim")
	_, err = w.ShowClaim(w.ctx(), w.who, q, id)
	wantKind(t, err, messaging.NotFound, "show of an expired claim")
	wantKind(t, w.ReleaseClaim(w.ctx(), w.who, q, id), "", "release of an expired claim")
	wantEqual(t, "claimable again", bodies(w.claim(q, 5).Messages), "0 1")
}

func TestReleaseClaim(t *testing.T) {
	w := newWorld(t)
	w.post(q, "0", "1", "2")
	first, second := w.claim(q, 1).Claim.ID, w.claim(q, 1).Claim.ID
	stranger := w.who
	stranger.Project = "p2"
	wantKind(t, w.ReleaseClaim(w.ctx(), stranger, messaging.QueueRef{Project: "p2", Name: "q"}, first), "", "release by a stranger")
	wantKind(t, w.ReleaseClaim(w.ctx(), w.who, queue("other"), first), "", "release through another queue")
	if _, err := w.ShowClaim(w.ctx(), w.who, q, first); err != nil {
		t.Errorf("the claim is gone: %v", err)
	}
	for range 2 {
		wantKind(t, w.ReleaseClaim(w.ctx(), w.who, q, first), "", "release")
	}
	again := w.claim(q, 5)
	wantEqual(t, "claimed after the release", bodies(again.Messages), "0 2")
	wantEqual(t, "claims counted", again.List[0].Claims, 2)
	if view, err := w.ShowClaim(w.ctx(), w.who, q, second); err != nil || bodies(view.Messages) != "1" {
		t.Errorf("the other claim holds %s (%v)", bodies(view.Messages), err)
	}
}

func TestClaimsExtendLifetimes(t *testing.T) {
	for _, tt := range []struct{ ttl, claim, grace, want int64 }{
		{120, 100, 60, 120},
		{120, 777, 60, 837},
		{160, 100, 60, 160},
		{100, 100, 60, 100},
	} {
		w := newWorld(t)
		id := w.postAll(q, broker.Post{Body: []byte("1"), TTL: &tt.ttl})[0]
		view, err := w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{TTL: &tt.claim, Grace: &tt.grace})
		if err != nil || view.List[0].TTL != tt.want {
			t.Errorf("%+v: ttl %d (%v)", tt, view.List[0].TTL, err)
		}
		w.clock.move(int(tt.want) - 1)
		_, err = w.GetMessage(w.ctx(), w.who, q, id)
		wantKind(t, err, "", "%+v: get a second before its end", tt)
		w.clock.move(1)
		_, err = w.GetMessage(w.ctx(), w.who, q, id)
		wantKind(t, err, messaging.NotFound, "%+v: get at its end", tt)
	}
	w := newWorld(t)
	id := w.postAll(q, broker.Post{Body: []byte("1"), TTL: ptr[int64](120)})[0]
	terms := broker.CreateClaim{TTL: ptr[int64](100), Grace: ptr[int64](60)}
	view, err := w.CreateClaim(w.ctx(), w.who, q, terms)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.move(30)
	wantKind(t, w.UpdateClaim(w.ctx(), w.who, q, view.Claim.ID, broker.UpdateClaim{TTL: terms.TTL, Grace: terms.Grace}), "", "renewal")
	got, _ := w.GetMessage(w.ctx(), w.who, q, id)
	wantEqual(t, "ttl after a renewal near the end", got.List[0].TTL, int64(160))
}

func TestClaimCount(t *testing.T) {
	w := newWorld(t)
	w.post(q, "1", "2")
	for i := range 3 {
		view := w.claim(q, 1)
		wantEqual(t, "claimed", bodies(view.Messages), "1")
		wantEqual(t, "count", view.List[0].Claims, i+1)
		wantKind(t, w.UpdateClaim(w.ctx(), w.who, q, view.Claim.ID, broker.UpdateClaim{}), "", "renewal")
		if i == 0 {
			w.clock.move(300)
			continue
		}
		wantKind(t, w.ReleaseClaim(w.ctx(), w.who, q, view.Claim.ID), "", "release")
	}
	popped, err := w.PopMessages(w.ctx(), w.who, q, 2)
	if err != nil || popped.List[0].Claims != 3 || popped.List[1].Claims != 0 {
		t.Errorf("popped %+v (%v)", popped.List, err)
	}
}

func TestConcurrentClaimsShareNothing(t *testing.T) {
	w := newWorld(t)
	const n = 200
	for i := range n {
		w.post(q, fmt.Sprint(i))
	}
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range n {
				view, err := w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{Limit: ptr(3)})
				if err != nil || view.Claim.ID == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				for _, m := range view.List {
					seen[string(m.Body)]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i := range n {
		if seen[fmt.Sprint(i)] != 1 {
			t.Errorf("message %d was claimed %d times", i, seen[fmt.Sprint(i)])
		}
	}
}
