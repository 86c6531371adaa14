package notify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/storage"
)

func TestOrderWithinPosts(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		w.subscribe(q, "http://a/")
		w.sender.behave["a"] = takes(time.Millisecond)
		w.start()
		var bodies []string
		for i := range 200 {
			bodies = append(bodies, fmt.Sprint(i))
		}
		w.post(q, bodies...)
		settled(time.Minute)
		equal(t, "a", texts(w.sender.of("a")), bodies)
	})
}

// Who keeps up gets posts in their order, too.
func TestOrderOfPosts(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		w.subscribe(q, "http://a/")
		w.sender.behave["a"] = takes(5 * time.Millisecond)
		w.start()
		for i := range 200 {
			w.post(q, fmt.Sprint(i))
			time.Sleep(4 * time.Millisecond)
			if i%3 == 0 {
				time.Sleep(4 * time.Millisecond)
			}
		}
		settled(time.Minute)
		equal(t, "a", texts(w.sender.of("a")), numbers(0, 200))
	})
}

func TestLifetime(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.Lifetime = 10 * time.Minute
		q := queue("q")
		sub := w.subscribe(q, "http://a/", `{"_retry_policy":{"maximum_delay":100000}}`)
		w.sender.behave["a"] = fails(500)
		w.start()
		w.post(q, "1")
		settled(24 * time.Hour)
		for _, a := range w.sender.of("a") {
			if a.at > 10*time.Minute {
				t.Errorf("an attempt after %v", a.at)
			}
		}
		if n := len(w.left(q, "failed/"+partOf(sub))); n != 1 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// Deliveries that were only held back are given up when they are too old, all
// of them.
func TestLifetimeBehindBreaker(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.Lifetime = 10 * time.Minute
		q := queue("q")
		sub := w.subscribe(q, "http://a/")
		w.sender.behave["a"] = fails(500)
		w.start()
		for i := range 400 {
			w.post(q, fmt.Sprint(i))
		}
		settled(time.Hour)
		if n := len(w.left(q, "failed/"+partOf(sub))); n != 400 {
			t.Errorf("%d dead letters", n)
		}
		if n := len(w.left(q, "backlog/"+partOf(sub))); n != 0 {
			t.Errorf("%d in the backlog", n)
		}
	})
}

func TestRequiredConfirmation(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.RequireConfirmation = true
		q := queue("q")
		sub := w.subscribe(q, "http://a/")
		socket, _, err := w.data.Subscribe(t.Context(), messaging.Subscription{Source: q, Subscriber: "http://socket/", TTL: 1000,
			State: (&delivery.State{Socket: true}).Append(nil)})
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		if err := w.notifier.Confirm(t.Context(), sub, delivery.SubscriptionConfirmation, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.post(q, "1")
		settled(time.Minute)
		got := w.sender.of("a")
		if len(got) != 1 || got[0].Kind != delivery.SubscriptionConfirmation || string(got[0].Document) != `{"Message_Type":"SubscriptionConfirmation"}` {
			t.Fatalf("%v", got)
		}
		equal(t, "the socket", texts(w.sender.of("socket")), []string{"1"})
		if socket.Confirmed {
			t.Error("the socket shows as confirmed")
		}
		if _, err := w.data.AmendSubscription(t.Context(), q, sub.ID, func(s *messaging.Subscription) error {
			s.Confirmed = true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		w.post(q, "2")
		settled(time.Minute)
		equal(t, "a", texts(w.sender.of("a"))[1:], []string{"2"})
	})
}

// agreed is a sender whose subscribers need not be asked.
type agreed struct{ *sender }

func (agreed) Agreed() {}

func TestWhoAgreedIsNotAsked(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.RequireConfirmation = true
		w.senders = map[string]notify.Sender{"http": w.sender, "own": agreed{w.sender}}
		q := queue("q")
		own := w.subscribe(q, "own://inside/")
		w.subscribe(q, "http://outside/")
		n := w.start()
		if err := n.Confirm(t.Context(), own, delivery.SubscriptionConfirmation, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.post(q, `"hello"`)
		settled(time.Second)
		if got := texts(w.sender.of("inside")); !slices.Equal(got, []string{`"hello"`}) {
			t.Errorf("who agreed got %q", got)
		}
		if got := w.sender.of("outside"); len(got) > 0 {
			t.Errorf("who has to confirm got %d documents", len(got))
		}
	})
}

