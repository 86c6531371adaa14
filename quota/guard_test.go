package quota_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/quota"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// clock is a clock that tests move.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_900_000_000, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// world is a store with a Guard.
type world struct {
	testing.TB
	*quota.Guard
	clock *clock
	store *memory.Store
}

const p = messaging.Project("p")

var q = messaging.QueueRef{Project: p, Name: "q"}

func newWorld(t testing.TB, l messaging.Limits, edits ...func(*quota.Config)) *world {
	t.Helper()
	c := &clock{}
	w := &world{TB: t, clock: c, store: memory.New(storage.Env{Now: c.now})}
	config := quota.Config{Defaults: l}
	for _, edit := range edits {
		edit(&config)
	}
	w.Guard = w.another(w.store, config)
	return w
}

// another returns one more Guard, as of another node over the same stores.
func (w *world) another(control storage.Control, c quota.Config) *quota.Guard {
	w.Helper()
	g, err := quota.New(c, quota.Parts{Control: control, Data: w.store, Now: w.clock.now})
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// post stores n messages with bodies of 10 bytes if there is room.
func (w *world) post(g *quota.Guard, n int) error {
	hold, err := g.HoldMessages(w.Context(), p, n, int64(n)*10)
	if err != nil {
		return err
	}
	defer hold.Done()
	drafts := make([]messaging.Draft, n)
	for i := range drafts {
		drafts[i] = messaging.Draft{TTL: 60, Body: []byte(`"12345678"`)}
	}
	_, err = w.store.Append(context.Background(), q, "", drafts)
	return err
}

func (w *world) stored() int64 {
	w.Helper()
	s, err := w.store.Stored(w.Context(), p)
	w.must(err)
	return s.Messages
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) wants(err error, kind messaging.Kind) {
	w.Helper()
	if !errors.Is(err, kind) {
		w.Fatalf("got %v, want %s", err, kind)
	}
}

// enter lets one request in and out, and returns how long to wait if it is
// refused.
func (w *world) enter(project messaging.Project, bytes int64) time.Duration {
	w.Helper()
	v, err := w.Enter(w.Context(), project)
	var e *messaging.Error
	switch {
	case err == nil:
		v.Leave(bytes)
		return 0
	case !errors.As(err, &e) || e.Kind != messaging.Exceeded || e.After <= 0:
		w.Fatalf("refused with %#v", err)
	}
	return e.After
}

func TestNilGuardLimitsNothing(t *testing.T) {
	var g *quota.Guard
	v, err := g.Enter(t.Context(), p)
	v.Leave(1 << 40)
	h1, err1 := g.HoldMessages(t.Context(), p, 1<<30, 1<<50)
	h2, err2 := g.HoldQueue(t.Context(), q)
	h3, err3 := g.HoldSubscription(t.Context(), p)
	h4, err4 := g.HoldWait(t.Context(), p)
	for _, h := range []quota.Hold{h1, h2, h3, h4} {
		h.Done()
	}
	l := g.NewLink()
	err5 := l.Use(t.Context(), p)
	l.Close()
	g.Changed(p)
	if err := errors.Join(err, err1, err2, err3, err4, err5, g.Reconfigure(quota.Config{})); err != nil {
		t.Error(err)
	}
	if quota.LinkOf(quota.WithLink(t.Context(), l)) != nil {
		t.Error("a nil Guard has links")
	}
}

func TestWrongConfigurations(t *testing.T) {
	w := newWorld(t, nil)
	for text, c := range map[string]quota.Config{
		`"queue"`:               {Defaults: messaging.Limits{"queue": 1}},
		"queues":                {Defaults: messaging.Limits{messaging.LimitQueues: -2}},
		"topics":                {Defaults: messaging.Limits{messaging.LimitTopics: messaging.MaxLimit + 1}},
		`"p": requests_per_sec`: {Projects: map[messaging.Project]messaging.Limits{p: {messaging.LimitRequests: 0}}},
	} {
		if err := w.Reconfigure(c); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v, want it to name %s", c, err, text)
		}
	}
	for _, parts := range []quota.Parts{{}, {Control: w.store, Data: w.store}, {Control: w.store, Now: w.clock.now}, {Data: w.store, Now: w.clock.now}} {
		if _, err := quota.New(quota.Config{}, parts); err == nil {
			t.Errorf("%+v are enough", parts)
		}
	}
}

