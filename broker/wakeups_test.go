package broker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/storage"
)

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
				free, err := p.store.Store.Scan(p.ctx(), q, storage.Scan{Limit: 1000})
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
			if err := p.DeleteMessages(p.ctx(), p.who, q, ids(view.Messages), nil); err != nil {
				p.Error(err)
			}
			if left.Add(int64(-len(view.List))) == 0 {
				done()
			}
		}
	}
}

// TestEventsDuringALook posts, or lets a delay end, at every point of a wait
// before the waiter sleeps.
func TestEventsDuringALook(t *testing.T) {
	for _, sort := range []string{"Claim", "Scan"} {
		for _, at := range []struct {
			method string
			call   int
		}{{sort, 1}, {"Due", 1}, {sort, 2}} {
			for _, event := range []string{"post", "end of a delay"} {
				name := fmt.Sprintf("%s after %s %d", event, at.method, at.call)
				inBubble(t, func(p *pond) {
					p.create(q, `{"_default_message_delay":3}`)
					if event != "post" {
						p.post(q, "m")
					}
					p.store.after = func(method string) {
						if method != at.method || p.store.count(method) != at.call {
							return
						}
						if event == "post" {
							p.postAll(q, broker.Post{Body: []byte("m"), Delay: []byte("0")})
						}
						time.Sleep(seconds(3))
					}
					var c <-chan catch
					if sort == "Claim" {
						c = p.claimer(p.ctx(), q, 1, 100)
					} else {
						c = p.lister(p.ctx(), q, broker.ListMessages{Echo: true, Wait: 100})
					}
					p.want(name, c, "m", 3)
				})
			}
		}
	}
}

// TestEventsWhileTheTimerIsSet lets a second delay end while the store is asked
// what comes after the first.
func TestEventsWhileTheTimerIsSet(t *testing.T) {
	inBubble(t, func(p *pond) {
		p.create(q, `{"_default_message_delay":10}`)
		p.postAll(q, broker.Post{Body: []byte("a")}, broker.Post{Body: []byte("b"), Delay: []byte("11")})
		p.store.fail = func(method string) error {
			if method == "Due" && p.store.count(method) == 2 {
				time.Sleep(seconds(2))
			}
			return nil
		}
		first := p.claimer(p.ctx(), q, 1, 100)
		synctest.Wait()
		second := p.claimer(p.ctx(), q, 1, 100)
		p.want("the first", first, "a", 12)
		p.want("the second", second, "b", 12)
	})
}
