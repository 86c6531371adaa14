package notify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/notify"
	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/memory"
)

// refuses fails, for good if that is the message.
func refuses(_ context.Context, d *notify.Delivery) (notify.Receipt, error) {
	if string(d.Body) == "never" {
		return notify.Receipt{}, &notify.Failure{Verdict: notify.GiveUp, Status: 404, What: "The answer was 404."}
	}
	return notify.Receipt{}, &notify.Failure{Status: 500, What: "The answer was 500."}
}

// subscribeFor makes a subscription that ends.
func (w *world) subscribeFor(q messaging.QueueRef, subscriber string, life time.Duration) messaging.Subscription {
	w.t.Helper()
	sub, _, err := w.data.Subscribe(w.t.Context(), messaging.Subscription{Source: q, Subscriber: subscriber, TTL: int64(life / time.Second)})
	if err != nil {
		w.t.Fatal(err)
	}
	return sub
}

// parked checks how many deliveries wait for a subscription and were given up.
func (w *world) parked(sub messaging.Subscription, backlog, failed int) {
	w.t.Helper()
	for part, want := range map[messaging.Part]int{messaging.Backlog(sub.ID): backlog, messaging.Failed(sub.ID): failed} {
		if n := len(w.left(sub.Source, part)); n != want {
			w.t.Errorf("%s, %s: %d are there, want %d", sub.Subscriber, part, n, want)
		}
	}
}

// partsInStore returns how many parts the store has.
func (w *world) partsInStore() (n int) {
	w.t.Helper()
	if err := w.data.(storage.PartLister).Parts(w.t.Context(), func(messaging.QueueRef) { n++ }); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// Nothing stays of a subscription that ends while no server runs, whichever of
// the next ones sees to it, and nothing is taken from others.
func TestEndedWhileStopped(t *testing.T) {
	ends := map[string]func(*world, ...messaging.Subscription){
		"expired": func(w *world, _ ...messaging.Subscription) {
			time.Sleep(time.Hour)
			if _, err := w.data.Sweep(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
		},
		"removed": func(w *world, subs ...messaging.Subscription) { // and the server died before Forget
			for _, sub := range subs {
				if err := w.data.Unsubscribe(w.t.Context(), sub.Source, sub.ID); err != nil {
					w.t.Fatal(err)
				}
			}
		},
	}
	for name, end := range ends {
		for _, kind := range []string{"memory", "embedded"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				dir := t.TempDir()
				inWorld(t, func(w *world) {
					reopen := func() {}
					if kind == "embedded" {
						reopen = func() { w.openEmbedded(dir) }
						reopen()
						defer func() {
							w.stop()
							w.data.Close()
						}()
					}
					endedWhileStopped(w, reopen, end)
				})
			})
		}
	}
}

// openEmbedded opens the embedded store in the directory anew.
func (w *world) openEmbedded(dir string) {
	w.t.Helper()
	if w.data != storage.Data(w.store) {
		w.data.Close()
	}
	s, err := embedded.Open(dir, embedded.Config{}, storage.Env{Now: time.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.data, w.stop = s, func() {}
}

func endedWhileStopped(w *world, reopen func(), end func(*world, ...messaging.Subscription)) {
	q, only := queue("q"), messaging.QueueRef{Project: "p", Name: "only", Topic: true}
	ended, lasting := w.subscribeFor(q, "http://a/", 30*time.Minute), w.subscribe(q, "http://b/")
	last := w.subscribeFor(only, "http://c/", 30*time.Minute)
	for _, h := range []string{"a", "b", "c"} {
		w.sender.behave[h] = refuses
	}
	w.start()
	w.post(q, "1", "never", "2")
	w.post(only, "1", "never", "2")
	settled(time.Second)
	w.stop()
	w.post(only, "late")
	for _, sub := range []messaging.Subscription{ended, lasting, last} {
		w.parked(sub, 2, 1)
	}
	end(w, ended, last)
	reopen()
	w.start()
	_, stopOther := w.run()
	settled(5 * time.Second)
	w.parked(ended, 0, 0)
	w.parked(last, 0, 0)
	w.parked(lasting, 2, 1)
	if n := len(w.left(only, messaging.Outbox)); n > 0 {
		w.t.Errorf("%d are left in an outbox without subscribers", n)
	}
	if n := w.partsInStore(); n > 4 { // two outboxes, and those of the lasting one
		w.t.Errorf("the store keeps %d parts", n)
	}
	w.sender.recovers("b")
	settled(time.Hour)
	stopOther()
	w.parked(lasting, 0, 1)
}

// Dead letters of a subscription that expires while a server runs, which nobody
// has a reason to look at, are gone within the hour.
func TestDeadLettersGoWithTheirSubscription(t *testing.T) {
	inWorld(t, func(w *world) {
		w.sender.behave["a"], w.sender.behave["b"] = refuses, refuses
		ended, lasting := w.subscribeFor(queue("q"), "http://a/", 90*time.Minute), w.subscribe(queue("q"), "http://b/")
		w.start()
		w.post(queue("q"), "never")
		settled(80 * time.Minute)
		w.parked(ended, 0, 1)
		settled(80 * time.Minute)
		w.parked(ended, 0, 0)
		w.parked(lasting, 0, 1)
	})
}

// undropping is a store that cannot drop for now.
type undropping struct {
	*memory.Store
	until time.Time
}

func (u *undropping) Drop(ctx context.Context, q messaging.QueueRef) error {
	if time.Now().Before(u.until) {
		return messaging.E(messaging.Unavailable, "told to fail")
	}
	return u.Store.Drop(ctx, q)
}

// What cannot be removed now is removed later, and holds up nothing.
func TestStraysAreTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		store := &undropping{w.store, time.Now().Add(10*time.Minute + time.Second)}
		w.data = store
		q := queue("q")
		var subs []messaging.Subscription
		for i := range 3 {
			sub := w.subscribe(q, fmt.Sprintf("http://a/%d", i))
			subs = append(subs, sub)
		}
		w.sender.behave["a"] = refuses
		w.start()
		w.post(q, "1")
		settled(time.Second)
		w.stop()
		if err := w.data.UnsubscribeAll(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		w.subscribe(q, "http://well/")
		w.start()
		w.post(q, "2")
		settled(9 * time.Minute)
		equal(t, "well", texts(w.sender.of("well")), []string{"2"})
		for _, sub := range subs {
			w.parked(sub, 1, 0)
		}
		settled(3 * time.Minute)
		for _, sub := range subs {
			w.parked(sub, 0, 0)
		}
	})
}

// A server that stops stores what it was at for a subscription that has expired
// meanwhile, and that another server has looked for before. That one looks again.
func TestStrayOfAnotherServer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.sender.behave["a"] = hangs
		sub := w.subscribeFor(queue("q"), "http://a/", 30*time.Second)
		w.start()
		w.post(queue("q"), "1")
		time.Sleep(40 * time.Second)
		_, stopOther := w.run()
		defer stopOther()
		settled(time.Second)
		w.stop()
		w.parked(sub, 1, 0)
		settled(strayEvery)
		w.parked(sub, 0, 0)
		if n := w.partsInStore(); n > 0 {
			t.Errorf("the store keeps %d parts", n)
		}
	})
}

// strayEvery is within what time strays are found.
const strayEvery = time.Hour + time.Minute
