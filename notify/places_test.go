package notify_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
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

// At a host that they share there is room for others, however many receivers of a
// project do not answer there, and if they are those of several projects.
func TestHostIsShared(t *testing.T) {
	for _, c := range []struct {
		hanging, perHost int
		settles          time.Duration // four come one after the other, and have all but one, two, three
	}{{1, 64, 0}, {2, 64, 0}, {3, 64, 0}, {4, 64, time.Minute}, {9, 64, 2 * time.Minute}, {1, 4, 0}, {1, 3, 0}, {1, 2, 0}} {
		t.Run(fmt.Sprintf("%d at %d", c.hanging, c.perHost), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.config.PerHost = c.perHost
				w.sender.behave["shared"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
					if d.Subscription.Source.Project != "one" {
						return hangs(ctx, d)
					}
					return notify.Receipt{Status: 200}, nil
				}
				w.subscribe(queueOf("one", "q"), "http://shared/well")
				w.start()
				for p := range c.hanging {
					q := queueOf(messaging.Project(fmt.Sprint("many", p)), "q")
					for i := range 300 {
						w.subscribe(q, fmt.Sprintf("http://shared/dead/%d/%d", p, i))
					}
					w.post(q, "x")
					settled(time.Second)
				}
				settled(c.settles)
				start := time.Since(w.sender.begun)
				for i := range 60 {
					w.post(queueOf("one", "q"), fmt.Sprint(i))
					time.Sleep(5 * time.Second)
				}
				got, worst := 0, time.Duration(0)
				for _, a := range w.sender.of("shared") {
					if i, err := strconv.Atoi(a.text); err == nil {
						got, worst = got+1, max(worst, a.at-start-time.Duration(i)*5*time.Second)
					}
				}
				if got != 60 || worst > time.Second {
					t.Errorf("%d of 60 arrived, up to %v late", got, worst)
				}
				if n := w.sender.atOnce("shared"); n > c.perHost || n < c.perHost*3/4 {
					t.Errorf("%d were in flight at once", n)
				}
			})
		})
	}
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
		w.config.InFlight, w.config.Stuck = 125, 500
		for i := range 750 {
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

// What a project may have at a host becomes less when others come, and as much as
// before when they go.
func TestPlacesAtHostComeBack(t *testing.T) {
	inWorld(t, func(w *world) {
		var a, b atomic.Int32
		var gone atomic.Bool
		w.sender.behave["shared"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			n := &a
			if d.Subscription.Source.Project == "b" {
				if gone.Load() {
					return notify.Receipt{Status: 200}, nil
				}
				n = &b
			}
			n.Add(1)
			defer n.Add(-1)
			return hangs(ctx, d)
		}
		w.start()
		hang := func(p messaging.Project) {
			for i := range 300 {
				w.subscribe(queueOf(p, "q"), fmt.Sprintf("http://shared/%s/%d", p, i))
			}
			w.post(queueOf(p, "q"), "x")
		}
		check := func(when string, least, most int32) {
			t.Helper()
			if n := a.Load(); n < least || n > most {
				t.Errorf("%s: a has %d in flight, and b has %d", when, n, b.Load())
			}
		}
		hang("a")
		settled(time.Second)
		check("alone", 48, 48)
		hang("b")
		settled(3*time.Minute + time.Second)
		check("two", 25, 30)
		gone.Store(true)
		settled(3*time.Minute + time.Second)
		check("alone again", 48, 48)
	})
}

// Who waits for a place at a host does not wait longer because somebody else is
// given one that came free at the same time.
func TestPlacesAtHostAreAllGiven(t *testing.T) {
	for _, perHost := range []int{2, 3, 4, 8} {
		inWorld(t, func(w *world) {
			w.config.PerHost = perHost
			w.sender.behave["shared"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
				if d.Subscription.Source.Project == "hangs" {
					return hangs(ctx, d)
				}
				return takes(500*time.Millisecond)(ctx, d)
			}
			w.start()
			for _, p := range []messaging.Project{"answers", "hangs"} {
				for i := range 20 {
					w.subscribe(queueOf(p, "q"), fmt.Sprintf("http://shared/%s/%d", p, i))
				}
				w.post(queueOf(p, "q"), string(p))
				settled(100 * time.Millisecond)
			}
			settled(12 * time.Second)
			got := 0
			for _, a := range w.sender.of("shared") {
				if a.text == "answers" {
					got++
				}
			}
			if got != 20 {
				t.Errorf("%d places: %d of 20 arrived", perHost, got)
			}
		})
	}
}
