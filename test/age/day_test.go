package age

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded"
)

// town is a store and all who live on it.
type town struct {
	t      testing.TB
	dir    string
	config embedded.Config
	clock  *clock
	store  *embedded.Store
	people []*person
	start  time.Time

	// Single posts, by people who do nothing else: those that began while
	// nothing was compacted, and those that began while something was.
	posts      [2]meter
	compacting atomic.Bool
	quiet      []time.Duration
	busy       []time.Duration
	ratios     []float64 // of the 99th percentiles in windows that have both
}

// person owns two queues.
type person struct {
	life  life
	box   *box
	aside *box
	rng   *rand.Rand
}

func newTown(t testing.TB, tenants int, c embedded.Config) *town {
	w := &town{t: t, dir: t.TempDir(), config: c, clock: newClock(), start: time.Now()}
	w.open()
	for k := range tenants {
		for n, l := range lives() {
			project := fmt.Sprint("tenant", k)
			w.people = append(w.people, &person{life: l,
				box:   newBox(w.store, w.clock, project, l.name),
				aside: newBox(w.store, w.clock, project, l.name+"-aside"),
				rng:   rand.New(rand.NewPCG(uint64(k), uint64(n)))})
		}
	}
	return w
}

func (w *town) open() {
	w.t.Helper()
	s, err := embedded.Open(w.dir, w.config, storage.Env{Now: w.clock.now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = s
	w.t.Cleanup(func() { _ = s.Close() })
	for _, p := range w.people {
		p.box.store, p.aside.store = s, s
	}
}

// allowance is what the disk may hold beyond twice what is live: the segment
// being written and the spare, five whose live rest waits to be copied, and
// the copy of one.
func (w *town) allowance() int64 { return 8 * w.config.SegmentSize }

// sample looks at memory and disk, and fails if the disk holds too much. What is
// live may change while it looks.
func (w *town) sample() (embedded.Usage, usage) {
	w.t.Helper()
	before := w.store.Usage()
	u, err := measure(w.dir)
	if err != nil {
		w.t.Error(err)
	}
	after := w.store.Usage()
	live := max(before.Live, after.Live)
	if limit := 2*live + w.allowance(); u.log > limit {
		w.t.Errorf("%v: the log takes %d bytes, %d are live: more than twice that and %d", w.clock.now(), u.log, live, w.allowance())
	}
	return after, u
}

// live has everybody live for a while: span passes on the clock in the real
// time given. Measurements are written down for each window of it.
func (w *town) live(span, real, window time.Duration) {
	w.t.Helper()
	stop := make(chan struct{})
	var all sync.WaitGroup
	run := func(step func() error) {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := step(); err != nil {
					w.t.Error(err)
					return
				}
			}
		})
	}
	for _, p := range w.people {
		run(func() error {
			w.breathe()
			return p.life.step(p.box, p.rng, p.aside)
		})
	}
	for k := range 2 {
		ref := messaging.QueueRef{Project: "poster", Name: fmt.Sprint(k)}
		draft := []messaging.Draft{{TTL: 60, Body: []byte(`"` + padding[:1022] + `"`)}}
		run(func() error {
			at := &w.posts[0]
			if w.compacting.Load() {
				at = &w.posts[1]
			}
			return at.time(func() error {
				_, err := w.store.Append(context.Background(), ref, owner, draft, storage.AppendOptions{})
				return err
			})
		})
	}
	w.watch(span, real, window)
	close(stop)
	all.Wait()
}

// breathe keeps the load below what the machine can do, as that of a day is.
func (w *town) breathe() { time.Sleep(sized(2*time.Millisecond, 15*time.Millisecond)) }

// moment is a line of measurements.
type moment struct {
	Kind       string  `json:"kind"`
	Time       float64 `json:"t"`   // seconds since the start
	Hour       float64 `json:"day"` // hours on the clock
	Live       int64   `json:"live_bytes"`
	Log        int64   `json:"log_bytes"`
	Disk       int64   `json:"disk_bytes"`
	Heap       uint64  `json:"heap_bytes"`
	Messages   int     `json:"messages"`
	Posts      int     `json:"posts"`
	P50        int64   `json:"post_p50_us"`
	P99        int64   `json:"post_p99_us"`
	Max        int64   `json:"post_max_us"`
	Compacting float64 `json:"compacting"` // share of the window
	Rewritten  int64   `json:"rewritten_bytes"`
}

// watch moves the clock, samples all along and reports.
func (w *town) watch(span, real, window time.Duration) {
	w.t.Helper()
	const step = 5 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	steps := int(real / step)
	perWindow := int(window / step)
	from := w.clock.now()
	busy := 0
	for i := 1; i <= steps && !w.t.Failed(); i++ {
		<-tick.C
		w.clock.pass(span / time.Duration(steps))
		space := w.store.Usage()
		w.compacting.Store(space.Compacting)
		if space.Compacting {
			busy++
		}
		if i%4 == 0 {
			w.sample()
		}
		if i%perWindow > 0 {
			continue
		}
		took := w.window()
		space, u := w.sample()
		total, _, err := w.store.Volume(context.Background())
		if err != nil {
			w.t.Error(err)
		}
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		report(w.t, moment{"day", time.Since(w.start).Seconds(), w.clock.now().Sub(from).Hours(), space.Live, u.log, u.total(),
			mem.HeapAlloc, total, len(took), quantile(took, 0.5), quantile(took, 0.99), quantile(took, 1), float64(busy) / float64(perWindow), space.Rewritten})
		busy = 0
	}
}