// Confirmations to dead receivers are repeated, and leave no dead letter.
func TestConfirmationIsRetried(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://a/")
		w.sender.behave["a"] = fails(500)
		w.start()
		if err := w.notifier.Confirm(t.Context(), sub, delivery.SubscriptionConfirmation, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		settled(time.Hour)
		if got := len(w.sender.of("a")); got != 15 {
			t.Errorf("%d attempts", got)
		}
		if n := len(w.left(q, "failed/"+partOf(sub))); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// Nobody is asked to confirm as often as somebody else likes.
func TestConfirmationsAreFew(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.RequireConfirmation = true
		w.start()
		ask := func(q messaging.QueueRef, subscriber string) error {
			sub := messaging.Subscription{ID: "1", Source: q, Subscriber: subscriber}
			return w.notifier.Confirm(t.Context(), sub, delivery.SubscriptionConfirmation, time.Now().Add(time.Hour))
		}
		for i, subscriber := range []string{"mailto:a@x", "mailto:A@x", "mailto:a@x?subject=b", "MAILTO:a@x", "mailto:a@x", "mailto:a@x", "mailto:a@x", "mailto:a@x", "mailto:a@x", "mailto:a@x"} {
			if err := ask(queue([]string{"q", "r"}[i%2]), subscriber); err != nil {
				t.Fatal(i, err)
			}
		}
		if err := ask(queue("s"), "mailto:a@X"); !errors.Is(err, messaging.Exceeded) {
			t.Errorf("once more: %v", err)
		}
		if err := ask(queue("q"), "mailto:b@x"); err != nil {
			t.Errorf("another one: %v", err)
		}
		if err := ask(messaging.QueueRef{Project: "other", Name: "q"}, "mailto:a@x"); err != nil {
			t.Errorf("another project: %v", err)
		}
		time.Sleep(10 * time.Minute)
		if err := ask(queue("q"), "mailto:a@x"); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

// Replays of everything do not add up.
func TestReplaysAreFew(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		for range 60 {
			w.post(q, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
		}
		sub := w.subscribe(q, "http://a/")
		w.sender.behave["a"] = takes(10 * time.Millisecond)
		w.start()
		again := func() (int, error) {
			return w.notifier.Replay(t.Context(), sub, delivery.Replay{What: delivery.AgainAll})
		}
		if n, err := again(); n != 1200 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := again(); n != 0 || !errors.Is(err, messaging.Conflict) {
			t.Errorf("on top of that: %d, %v", n, err)
		}
		settled(time.Minute)
		if n, err := again(); n != 1200 || err != nil {
			t.Errorf("later: %d, %v", n, err)
		}
	})
}

func TestReplay(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://a/")
		w.sender.behave["a"] = fails(500)
		w.start()
		w.post(q, "1", "2")
		settled(time.Hour)
		half := time.Now()
		delete(w.sender.behave, "a")
		w.post(q, "3")
		settled(time.Minute)
		w.sender.got = nil
		if n, err := w.notifier.Replay(t.Context(), sub, delivery.Replay{What: delivery.AgainFailed}); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		settled(time.Minute)
		equal(t, "failed", texts(w.sender.of("a")), []string{"1", "2"})
		if a := w.sender.of("a")[0]; a.attempt != 1 {
			t.Errorf("it begins with attempt %d", a.attempt)
		}
		if n, err := w.notifier.Replay(t.Context(), sub, delivery.Replay{What: delivery.AgainFailed}); n != 0 || err != nil {
			t.Errorf("again: %d, %v", n, err)
		}
		w.sender.got = nil
		w.post(q, "4")
		settled(time.Second)
		if n, err := w.notifier.Replay(t.Context(), sub, delivery.Replay{What: delivery.AgainAll, Since: half}); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err) // the others have expired
		}
		settled(time.Minute)
		equal(t, "all", texts(w.sender.of("a")), []string{"4", "3", "4"})
	})
}

// What belongs to a subscription that was removed goes with it.
func TestForget(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://a/")
		w.sender.behave["a"] = fails(500)
		w.start()
		for i := range 50 {
			w.post(q, fmt.Sprint(i))
		}
		settled(time.Second)
		if err := w.data.Unsubscribe(t.Context(), q, sub.ID); err != nil {
			t.Fatal(err)
		}
		w.notifier.Forget(t.Context(), sub)
		before := len(w.sender.of("a"))
		settled(time.Hour)
		if n := len(w.sender.of("a")) - before; n > 4 {
			t.Errorf("%d attempts after the subscription was removed", n)
		}
		for _, p := range []messaging.Part{"outbox", "backlog/" + partOf(sub), "failed/" + partOf(sub)} {
			if left := w.left(q, p); len(left) > 0 {
				t.Errorf("%d in %s", len(left), p)
			}
		}
	})
}

