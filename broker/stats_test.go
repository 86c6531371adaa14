package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/storage"
)

func TestCounts(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_max_claim_count": 1, "_dead_letter_queue": "dead"}`)
	ids := w.post(q, `"a"`, `"bc"`, `1`, `2`)
	for range 2 { // the second claim finds the first two spent
		if _, err := w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{Limit: new(2)}); err != nil {
			t.Fatal(err)
		}
		w.clock.move(1000)
	}
	if _, err := w.PopMessages(w.ctx(), w.who, q, 1); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteMessages(w.ctx(), w.who, q, ids[:3], nil); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteMessage(w.ctx(), w.who, q, "gone", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateClaim(w.ctx(), w.who, messaging.QueueRef{Project: "p", Name: "none"}, broker.CreateClaim{}); err != nil {
		t.Fatal(err)
	}
	want := broker.Counts{Posted: 4, PostedBytes: 9, Claimed: 4, Popped: 1, Deleted: 4, Buried: 2}
	if d := cmp.Diff(want, w.Counts()); d != "" {
		t.Error(d)
	}
}

func TestBacklog(t *testing.T) {
	w := newWorld(t)
	begun := w.clock.now()
	other := messaging.QueueRef{Project: "p2", Name: "q"}
	dead := messaging.QueueRef{Project: "p", Name: "dead"}
	w.create(q, `{"_max_claim_count": 3, "_dead_letter_queue": "dead"}`)
	put := func(q messaging.QueueRef, n int) {
		t.Helper()
		for range n {
			if _, err := w.store.Append(w.ctx(), q, "x", []messaging.Draft{{TTL: 9000, Body: []byte("1")}}, storage.AppendOptions{}); err != nil {
				t.Fatal(err)
			}
			w.clock.move(10)
		}
	}
	put(q, 3)
	put(dead, 1)
	put(other, 5)
	if _, err := w.store.Claim(w.ctx(), other, storage.Terms{TTL: 600, Limit: 2}); err != nil {
		t.Fatal(err)
	}
	at := func(s int) time.Time { return begun.Add(time.Duration(s) * time.Second) }
	otherDepth := broker.Depth{Queue: other, Total: 5, Claimed: 2, Oldest: at(40)}
	qDepth := broker.Depth{Queue: q, Total: 3, Oldest: at(0), Graves: true, Dead: 1}
	deadDepth := broker.Depth{Queue: dead, Total: 1, Oldest: at(30)}
	project := func(p messaging.Project, total, claimed int) broker.Depth {
		return broker.Depth{Queue: messaging.QueueRef{Project: p}, Total: total, Claimed: claimed}
	}
	for _, c := range []struct {
		detail broker.Detail
		most   int
		depths []broker.Depth
		left   int
	}{
		{broker.NoDetail, 10, nil, 0},
		{broker.ByProject, 10, []broker.Depth{project("p2", 5, 2), project("p", 4, 0)}, 0},
		{broker.ByProject, 1, []broker.Depth{project("p2", 5, 2)}, 1},
		{broker.ByQueue, 10, []broker.Depth{otherDepth, qDepth, deadDepth}, 0},
		{broker.ByQueue, 2, []broker.Depth{otherDepth, qDepth}, 1},
		{broker.ByQueue, 0, []broker.Depth{}, 3},
	} {
		got, err := w.Backlog(w.ctx(), c.detail, c.most)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(broker.Backlog{Total: 9, Claimed: 2, Depths: c.depths, Left: c.left}, got); d != "" {
			t.Errorf("detail %d, at most %d: %s", c.detail, c.most, d)
		}
	}
}

// TestBacklogKeepsTheLargest has many more queues than are told of.
func TestBacklogKeepsTheLargest(t *testing.T) {
	w := newWorld(t)
	for i := range 500 {
		drafts := make([]messaging.Draft, 1+(i*7)%500)
		for k := range drafts {
			drafts[k] = messaging.Draft{TTL: 9000, Body: []byte("1")}
		}
		if _, err := w.store.Append(w.ctx(), messaging.QueueRef{Project: "p", Name: fmt.Sprint("q", i)}, "x", drafts, storage.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.Backlog(w.ctx(), broker.ByQueue, 3)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, d := range got.Depths {
		sizes = append(sizes, d.Total)
	}
	if !cmp.Equal(sizes, []int{500, 499, 498}) || got.Left != 497 || got.Total != 500*501/2 {
		t.Errorf("%v, %d left, %d in all", sizes, got.Left, got.Total)
	}
}
