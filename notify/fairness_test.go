package notify_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/notify"
	"zaqar/storage"
)

// hangs never answers: the attempt is broken off after a minute.
func hangs(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
	_, _ = takes(time.Minute)(ctx, d)
	return notify.Receipt{}, &notify.Failure{What: "no answer in time"}
}

// lateness returns how many messages a host got, posted one after the other from
// start, and how late the worst one was.
func lateness(w *world, host string, every time.Duration, start time.Duration) (got int, worst time.Duration) {
	for _, a := range w.sender.of(host) {
		i, _ := strconv.Atoi(a.text)
		worst = max(worst, a.at-start-time.Duration(i)*every)
		got++
	}
	return
}

// A project has a great many subscriptions, and none of its receivers answers.
func TestHangingProjectHoldsUpNoOther(t *testing.T) {
	for _, hosts := range []int{1, 1000} {
		t.Run(fmt.Sprint(hosts), func(t *testing.T) {
			inWorld(t, func(w *world) {
				q := queue("q")
				for i := range 1000 {
					h := fmt.Sprintf("dead%d", i%hosts)
					w.subscribe(q, fmt.Sprintf("http://%s/%d", h, i))
					w.sender.behave[h] = hangs
				}
				good := messaging.QueueRef{Project: "good", Name: "g"}
				w.subscribe(good, "http://well/")
				w.start()
				for i := range 100 {
					w.post(q, fmt.Sprint(i))
				}
				settled(5 * time.Second)
				start := time.Since(w.sender.begun)
				for i := range 90 {
					w.post(good, fmt.Sprint(i))
					time.Sleep(time.Second)
				}
				settled(time.Second)
				got, worst := lateness(w, "well", time.Second, start)
				if got != 90 || worst > 100*time.Millisecond {
					t.Errorf("the other project got %d, up to %v late", got, worst)
				}
			})
		})
	}
}

// Many receivers of a project that hang, with hosts of their own, hold up the
// others of the project for seconds at most, even one that was slow once.
func TestHangingReceiversHoldUpNoOther(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		for i := range 1000 {
			h := fmt.Sprintf("dead%d", i)
			w.subscribe(q, "http://"+h+"/")
			w.sender.behave[h] = hangs
		}
		w.subscribe(queue("g"), "http://well/")
		w.sender.behave["well"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			if string(d.Body) == "70" {
				return takes(2*time.Second)(ctx, d)
			}
			return notify.Receipt{}, nil
		}
		w.start()
		for i := range 20 {
			w.post(q, fmt.Sprint(i))
		}
		for i := range 300 {
			w.post(queue("g"), fmt.Sprint(i))
			time.Sleep(time.Second)
		}
		got, worst := lateness(w, "well", time.Second, 0)
		if got < 299 || worst > 10*time.Second || w.sender.atOnce("") > 5*w.config.InFlight {
			t.Errorf("got %d, up to %v late; %d were in flight", got, worst, w.sender.atOnce(""))
		}
	})
}

// Whose subscription was mended does not stand in line with slow ones any more.
func TestResumeLeavesTheLine(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.InFlight, w.config.Stuck = 8, 0
		for i := range 30 {
			w.subscribe(queue("q"), fmt.Sprintf("http://dead%d/", i))
			w.sender.behave[fmt.Sprint("dead", i)] = hangs
		}
		sub := w.subscribe(queue("q"), "http://a/")
		w.sender.behave["a"] = hangs
		w.start()
		w.post(queue("q"), "1")
		settled(10 * time.Minute)
		for w.sender.flying("a") > 0 {
			settled(time.Second)
		}
		w.sender.recovers("a")
		before := len(w.sender.of("a"))
		w.notifier.Resume(t.Context(), sub)
		settled(5 * time.Second)
		if got := w.sender.of("a")[before:]; before == 0 || len(got) != 1 {
			t.Errorf("%d attempts before, %d then", before, len(got))
		}
	})
}

// Messages whose key is gone stay in the outbox, and those behind them go on.
func TestKeyIsGone(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		w.subscribe(q, "http://a/")
		w.post(q, strings.Split(strings.Repeat("lost,", 99)+"lost", ",")...)
		w.post(q, "plain")
		p := w.parts()
		p.Open = func(_ messaging.Project, m *messaging.Message) error {
			if string(m.Body) == "lost" {
				return errors.New("no key")
			}
			return nil
		}
		n, err := notify.New(w.config, p)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { n.Run(ctx); close(done) }()
		settled(time.Hour)
		if got := w.sender.of("a"); len(got) != 1 {
			t.Errorf("%d arrived", len(got))
		}
		cancel()
		<-done
	})
}

// full is a store that has no room for what the notifier stores.
type full struct {
	storage.Data
	on bool
}

