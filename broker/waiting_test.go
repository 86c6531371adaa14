package broker_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/storage"
)

// wakeReasons are what can make a message available to who waits.
var wakeReasons = []struct {
	name   string
	before func(p *pond) func() // what is there, and what happens after 5 s
	want   int                  // when the wait ends, seconds
}{
	{"by a post", func(p *pond) func() {
		return func() { p.post(q, "m") }
	}, 5},
	{"by a message there already", func(p *pond) func() {
		p.post(q, "m")
		return nil
	}, 0},
	{"by the end of a delay", func(p *pond) func() {
		p.create(q, longDelay)
		p.postAll(q, broker.Post{Body: []byte("m"), Delay: []byte("7")})
		return nil
	}, 7},
	{"by the end of a delay of a message posted meanwhile", func(p *pond) func() {
		p.create(q, longDelay)
		return func() {
			p.postAll(q, broker.Post{Body: []byte("late")}, broker.Post{Body: []byte("m"), Delay: []byte("7")},
				broker.Post{Body: []byte("later"), Delay: []byte("90")})
		}
	}, 12},
	{"by the earlier of two delays", func(p *pond) func() {
		p.create(q, longDelay)
		p.postAll(q, broker.Post{Body: []byte("late"), Delay: []byte("70")})
		return func() { p.postAll(q, broker.Post{Body: []byte("m"), Delay: []byte("7")}) }
	}, 12},
	{"by the end of a claim", func(p *pond) func() {
		p.post(q, "m")
		p.claim(q, 1)
		return nil
	}, 60},
	{"by the end of a claim made meanwhile", func(p *pond) func() {
		p.create(q, longDelay)
		p.post(q, "m")
		return func() {
			// Ignores the delay and wakes nobody, as if a claimer had been faster.
			lease, err := p.store.Store.Claim(p.ctx(), q, storage.Terms{TTL: 900, Limit: 1, Delayed: true})
			p.do(err)
			p.do(p.UpdateClaim(p.ctx(), p.who, q, lease.Claim.ID, broker.UpdateClaim{TTL: ptr[int64](930)}))
		}
	}, 935},
	{"by a release", func(p *pond) func() {
		p.post(q, "m")
		id := p.claim(q, 1).Claim.ID
		return func() { p.do(p.ReleaseClaim(p.ctx(), p.who, q, id)) }
	}, 5},
	{"by a claim cut short", func(p *pond) func() {
		p.post(q, "m")
		view, err := p.CreateClaim(p.ctx(), p.who, q, broker.CreateClaim{TTL: ptr[int64](300)})
		p.do(err)
		return func() {
			p.do(p.UpdateClaim(p.ctx(), p.who, q, view.Claim.ID, broker.UpdateClaim{TTL: ptr[int64](60)}))
		}
	}, 65},
	{"by the new end of a renewed claim", func(p *pond) func() {
		p.post(q, "m")
		id := p.claim(q, 1).Claim.ID
		return func() {
			p.do(p.UpdateClaim(p.ctx(), p.who, q, id, broker.UpdateClaim{TTL: ptr[int64](100)}))
		}
	}, 105},
	{"by a delay queue made plain", func(p *pond) func() {
		p.create(q, longDelay)
		p.post(q, "m")
		return func() {
			_, err := p.PatchQueue(p.ctx(), p.who, q, ops("remove _default_message_delay"))
			p.do(err)
		}
	}, 5},
	{"by a configuration without default delay", func(p *pond) func() {
		with := func(delay int64) broker.Config {
			return config(func(c *broker.Config) { c.MaxWait, c.DefaultMessageDelay = 1000, delay })
		}
		p.do(p.Reconfigure(with(900)))
		p.post(q, "m")
		return func() { p.do(p.Reconfigure(with(0))) }
	}, 5},
	{"by a dead letter", func(p *pond) func() {
		p.create(queue("source"), `{"_max_claim_count":1,"_dead_letter_queue":"q"}`)
		p.post(queue("source"), "m")
		p.do(p.ReleaseClaim(p.ctx(), p.who, queue("source"), p.claim(queue("source"), 1).Claim.ID))
		return func() { p.claim(queue("source"), 1) }
	}, 5},
}

