package embedded

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// crowded returns a store with n small messages in one queue.
func crowded(t *testing.T, n int, ttl, delay int64) *world {
	t.Helper()
	w := ready(t)
	must(t, w.close())
	w.size = 4 << 20
	must(t, w.open())
	drafts := slices.Repeat([]messaging.Draft{{TTL: ttl, Delay: delay, Body: []byte("1")}}, 1000)
	for ; n > 0; n -= len(drafts) {
		_, err := w.store.Append(context.Background(), boxes[0], clients[0], drafts[:min(n, 1000)], storage.AppendOptions{})
		must(t, err)
	}
	return w
}

// However many messages, claims or delays end at once, no hold of the queue's
// lock ends more than a few lots of them, mostly one.
func TestWhatEndsAtOnceEndsInLots(t *testing.T) {
	const n = 50_000
	ctx := context.Background()
	for name, c := range map[string]struct {
		ttl, delay int64
		before     func(t *testing.T, w *world)
		left       func(q *queue) int
	}{
		"messages": {60, 0, nil, func(q *queue) int { return q.live }},
		"delays":   {forever, 60, nil, func(q *queue) int { return len(q.delays.items) }},
		"claims": {forever, 0, func(t *testing.T, w *world) {
			for range n / 20 {
				_, err := w.store.Claim(ctx, boxes[0], storage.Terms{TTL: 60, Limit: 20})
				must(t, err)
			}
		}, func(q *queue) int { return q.claimed }},
	} {
		t.Run(name, func(t *testing.T) {
			w := crowded(t, n, c.ttl, c.delay)
			if c.before != nil {
				c.before(t, w)
			}
			q := w.store.lookup(boxes[0])
			w.now += 61_000
			before, steps := c.left(q), 0
			if before != n {
				t.Fatalf("%d to end, want %d", before, n)
			}
			for more := true; more; steps++ {
				more = q.step(w.now)
				if ended := before - c.left(q); ended > longQueue*lot {
					t.Fatalf("%d ended in one lot", ended)
				}
				before = c.left(q)
			}
			if before != 0 || steps < n/lot-longQueue || steps > n/lot+10 {
				t.Errorf("%d are left after %d lots", before, steps)
			}
			must(t, w.audit())
		})
	}
}

// A claim does not wait for a million others to be swept, nor sees them.
func TestClaimsPassOverWhatHasExpired(t *testing.T) {
	w := crowded(t, 20_000, 60, 0)
	w.does(t, post(boxes[0], 3, forever, 0, 10))
	w.now += 61_000
	got, err := w.store.Claim(context.Background(), boxes[0], storage.Terms{TTL: 60, Limit: 10})
	if err != nil || len(got.Messages) != 3 {
		t.Fatalf("%d messages claimed (%v), want the 3 that are left", len(got.Messages), err)
	}
	q := w.store.lookup(boxes[0])
	if q.live < 15_000 {
		t.Errorf("%d messages are left: the claim has swept the queue", q.live)
	}
	if tally, err := w.store.Tally(context.Background(), boxes[0]); err != nil || tally.Total != 3 {
		t.Errorf("%d messages counted (%v)", tally.Total, err)
	}
	must(t, w.audit())
}

// A long queue finds what expires without looking through all of it.
func TestExpiryLooksOnlyWhereItMust(t *testing.T) {
	w := ready(t)
	must(t, w.close())
	w.size = 4 << 20
	must(t, w.open())
	for i := range 100 {
		drafts := slices.Repeat([]messaging.Draft{{TTL: int64(1000 + i), Body: []byte("1")}}, chunkSize)
		_, err := w.store.Append(context.Background(), boxes[0], clients[0], drafts, storage.AppendOptions{})
		must(t, err)
	}
	q := w.store.lookup(boxes[0])
	for i := range 100 {
		w.now = 1_900_000_000_000 + int64(1000+i)*1000
		steps := 1
		for q.step(w.now) {
			steps++
		}
		if q.live != (99-i)*chunkSize || steps > 2 {
			t.Fatalf("after %d seconds %d messages are left; %d lots", 1000+i, q.live, steps)
		}
	}
	if q.lapses != nil || len(q.chunks) > 0 {
		t.Error("the empty queue keeps something")
	}
}

