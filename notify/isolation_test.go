package notify_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/storage"
)

// Ten dead receivers, whatever the way they are dead in, and one that is well.
func TestDeadSubscribersHoldUpNobody(t *testing.T) {
	for name, dead := range map[string]func(context.Context, *notify.Delivery) (notify.Receipt, error){
		"refusing": fails(503),
		"hanging": func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			_, _ = takes(time.Minute)(ctx, d)
			return notify.Receipt{}, &notify.Failure{What: "no answer in time"}
		},
		"slow": takes(10 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				q := queue("q")
				for i := range 10 {
					host := fmt.Sprintf("dead%d", i)
					w.subscribe(q, "http://"+host+"/")
					w.sender.behave[host] = dead
				}
				w.subscribe(q, "http://well/")
				other := queue("other")
				w.subscribe(other, "http://else/")
				w.start()
				for i := range 300 {
					w.post(q, fmt.Sprint(i))
					if i%10 == 0 {
						w.post(other, fmt.Sprint(i))
					}
					time.Sleep(20 * time.Millisecond)
				}
				settled(time.Second)
				for host, want := range map[string]int{"well": 300, "else": 30} {
					got := w.sender.of(host)
					if len(got) != want {
						t.Errorf("%s got %d messages, want %d", host, len(got), want)
					}
					for i, a := range got {
						late := a.at - time.Duration(i*300/want)*20*time.Millisecond
						if late > 100*time.Millisecond {
							t.Fatalf("%s got message %d %v late", host, i, late)
						}
					}
				}
			})
		})
	}
}

// What a slow subscriber cannot take now, it gets later, all of it.
func TestSlowSubscriberGetsAll(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://slow/")
		w.subscribe(q, "http://swift/")
		w.sender.behave["slow"] = takes(700 * time.Millisecond)
		w.start()
		for i := range 500 {
			w.post(q, fmt.Sprint(i))
		}
		settled(time.Second)
		if got := len(w.sender.of("swift")); got != 500 {
			t.Errorf("the swift one got %d", got)
		}
		if left := len(w.left(q, "backlog/"+partOf(sub))); left < 300 {
			t.Errorf("only %d are in the backlog of the slow one", left)
		}
		settled(5 * time.Minute)
		got := texts(w.sender.of("slow"))
		if len(got) != 500 {
			t.Errorf("the slow one got %d", len(got))
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != 500 {
			t.Error("the slow one did not get all")
		}
		if w.sender.atOnce("slow") > 4 {
			t.Errorf("%d deliveries to the slow one at a time", w.sender.atOnce("slow"))
		}
	})
}

// A breaker opens after 20 failures, then one attempt at a time sees whether the
// subscriber is back; nothing is given up meanwhile that was not attempted.
func TestBreaker(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://a/", `{"_retry_policy":{"retries_with_no_delay":0,"minimum_delay_retries":3,"maximum_delay_retries":0,"minimum_delay":5,"maximum_delay":15}}`)
		w.sender.behave["a"] = fails(500)
		w.start()
		for i := range 100 {
			w.post(q, fmt.Sprint(i))
		}
		settled(30 * time.Second)
		before := len(w.sender.of("a"))
		if before > 40 {
			t.Errorf("%d attempts, though nobody answers", before)
		}
		settled(10 * time.Minute)
		if n := len(w.sender.of("a")) - before; n > 12 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		if n := w.notifier.Stats().Breakers; n != 1 {
			t.Errorf("%d breakers are open", n)
		}
		w.sender.recovers("a")
		settled(10 * time.Minute)
		given := len(w.left(q, "failed/"+partOf(sub)))
		got := map[string]bool{}
		for _, a := range w.sender.of("a") {
			got[a.text] = true
		}
		if len(got) != 100 {
			t.Errorf("only %d messages were attempted at all", len(got))
		}
		if s := w.state(sub); int(s.Delivered)+given != 100 || given > 20 {
			t.Errorf("%d delivered, %d given up", s.Delivered, given)
		}
		if n := w.notifier.Stats().Breakers; n != 0 {
			t.Errorf("%d breakers are open", n)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		w.subscribe(q, "http://a/")
		asked := false
		w.sender.behave["a"] = func(context.Context, *notify.Delivery) (notify.Receipt, error) {
			if !asked {
				asked = true
				return notify.Receipt{}, &notify.Failure{Status: 503, After: time.Minute, What: "busy"}
			}
			return notify.Receipt{Status: 204}, nil
		}
		w.start()
		w.post(q, "1")
		settled(time.Second)
		w.post(q, "2")
		settled(5 * time.Minute)
		got := w.sender.of("a")
		if len(got) != 3 {
			t.Fatalf("%d attempts", len(got))
		}
		for _, a := range got[1:] {
			if a.at < time.Minute || a.at > 62*time.Second {
				t.Errorf("%s came after %v, though a minute was asked for", a.text, a.at)
			}
		}
	})
}