func TestWaitersAreWoken(t *testing.T) {
	for _, tt := range wakeReasons {
		for _, sort := range []string{"claimer", "lister"} {
			t.Run(tt.name+"/"+sort, func(t *testing.T) {
				inBubble(t, func(p *pond) {
					act := tt.before(p)
					var c <-chan catch
					if sort == "claimer" {
						c = p.claimer(p.ctx(), q, 1, 1000)
					} else {
						c = p.lister(p.ctx(), q, broker.ListMessages{Echo: true, Wait: 1000})
					}
					if act != nil {
						time.Sleep(seconds(5))
						act()
					}
					p.want("the "+sort, c, "m", tt.want)
				})
			})
		}
	}
}

func TestWaitsEndEmpty(t *testing.T) {
	inBubble(t, func(p *pond) {
		p.post(queue("other"), "x")
		a := p.claimer(p.ctx(), q, 1, 20)
		b := p.lister(p.ctx(), q, broker.ListMessages{Wait: 7})
		c := p.lister(p.ctx(), q, broker.ListMessages{Wait: 7, Marker: "zzz"})
		d := p.claimer(p.ctx(), q, 1, 0)
		p.want("the claimer that does not wait", d, "", 0)
		p.want("the lister", b, "", 7)
		p.want("the lister with an unknown marker", c, "", 7)
		p.want("the claimer", a, "", 20)
		if n := p.store.count("Claim"); n > 4 {
			t.Errorf("%d looks of two claimers that found nothing", n)
		}
	})
}

func TestWaitingListersKeepTheirFilters(t *testing.T) {
	inBubble(t, func(p *pond) {
		p.create(q, `{"_default_message_delay":100}`)
		other := p.client("other")
		post := func(who messaging.Caller, body, delay string) {
			if _, err := p.PostMessages(p.ctx(), who, q, []broker.Post{{Body: []byte(body), Delay: []byte(delay)}}); err != nil {
				t.Fatal(err)
			}
		}
		post(p.who, "first", "0")
		marker := mustList(p.world, q).List[0].Position.String()
		foreign := p.lister(p.ctx(), q, broker.ListMessages{Wait: 500})
		behind := p.lister(p.ctx(), q, broker.ListMessages{Wait: 500, Echo: true, Marker: marker})
		delayed := p.lister(p.ctx(), q, broker.ListMessages{Wait: 500, Echo: true, Marker: marker, IncludeDelayed: true})
		time.Sleep(seconds(1))
		post(p.who, "delayed", "10")
		p.want("the lister of delayed messages", delayed, "delayed", 1)
		time.Sleep(seconds(1))
		post(p.who, "own", "0")
		p.want("the lister behind a marker", behind, "own", 2)
		time.Sleep(seconds(1))
		p.claim(q, 10)
		post(other, "other", "0")
		p.want("the lister of others' messages", foreign, "other", 3)

		claimed := p.lister(p.ctx(), q, broker.ListMessages{Wait: 500, Echo: true})
		synctest.Wait()
		p.claim(q, 10)
		all := p.lister(p.ctx(), q, broker.ListMessages{Wait: 500, Echo: true, IncludeClaimed: true})
		p.want("the lister of claimed messages", all, "first own other", 3)
		p.want("the lister of unclaimed messages", claimed, "other", 3)
	})
}

func TestCancelledWaitsEndAtOnce(t *testing.T) {
	inBubble(t, func(p *pond) {
		ctx, cancel := context.WithCancel(p.ctx())
		claimer, lister := p.claimer(ctx, q, 1, 20), p.lister(ctx, q, broker.ListMessages{Wait: 20})
		time.Sleep(seconds(5))
		wantEqual(t, "waiting", p.Seated(), 2)
		cancel()
		for _, c := range []<-chan catch{claimer, lister} {
			got := <-c
			wantKind(t, got.err, messaging.Unavailable, "cancelled wait")
			wantEqual(t, "ended", got.after, seconds(5))
		}
	})
}

