package broker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
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

// pond is a world in a synctest bubble, with its waiters.
type pond struct {
	*world
	store *faulty
	began time.Time
	wg    sync.WaitGroup
}

// inBubble runs test on a pond and then checks that nobody is left behind.
func inBubble(t *testing.T, test func(p *pond), edits ...func(*broker.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		edits := append([]func(*broker.Config){func(c *broker.Config) { c.MaxWait = 1000 }}, edits...)
		w := worldAt(t, &clock{bubble: true}, edits...)
		p := &pond{world: w, store: &faulty{Store: w.store}, began: time.Now()}
		w.Broker = w.brokerOn(p.store, p.store, config(edits...))
		test(p)
		p.wg.Wait()
		if n, m := p.Lobbies(), p.Seated(); n != 0 || m != 0 {
			t.Errorf("%d lobbies and %d seats are left", n, m)
		}
	})
}

// catch is what a waiter got.
type catch struct {
	bodies string
	after  time.Duration // since the pond began
	err    error
}

// claimer waits in a goroutine and sends what it got.
func (p *pond) claimer(ctx context.Context, q messaging.QueueRef, limit int, wait int64) <-chan catch {
	return p.waiter(func() (broker.Messages, error) {
		view, err := p.CreateClaim(ctx, p.who, q, broker.CreateClaim{Limit: &limit, TTL: ptr[int64](60), Wait: wait})
		return view.Messages, err
	})
}

func (p *pond) lister(ctx context.Context, q messaging.QueueRef, in broker.ListMessages) <-chan catch {
	return p.waiter(func() (broker.Messages, error) { return p.ListMessages(ctx, p.who, q, in) })
}

func (p *pond) waiter(wait func() (broker.Messages, error)) <-chan catch {
	c := make(chan catch, 1)
	p.wg.Go(func() {
		got, err := wait()
		c <- catch{bodies(got), time.Since(p.began), err}
	})
	return c
}