func TestRequestRate(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitRequests: 10, messaging.LimitRequestBurst: 3})
	for i := range 3 {
		if wait := w.enter(p, 1); wait != 0 {
			t.Fatalf("request %d waits %v", i, wait)
		}
	}
	if wait := w.enter(p, 1); wait != 100*time.Millisecond {
		t.Errorf("beyond the burst: wait %v", wait)
	}
	if wait := w.enter("other", 1); wait != 0 {
		t.Errorf("another project waits %v", wait)
	}
	w.clock.advance(100*time.Millisecond - 1)
	if w.enter(p, 1) != 1 {
		t.Error("let in too early")
	}
	w.clock.advance(1)
	if w.enter(p, 1) != 0 || w.enter(p, 1) == 0 {
		t.Error("after 100 ms there is not exactly one more")
	}
	w.clock.advance(time.Hour)
	for range 3 {
		w.enter(p, 1)
	}
	if w.enter(p, 1) == 0 {
		t.Error("a pause is worth more than the burst")
	}
}

// Over any time the rate is kept to the burst, whatever the rhythm.
func TestRequestRateOverTime(t *testing.T) {
	for _, rate := range []int64{1, 7, 1000, 33_333} {
		w := newWorld(t, messaging.Limits{messaging.LimitRequests: rate})
		passed := int64(0)
		const steps = 5_000
		step := 10 * time.Second / steps
		for range steps {
			w.clock.advance(step)
			for w.enter(p, 0) == 0 {
				passed++
			}
		}
		if most := rate * 11; passed > most || passed < most*999/1000-1 {
			t.Errorf("at %d/s %d passed in 10 s after a burst of a second", rate, passed)
		}
	}
}

func TestRequestsAtOnce(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitRequests: 100})
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 50 {
				if v, err := w.Enter(context.Background(), p); err == nil {
					passed.Add(1)
					v.Leave(0)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d of 800 passed, want 100", passed.Load())
	}
	if n := w.Stats().Refused[messaging.LimitRequests]; n != 700 {
		t.Errorf("%d counted as refused, want 700", n)
	}
}

func TestByteRate(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitByteRate: 1000, messaging.LimitByteBurst: 5000})
	if w.enter(p, 4999) != 0 || w.enter(p, 10_001) != 0 {
		t.Fatal("refused though something was left")
	}
	if wait := w.enter(p, 0); wait < 10*time.Second || wait > 10*time.Second+time.Millisecond {
		t.Errorf("10,000 bytes in debt: wait %v", wait)
	}
	w.clock.advance(10*time.Second + time.Millisecond)
	if w.enter(p, 100_000) != 0 {
		t.Error("refused though the debt is paid")
	}
	// A reload that changes nothing forgives nothing.
	w.must(w.Reconfigure(quota.Config{Defaults: messaging.Limits{messaging.LimitByteRate: 1000, messaging.LimitByteBurst: 5000}}))
	if wait := w.enter(p, 0); wait < 90*time.Second {
		t.Errorf("after a reload without a change: wait %v", wait)
	}
	// An administrator need not wait for debts under the old limit.
	w.must(w.Reconfigure(quota.Config{Defaults: messaging.Limits{messaging.LimitByteRate: 2000}}))
	if w.enter(p, 0) != 0 {
		t.Error("an old debt outlives a new limit")
	}
	if n := w.Stats().Refused[messaging.LimitByteRate]; n != 2 {
		t.Errorf("%d refusals counted", n)
	}
}

// The numbers may be as large as they are allowed to be.
func TestExtremeRates(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitRequests: messaging.MaxLimit, messaging.LimitByteRate: 1, messaging.LimitByteBurst: messaging.MaxLimit})
	for range 10 {
		if w.enter(p, 1<<20) != 0 {
			t.Fatal("refused")
		}
	}
	w = newWorld(t, messaging.Limits{messaging.LimitByteRate: 1})
	for range 3 {
		w.enter(p, 1<<62)
	}
	if wait := w.enter(p, 0); wait < 24*365*time.Hour {
		t.Errorf("2^62 bytes at one a second: wait %v", wait)
	}
}

