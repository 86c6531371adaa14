package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// The log takes at most twice what is live and boundSegments more: the one
// being written and the spare, four of waste, the copy of one that is not
// unlinked yet, and one that has filled up meanwhile.
const boundSegments = 8

// misuser does to a store what costs the log most.
type misuser struct {
	*world
	t     *testing.T
	rng   *rand.Rand
	order []messaging.MessageID // what it has posted and not deleted
	claim messaging.ClaimID
}

func (m *misuser) post(n int, ttl int64, size int) []messaging.MessageID {
	m.t.Helper()
	drafts := make([]messaging.Draft, n)
	for i := range drafts {
		drafts[i] = messaging.Draft{TTL: ttl, Body: []byte(`"` + strings.Repeat("x", size) + `"`)}
	}
	put, err := m.store.Append(context.Background(), boxes[0], clients[0], drafts, storage.AppendOptions{})
	ids := put.IDs
	must(m.t, err)
	return ids
}

func (m *misuser) remove(ids ...messaging.MessageID) {
	m.t.Helper()
	must(m.t, m.store.Remove(context.Background(), boxes[0], ids, storage.Hold{}))
}

// removeAt deletes one of what it has posted.
func (m *misuser) removeAt(i int) {
	m.t.Helper()
	m.remove(m.order[i])
	m.order = append(m.order[:i], m.order[i+1:]...)
}

func (m *misuser) lease(limit int) storage.Lease {
	m.t.Helper()
	got, err := m.store.Claim(context.Background(), boxes[0], storage.Terms{TTL: 60, Grace: 60, Limit: limit})
	must(m.t, err)
	return got
}

// within relieves the store as it does by itself when a segment is full, and
// checks what the log takes.
func (m *misuser) within(step int) {
	m.t.Helper()
	m.store.sweep(m.now)
	must(m.t, m.store.relieve())
	u := m.store.Usage()
	log := u.Log + m.size // the spare
	if limit := 2*u.Live + boundSegments*m.size; log > limit {
		m.t.Fatalf("step %d: the log takes %d bytes in %d segments, %d are live: more than %d", step, log, u.Segments, u.Live, limit)
	}
}

