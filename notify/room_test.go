package notify_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/notify"
)

// Of very many subscribers it is remembered, too, that they are slow.
func TestManySlowOnesAreRemembered(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 11_000 {
			h := fmt.Sprintf("slow%d", i)
			w.subscribe(queue("q"), "http://"+h+"/")
			w.sender.behave[h] = takes(2 * time.Second)
		}
		w.start()
		for i := range 2 {
			w.post(queue("q"), fmt.Sprint(i))
			settled(time.Minute)
		}
		w.post(queue("q"), "again")
		settled(time.Second)
		if s := w.notifier.Stats(); s.InFlightSlow < w.config.InFlight/4 {
			t.Errorf("%d of %d are known to be slow", s.InFlightSlow, s.InFlight)
		}
	})
}

// A receiver that refuses all, and a dead-letter queue that takes its time.
func TestManyDeadLettersHoldUpNoOther(t *testing.T) {
	inWorld(t, func(w *world) {
		w.subscribe(queueOf("bad", "q"), "http://bad/", `{"dead_letter_queue":"dead"}`)
		w.subscribe(queueOf("good", "q"), "http://well/")
		w.sender.behave["bad"] = func(context.Context, *notify.Delivery) (notify.Receipt, error) {
			return notify.Receipt{}, &notify.Failure{Verdict: notify.GiveUp, Status: 404, What: "The answer was 404."}
		}
		p := w.parts()
		var letters atomic.Int32
		p.Post = func(context.Context, messaging.QueueRef, notify.Post) error {
			time.Sleep(5 * time.Millisecond)
			letters.Add(1)
			return nil
		}
		n, err := notify.New(w.config, p)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { n.Run(ctx) })
		w.notifier = n
		for range 100 {
			w.post(queueOf("bad", "q"), numbers(0, 100)...)
		}
		start := time.Since(w.sender.begun)
		most := 0
		for i := range 40 {
			w.post(queueOf("good", "q"), fmt.Sprint(i))
			time.Sleep(time.Second)
			most = max(most, n.Stats().Waiting)
		}
		if got, worst := lateness(w, "well", time.Second, start); got != 40 || worst > 200*time.Millisecond {
			t.Errorf("%d arrived, up to %v late", got, worst)
		}
		if most > 1000 {
			t.Errorf("%d waited in memory", most)
		}
		settled(5 * time.Minute)
		if letters.Load() != 10_000 {
			t.Errorf("%d dead letters", letters.Load())
		}
		cancel()
		running.Wait()
	})
}

// Large messages that receivers of some projects do not take leave room for others.
func TestLargeMessagesHoldUpNoOther(t *testing.T) {
	inWorld(t, func(w *world) {
		large := `"` + strings.Repeat("x", 256<<10) + `"`
		projects := []messaging.Project{"one", "two", "three"}
		for i := range 600 {
			h := fmt.Sprintf("dead%d", i)
			w.subscribe(queueOf(projects[i%3], h), "http://"+h+"/")
			w.sender.behave[h] = hangs
		}
		w.subscribe(queueOf("good", "q"), "http://well/")
		w.start()
		for i := range 600 {
			w.post(queueOf(projects[i%3], fmt.Sprintf("dead%d", i)), large)
		}
		settled(3 * time.Second)
		start := time.Since(w.sender.begun)
		for i := range 90 {
			w.post(queueOf("good", "q"), fmt.Sprint(i))
			time.Sleep(time.Second)
			if b := w.notifier.Stats().WaitingBytes; b > 140<<20 {
				t.Errorf("%d MB in memory", b>>20)
			}
		}
		settled(time.Second)
		if got, worst := lateness(w, "well", time.Second, start); got != 90 || worst > 1500*time.Millisecond {
			t.Errorf("%d arrived, up to %v late", got, worst)
		}
		for i := range 600 {
			w.sender.recovers(fmt.Sprintf("dead%d", i))
		}
		settled(2 * time.Hour)
		if s := w.notifier.Stats(); s.Waiting != 0 || s.WaitingBytes != 0 {
			t.Errorf("%d deliveries, %d bytes are waiting", s.Waiting, s.WaitingBytes)
		}
	})
}

// Whoever wants nothing of what comes takes no lasting room.
func TestManyFiltersAreForgotten(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 11_500 {
			w.subscribe(queue("q"), fmt.Sprintf("http://h/%d", i), `{"filter_policy":{"to":["nobody"]}}`)
		}
		w.subscribe(queue("q"), "http://well/")
		w.start()
		for i := range 3 {
			w.post(queue("q"), fmt.Sprint(i))
			settled(time.Second)
			if n := w.notifier.Stats().Lanes; n > 10_600 {
				t.Errorf("%d lanes are kept", n)
			}
		}
		equal(t, "well", texts(w.sender.of("well")), numbers(0, 3))
	})
}
