package broker

import (
	"context"
	"testing"
	"time"

	"zaqar/messaging"
)

// sleeper is a seat, and whether its call has come.
type sleeper struct {
	*seat
	woken bool
}

func (s *sleeper) sleepSince(events uint64) { s.sleep(events, func() { s.woken = true }) }

// listeners has n listers sleep in a hub for one queue.
func listeners(t *testing.T, n int) (*hub, messaging.QueueRef, []*sleeper) {
	t.Helper()
	none := func(context.Context, messaging.QueueRef) (time.Time, bool, error) { return time.Time{}, false, nil }
	h := newHub(none, func() time.Time { return time.UnixMilli(0) }, nil)
	q := messaging.QueueRef{Project: "p", Name: "q"}
	seats := make([]*sleeper, n)
	for i := range seats {
		seats[i] = &sleeper{seat: h.take(q, false)}
		seats[i].sleepSince(seats[i].watch())
	}
	return h, q, seats
}

// called returns those whose call has come, once.
func called(seats []*sleeper) (awake []*sleeper) {
	for _, s := range seats {
		if s.woken {
			s.woken = false
			awake = append(awake, s)
		}
	}
	return awake
}

// An event wakes all listers in the end, but a troop at a time: the next when
// the one before has got up, to look again or to leave.
func TestListersAreCalledInTroops(t *testing.T) {
	const n = 5*troop + 7
	h, q, seats := listeners(t, n)
	h.arrived(q, 1)
	seen := map[*sleeper]bool{}
	for round := 0; len(seen) < n; round++ {
		awake := called(seats)
		if want := min(troop, n-len(seen)); len(awake) != want {
			t.Fatalf("round %d: %d listers are called, want %d", round, len(awake), want)
		}
		for i, s := range awake {
			if seen[s] {
				t.Fatal("a lister is called twice for one event")
			}
			seen[s] = true
			if more := called(seats); len(more) > 0 {
				t.Fatalf("%d are called before the troop has got up", len(more))
			}
			if i%2 == 0 {
				s.sleepSince(s.watch())
			} else {
				s.leave()
			}
		}
	}
	if more := called(seats); len(more) > 0 {
		t.Errorf("%d are called without an event", len(more))
	}
}

// Listers that go to sleep while others are being called know of the event; a
// further event wakes them, too, without waking anybody twice for nothing.
func TestEventsWhileListersAreCalled(t *testing.T) {
	const n = 2 * troop
	h, q, seats := listeners(t, n)
	h.arrived(q, 1)
	for _, s := range called(seats) {
		s.sleepSince(s.watch()) // the second troop is called by the last of these
	}
	h.arrived(q, 1)
	calls := 0
	for awake := called(seats); len(awake) > 0; awake = called(seats) {
		calls += len(awake)
		for _, s := range awake {
			s.sleepSince(s.watch())
		}
	}
	if want := troop + troop; calls != want { // the second troop learned of both at once
		t.Errorf("%d calls for the second event and the rest of the first, want %d", calls, want)
	}
	if l := h.lobbies[q]; l.called != 0 || l.dozing.Len() != n {
		t.Errorf("%d are called, %d asleep", l.called, l.dozing.Len())
	}
}

// What happens between a look and going to sleep is not slept through.
func TestListerDoesNotSleepThroughAnEvent(t *testing.T) {
	h, q, seats := listeners(t, 1)
	h.arrived(q, 1)
	s := called(seats)[0]
	events := s.watch()
	h.arrived(q, 1)
	if s.sleepSince(events); !s.woken {
		t.Error("it sleeps")
	}
	s.leave()
	if len(h.lobbies) != 0 || h.seated.Load() != 0 {
		t.Error("a lobby is left")
	}
}
