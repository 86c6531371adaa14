package age

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/storage"
	"zaqar/storage/embedded"
)

// In turn the store may compact, without any rest, and may not, under the same
// load: what posts notice of it is the worst that compaction can do to them.
// Afterwards everything is where it must be.
func TestPostsBesideCompaction(t *testing.T) {
	w := &town{t: t, dir: t.TempDir(), clock: newClock(), start: time.Now(),
		config: embedded.Config{SegmentSize: sized[int64](1<<20, 16<<20), SweepEvery: -1}}
	w.open()
	var stop atomic.Bool
	var all sync.WaitGroup
	run := func(step func() error) {
		all.Go(func() {
			for !stop.Load() {
				if err := step(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(1, 1))
	litter := newBox(w.store, w.clock, "p", "litter") // two in three go, sooner or later
	boxes := []*box{litter}
	run(func() error {
		time.Sleep(2 * time.Millisecond)
		if err := litter.post(60, 1000, day, 0); err != nil {
			return err
		}
		for range 4 {
			if err := litter.remove(litter.recent(rng.IntN(10_000), 20), storage.Hold{}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, name := range []string{"one", "two", "three", "four"} {
		mine := newBox(w.store, w.clock, "p", name)
		boxes = append(boxes, mine)
		run(func() error {
			at := &w.posts[0]
			if w.compacting.Load() {
				at = &w.posts[1]
			}
			if len(mine.letters) == 50 {
				return mine.remove(mine.recent(0, 50), storage.Hold{})
			}
			return at.time(func() error { return mine.post(1, 1000, day, 0) })
		})
	}
	turn := sized(100*time.Millisecond, 500*time.Millisecond)
	for k := range sized(10, 80) {
		until := time.Now().Add(turn)
		for k%2 == 1 && time.Now().Before(until) && !t.Failed() {
			w.compacting.Store(true)
			before := w.store.Usage().Rewritten
			if err := w.store.Compact(); err != nil {
				t.Error(err)
			}
			if w.store.Usage().Rewritten == before {
				w.compacting.Store(false) // there is nothing more to do
				time.Sleep(5 * time.Millisecond)
			}
		}
		w.compacting.Store(false)
		time.Sleep(time.Until(until))
		if k%2 == 1 {
			w.window()
		}
	}
	stop.Store(true)
	all.Wait()
	w.effect("forced compaction")
	if w.store.Usage().Rewritten == 0 {
		t.Error("nothing was ever compacted")
	}
	for _, b := range boxes {
		if err := b.audit(); err != nil {
			t.Error(err)
		}
	}
}
