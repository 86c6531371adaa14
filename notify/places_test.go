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
		start := time.Since(w.sender.begun)
		for i := range 60 {
			w.post(queueOf("one", "q"), fmt.Sprint(i))
			time.Sleep(5 * time.Second)
		}
		got, worst := 0, time.Duration(0)
		for _, a := range w.sender.of("shared") {
			if a.text != "x" {
				worst = max(worst, a.at-start-time.Duration(got)*5*time.Second)
				got++
			}
		}
		if got < 45 || worst > 62*time.Second {
			t.Errorf("%d arrived, up to %v late", got, worst)
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