func (f *full) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, d []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	if f.on && q.Part != "" {
		return storage.Appended{}, messaging.E(messaging.Unavailable, "full")
	}
	return f.Data.Append(ctx, q, by, d, o)
}

// A subscription ends while what is left for it cannot be stored.
func TestEndsWhileFull(t *testing.T) {
	inWorld(t, func(w *world) {
		f := &full{Data: w.data, on: true}
		w.data = f
		q := queue("q")
		sub := messaging.Subscription{Source: q, Subscriber: "http://a/", TTL: 70}
		if _, _, err := w.data.Subscribe(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
		w.subscribe(q, "http://well/")
		w.sender.behave["a"] = fails(500)
		w.start()
		for i := range 30 {
			w.post(q, fmt.Sprint(i))
		}
		settled(5 * time.Minute)
		f.on = false
		settled(5 * time.Minute)
		if got := w.sender.of("well"); len(got) != 30 {
			t.Errorf("%d", len(got))
		}
		s := w.notifier.Stats()
		if n := len(w.left(q, "outbox")); n != 0 || s.Waiting != 0 {
			t.Errorf("%d left in the outbox, %d waiting", n, s.Waiting)
		}
	})
}

// Bursts at many queues with many subscribers who hang: what is made of them at
// once stays within the bound, and a little more.
func TestJobsInMemory(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 8 {
			q := queue(fmt.Sprint("q", i))
			for j := range 500 {
				h := fmt.Sprintf("dead%d-%d", i, j)
				w.subscribe(q, "http://"+h+"/")
				w.sender.behave[h] = hangs
			}
			for j := range 32 {
				w.post(q, fmt.Sprint(j))
			}
		}
		w.start()
		settled(900 * time.Millisecond)
		if s := w.notifier.Stats(); s.Waiting < 18_000 || s.Waiting > 22_000 {
			t.Errorf("%d deliveries in memory", s.Waiting)
		}
		w.stop()
	})
}

// What is in the outbox when a server comes back after days is attempted.
func TestLongOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		w.subscribe(q, "http://a/")
		w.post(q, "1")
		time.Sleep(10 * 24 * time.Hour)
		w.start()
		settled(time.Hour)
		equal(t, "a", texts(w.sender.of("a")), []string{"1"})
	})
}

// What is in a backlog then is attempted, too, if it never was: it is not the
// subscriber's fault. If it was attempted, its time is over.
func TestLongOutageOfBacklogs(t *testing.T) {
	for _, down := range []time.Duration{25 * time.Hour, 10 * 24 * time.Hour} {
		inWorld(t, func(w *world) {
			q := queue("q")
			sub := w.subscribe(q, "http://a/")
			broken := w.subscribe(q, "http://broken/", `{"_retry_policy":{"retries_with_no_delay":0,"minimum_delay":600}}`)
			w.sender.behave["a"] = takes(time.Minute)
			w.sender.behave["broken"] = fails(500)
			w.start()
			w.post(q, numbers(0, 10)...)
			settled(time.Second)
			w.stop()
			if n := len(w.left(q, "backlog/"+partOf(sub))); n != 10 {
				t.Fatalf("%d in the backlog", n)
			}
			time.Sleep(down)
			before := len(w.sender.of("a")) // the attempt that was cut off
			w.sender.recovers("a")
			w.start()
			settled(time.Hour)
			equal(t, "a", texts(w.sender.of("a")[before:]), numbers(0, 10))
			if n := len(w.left(q, "failed/"+partOf(broken))); n != 10 {
				t.Errorf("%d dead letters of who was attempted", n)
			}
			if n := len(w.sender.of("broken")); n != 10 {
				t.Errorf("%d attempts at who was attempted", n)
			}
		})
	}
}

// A place at a host that one lane no longer wants goes to the next.
func TestPlacesArePassedOn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.PerHost = 1
		q := queue("q")
		w.subscribe(q, "http://h/a", `{"filter_policy":{"to":["a"]}}`)
		w.subscribe(q, "http://h/b", `{"filter_policy":{"to":["b"]}}`)
		w.sender.behave["h"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			time.Sleep(100 * time.Millisecond)
			if d.Subscriber.Path == "/b" {
				return notify.Receipt{Status: 200}, nil
			}
			return notify.Receipt{}, &notify.Failure{Status: 429, After: time.Hour, What: "busy"}
		}
		w.start()
		for range 12 {
			w.post(q, `{"to":"a"}`)
		}
		time.Sleep(10 * time.Millisecond)
		w.post(q, `{"to":"b"}`)
		settled(time.Minute)
		if got := w.sender.of("h"); len(got) != 2 {
			t.Errorf("%d attempts: %v", len(got), texts(got))
		}
	})
}