// window ends a window of posts and returns how long they took, ascending.
func (w *town) window() []time.Duration {
	quiet, busy := w.posts[0].flush(), w.posts[1].flush()
	if q, b := quantile(quiet, 0.99), quantile(busy, 0.99); len(quiet) > 100 && len(busy) > 100 {
		w.ratios = append(w.ratios, float64(b)/float64(q))
	}
	w.quiet, w.busy = append(w.quiet, quiet...), append(w.busy, busy...)
	took := slices.Concat(quiet, busy)
	slices.Sort(took)
	return took
}

// effect is a line of measurements: what posts notice of compaction.
type effect struct {
	Kind      string  `json:"kind"`
	Quiet     int     `json:"posts_without"`
	Busy      int     `json:"posts_during"`
	P50Quiet  int64   `json:"p50_without_us"`
	P50Busy   int64   `json:"p50_during_us"`
	P99Quiet  int64   `json:"p99_without_us"`
	P99Busy   int64   `json:"p99_during_us"`
	Ratio     float64 `json:"p99_ratio"`        // of all posts
	Paired    float64 `json:"p99_ratio_paired"` // median of the windows that have both
	Windows   int     `json:"windows_paired"`
	Rewritten int64   `json:"rewritten_bytes"`
}

// effect reports what compaction did to posts.
func (w *town) effect(kind string) {
	slices.Sort(w.quiet)
	slices.Sort(w.busy)
	e := effect{kind, len(w.quiet), len(w.busy), quantile(w.quiet, 0.5), quantile(w.busy, 0.5),
		quantile(w.quiet, 0.99), quantile(w.busy, 0.99), 0, median(w.ratios), len(w.ratios), w.store.Usage().Rewritten}
	if e.P99Quiet > 0 {
		e.Ratio = float64(e.P99Busy) / float64(e.P99Quiet)
	}
	report(w.t, e)
}

// audit checks every queue while nobody does anything.
func (w *town) audit() {
	w.t.Helper()
	for _, p := range w.people {
		if err := errors.Join(p.box.audit(), p.aside.audit()); err != nil {
			w.t.Error(err)
		}
	}
}

// state tells everything that can be seen, to be compared.
func (w *town) state() map[string]string {
	w.t.Helper()
	out := make(map[string]string)
	for _, p := range w.people {
		for _, b := range []*box{p.box, p.aside} {
			page, err := w.store.Scan(context.Background(), b.ref, storage.Scan{Limit: 1 << 30, Claimed: true, Delayed: true})
			if err != nil {
				w.t.Fatal(err)
			}
			for i := range page {
				m := &page[i]
				out[string(m.ID)] = fmt.Sprint(b.ref, m.Position, m.Posted, m.Available, m.TTL, m.Expires, m.Claims, m.Claim, crc32.ChecksumIEEE(m.Body))
			}
			q, err := w.store.Queue(context.Background(), b.ref)
			if err != nil && !errors.Is(err, messaging.NotFound) {
				w.t.Fatal(err)
			}
			if err == nil {
				out[fmt.Sprint(b.ref)] = string(q.Metadata.JSON())
			}
		}
	}
	return out
}

// restart closes the store and opens it again: everything must be as it was.
func (w *town) restart() {
	w.t.Helper()
	before := w.state()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
	if diff := cmp.Diff(before, w.state()); diff != "" {
		w.t.Fatalf("after a restart (-before +after):\n%.4000s", diff)
	}
}

// die lets two weeks pass, after which nothing may be left, on disk neither.
func (w *town) die() {
	w.t.Helper()
	w.clock.pass(29 * 24 * time.Hour)
	w.audit()
	if err := w.store.Compact(); err != nil {
		w.t.Fatal(err)
	}
	total, claimed, err := w.store.Volume(context.Background())
	if err != nil || total != 0 || claimed != 0 {
		w.t.Errorf("%d messages are left, %d claimed (%v)", total, claimed, err)
	}
	w.sample()
}

// A day passes with all that happens on it, and a restart at noon.
func TestDay(t *testing.T) {
	w := newTown(t, sized(1, 3), embedded.Config{
		SegmentSize: sized[int64](4<<20, 16<<20),
		SweepEvery:  sized(20*time.Millisecond, 200*time.Millisecond),
	})
	half, window := sized(2*time.Second, time.Minute), sized(500*time.Millisecond, time.Second)
	w.live(12*time.Hour, half, window)
	w.audit()
	w.restart()
	w.audit()
	w.live(12*time.Hour, half, window)
	w.audit()
	w.effect("compaction")
	w.die()
}