// want checks what a waiter got, and when.
func (p *pond) want(what string, c <-chan catch, bodies string, seconds int) {
	p.Helper()
	got := <-c
	if got.err != nil || got.bodies != bodies || got.after != time.Duration(seconds)*time.Second {
		p.Errorf("%s got %q after %v (%v), want %q after %d s", what, got.bodies, got.after, got.err, bodies, seconds)
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// everythingFree scans for all available messages.
var everythingFree = storage.Scan{Limit: 1000}

func TestWaitersAreWoken(t *testing.T) {
	const delayQueue = `{"_default_message_delay":900}`
	do := func(p *pond, err error) {
		p.Helper()
		if err != nil {
			p.Fatal(err)
		}
	}
	for _, tt := range []struct {
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
			p.create(q, delayQueue)
			p.postAll(q, broker.Post{Body: []byte("m"), Delay: []byte("7")})
			return nil
		}, 7},
		{"by the end of a delay of a message posted meanwhile", func(p *pond) func() {
			p.create(q, delayQueue)
			return func() {
				p.postAll(q, broker.Post{Body: []byte("late")}, broker.Post{Body: []byte("m"), Delay: []byte("7")},
					broker.Post{Body: []byte("later"), Delay: []byte("90")})
			}
		}, 12},
		{"by the earlier of two delays", func(p *pond) func() {
			p.create(q, delayQueue)
			p.postAll(q, broker.Post{Body: []byte("late"), Delay: []byte("70")})
			return func() { p.postAll(q, broker.Post{Body: []byte("m"), Delay: []byte("7")}) }
		}, 12},
		{"by the end of a claim", func(p *pond) func() {
			p.post(q, "m")
			p.claim(q, 1)
			return nil
		}, 60},
		{"by the end of a claim made meanwhile", func(p *pond) func() {
			p.create(q, delayQueue)
			p.post(q, "m")
			return func() {
				// Ignores the delay and wakes nobody, as if a claimer had been faster.
				lease, err := p.store.Store.Claim(p.ctx(), q, storage.Terms{TTL: 900, Limit: 1, Delayed: true})
				do(p, err)
				do(p, p.UpdateClaim(p.ctx(), p.who, q, lease.Claim.ID, broker.UpdateClaim{TTL: ptr[int64](930)}))
			}
		}, 935},
		{"by a release", func(p *pond) func() {
			p.post(q, "m")
			id := p.claim(q, 1).Claim.ID
			return func() { do(p, p.ReleaseClaim(p.ctx(), p.who, q, id)) }
		}, 5},
		{"by a claim cut short", func(p *pond) func() {
			p.post(q, "m")
			view, err := p.CreateClaim(p.ctx(), p.who, q, broker.CreateClaim{TTL: ptr[int64](300)})
			do(p, err)
			return func() {
				do(p, p.UpdateClaim(p.ctx(), p.who, q, view.Claim.ID, broker.UpdateClaim{TTL: ptr[int64](60)}))
			}
		}, 65},
		{"by the new end of a renewed claim", func(p *pond) func() {
			p.post(q, "m")
			id := p.claim(q, 1).Claim.ID
			return func() {
				do(p, p.UpdateClaim(p.ctx(), p.who, q, id, broker.UpdateClaim{TTL: ptr[int64](100)}))
			}
		}, 105},
		{"by a delay queue made plain", func(p *pond) func() {
			p.create(q, delayQueue)
			p.post(q, "m")
			return func() {
				_, err := p.PatchQueue(p.ctx(), p.who, q, ops("remove _default_message_delay"))
				do(p, err)
			}
		}, 5},
		{"by a configuration without default delay", func(p *pond) func() {
			with := func(delay int64) broker.Config {
				return config(func(c *broker.Config) { c.MaxWait, c.DefaultMessageDelay = 1000, delay })
			}
			do(p, p.Reconfigure(with(900)))
			p.post(q, "m")
			return func() { do(p, p.Reconfigure(with(0))) }
		}, 5},
		{"by a dead letter", func(p *pond) func() {
			p.create(queue("source"), `{"_max_claim_count":1,"_dead_letter_queue":"q"}`)
			p.post(queue("source"), "m")
			do(p, p.ReleaseClaim(p.ctx(), p.who, queue("source"), p.claim(queue("source"), 1).Claim.ID))
			return func() { p.claim(queue("source"), 1) }
		}, 5},
	} {
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

// looks returns by how much the number of claims grows while do runs.
func (p *pond) looks(do func()) int {
	synctest.Wait()
	before := p.store.count("Claim")
	do()
	synctest.Wait()
	return p.store.count("Claim") - before
}

func TestOneMessageWakesOneClaimer(t *testing.T) {
	for _, limit := range []int{1, 10} {
		inBubble(t, func(p *pond) {
			ctx, cancel := context.WithCancel(p.ctx())
			var catches []<-chan catch
			for range 10 {
				catches = append(catches, p.claimer(ctx, q, limit, 1000))
				synctest.Wait()
			}
			wantEqual(t, "looks after a post", p.looks(func() { p.post(q, "a") }), 1)
			p.want("the first", catches[0], "a", 0)
			wantEqual(t, "looks after a post elsewhere", p.looks(func() { p.post(queue("x"), "a") }), 0)
			wantEqual(t, "looks after a post of 3", p.looks(func() { p.post(q, "b", "c", "d") }), 3)
			if limit == 1 {
				var got []string
				for _, c := range catches[1:4] {
					got = append(got, (<-c).bodies)
				}
				wantEqual(t, "claimers of one message each", len(strings.Join(got, "")), 3)
			}
			cancel()
		})
	}
}

func TestReleaseWakesAsManyClaimersAsMessages(t *testing.T) {
	inBubble(t, func(p *pond) {
		p.post(q, "a", "b")
		id := p.claim(q, 2).Claim.ID
		ctx, cancel := context.WithCancel(p.ctx())
		for range 10 {
			p.claimer(ctx, q, 1, 1000)
		}
		n := p.looks(func() {
			if err := p.ReleaseClaim(ctx, p.who, q, id); err != nil {
				t.Fatal(err)
			}
		})
		wantEqual(t, "looks", n, 2)
		wantEqual(t, "still waiting", p.Seated(), 8)
		cancel()
	})
}

// TestDueMessagesWakeClaimersInTurn: nobody says how many messages an instant
// makes available, so each claimer that takes its fill wakes the next.
func TestDueMessagesWakeClaimersInTurn(t *testing.T) {
	for _, tt := range []struct{ messages, limit, claimers, looks int }{
		{1, 10, 10, 1},
		{1, 1, 10, 2},
		{25, 10, 10, 3},
		{30, 10, 10, 4},
		{30, 10, 2, 2},
	} {
		inBubble(t, func(p *pond) {
			p.create(q, `{"_default_message_delay":30}`)
			for range tt.messages {
				p.post(q, "1")
			}
			ctx, cancel := context.WithCancel(p.ctx())
			var got atomic.Int64
			for range tt.claimers {
				p.wg.Go(func() {
					view, _ := p.CreateClaim(ctx, p.who, q, broker.CreateClaim{Limit: &tt.limit, Wait: 1000})
					got.Add(int64(len(view.List)))
				})
			}
			wantEqual(t, fmt.Sprintf("%+v: looks at the end of the delay", tt),
				p.looks(func() { time.Sleep(seconds(30)) }), tt.looks)
			wantEqual(t, fmt.Sprintf("%+v: claimed", tt), got.Load(), int64(min(tt.messages, tt.claimers*tt.limit)))
			cancel()
		})
	}
}

func TestListersAllWake(t *testing.T) {
	inBubble(t, func(p *pond) {
		var catches []<-chan catch
		for range 20 {
			catches = append(catches, p.lister(p.ctx(), q, broker.ListMessages{Echo: true, Wait: 100}))
		}
		claimer := p.claimer(p.ctx(), q, 1, 100)
		time.Sleep(seconds(3))
		p.post(q, "a", "b")
		for _, c := range catches {
			if got := <-c; got.err != nil || got.after != seconds(3) || !strings.Contains("a b", got.bodies) || got.bodies == "" {
				t.Errorf("a lister got %+v", got)
			}
		}
		p.want("the claimer", claimer, "a", 3)
	})
}

// TestWokenClaimersGoBackToWait takes the message away before the claimer that
// was woken for it can look.
func TestWokenClaimersGoBackToWait(t *testing.T) {
	inBubble(t, func(p *pond) {
		var thief atomic.Bool
		p.store.after = func(method string) {
			if method == "Append" && thief.Load() {
				if err := p.store.Store.Drop(p.ctx(), q); err != nil {
					t.Error(err)
				}
			}
		}
		first, second := p.claimer(p.ctx(), q, 1, 20), p.claimer(p.ctx(), q, 1, 20)
		time.Sleep(seconds(5))
		thief.Store(true)
		wantEqual(t, "looks", p.looks(func() { p.post(q, "stolen") }), 1)
		wantEqual(t, "still waiting", p.Seated(), 2)
		thief.Store(false)
		time.Sleep(seconds(5))
		p.post(q, "m")
		got := []catch{<-first, <-second}
		for _, c := range got {
			if want := (catch{"m", seconds(10), nil}); c.bodies != "" && c != want {
				t.Errorf("one got %+v, want %+v", c, want)
			}
			if want := (catch{"", seconds(20), nil}); c.bodies == "" && c != want {
				t.Errorf("one got %+v, want %+v", c, want)
			}
		}
		wantEqual(t, "caught", got[0].bodies+got[1].bodies, "m")
	})
}

// TestUnusedWakeUpsArePassedOn cancels a claimer at the moment it is woken.
func TestUnusedWakeUpsArePassedOn(t *testing.T) {
	for i := range 40 {
		inBubble(t, func(p *pond) {
			ctx, cancel := context.WithCancel(p.ctx())
			leaving := p.claimer(ctx, q, 1, 20)
			synctest.Wait()
			staying := p.claimer(p.ctx(), q, 1, 20)
			synctest.Wait()
			time.Sleep(seconds(5))
			if i%2 == 0 {
				p.post(q, "m")
				cancel()
			} else {
				cancel()
				p.post(q, "m")
			}
			got := <-leaving
			if got.bodies == "m" {
				// It was faster than its cancellation.
				p.want("the one that stays", staying, "", 20)
				return
			}
			wantKind(t, got.err, messaging.Unavailable, "cancelled wait")
			wantEqual(t, "cancelled", got.after, seconds(5))
			p.want("the one that stays", staying, "m", 5)
		})
	}
}

func TestWakeUpOfAFailedLookIsPassedOn(t *testing.T) {
	inBubble(t, func(p *pond) {
		var fails atomic.Int64
		p.store.fail = func(method string) error {
			if method == "Claim" && fails.Add(-1) == 0 {
				return messaging.E(messaging.Unavailable, "The store is away.")
			}
			return nil
		}
		first := p.claimer(p.ctx(), q, 1, 20)
		synctest.Wait()
		second := p.claimer(p.ctx(), q, 1, 20)
		time.Sleep(seconds(5))
		fails.Store(1)
		p.post(q, "m")
		got := <-first
		wantKind(t, got.err, messaging.Unavailable, "the failed one")
		p.want("the next one", second, "m", 5)
	})
}

// TestPostAtTheEndOfAWait posts at the instant at which the wait of the first
// claimer ends: one of the two must get the message.
func TestPostAtTheEndOfAWait(t *testing.T) {
	for range 40 {
		inBubble(t, func(p *pond) {
			first := p.claimer(p.ctx(), q, 1, 20)
			synctest.Wait()
			second := p.claimer(p.ctx(), q, 1, 40)
			p.wg.Go(func() {
				time.Sleep(seconds(20))
				p.post(q, "m")
			})
			a, b := <-first, <-second
			if a.bodies+b.bodies != "m" || a.after != seconds(20) || b.bodies == "m" && b.after != seconds(20) {
				t.Errorf("they got %+v and %+v", a, b)
			}
		})
	}
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

// TestNoWakeUpIsLost lets claimers, posters and claims that end without deletion
// race for many messages. Whenever all are at rest, no message may be available
// while a claimer waits.
func TestNoWakeUpIsLost(t *testing.T) {
	for seed := range uint64(8) {
		inBubble(t, func(p *pond) {
			const messages, posters, claimers = 240, 4, 12
			var left atomic.Int64
			left.Store(messages)
			ctx, cancel := context.WithCancel(p.ctx())
			for i := range claimers {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				p.wg.Go(func() { p.consume(ctx, r, &left, cancel) })
			}
			for i := range posters {
				r := rand.New(rand.NewPCG(seed, uint64(100+i)))
				p.wg.Go(func() {
					for n := 0; n < messages/posters; {
						batch := min(1+r.IntN(3), messages/posters-n)
						p.post(q, strings.Fields(strings.Repeat("1 ", batch))...)
						n += batch
						time.Sleep(time.Duration(r.IntN(3)) * time.Second)
					}
				})
			}
			time.Sleep(time.Second / 2) // the others act at whole seconds
			for ctx.Err() == nil && time.Since(p.began) < 24*time.Hour {
				time.Sleep(time.Second)
				if p.Seated() == 0 {
					continue
				}
				free, err := p.store.Store.Scan(p.ctx(), q, everythingFree)
				if err != nil || len(free) > 0 {
					t.Errorf("%d messages are available while %d claimers wait (%v)", len(free), p.Seated(), err)
					break
				}
			}
			cancel()
			if left.Load() != 0 {
				t.Errorf("%d messages are left", left.Load())
			}
		})
	}
}

// consume claims, and deletes, releases or forgets what it got, until all
// messages are deleted. Some of its waits are given up.
func (p *pond) consume(ctx context.Context, r *rand.Rand, left *atomic.Int64, done func()) {
	for ctx.Err() == nil {
		wait, stop := context.WithCancel(ctx)
		if r.IntN(4) == 0 {
			wait, stop = context.WithTimeout(ctx, time.Duration(r.IntN(5))*time.Second)
		}
		limit := 1 + r.IntN(3)
		view, err := p.CreateClaim(wait, p.who, q, broker.CreateClaim{Limit: &limit, TTL: ptr[int64](60), Wait: 100})
		stop()
		if err != nil || len(view.List) == 0 {
			continue
		}
		switch r.IntN(4) {
		case 0:
			if err := p.ReleaseClaim(p.ctx(), p.who, q, view.Claim.ID); err != nil {
				p.Error(err)
			}
		case 1: // forgotten
		default:
			if err := p.DeleteMessages(p.ctx(), p.who, q, ids(view.Messages), nil, false); err != nil {
				p.Error(err)
			}
			if left.Add(int64(-len(view.List))) == 0 {
				done()
			}
		}
	}
}

func TestWaitersCostOneGoroutineEach(t *testing.T) {
	inBubble(t, func(p *pond) {
		const n = 3000
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

// BenchmarkWaiters reports what a waiter costs in memory, its goroutine
// included.
func BenchmarkWaiters(b *testing.B) {
	w := newWorld(b, func(c *broker.Config) { c.MaxWait = 3600 })
	ctx, cancel := context.WithCancel(context.Background())
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
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/float64(b.N), "B/waiter")
	cancel()
	wg.Wait()
}