// A subscriber that is gone is told nothing more, and his owner hears of it.
func TestDisable(t *testing.T) {
	for name, options := range map[string]string{"zaqar-events": `{}`, "mine": `{"dead_letter_queue":"mine"}`} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				q := queue("q")
				sub := w.subscribe(q, "http://a/", options)
				w.sender.behave["a"] = func(context.Context, *notify.Delivery) (notify.Receipt, error) {
					return notify.Receipt{}, &notify.Failure{Verdict: notify.Disable, Status: 410, What: "The answer was 410."}
				}
				w.start()
				w.post(q, "1")
				settled(time.Second)
				w.post(q, "2")
				settled(time.Minute)
				equal(t, "a", texts(w.sender.of("a")), []string{"1"})
				if s := w.state(sub); s.Disabled.IsZero() || s.Reason != "The answer was 410." {
					t.Errorf("%+v", s)
				}
				var events, dead int
				for _, l := range w.posted {
					switch {
					case l.to != queue(name):
						t.Errorf("%s went to %v", l.body, l.to)
					case l.body == "1":
						dead++
					default:
						events++
					}
				}
				if want := map[string]int{"zaqar-events": 0, "mine": 1}[name]; events != 1 || dead != want {
					t.Errorf("%d events, %d dead letters: %v", events, dead, w.posted)
				}
				if name == "zaqar-events" && len(w.left(q, "failed/"+partOf(sub))) != 1 {
					t.Error("what could not be delivered is gone")
				}

				w.sender.recovers("a")
				w.notifier.Resume(t.Context(), sub)
				w.post(q, "3")
				settled(time.Minute)
				equal(t, "a", texts(w.sender.of("a")), []string{"1", "3"})
			})
		})
	}
}

// interrupted is a store in which something happens before the first write of
// what was done.
type interrupted struct {
	storage.Data
	already atomic.Bool
	do      func()
}

func (l *interrupted) AmendSubscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID, edit func(*messaging.Subscription) error) (messaging.Subscription, error) {
	if !l.already.Swap(true) {
		l.do()
	}
	return l.Data.AmendSubscription(ctx, q, id, edit)
}

// Who is enabled again while it is being written down that he is disabled, stays
// enabled.
func TestResumeWhileDisabling(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://a/")
		w.sender.behave["a"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			if string(d.Body) == "2" {
				return notify.Receipt{}, nil
			}
			return notify.Receipt{}, &notify.Failure{Verdict: notify.Disable, Status: 410, What: "gone"}
		}
		w.data = &interrupted{Data: w.data, do: func() {
			time.Sleep(time.Millisecond) // time passes in between
			w.notifier.Resume(context.Background(), sub)
		}}
		w.start()
		w.post(q, "1")
		settled(time.Minute)
		if s := w.state(sub); !s.Disabled.IsZero() || !s.Failing.IsZero() || s.Attempts != 1 {
			t.Errorf("%+v", s)
		}
		w.post(q, "2")
		settled(time.Minute)
		equal(t, "a", texts(w.sender.of("a")), []string{"1", "2"})
	})
}

func TestDisabledAfterDays(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://a/")
		w.sender.behave["a"] = fails(500)
		w.start()
		for day := range 7 {
			w.post(q, fmt.Sprint(day))
			settled(24 * time.Hour)
			if disabled := !w.state(sub).Disabled.IsZero(); disabled != (day >= 5) {
				t.Fatalf("disabled after %d days: %t", day+1, disabled)
			}
		}
		if len(w.posted) != 1 {
			t.Errorf("%d events", len(w.posted))
		}
	})
}

// A final answer ends a delivery if it is the first.
func TestFinalAnswers(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		refuses := func(context.Context, *notify.Delivery) (notify.Receipt, error) {
			return notify.Receipt{}, &notify.Failure{Verdict: notify.GiveUp, Status: 404, What: "The answer was 404."}
		}
		first := w.subscribe(q, "http://first/")
		w.sender.behave["first"] = refuses
		w.subscribe(q, "http://later/")
		w.sender.behave["later"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			switch {
			case d.Attempt == 1:
				return fails(500)(ctx, d)
			case d.Attempt < 5:
				return refuses(ctx, d)
			}
			return notify.Receipt{Status: 200}, nil
		}
		w.start()
		w.post(q, "1", "2")
		settled(time.Hour)
		equal(t, "first", texts(w.sender.of("first")), numbers(1, 3))
		if got := len(w.sender.of("later")); got != 10 {
			t.Errorf("%d attempts, want 5 for each", got)
		}
		if s := w.state(first); s.GivenUp != 2 || s.Log[0].Outcome != delivery.GivenUp || s.Log[0].Status != 404 {
			t.Errorf("%+v", s)
		}
	})
}

// Whoever is only a little slower than others is waited for: nothing is stored
// on his account.
func TestSomewhatSlowerSubscribersKeepUp(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		for i := range 3 {
			w.subscribe(q, fmt.Sprintf("http://swift%d/", i))
		}
		w.subscribe(q, "http://slower/")
		w.sender.behave["slower"] = takes(2 * time.Millisecond)
		n := w.start()
		for i := range 1000 {
			w.post(q, fmt.Sprint(i))
		}
		settled(2 * time.Second)
		for _, host := range []string{"swift0", "swift2", "slower"} {
			if got := len(w.sender.of(host)); got != 1000 {
				t.Errorf("%s got %d", host, got)
			}
		}
		if s := n.Stats(); s.Spilled != 0 {
			t.Errorf("%d deliveries were stored elsewhere", s.Spilled)
		}
	})
}
