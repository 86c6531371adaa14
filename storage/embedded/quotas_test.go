package embedded

import (
	"fmt"
	"strings"
	"testing"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// A store of a later version, with a kind of control record that this one does
// not know, is not opened, let alone changed.
func TestUnknownControlRecord(t *testing.T) {
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	must(t, w.open())
	s := w.store
	must(t, s.PutQuota(t.Context(), messaging.Quota{Project: "p1", Limits: messaging.Limits{messaging.LimitQueues: 1}}))
	var at uint32
	g, err := s.journal.submit(0, func(b []byte, _ uint64) []byte {
		return appendControl(b, []edit{{table: tableCount, key: "k", value: []byte("{}")}})
	}, func(_ *segment, first uint32) { at = first }, nil)
	must(t, err)
	must(t, g.wait())
	must(t, w.close())
	if err := w.open(); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("the store opens: %v", err)
	}
	must(t, w.disk.FlipBit("store/"+segmentName(1), int64(at)+16, 1)) // now it is damage
	must(t, w.open())
	_, err = w.store.Quota(t.Context(), "p1")
	must(t, err)
	must(t, w.close())
}

// Sums stay right when compaction rewrites messages, whose records change in
// length by that, and when it does so again.
func TestStoredThroughCompaction(t *testing.T) {
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	must(t, w.open())
	defer func() { must(t, w.close()) }()
	q := messaging.QueueRef{Project: "p1", Name: "q"}
	var want messaging.Stored
	for i := range 60 {
		body := `"` + strings.Repeat("x", 10*i) + `"`
		drafts := []messaging.Draft{{TTL: forever, Delay: int64(i%2) * 5, Body: []byte(body)}, {TTL: forever, Body: []byte(body), Checksum: "MD5:0", Key: "k"}}
		put, err := w.store.Append(t.Context(), q, clients[i%len(clients)], drafts, storage.AppendOptions{})
		ids := put.IDs
		must(t, err)
		must(t, w.store.Remove(t.Context(), q, ids[:i%3%2], storage.Hold{}))
		want.Messages += int64(2 - i%3%2)
		want.Bytes += int64((2 - i%3%2) * len(body))
	}
	_, err := w.store.Claim(t.Context(), q, storage.Terms{TTL: 60, Grace: 60, Limit: 20})
	must(t, err)
	for round := range 3 {
		for _, reopen := range []bool{false, true} {
			if reopen {
				must(t, w.close())
				must(t, w.open())
			} else {
				must(t, w.store.Compact())
			}
			got, err := w.store.Stored(t.Context(), "p1")
			must(t, err)
			if got != want {
				t.Fatalf("round %d, reopened %v: %+v, want %+v", round, reopen, got, want)
			}
		}
	}
}

// The book of a project goes with its last queue.
func TestAccountsGo(t *testing.T) {
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	must(t, w.open())
	defer func() { must(t, w.close()) }()
	for i := range 100 {
		q := messaging.QueueRef{Project: messaging.Project(fmt.Sprint("p", i%10)), Name: fmt.Sprint("q", i)}
		_, err := w.store.Append(t.Context(), q, "", []messaging.Draft{{TTL: forever, Body: []byte("1")}}, storage.AppendOptions{})
		must(t, err)
	}
	if n := len(w.store.projects); n != 10 {
		t.Errorf("%d books of 10 projects", n)
	}
	for i := range 100 {
		must(t, w.store.Drop(t.Context(), messaging.QueueRef{Project: messaging.Project(fmt.Sprint("p", i%10)), Name: fmt.Sprint("q", i)}))
	}
	if n := len(w.store.projects); n != 0 {
		t.Errorf("%d books of no project", n)
	}
}

// Of what has pages, a page of none is empty, as in other stores. All pools at
// once are asked for by 0.
func TestPagesOfNone(t *testing.T) {
	w := ready(t)
	ctx, s := t.Context(), w.store
	must(t, s.PutQuota(ctx, messaging.Quota{Project: "p"}))
	must(t, s.PutFlavor(ctx, messaging.Flavor{Ref: messaging.FlavorRef{Project: "p", Name: "f"}}))
	for _, name := range []string{"a", "b"} {
		must(t, s.PutPool(ctx, messaging.Pool{Name: name, URI: name + "://"}))
	}
	quotas, err := s.Quotas(ctx, "", 0)
	must(t, err)
	flavors, err := s.Flavors(ctx, "p", "", 0)
	must(t, err)
	pools, err := s.Pools(ctx, "", 0)
	must(t, err)
	if len(quotas) != 0 || len(flavors) != 0 || len(pools) != 2 {
		t.Errorf("%v, %v, %v", quotas, flavors, pools)
	}
}
