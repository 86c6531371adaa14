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
	"zaqar/notify"
	"zaqar/storage"
)

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
