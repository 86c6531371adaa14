package notify_test

import (
	"context"
	"errors"
	"fmt"
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
		w.sender.recovers("a")
		w.post(q, "3")
		settled(time.Minute)
		w.sender.forget()
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
		w.sender.forget()
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

// Of what waits for who does not answer little is claimed: a crash counts as an
// attempt at all that is.
func TestLittleIsClaimedInDoubt(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://a/")
		w.sender.behave["a"] = hangs
		w.start()
		for i := range 40 {
			w.post(q, fmt.Sprint(i))
		}
		settled(time.Second)
		w.stop()
		w.start()
		for range 10 {
			settled(time.Minute)
			tally, err := w.data.Tally(t.Context(), q.In("backlog/"+partOf(sub)))
			if err != nil || tally.Total < 30 || tally.Claimed < 1 || tally.Claimed > 4 {
				t.Errorf("%+v, %v", tally, err)
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
		if len(w.sender.all()) != posts*subs {
			t.Errorf("%d deliveries of %d messages to %d subscriptions", len(w.sender.all()), posts, subs)
		}
		if took := w.sender.all()[len(w.sender.all())-1].at; took < 2*w.config.Lease {
			t.Errorf("all was done in %v: too soon to say anything about leases", took)
		}
		if most > 25_000 {
			t.Errorf("%d deliveries in memory", most)
		}
		if w.sender.atOnce("") > 500 || w.sender.atOnce("h7") > 64 {
			t.Errorf("%d in flight, %d to one host", w.sender.atOnce(""), w.sender.atOnce("h7"))
		}
		if n := w.notifier.Stats().Lanes; n > 12_000 {
			t.Errorf("%d lanes are kept", n)
		}
	})
}

// What is given up again while it is replayed is not replayed again at once.
func TestReplayEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		sub := w.subscribe(queue("q"), "http://a/")
		w.sender.behave["a"] = func(context.Context, *notify.Delivery) (notify.Receipt, error) {
			return notify.Receipt{}, &notify.Failure{Verdict: notify.GiveUp, Status: 404, What: "The answer was 404."}
		}
		w.start()
		for range 10 {
			w.post(queue("q"), numbers(0, 100)...)
		}
		settled(time.Hour)
		if n := len(w.left(queue("q"), "failed/"+partOf(sub))); n != 1000 {
			t.Fatalf("%d were given up", n)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		n, err := w.notifier.Replay(ctx, sub, delivery.Replay{What: delivery.AgainFailed})
		if n != 1000 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// posting is a store into whose queue something is posted whenever it is read, so
// many times.
type posting struct {
	storage.Data
	more int
}

func (p *posting) Scan(ctx context.Context, q messaging.QueueRef, s storage.Scan) ([]messaging.Message, error) {
	if p.more--; q.Part == "" && p.more >= 0 {
		time.Sleep(time.Millisecond)
		if _, err := p.Append(ctx, q, "c", []messaging.Draft{{TTL: 300, Body: []byte("later")}}, storage.AppendOptions{}); err != nil {
			return nil, err
		}
	}
	return p.Data.Scan(ctx, q, s)
}

// What is posted while everything is replayed is not part of it.
func TestReplayOfAllEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		w.data = &posting{w.data, 20}
		w.post(q, "1", "2")
		sub := w.subscribe(q, "http://a/")
		w.start()
		time.Sleep(time.Second)
		if n, err := w.notifier.Replay(context.Background(), sub, delivery.Replay{What: delivery.AgainAll}); n > 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}