// A clock that is set back neither blocks nor panics for longer than it was set
// back.
func TestClockSetBack(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitRequests: 1})
	w.clock.advance(time.Hour)
	w.enter(p, 0)
	w.clock.advance(-2 * time.Hour)
	_ = w.enter(p, 0)
	w.clock.advance(2*time.Hour + time.Second)
	if w.enter(p, 0) != 0 {
		t.Error("still refused when the clock is back where it was")
	}
}

func TestWhoSaysWhatTheLimitsAre(t *testing.T) {
	file := func(c *quota.Config) {
		c.Projects = map[messaging.Project]messaging.Limits{p: {messaging.LimitTopics: 20, messaging.LimitMessages: 21}}
	}
	w := newWorld(t, messaging.Limits{messaging.LimitQueues: 10, messaging.LimitTopics: 11, messaging.LimitMessages: 12}, file)
	w.must(w.store.PutQuota(t.Context(), messaging.Quota{Project: p, Limits: messaging.Limits{
		messaging.LimitMessages: 31, messaging.LimitConnections: messaging.Unlimited, "unheard_of": 5}}))
	said := func(project messaging.Project) [4]int64 {
		l := w.Limits(t.Context(), project)
		return [4]int64{l[messaging.LimitQueues], l[messaging.LimitTopics], l[messaging.LimitMessages], l[messaging.LimitConnections]}
	}
	if got := said(p); got != [4]int64{10, 20, 31, -1} {
		t.Errorf("of the project: %v", got)
	}
	if got := said("other"); got != [4]int64{10, 11, 12, -1} {
		t.Errorf("of another: %v", got)
	}
	want := map[messaging.Limit]int64{}
	for _, l := range messaging.AllLimits() {
		want[l] = messaging.Unlimited
	}
	want[messaging.LimitQueues], want[messaging.LimitTopics], want[messaging.LimitMessages] = 10, 20, 21
	if d := cmp.Diff(messaging.Limits(want), w.Defaults(p)); d != "" {
		t.Error("defaults:", d)
	}
}

// A change is in force at once where it is made, and elsewhere in time.
func TestChangesOfQuotas(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitQueues: 1}, func(c *quota.Config) { c.Fresh = 5 * time.Second })
	other := w.another(w.store, quota.Config{Defaults: messaging.Limits{messaging.LimitQueues: 1}, Fresh: 5 * time.Second})
	is := func(g *quota.Guard, want int64) {
		t.Helper()
		if got := g.Limits(t.Context(), p)[messaging.LimitQueues]; got != want {
			t.Errorf("limit %d, want %d", got, want)
		}
	}
	is(w.Guard, 1)
	is(other, 1)
	w.must(w.store.PutQuota(t.Context(), messaging.Quota{Project: p, Limits: messaging.Limits{messaging.LimitQueues: 2}}))
	w.Changed(p)
	is(w.Guard, 2)
	is(other, 1)
	w.clock.advance(5 * time.Second)
	is(other, 2)
	w.must(w.store.DeleteQuota(t.Context(), p))
	w.Changed(p)
	is(w.Guard, 1)
	w.clock.advance(5 * time.Second)
	is(other, 1)
	w.must(w.Reconfigure(quota.Config{Defaults: messaging.Limits{messaging.LimitQueues: 9}}))
	is(w.Guard, 9)
}

// unreadable is a store whose quotas cannot be read for a while.
type unreadable struct {
	*memory.Store
	broken atomic.Bool
	reads  atomic.Int64
}

func (u *unreadable) Quota(ctx context.Context, p messaging.Project) (messaging.Quota, error) {
	u.reads.Add(1)
	if u.broken.Load() {
		return messaging.Quota{}, messaging.E(messaging.Unavailable, "")
	}
	return u.Store.Quota(ctx, p)
}

