package delivery_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

func TestState(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)
	var s delivery.State
	if got := delivery.ReadState(nil); !cmp.Equal(got, s) {
		t.Errorf("no text is %+v", got)
	}
	fails := delivery.Attempt{At: at, Took: 7 * time.Millisecond, Kind: delivery.SubscriptionConfirmation, Message: "m1", Number: 3,
		Outcome: delivery.Retried, Status: 503, Error: "The answer was 503."}
	s.Note(fails)
	s.Note(delivery.Attempt{At: at.Add(time.Second), Kind: delivery.Notification, Message: "m2", Number: 4, Outcome: delivery.GivenUp})
	if !s.Failing.Equal(at) || s.Attempts != 2 || s.GivenUp != 1 || s.Delivered != 0 {
		t.Errorf("%+v", s)
	}
	s.Disabled, s.Reason = at.Add(time.Minute), "It was gone."
	if got := delivery.ReadState(s.Append(nil)); !cmp.Equal(got, s) {
		t.Error(cmp.Diff(s, got))
	}
	for i := range 50 {
		s.Note(delivery.Attempt{At: at.Add(time.Hour), Kind: delivery.Notification, Number: 1, Outcome: delivery.Delivered,
			Message: messaging.MessageID(fmt.Sprint(i)), Status: 200})
	}
	if !s.Failing.IsZero() || s.Delivered != 50 || len(s.Log) != delivery.LogSize || s.Log[0].Message != "30" || s.Log[19].Message != "49" {
		t.Errorf("%+v", s)
	}
	if got := delivery.ReadState(s.Append(nil)); !cmp.Equal(got, s) {
		t.Error(cmp.Diff(s, got))
	}
	if size := len(s.Append(nil)); size > 1500 {
		t.Errorf("a full state takes %d bytes", size)
	}
}

func TestStateAtAGlance(t *testing.T) {
	for _, socket := range []bool{true, false} {
		for _, disabled := range []time.Time{{}, time.UnixMilli(5).UTC()} {
			s := delivery.State{Socket: socket, Disabled: disabled, Failing: time.UnixMilli(3).UTC(), Reason: "r", Attempts: 1}
			raw := s.Append(nil)
			if got := delivery.ReadState(raw); !cmp.Equal(got, s) {
				t.Error(cmp.Diff(s, got))
			}
			if delivery.IsDisabled(raw) != !disabled.IsZero() || delivery.IsSocket(raw) != socket {
				t.Errorf("%s is disabled: %t, is a socket: %t", raw, delivery.IsDisabled(raw), delivery.IsSocket(raw))
			}
		}
	}
}

func TestMerge(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0).UTC() }
	try := func(s int, o delivery.Outcome) delivery.Attempt {
		return delivery.Attempt{At: at(s), Kind: delivery.Notification, Number: 1, Outcome: o}
	}
	for name, outcomes := range map[string][]delivery.Outcome{
		"fails on":   {delivery.Retried, delivery.Retried, delivery.GivenUp},
		"recovers":   {delivery.Retried, delivery.Retried, delivery.Delivered},
		"fails anew": {delivery.Retried, delivery.Delivered, delivery.Retried},
		"works":      {delivery.Delivered, delivery.Delivered, delivery.Delivered},
	} {
		var whole, first, later delivery.State
		for i, o := range outcomes {
			whole.Note(try(i+1, o))
			if i == 0 {
				first.Note(try(i+1, o))
			} else {
				later.Note(try(i+1, o))
			}
		}
		if first.Merge(&later); !cmp.Equal(first, whole) {
			t.Errorf("%s: %s", name, cmp.Diff(whole, first))
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"f":1,"l":[{"t":2,"n":3}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := delivery.ReadState(raw)
		if again := delivery.ReadState(s.Append(nil)); !cmp.Equal(s, again) {
			t.Error(cmp.Diff(s, again))
		}
	})
}