func TestCloseEndsWaits(t *testing.T) {
	inBubble(t, func(p *pond) {
		p.create(queue("delay"), `{"_default_message_delay":500}`)
		p.post(queue("delay"), "later")
		var catches []<-chan catch
		for i := range 20 {
			r := queue(fmt.Sprint("q", i%3))
			catches = append(catches, p.claimer(p.ctx(), r, 1, 900), p.lister(p.ctx(), r, broker.ListMessages{Wait: 900}))
		}
		catches = append(catches, p.claimer(p.ctx(), queue("delay"), 1, 900))
		time.Sleep(seconds(5))
		p.Close()
		p.Close()
		for _, c := range catches {
			p.want("a waiter", c, "", 5)
		}
		p.want("a claimer after the end", p.claimer(p.ctx(), q, 1, 900), "", 5)
		p.want("a lister after the end", p.lister(p.ctx(), q, broker.ListMessages{Wait: 900}), "", 5)
		p.post(q, "m")
		wantEqual(t, "claimed after the end", bodies(p.claim(q, 1).Messages), "m")
	})
}

func TestStoreThatCannotTellWhatIsDue(t *testing.T) {
	inBubble(t, func(p *pond) {
		var broken atomic.Bool
		broken.Store(true)
		p.store.fail = func(method string) error {
			if method == "Due" && broken.Load() {
				return errBroken
			}
			return nil
		}
		got := <-p.claimer(p.ctx(), q, 1, 20)
		wantKind(t, got.err, messaging.Internal, "wait on a store that cannot tell what is due")

		broken.Store(false)
		p.create(q, `{"_default_message_delay":10}`)
		p.post(q, "m")
		p.postAll(q, broker.Post{Body: []byte("n"), Delay: []byte("20")})
		first, second := p.claimer(p.ctx(), q, 1, 100), p.claimer(p.ctx(), q, 1, 100)
		time.Sleep(seconds(5))
		broken.Store(true)
		time.Sleep(seconds(20))
		broken.Store(false)
		a, b := <-first, <-second
		if a.bodies+b.bodies != "mn" && a.bodies+b.bodies != "nm" || max(a.after, b.after) > seconds(26) {
			t.Errorf("they got %+v and %+v", a, b)
		}
		if !strings.Contains(p.log.String(), "cannot tell when messages become available") {
			t.Errorf("the log does not tell: %s", p.log)
		}
	})
}

func TestWaitersCostOneGoroutineEach(t *testing.T) {
	inBubble(t, func(p *pond) {
		const n = 300 // the race detector sometimes ends a bubble of thousands: go.dev/issue/78156
		ctx, cancel := context.WithCancel(p.ctx())
		before := runtime.NumGoroutine()
		for i := range n {
			r := queue(fmt.Sprint("q", i%100))
			if i%2 == 0 {
				p.claimer(ctx, r, 1, 1000)
			} else {
				p.lister(ctx, r, broker.ListMessages{Wait: 1000})
			}
		}
		synctest.Wait()
		wantEqual(t, "waiting", p.Seated(), n)
		wantEqual(t, "lobbies", p.Lobbies(), 100)
		if more := runtime.NumGoroutine() - before; more > n+10 {
			t.Errorf("%d goroutines for %d waiters", more, n)
		}
		cancel()
	})
}

// BenchmarkWaiters reports what a waiter costs in memory. The stack is that of
// the request's goroutine.
func BenchmarkWaiters(b *testing.B) {
	w := newWorld(b, func(c *broker.Config) { c.MaxWait = 3600 })
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for i := range b.N {
		wg.Go(func() {
			w.CreateClaim(ctx, w.who, queue(fmt.Sprint("q", i%1000)), broker.CreateClaim{Wait: 3600})
		})
	}
	for w.Seated() < b.N {
		runtime.Gosched()
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "heap-B/waiter")
	b.ReportMetric(float64(after.StackInuse-before.StackInuse)/float64(b.N), "stack-B/waiter")
	cancel()
	wg.Wait()
}