// Memory follows what is live, whatever went in which order.
func TestMemoryFollowsWhatIsLive(t *testing.T) {
	const n = 100_000
	rng := rand.New(rand.NewPCG(3, 4))
	for name, c := range map[string]struct {
		goes func(i int) bool
		most int // bytes of entries and chunks a live message
	}{
		"nothing":         {func(int) bool { return false }, 56},
		"every second":    {func(i int) bool { return i%2 == 0 }, 112},
		"all but a tenth": {func(i int) bool { return i%10 > 0 }, 112},
		"at random":       {func(int) bool { return rng.IntN(3) > 0 }, 112},
		"almost all":      {func(i int) bool { return i%500 > 0 }, 112},
		"all at the head": {func(i int) bool { return i < n-100 }, 200},
		"all":             {func(int) bool { return true }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := crowded(t, n, forever, 0)
			q := w.store.lookup(boxes[0])
			var ids []messaging.MessageID
			q.each(0, func(c *chunk, i int) bool {
				ids = append(ids, messaging.MessageID(w.store.id(c.entries[i].pos)))
				return true
			})
			var lotOf []messaging.MessageID
			for i, id := range ids {
				if c.goes(i) {
					lotOf = append(lotOf, id)
				}
			}
			rng.Shuffle(len(lotOf), func(i, j int) { lotOf[i], lotOf[j] = lotOf[j], lotOf[i] })
			for some := range slices.Chunk(lotOf, 100) {
				must(t, w.store.Remove(context.Background(), boxes[0], some, storage.Hold{}))
			}
			took := 0
			for _, c := range q.chunks {
				took += cap(c.entries)*48 + 128
			}
			left := n - len(lotOf)
			if q.live != left || took > c.most*left+chunkSize*48 { // and the chunk at the end
				t.Errorf("%d messages are left, %d chunks take %d bytes: %d each, want %d", q.live, len(q.chunks), took, took/max(1, left), c.most)
			}
			must(t, w.audit())
		})
	}
}

// When everything has expired the heap is as small as before.
func TestMemoryReturns(t *testing.T) {
	now := int64(1_900_000_000_000)
	s, err := open(t.TempDir(), Config{SegmentSize: 512 << 10, SweepEvery: -1}, storage.Env{Now: func() time.Time { return time.UnixMilli(now) }})
	must(t, err)
	defer s.Close()
	ctx := context.Background()
	age := func() (atMost, after int64) {
		drafts := slices.Repeat([]messaging.Draft{{TTL: 600, Delay: 5, Body: []byte("1")}}, 1000)
		for range 60 {
			_, err := s.Append(ctx, boxes[0], clients[0], drafts, storage.AppendOptions{})
			must(t, err)
		}
		now += 10_000
		for range 20 {
			got, err := s.Claim(ctx, boxes[0], storage.Terms{TTL: 60, Limit: 1000})
			must(t, err)
			var ids []messaging.MessageID
			for i := range got.Messages {
				ids = append(ids, got.Messages[i].ID)
			}
			_, err = s.Move(ctx, boxes[0], ids, got.Claim.ID, boxes[2], 0)
			must(t, err)
		}
		atMost = inUse()
		now += 700_000
		s.sweep(now)
		s.tend()
		must(t, s.Compact())
		return atMost, inUse()
	}
	_, before := age()
	for range 3 {
		atMost, after := age()
		t.Logf("at rest %d, with 60000 messages %d, then %d", before, atMost, after)
		if most := before + (atMost-before)/8 + 1<<20; after > most {
			t.Errorf("%d bytes are in use after all has expired, want %d", after, most)
		}
	}
}

// The latest change of the control plane knows the group that it was written with:
// what others wrote with it is not kept for as long as nothing else changes.
func TestGroupsAreLetGo(t *testing.T) {
	w := ready(t)
	gate := w.hold()
	open := sync.OnceFunc(gate.Open)
	t.Cleanup(open)
	all := w.posts(boxes[0], 10, 1)
	arrives(t, gate)
	all = append(all, w.later(control(0, 0, 1)))
	w.gathered(t, 1)
	all = append(all, w.posts(boxes[0], 8<<20, 1)...)
	w.gathered(t, 2)
	open()
	for _, d := range all {
		must(t, <-d)
	}
	must(t, <-w.posts(boxes[0], 10, 1)[0]) // the group before has been put away
	if g := w.store.control.latest(); cap(g.buf) > 0 || cap(g.ops) > 0 {
		t.Errorf("%d bytes and %d submissions are kept", cap(g.buf), cap(g.ops))
	}
}

// inUse returns how large the heap is.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
