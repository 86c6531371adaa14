package age

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded"
)

// crowd is a queue with a great many messages to which something happens at
// once, and callers who should not notice.
type crowd struct {
	t      *testing.T
	clock  *clock
	store  *embedded.Store
	n      int
	full   messaging.QueueRef // with the many
	quiet  messaging.QueueRef // beside it
	probes []*probe
	seen   map[string][][3]float64 // by probe, of each run: ms of the event, longest, usually
}

// probe is a caller that goes on all the time.
type probe struct {
	name string
	call func() error
	meter
}

// gap is a line of measurements: what callers noticed of an event. Each figure
// is the median of several runs.
type gap struct {
	Kind    string  `json:"kind"`
	Event   string  `json:"event"`
	N       int     `json:"messages"`
	Runs    int     `json:"runs"`
	Probe   string  `json:"probe"`
	Took    float64 `json:"event_ms"`           // until the call returned
	Longest float64 `json:"longest_ms"`         // call in the time from the event on
	Usually float64 `json:"longest_usually_ms"` // in as much time without it
}

// notice is how long after an event calls are watched.
var notice = sized(60*time.Millisecond, 300*time.Millisecond)

func newCrowd(t *testing.T) *crowd {
	w := &crowd{t: t, clock: newClock(), n: sized(20_000, 1_000_000),
		full: messaging.QueueRef{Project: "p", Name: "full"}, quiet: messaging.QueueRef{Project: "p", Name: "quiet"}}
	s, err := embedded.Open(t.TempDir(), embedded.Config{SweepEvery: sized(50*time.Millisecond, time.Second)}, storage.Env{Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	w.store = s
	t.Cleanup(func() { _ = s.Close() })
	return w
}

// fill posts the many, in lots.
func (w *crowd) fill(q messaging.QueueRef, n int, ttl, delay int64) {
	w.t.Helper()
	draft := messaging.Draft{TTL: ttl, Delay: delay, Body: []byte(`"` + padding[:98] + `"`)}
	for ; n > 0; n -= 1000 {
		if _, err := w.store.Append(context.Background(), q, owner, slices.Repeat([]messaging.Draft{draft}, min(n, 1000)), storage.AppendOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// probe adds a caller that posts to the queue, and one that claims from it.
func (w *crowd) probe(name string, q messaging.QueueRef) {
	ctx := context.Background()
	draft := []messaging.Draft{{TTL: 30 * day, Body: []byte(`"` + padding[:998] + `"`)}}
	w.probes = append(w.probes, &probe{name: "post to " + name, call: func() error {
		_, err := w.store.Append(ctx, q, owner, draft, storage.AppendOptions{})
		return err
	}}, &probe{name: "claim from " + name, call: func() error {
		now := w.clock.ms.Load()
		got, err := w.store.Claim(ctx, q, storage.Terms{TTL: 43200, Grace: 60, Limit: 1})
		if err != nil {
			return err
		}
		for i := range got.Messages {
			if life := got.Messages[i].Expires.UnixMilli(); life <= now {
				return fmt.Errorf("%v: an expired message was claimed", q)
			}
		}
		_, err = w.store.Release(ctx, q, got.Claim.ID)
		return err
	}})
}

// happen measures what the probes notice of an event.
func (w *crowd) happen(cause func() error) {
	w.t.Helper()
	stop := make(chan struct{})
	var all sync.WaitGroup
	for _, p := range w.probes {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := p.time(p.call); err != nil {
					w.t.Errorf("%s: %v", p.name, err)
					return
				}
			}
		})
	}
	began := time.Now()
	const windows = 5
	time.Sleep(windows * notice)
	event := time.Now()
	if err := cause(); err != nil {
		w.t.Error(err)
	}
	took := time.Since(event)
	time.Sleep(max(0, notice-took) + sized(0, notice)) // the sweeper comes by
	ended := time.Now()
	close(stop)
	all.Wait()
	for _, p := range w.probes {
		var usually []float64
		for k := range windows {
			from := began.Add(time.Duration(k) * notice)
			usually = append(usually, p.longest(from, from.Add(notice)))
		}
		if len(p.took) < 2 {
			w.t.Errorf("%s: %d calls", p.name, len(p.took))
		}
		w.seen[p.name] = append(w.seen[p.name], [3]float64{milliseconds(took), p.longest(event, ended), median(usually)})
		p.took, p.ends = nil, nil
	}
	w.probes = nil
}

// left counts the messages of the queue.
func (w *crowd) left(q messaging.QueueRef) int {
	t, err := w.store.Tally(context.Background(), q)
	if err != nil {
		w.t.Error(err)
	}
	return t.Total
}

// A million messages at once: each case says what happens to them and what is
// left of them.
func TestMany(t *testing.T) {
	ctx := context.Background()
	runs := sized(1, 5)
	for name, run := range map[string]func(w *crowd){
		"expire": func(w *crowd) {
			w.fill(w.full, w.n, hour, 0)
			w.fill(w.full, 100, 30*day, 0)
			w.fill(w.quiet, 100, 30*day, 0)
			w.probe("the same queue", w.full)
			w.probe("another queue", w.quiet)
			w.happen(func() error { w.clock.pass(2 * time.Hour); return nil })
			w.holds(w.full, 100, 1_000_000)
		},
		"purged": func(w *crowd) {
			w.fill(w.quiet, 100, 30*day, 0)
			w.fill(w.full, w.n, 30*day, 0)
			w.probe("the same queue", w.full)
			w.probe("another queue", w.quiet)
			w.happen(func() error { return w.store.Purge(ctx, w.full) })
		},
		"dropped": func(w *crowd) {
			w.fill(w.quiet, 100, 30*day, 0)
			w.fill(w.full, w.n, 30*day, 0)
			w.probe("another queue", w.quiet)
			w.happen(func() error { return w.store.Drop(ctx, w.full) })
			w.holds(w.full, 0, 0)
		},
		"claims expire": func(w *crowd) {
			w.fill(w.quiet, 100, 30*day, 0)
			w.fill(w.full, w.n, 30*day, 0)
			for range w.n / 20 {
				if _, err := w.store.Claim(ctx, w.full, storage.Terms{TTL: 3600, Limit: 20}); err != nil {
					w.t.Fatal(err)
				}
			}
			w.fill(w.full, 100, 30*day, 0)
			w.probe("the same queue", w.full)
			w.probe("another queue", w.quiet)
			w.happen(func() error { w.clock.pass(2 * time.Hour); return nil })
			w.holds(w.full, w.n+100, 1_000_000)
		},
		"delays elapse": func(w *crowd) {
			w.fill(w.quiet, 100, 30*day, 0)
			w.fill(w.full, w.n, 30*day, 900)
			w.fill(w.full, 100, 30*day, 0)
			w.probe("the same queue", w.full)
			w.probe("another queue", w.quiet)
			w.happen(func() error { w.clock.pass(2 * time.Hour); return nil })
			w.holds(w.full, w.n+100, 1_000_000)
		},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(map[string][][3]float64)
			for range runs {
				w := newCrowd(t)
				w.seen = seen
				run(w)
				w.holds(w.quiet, 100, 1_000_000)
				if err := w.store.Close(); err != nil {
					t.Fatal(err)
				}
			}
			for _, probe := range slices.Sorted(maps.Keys(seen)) {
				var columns [3][]float64
				for _, run := range seen[probe] {
					for k := range run {
						columns[k] = append(columns[k], run[k])
					}
				}
				report(t, gap{"stall", name, sized(20_000, 1_000_000), runs, probe, median(columns[0]), median(columns[1]), median(columns[2])})
			}
		})
	}
}

// holds checks that so many messages are in the queue and up to more posted by
// probes.
func (w *crowd) holds(q messaging.QueueRef, n, more int) {
	w.t.Helper()
	if got := w.left(q); got < n || got > n+more {
		w.t.Errorf("%v: %d messages are left, want %d and those of the probes", q, got, n)
	}
}