func TestStoreThatCannotBeRead(t *testing.T) {
	w := newWorld(t, nil)
	u := &unreadable{Store: w.store}
	g := w.another(u, quota.Config{Defaults: messaging.Limits{messaging.LimitQueues: 1}})
	w.must(w.store.PutQuota(t.Context(), messaging.Quota{Project: p, Limits: messaging.Limits{messaging.LimitQueues: 2}}))
	w.must(w.store.PutQuota(t.Context(), messaging.Quota{Project: "granted", Limits: messaging.Limits{messaging.LimitQueues: 7}}))
	limit := func(p messaging.Project) int64 { return g.Limits(t.Context(), p)[messaging.LimitQueues] }
	if limit(p) != 2 {
		t.Fatal("not read")
	}
	u.broken.Store(true)
	w.clock.advance(30 * time.Second)
	if limit(p) != 2 || limit("new") != 1 {
		t.Error("what was known does not hold, or the defaults")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	u.broken.Store(false)
	if n := g.Limits(gone, "granted")[messaging.LimitQueues]; n != 7 {
		t.Errorf("to a caller that has gone the limit is %d", n)
	}
	u.broken.Store(true)
	before := u.reads.Load()
	for range 100 {
		limit(p)
	}
	if n := u.reads.Load() - before; n != 0 {
		t.Errorf("a store that failed just now was asked %d times more", n)
	}
	u.broken.Store(false)
	w.must(w.store.PutQuota(t.Context(), messaging.Quota{Project: p, Limits: messaging.Limits{messaging.LimitQueues: 3}}))
	w.clock.advance(time.Second)
	if limit(p) != 3 {
		t.Error("not tried again after a second")
	}
}

func TestMessagesAndBytes(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitMessages: 10, messaging.LimitMessageBytes: 85})
	w.must(w.post(w.Guard, 4))
	w.must(w.post(w.Guard, 4))
	err := w.post(w.Guard, 1) // 90 bytes
	w.wants(err, messaging.OverQuota)
	if text := err.Error(); !strings.Contains(text, "85 bytes") || !strings.Contains(text, "has 80") {
		t.Errorf("bytes are refused with %q", text)
	}
	w.must(w.Reconfigure(quota.Config{Defaults: messaging.Limits{messaging.LimitMessages: 10}}))
	w.must(w.post(w.Guard, 2))
	err = w.post(w.Guard, 1)
	w.wants(err, messaging.OverQuota)
	if text := err.Error(); !strings.Contains(text, "10 messages and has 10") {
		t.Errorf("messages are refused with %q", text)
	}
	w.wants(w.post(w.Guard, 11), messaging.OverQuota)
	w.clock.advance(time.Minute) // they expire
	w.must(w.post(w.Guard, 10))
	got := w.Stats().Refused
	if got[messaging.LimitMessages] != 2 || got[messaging.LimitMessageBytes] != 1 {
		t.Errorf("counted %v", got)
	}
}

// Many at a time get what there is room for, no more and no less.
func TestExactAtOnce(t *testing.T) {
	for _, limit := range []int64{1, 7, 100} {
		w := newWorld(t, messaging.Limits{messaging.LimitMessages: limit})
		var stored, refused atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for range 20 {
					switch err := w.post(w.Guard, 1); {
					case err == nil:
						stored.Add(1)
					case errors.Is(err, messaging.OverQuota):
						refused.Add(1)
					default:
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if stored.Load() != limit || w.stored() != limit || refused.Load() != 320-limit {
			t.Errorf("limit %d: %d posts succeeded, %d were refused, %d are stored", limit, stored.Load(), refused.Load(), w.stored())
		}
	}
}

// With consumers and producers at the limit nothing is overshot, and nothing
// is refused for ever.
func TestExactWhileDeleting(t *testing.T) {
	const limit = 10
	w := newWorld(t, messaging.Limits{messaging.LimitMessages: limit})
	var posted, popped, over atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if w.post(w.Guard, 3) == nil {
					posted.Add(3)
				}
				s, err := w.store.Stored(context.Background(), p)
				if err != nil || s.Messages > limit {
					over.Add(1)
				}
				list, err := w.store.Pop(context.Background(), q, storage.Take{Limit: 2})
				if err != nil {
					t.Error(err)
				}
				popped.Add(int64(len(list)))
			}
		})
	}
	all.Wait()
	if over.Load() > 0 {
		t.Errorf("the limit was passed %d times", over.Load())
	}
	if posted.Load()-popped.Load() != w.stored() || popped.Load() < 1000 {
		t.Errorf("%d posted, %d taken, %d left", posted.Load(), popped.Load(), w.stored())
	}
}