// A notifier that is stopped, at whatever moment, leaves everything to the next
// one. Only what was under way arrives twice.
func TestStopAtAnyTime(t *testing.T) {
	for after := time.Duration(0); after < 400*time.Millisecond; after += 7 * time.Millisecond {
		inWorld(t, func(w *world) {
			q := queue("q")
			w.subscribe(q, "http://swift/")
			w.subscribe(q, "http://slow/")
			w.subscribe(q, "http://broken/")
			w.sender.behave["slow"] = takes(50 * time.Millisecond)
			broken := true
			w.sender.behave["broken"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
				if broken {
					return fails(500)(ctx, d)
				}
				return notify.Receipt{}, nil
			}
			w.start()
			var posting sync.WaitGroup
			posting.Go(func() {
				for i := range 40 {
					w.post(q, fmt.Sprint(i))
					time.Sleep(5 * time.Millisecond)
				}
			})
			time.Sleep(after)
			w.stop()
			posting.Wait()
			broken = false
			w.start()
			settled(10 * time.Minute)
			for _, host := range []string{"swift", "slow", "broken"} {
				got := w.sender.of(host)
				all := map[string]int{}
				for _, a := range got {
					all[a.text]++
				}
				if len(all) != 40 {
					t.Errorf("stopped after %v: %s got %d messages of 40", after, host, len(all))
				}
				if host == "swift" && len(got) > 41 {
					t.Errorf("stopped after %v: %s got %d deliveries for 40 messages", after, host, len(got))
				}
			}
			if left := w.left(q, "outbox"); len(left) > 0 {
				t.Errorf("stopped after %v: %d are left in the outbox", after, len(left))
			}
		})
	}
}

// faulty is a store whose n-th call, and some after it, fail.
type faulty struct {
	storage.Data
	mu    sync.Mutex
	calls int
	from  int
	many  int
}

func (f *faulty) fails() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.calls >= f.from && f.calls < f.from+f.many {
		return messaging.Wrap(messaging.Unavailable, "no", errors.New("told to fail"))
	}
	return nil
}

func (f *faulty) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, d []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	if q.Part == "" {
		return f.Data.Append(ctx, q, by, d, o)
	}
	if err := f.fails(); err != nil {
		return storage.Appended{}, err
	}
	return f.Data.Append(ctx, q, by, d, o)
}

func (f *faulty) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	if err := f.fails(); err != nil {
		return storage.Lease{}, err
	}
	return f.Data.Claim(ctx, q, t)
}

func (f *faulty) Remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, h storage.Hold) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.Data.Remove(ctx, q, ids, h)
}

func (f *faulty) Renew(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID, t storage.Terms) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.Data.Renew(ctx, q, id, t)
}

func (f *faulty) Due(ctx context.Context, q messaging.QueueRef) (time.Time, bool, error) {
	if err := f.fails(); err != nil {
		return time.Time{}, false, err
	}
	return f.Data.Due(ctx, q)
}

func (f *faulty) Subscriptions(ctx context.Context, q messaging.QueueRef, after messaging.SubscriptionID, limit int) ([]messaging.Subscription, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.Data.Subscriptions(ctx, q, after, limit)
}

func (f *faulty) Subscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) (messaging.Subscription, error) {
	if err := f.fails(); err != nil {
		return messaging.Subscription{}, err
	}
	return f.Data.Subscription(ctx, q, id)
}

func (f *faulty) AmendSubscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID, edit func(*messaging.Subscription) error) (messaging.Subscription, error) {
	if err := f.fails(); err != nil {
		return messaging.Subscription{}, err
	}
	return f.Data.AmendSubscription(ctx, q, id, edit)
}

