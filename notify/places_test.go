package notify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/notify"
)

// Who waits for a place at a host gets it although those before him have moved.
func TestMovedLeaveTheLine(t *testing.T) {
	for _, moved := range [][]int{{1}, {2}, {1, 2}} {
		inWorld(t, func(w *world) {
			w.config.PerHost = 1
			var subs []messaging.Subscription
			for i := range 4 {
				subs = append(subs, w.subscribe(queue("q"), fmt.Sprintf("http://h/%d", i)))
			}
			w.sender.behave["h"] = takes(10 * time.Second)
			w.start()
			w.post(queue("q"), "1")
			settled(time.Second)
			for _, i := range moved {
				w.give(subs[i], fmt.Sprintf("http://other/%d", i))
			}
			settled(5 * time.Minute)
			if h, other := len(w.sender.of("h")), len(w.sender.of("other")); h != 4-len(moved) || other != len(moved) {
				t.Errorf("%v moved: %d at one host, %d at the other", moved, h, other)
			}
		})
	}
}

// And so they do at a host that they share.
func TestHostIsShared(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 500 {
			w.subscribe(queueOf("many", "q"), fmt.Sprintf("http://shared/dead/%d", i))
		}
		w.subscribe(queueOf("one", "q"), "http://shared/well")
		w.sender.behave["shared"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			if d.Subscription.Source.Project == "many" {
				return hangs(ctx, d)
			}
			return notify.Receipt{Status: 200}, nil
		}
		w.start()
		w.post(queueOf("many", "q"), "x")
		settled(time.Second)
		for i := range 60 {
			w.post(queueOf("one", "q"), fmt.Sprint(i))
			time.Sleep(5 * time.Second)
		}
		got := 0
		for _, a := range w.sender.of("shared") {
			if a.text != "x" {
				got++
			}
		}
		if got < 30 { // all places come free and are taken at about the same time
			t.Errorf("%d of 60 arrived", got)
		}
	})
}

// Who always answers just before he is slow has no more of the places than others.
func TestJustNotSlowHoldsUpNoOther(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, p := range []messaging.Project{"one", "two"} {
			for i := range 400 {
				h := fmt.Sprintf("%s%d", p, i)
				w.subscribe(queueOf(p, "q"), "http://"+h+"/")
				w.sender.behave[h] = takes(900 * time.Millisecond)
			}
		}
		w.subscribe(queueOf("good", "q"), "http://well/")
		w.start()
		for range 3 {
			w.post(queueOf("one", "q"), numbers(0, 30)...)
			w.post(queueOf("two", "q"), numbers(0, 30)...)
		}
		settled(time.Second)
		start := time.Since(w.sender.begun)
		for i := range 60 {
			w.post(queueOf("good", "q"), fmt.Sprint(i))
			time.Sleep(time.Second)
		}
		settled(time.Second)
		if got, worst := lateness(w, "well", time.Second, start); got != 60 || worst > 3*time.Second {
			t.Errorf("%d arrived, up to %v late", got, worst)
		}
	})
}

// Projects take turns at the places for slow subscribers, too.
func TestSlowOnesTakeTurns(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 3000 {
			h := fmt.Sprintf("dead%d", i)
			w.subscribe(queueOf("many", "q"), "http://"+h+"/")
			w.sender.behave[h] = takes(59 * time.Second)
		}
		w.subscribe(queueOf("one", "q"), "http://one/")
		w.sender.behave["one"] = takes(1500 * time.Millisecond)
		w.start()
		for i := range 10 {
			w.post(queueOf("many", "q"), fmt.Sprint(i))
		}
		start := time.Since(w.sender.begun)
		for i := range 60 {
			w.post(queueOf("one", "q"), fmt.Sprint(i))
			time.Sleep(10 * time.Second)
		}
		settled(time.Second)
		if got, worst := lateness(w, "one", 10*time.Second, start); got < 59 || worst > 10*time.Second {
			t.Errorf("%d arrived, up to %v late", got, worst)
		}
	})
}

// A place for slow ones goes on to the next if its lane needs it no more.
func TestPlacesOfSlowOnesArePassedOn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.InFlight, w.config.Stuck = 4, 0
		slow := true
		behave := func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			w.sender.mu.Lock()
			d2 := 100 * time.Millisecond
			if slow || d.Subscriber.Host == "b" {
				d2 = 2 * time.Second
			}
			if !slow && d.Subscriber.Host == "c" {
				d2 = time.Hour
			}
			w.sender.mu.Unlock()
			return takes(d2)(ctx, d)
		}
		w.sender.behave["a"], w.sender.behave["b"], w.sender.behave["c"] = behave, behave, behave
		w.subscribe(queueOf("c", "q"), "http://c/")
		w.subscribe(queueOf("a", "q"), "http://a/")
		w.subscribe(queueOf("b", "q"), "http://b/")
		w.start()
		for i := range 2 { // all become slow
			w.post(queueOf("c", "q"), fmt.Sprint(i))
			w.post(queueOf("a", "q"), fmt.Sprint(i))
			w.post(queueOf("b", "q"), fmt.Sprint(i))
			settled(10 * time.Second)
		}
		w.sender.mu.Lock()
		slow = false
		w.sender.mu.Unlock()
		w.post(queueOf("c", "q"), "2") // one of two places
		settled(time.Millisecond)
		for i := range 5 {
			w.post(queueOf("a", "q"), fmt.Sprint(i+2))
			time.Sleep(10 * time.Millisecond)
		}
		w.post(queueOf("b", "q"), "2")
		settled(time.Minute)
		equal(t, "b", texts(w.sender.of("b")), numbers(0, 3))
		if n := len(w.sender.of("a")); n != 7 {
			t.Errorf("a got %d", n)
		}
	})
}