// Whatever is done to the store, what it takes on disk is bounded by what is
// live in it; and it stays what it is.
func TestLogIsBounded(t *testing.T) {
	ctx := context.Background()
	for name, step := range map[string]func(m *misuser, i int){
		"every second message stays": func(m *misuser, _ int) {
			ids := m.post(2, forever, 400)
			m.remove(ids[0])
		},
		"every second small message stays, the others go late": func(m *misuser, i int) {
			m.order = append(m.order, m.post(1, forever, 2)...)
			if i > 2000 && i%2 == 0 {
				m.removeAt(len(m.order) - 1500)
			}
		},
		"few stay": func(m *misuser, i int) {
			ids := m.post(10, forever, 200)
			m.remove(ids[1:]...)
		},
		"one message a segment stays": func(m *misuser, i int) {
			if i%60 == 0 {
				m.post(1, forever, 10)
			}
			m.post(1, 5, 1000)
			m.now += 100
		},
		"random ones go": func(m *misuser, i int) {
			m.order = append(m.order, m.post(1, forever, m.rng.IntN(600))...)
			if i > 3000 {
				m.removeAt(m.rng.IntN(len(m.order)))
			}
		},
		"random small ones go": func(m *misuser, i int) {
			m.order = append(m.order, m.post(1, forever, 1)...)
			if i > 3000 {
				m.removeAt(m.rng.IntN(len(m.order)))
			}
		},
		"all go but a few, in the end": func(m *misuser, i int) {
			if i < 3000 {
				m.order = append(m.order, m.post(1, forever, 300)...)
			} else if len(m.order) > 20 {
				m.removeAt(m.rng.IntN(len(m.order)))
			}
		},
		"a claim is renewed for ever": func(m *misuser, i int) {
			if i == 0 {
				m.post(200, forever, 10)
				m.claim = m.lease(100).Claim.ID
			}
			must(m.t, m.store.Renew(ctx, boxes[0], m.claim, storage.Terms{TTL: 60, Grace: 60}))
		},
		"claims expire for ever": func(m *misuser, i int) {
			if i == 0 {
				for range 300 {
					m.post(10, forever, 20)
				}
			}
			m.lease(10)
			m.now += 250
		},
		"settings change for ever": func(m *misuser, i int) {
			must(m.t, m.store.PutFlavor(ctx, messaging.Flavor{Ref: messaging.FlavorRef{Project: "p1", Name: fmt.Sprint("f", i%500)}}))
			_, err := m.store.CreateQueue(ctx, boxes[i%4], metadata(i))
			must(m.t, err)
			_, err = m.store.AmendQueue(ctx, boxes[i%4], func(*messaging.Metadata) (*messaging.Metadata, error) { return metadata(i), nil })
			must(m.t, err)
		},
		"queues come and go beside old messages": func(m *misuser, i int) {
			if i < 1000 {
				m.post(1, forever, 500)
			}
			ref := messaging.QueueRef{Project: "p9", Name: fmt.Sprint("q", i%1000)}
			if i%2000 >= 1000 {
				must(m.t, m.store.DeleteQueue(ctx, ref))
				must(m.t, m.store.Drop(ctx, ref))
				return
			}
			_, err := m.store.CreateQueue(ctx, ref, metadata(i))
			must(m.t, err)
			_, err = m.store.Append(ctx, ref, clients[0], []messaging.Draft{{TTL: forever, Body: []byte("1")}}, storage.AppendOptions{})
			must(m.t, err)
		},
		"messages move to and fro": func(m *misuser, i int) {
			if i == 0 {
				m.post(400, forever, 30)
			}
			from, to := boxes[i%2], boxes[1-i%2]
			got, err := m.store.Claim(ctx, from, storage.Terms{TTL: 60, Grace: 60, Limit: 20})
			must(m.t, err)
			var ids []messaging.MessageID
			for k := range got.Messages {
				ids = append(ids, got.Messages[k].ID)
			}
			_, err = m.store.Move(ctx, from, ids, got.Claim.ID, to, 0)
			must(m.t, err)
		},
		"purges beside what is claimed": func(m *misuser, i int) {
			if i%50 == 0 {
				m.now += 1000
				m.lease(1)
			}
			m.post(5, forever, 300)
			if i%10 == 9 {
				must(m.t, m.store.Purge(ctx, boxes[0]))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(faultdisk.New(faultdisk.Config{}))
			w.size = 32 << 10
			must(t, w.open())
			t.Cleanup(func() { _ = w.close() })
			m := &misuser{world: w, t: t, rng: rand.New(rand.NewPCG(1, 2))}
			head := w.head()
			for i := range 8000 {
				step(m, i)
				if w.head() != head {
					head = w.head()
					w.store.tend()
					m.within(i)
				}
			}
			u := w.store.Usage()
			t.Logf("log %d, live %d, written %d, rewritten %d", u.Log, u.Live, w.store.journal.bytes.Load(), u.Rewritten)
			w.unchanged(t)
		})
	}
}

// Compaction takes its time while there is some, and keeps up with those who
// write when there is none.
func TestPace(t *testing.T) {
	w := ready(t)
	p := &pace{s: w.store}
	others := func(n int64, copied int) {
		w.store.journal.bytes.Add(n + int64(copied))
		p.rest(copied)
	}
	others(50<<20, p.lot())
	if p.lot() != smallLot {
		t.Errorf("with nothing to give back %d bytes are copied at a time", p.lot())
	}
	ids := make([]messaging.MessageID, 0, 40)
	for len(ids) < cap(ids) {
		put, err := w.store.Append(context.Background(), boxes[0], clients[0], []messaging.Draft{{TTL: forever, Body: make([]byte, 1000)}}, storage.AppendOptions{})
		got := put.IDs
		must(t, err)
		ids = append(ids, got...)
	}
	must(t, w.store.Remove(context.Background(), boxes[0], ids, storage.Hold{}))
	for _, c := range []struct{ others, want int64 }{{0, largeLot}, {3 << 20, 6 << 20}, {100 << 20, gatherLimit}} {
		others(c.others, p.lot())
		if int64(p.lot()) != c.want {
			t.Errorf("while others write %d bytes, %d are copied, want %d", c.others, p.lot(), c.want)
		}
	}
	must(t, w.store.Compact())
	others(50<<20, p.lot())
	if p.lot() != smallLot {
		t.Errorf("with all given back %d bytes are copied at a time", p.lot())
	}
	if patient := new(pace); patient.lot() != largeLot {
		t.Errorf("without a store to look at %d bytes are copied at a time", patient.lot())
	}
}