// Whatever call of the store fails, for however long, nothing is lost.
func TestFaults(t *testing.T) {
	for _, many := range []int{1, 10} {
		for from := 1; from < 60; from++ {
			inWorld(t, func(w *world) {
				w.data = &faulty{Data: w.store, from: from, many: many}
				q := queue("q")
				w.subscribe(q, "http://a/")
				b := w.subscribe(q, "http://b/")
				var n atomic.Int32
				w.sender.behave["b"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
					if n.Add(1) < 10 {
						return fails(500)(ctx, d)
					}
					return notify.Receipt{}, nil
				}
				w.start()
				for i := range 5 {
					w.post(q, fmt.Sprint(i))
					time.Sleep(time.Second)
				}
				settled(30 * time.Minute)
				for _, host := range []string{"a", "b"} {
					got := texts(w.sender.of(host))
					slices.Sort(got)
					if got = slices.Compact(got); !slices.Equal(got, numbers(0, 5)) {
						t.Errorf("call %d and %d more fail: %s got %v", from, many-1, host, got)
					}
				}
				for _, p := range []messaging.Part{"outbox", "backlog/" + partOf(b)} {
					if left := w.left(q, p); len(left) > 0 {
						t.Errorf("call %d and %d more fail: %d are left in %s", from, many-1, len(left), p)
					}
				}
			})
		}
	}
}

// Two notifiers share the work at one store; each message is delivered by one.
func TestTwoNotifiers(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		for i := range 5 {
			w.subscribe(q, fmt.Sprintf("http://h%d/", i))
		}
		n := 0
		w.sender.behave["h0"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			w.sender.mu.Lock()
			n++
			ok := n%3 == 0
			w.sender.mu.Unlock()
			if !ok {
				return fails(500)(ctx, d)
			}
			return notify.Receipt{}, nil
		}
		w.sender.behave["h1"] = takes(200 * time.Millisecond)
		w.start()
		other, stop := w.run()
		defer stop()
		for i := range 200 {
			w.post(q, fmt.Sprint(i))
			if i%2 == 0 {
				other.Wake(q)
			}
			time.Sleep(3 * time.Millisecond)
		}
		settled(10 * time.Minute)
		for i := range 5 {
			count := map[string]int{}
			for _, a := range w.sender.of(fmt.Sprintf("h%d", i)) {
				count[a.text]++
			}
			if len(count) != 200 {
				t.Errorf("h%d got %d messages", i, len(count))
			}
			for text, times := range count {
				if i > 0 && times > 1 {
					t.Errorf("h%d got %s %d times", i, text, times)
				}
			}
		}
	})
}

// A notifier that dies is replaced by another one when its leases have ended.
func TestDeadNotifier(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		w.subscribe(q, "http://a/")
		w.post(q, "1", "2")
		// What a claim leaves behind whose owner has died.
		if _, err := w.data.Claim(t.Context(), q.In(messaging.Outbox), storage.Terms{TTL: 20, Limit: 10}); err != nil {
			t.Fatal(err)
		}
		w.start()
		settled(21 * time.Second)
		got := w.sender.of("a")
		equal(t, "a", texts(got), []string{"1", "2"})
		for _, a := range got {
			if a.attempt != 2 {
				t.Errorf("attempt %d: the one that may have been made does not count", a.attempt)
			}
		}
	})
}

// A fan-out to very many keeps its lease, and takes little memory at a time.
func TestHugeFanOut(t *testing.T) {
	inWorld(t, func(w *world) {
		q := messaging.QueueRef{Project: "p", Name: "t", Topic: true}
		const subs, hosts, posts = 12_000, 100, 4
		for i := range subs {
			w.subscribe(q, fmt.Sprintf("http://h%d/%d", i%hosts, i))
		}
		for i := range hosts {
			w.sender.behave[fmt.Sprintf("h%d", i)] = takes(500 * time.Millisecond)
		}
		w.start()
		for i := range posts {
			w.post(q, fmt.Sprint(i))
		}
		most := 0
		for range 90 {
			settled(time.Second)
			s := w.notifier.Stats()
			most = max(most, s.Waiting)
		}
		if len(w.sender.got) != posts*subs {
			t.Errorf("%d deliveries of %d messages to %d subscriptions", len(w.sender.got), posts, subs)
		}
		if took := w.sender.got[len(w.sender.got)-1].at; took < 2*w.config.Lease {
			t.Errorf("all was done in %v: too soon to say anything about leases", took)
		}
		if most > 25_000 {
			t.Errorf("%d deliveries in memory", most)
		}
		if w.sender.most[""] > 500 || w.sender.most["h7"] > 64 {
			t.Errorf("%d in flight, %d to one host", w.sender.most[""], w.sender.most["h7"])
		}
		if n := w.notifier.Stats().Lanes; n > 12_000 {
			t.Errorf("%d lanes are kept", n)
		}
	})
}
