package quota_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/quota"
	"zaqar/storage/memory"
)

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
	const many = 3 * quota.MaxProjects
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