// What is under way decides: who would pass the limit only with it waits.
func TestWaitsForWhatIsUnderWay(t *testing.T) {
	for _, stores := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, messaging.Limits{messaging.LimitMessages: 1})
			first, err := w.HoldMessages(t.Context(), p, 1, 1)
			w.must(err)
			var second error
			var decided atomic.Bool
			go func() {
				second = w.post(w.Guard, 1)
				decided.Store(true)
			}()
			synctest.Wait()
			if decided.Load() {
				t.Fatalf("decided before the first has: %v", second)
			}
			if stores {
				_, err := w.store.Append(t.Context(), q, "", []messaging.Draft{{TTL: 60, Body: []byte("1")}})
				w.must(err)
			}
			first.Done()
			synctest.Wait()
			if !decided.Load() || errors.Is(second, messaging.OverQuota) != stores || w.stored() != 1 {
				t.Errorf("the first stores: %v; the second: decided %v, %v; %d stored", stores, decided.Load(), second, w.stored())
			}
		})
	}
}

// Of two nodes each can give out what the other one does, for a second.
func TestTwoNodes(t *testing.T) {
	l := messaging.Limits{messaging.LimitMessages: 10}
	w := newWorld(t, l)
	other := w.another(w.store, quota.Config{Defaults: l})
	w.must(w.post(w.Guard, 1))
	w.must(w.post(other, 1))
	for i := range 30 {
		if i%2 == 0 {
			_ = w.post(w.Guard, 1)
		} else {
			_ = w.post(other, 1)
		}
	}
	if n := w.stored(); n < 10 || n > 10+10-1 {
		t.Errorf("%d stored by two nodes with a limit of 10", n)
	}
	// After a second each knows of the other.
	w.clock.advance(time.Second)
	w.wants(w.post(w.Guard, 1), messaging.OverQuota)
	w.wants(w.post(other, 1), messaging.OverQuota)
}

func TestQueuesTopicsSubscriptions(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitQueues: 2, messaging.LimitTopics: 1, messaging.LimitSubscriptions: 1})
	make1 := func(ref messaging.QueueRef) error {
		hold, err := w.HoldQueue(t.Context(), ref)
		if err == nil {
			defer hold.Done()
			_, err = w.store.CreateQueue(t.Context(), ref, nil)
		}
		return err
	}
	w.must(make1(messaging.QueueRef{Project: p, Name: "a"}))
	w.must(make1(messaging.QueueRef{Project: p, Name: "b"}))
	w.wants(make1(messaging.QueueRef{Project: p, Name: "c"}), messaging.OverQuota)
	w.must(make1(messaging.QueueRef{Project: p, Name: "a", Topic: true}))
	w.wants(make1(messaging.QueueRef{Project: p, Name: "b", Topic: true}), messaging.OverQuota)
	w.must(make1(messaging.QueueRef{Project: "other", Name: "c"}))
	w.must(w.store.DeleteQueue(t.Context(), messaging.QueueRef{Project: p, Name: "a"}))
	w.must(make1(messaging.QueueRef{Project: p, Name: "c"}))

	hold, err := w.HoldSubscription(t.Context(), p)
	w.must(err)
	_, _, err = w.store.Subscribe(t.Context(), messaging.Subscription{Source: q, Subscriber: "http://a", TTL: 60})
	w.must(err)
	hold.Done()
	_, err = w.HoldSubscription(t.Context(), p)
	w.wants(err, messaging.OverQuota)
	u, err := w.Usage(t.Context(), p)
	w.must(err)
	if d := cmp.Diff(quota.Usage{Queues: 2, Topics: 1, Subscriptions: 1}, u); d != "" {
		t.Error(d)
	}
	w.clock.advance(time.Minute)
	hold, err = w.HoldSubscription(t.Context(), p)
	w.must(err)
	hold.Done()
}

