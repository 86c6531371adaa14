package notify_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/storage"
)

// move gives a subscription another subscriber, as the broker does.
func (w *world) move(sub messaging.Subscription, subscriber string) messaging.Subscription {
	w.t.Helper()
	moved, err := w.data.AmendSubscription(w.t.Context(), sub.Source, sub.ID, func(s *messaging.Subscription) error {
		s.Subscriber = subscriber
		s.Moves++
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return moved
}

func (w *world) ask(sub messaging.Subscription) {
	w.t.Helper()
	if err := w.notifier.Confirm(w.t.Context(), sub, delivery.SubscriptionConfirmation, time.Now().Add(time.Hour)); err != nil {
		w.t.Fatal(err)
	}
}

// moves are for which subscribers, by number, the documents were that a host got.
func (w *world) moves(host string) (list []string) {
	for _, a := range w.sender.of(host) {
		list = append(list, fmt.Sprint(a.Subscription.Moves))
	}
	return list
}

// A document that waits for one subscriber is not sent to the next one.
func TestConfirmationsStayWithTheirSubscriber(t *testing.T) {
	inWorld(t, func(w *world) {
		sub := w.subscribe(queue("q"), "http://a/")
		w.sender.behave["a"] = fails(500)
		w.start()
		w.ask(sub)
		settled(time.Second)
		asked := len(w.sender.of("a"))
		if asked == 0 {
			t.Fatal("nobody was asked")
		}
		b := w.move(sub, "http://b/")
		w.notifier.Resume(t.Context(), b)
		settled(time.Hour)
		equal(t, "b", w.moves("b"), nil)
		w.ask(b)
		settled(time.Minute)
		equal(t, "b", w.moves("b"), []string{"1"})

		w.sender.recovers("a")
		again := w.move(b, "http://a/") // the same as at first, but for its number
		w.ask(b)                        // somebody was slow
		w.ask(again)
		settled(time.Hour)
		equal(t, "a", w.moves("a")[asked:], []string{"2"})
		equal(t, "b", w.moves("b"), []string{"1"})
		if n := len(w.left(queue("q"), messaging.Backlog(sub.ID))); n != 0 {
			t.Errorf("%d documents are left", n)
		}
	})
}

// late is a store that tells of the past once.
type late struct {
	storage.Data
	past atomic.Pointer[messaging.Subscription]
}

func (l *late) Subscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) (messaging.Subscription, error) {
	if p := l.past.Swap(nil); p != nil {
		return *p, nil
	}
	return l.Data.Subscription(ctx, q, id)
}

// A document is not sent to the subscriber before, where a change was not heard
// of yet: it comes to the right one later.
func TestConfirmationsAwaitTheirSubscriber(t *testing.T) {
	inWorld(t, func(w *world) {
		sub := w.subscribe(queue("q"), "http://a/")
		store := &late{Data: w.data}
		w.data = store
		w.start()
		settled(time.Second)
		b := w.move(sub, "http://b/")
		store.past.Store(&sub)
		w.ask(b)
		settled(time.Minute)
		if store.past.Load() != nil {
			t.Error("the past was not asked for")
		}
		equal(t, "a", w.moves("a"), nil)
		equal(t, "b", w.moves("b"), []string{"1"})
	})
}

// give does the same, and the notifier hears of it.
func (w *world) give(sub messaging.Subscription, subscriber string) {
	w.t.Helper()
	w.notifier.Resume(w.t.Context(), w.move(sub, subscriber))
}

// An answer that the subscriber before gives late disables nobody else.
func TestDisabledByAnEarlierSubscriber(t *testing.T) {
	inWorld(t, func(w *world) {
		sub := w.subscribe(queue("q"), "http://a/")
		w.sender.behave["a"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			time.Sleep(10 * time.Second)
			return notify.Receipt{}, &notify.Failure{Verdict: notify.Disable, Status: 410, What: "gone"}
		}
		w.start()
		w.post(queue("q"), "1")
		settled(time.Second)
		b := w.move(sub, "http://b/")
		w.notifier.Resume(t.Context(), b)
		settled(time.Minute)
		if s := w.state(b); !s.Disabled.IsZero() {
			t.Errorf("%+v", s)
		}
		w.post(queue("q"), "2")
		settled(time.Minute)
		equal(t, "b", texts(w.sender.of("b")), []string{"2"})
	})
}
