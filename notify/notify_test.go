package notify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestDelivers(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://a/x")
		w.start()
		w.post(q, "1", "2", "3")
		settled(time.Second)
		equal(t, "a", texts(w.sender.of("a")), numbers(1, 4))
		if left := w.left(q, "outbox"); len(left) != 0 {
			t.Errorf("%d entries are left in the outbox", len(left))
		}
		if got, want := string(w.sender.all()[0].Document), `{"ttl":300,"body":1,"queue_name":"q","Message_Type":"Notification"}`; got != want {
			t.Errorf("the document is %s", got)
		}
		settled(10 * time.Second)
		if s := w.state(sub); s.Delivered != 3 || len(s.Log) != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// Default policy: 15 attempts over 180 s against a dead receiver.
func TestRetrySchedule(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://a/x")
		w.sender.behave["a"] = fails(500)
		w.start()
		w.post(q, "1")
		settled(time.Hour)
		got := w.sender.of("a")
		want := []int{0, 0, 0, 0, 5, 10, 15, 20, 30, 45, 65, 90, 120, 150, 180}
		if len(got) != len(want) {
			t.Fatalf("%d attempts", len(got))
		}
		for i, a := range got {
			if int(a.at/time.Second) != want[i] || a.attempt != i+1 {
				t.Errorf("attempt %d, called %d, came after %v, want %d s", i+1, a.attempt, a.at, want[i])
			}
		}
		if left := w.left(q, "outbox"); len(left) != 0 {
			t.Errorf("%d entries are left in the outbox", len(left))
		}
		if left := w.left(q, "backlog/"+partOf(sub)); len(left) != 0 {
			t.Errorf("%d entries are left in the backlog", len(left))
		}
		if left := w.left(q, "failed/"+partOf(sub)); len(left) != 1 {
			t.Errorf("%d dead letters", len(left))
		}
		if s := w.state(sub); s.GivenUp != 1 || s.Attempts != 15 || len(s.Log) != 15 {
			t.Errorf("%+v", s)
		}
	})
}

func TestManySubscribers(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		const subs = 1230
		for i := range subs {
			w.subscribe(q, fmt.Sprintf("http://h%d/x", i))
		}
		w.start()
		for i := range 3 {
			w.post(q, fmt.Sprint(i))
		}
		settled(time.Minute)
		for i := range subs {
			equal(t, fmt.Sprint(i), texts(w.sender.of(fmt.Sprintf("h%d", i))), numbers(0, 3))
		}
	})
}

// Filters of large messages take several turns, in which nobody is left out or
// asked twice.
func TestFiltersTakeTurns(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		for i := range 40 {
			wanted := []string{"yes", "no"}[i%2]
			w.subscribe(q, fmt.Sprintf("http://host%d/", i), `{"filter_policy":{"wanted":["`+wanted+`"]}}`)
		}
		w.start()
		large := `,"text":"` + strings.Repeat("x", 200_000) + `"}`
		for range 3 {
			w.post(q, `{"wanted":"yes"`+large, `{"wanted":"yes"`+large)
		}
		settled(time.Second)
		for i := range 40 {
			want := []int{6, 0}[i%2]
			if got := w.sender.of(fmt.Sprintf("host%d", i)); len(got) != want {
				t.Errorf("subscriber %d got %d messages, want %d", i, len(got), want)
			}
		}
	})
}