func TestWaits(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitWaiting: 2})
	first, err := w.HoldWait(t.Context(), p)
	w.must(err)
	second, err := w.HoldWait(t.Context(), p)
	w.must(err)
	_, err = w.HoldWait(t.Context(), p)
	w.wants(err, messaging.Exceeded)
	if u, _ := w.Usage(t.Context(), p); u.Waiting != 2 {
		t.Errorf("%d wait", u.Waiting)
	}
	first.Done()
	third, err := w.HoldWait(t.Context(), p)
	w.must(err)
	second.Done()
	third.Done()
	if u, _ := w.Usage(t.Context(), p); u.Waiting != 0 {
		t.Errorf("%d wait after all are gone", u.Waiting)
	}
}

func TestLinks(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitConnections: 2})
	counts := func(project messaging.Project, want int64) {
		t.Helper()
		if u, err := w.Usage(t.Context(), project); err != nil || u.Connections != want {
			t.Errorf("%d connections of %s, want %d (%v)", u.Connections, project, want, err)
		}
	}
	a, b, c := w.NewLink(), w.NewLink(), w.NewLink()
	counts(p, 0)
	w.must(a.Use(t.Context(), p))
	w.must(a.Use(t.Context(), p))
	w.must(b.Use(t.Context(), p))
	counts(p, 2)
	w.wants(c.Use(t.Context(), p), messaging.Exceeded)
	counts(p, 2)
	w.must(b.Use(t.Context(), "other")) // the connection changes hands
	counts(p, 1)
	counts("other", 1)
	w.must(c.Use(t.Context(), p))
	w.wants(b.Use(t.Context(), p), messaging.Exceeded)
	counts("other", 1)
	a.Close()
	a.Close()
	counts(p, 1)
	w.must(a.Use(t.Context(), p)) // a request that ends after its connection
	counts(p, 1)
	if quota.LinkOf(quota.WithLink(t.Context(), c)) != c || quota.LinkOf(t.Context()) != nil {
		t.Error("a context does not carry its link")
	}
}

// Whatever ids come, memory is bounded, what is under way is kept, and what is
// idle is forgotten.
func TestMillionsOfProjects(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitRequests: 1, messaging.LimitWaiting: 1})
	held, err := w.HoldWait(t.Context(), "held")
	w.must(err)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	many := 1_000_000
	if testing.Short() {
		many = 200_000
	}
	suffix := strings.Repeat("x", 50)
	for i := range many {
		w.enter(messaging.Project(fmt.Sprintf("%d%s", i, suffix)), 10)
	}
	n, grown := w.Stats().Projects, heap()-before
	t.Logf("%d projects, %d kept, %d KiB", many, n, grown>>10)
	if n > quota.MaxProjects || grown > 24<<20 {
		t.Errorf("%d are kept in %d bytes", n, grown)
	}
	if _, err := w.HoldWait(t.Context(), "held"); !errors.Is(err, messaging.Exceeded) {
		t.Errorf("a wait was forgotten: %v", err)
	}
	held.Done()
	w.clock.advance(2 * quota.IdleTime)
	for i := range 1000 { // somebody in each shard
		w.enter(messaging.Project(fmt.Sprint("late", i)), 0)
	}
	if n, grown := w.Stats().Projects, heap()-before; n > 1000 || grown > 4<<20 {
		t.Errorf("%d are kept in %d bytes when all are idle", n, grown)
	}
}

// A flood of ids does not lift the limit of somebody who goes on.
func TestFloodDoesNotFree(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitRequests: 5})
	passed := 0
	for i := range 200_000 {
		w.clock.advance(2500 * time.Nanosecond)
		w.enter(messaging.Project(fmt.Sprint(i)), 0)
		if i%100 == 0 && w.enter(p, 0) == 0 {
			passed++
		}
	}
	if passed > 8 { // 5, and 2.5 in half a second
		t.Errorf("%d passed in half a second", passed)
	}
}
