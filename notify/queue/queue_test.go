package queue_test

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/notify/queue"
)

// queues accept from the project "p" only, and fail as told.
type queues struct {
	got  []queue.Message
	fail map[string]error
}

func (q *queues) Accepts(_ context.Context, from messaging.Project, to messaging.QueueRef) error {
	if to.Project != from && to.Project != "friend" {
		return messaging.E(messaging.Denied, "no")
	}
	return nil
}

func (q *queues) Forward(_ context.Context, m queue.Message) []error {
	q.got = append(q.got, m)
	errs := make([]error, len(m.To))
	for i, to := range m.To {
		errs[i] = q.fail[to.Name]
	}
	return errs
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestSubscribers(t *testing.T) {
	s := queue.New(&queues{})
	for text, right := range map[string]bool{
		"queue:copies": true, "queue:p/copies": true, "queue:friend/copies": true, "queue:a%2Fb/copies": false, "QUEUE:x": true,
		"queue:other/copies": false, "queue:": false, "queue:/copies": false, "queue:a b": false, "queue:q?x=1": false, "queue:q#f": false,
		"queue://host/q": false, "queue:own": false, "queue:p/own": false,
	} {
		u, err := url.Parse(text)
		if err == nil {
			sub := messaging.Subscription{Source: messaging.QueueRef{Project: "p", Name: "own"}, Subscriber: text}
			err = errors.Join(s.Check(t.Context(), u, nil), s.Inspect(t.Context(), &sub, u))
		}
		if (err == nil) != right {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && !errors.Is(err, messaging.Invalid) {
			t.Errorf("%s: %v is not for the client", text, err)
		}
	}
}

func TestSendAll(t *testing.T) {
	q := &queues{fail: map[string]error{
		"full": messaging.E(messaging.OverQuota, "full"), "closed": messaging.E(messaging.Denied, "no"),
		"small": messaging.E(messaging.Invalid, "Too large."), "away": messaging.E(messaging.Unavailable, "away"),
	}}
	s := queue.New(q)
	source := messaging.QueueRef{Project: "p", Name: "t", Topic: true}
	d := func(subscriber string) *notify.Delivery {
		return &notify.Delivery{Subscription: &messaging.Subscription{Source: source}, Subscriber: parse(t, subscriber),
			Kind: delivery.Notification, Body: []byte("1"), TTL: 70, Hops: 2, Trace: "t"}
	}
	errs := s.SendAll(t.Context(), []*notify.Delivery{d("queue:a"), d("queue:full"), d("queue:closed"), d("queue:small"), d("queue:away"), d("queue:friend/b")})
	want := []*notify.Failure{nil, {Verdict: notify.Retry}, {Verdict: notify.GiveUp}, {Verdict: notify.GiveUp}, {Verdict: notify.Retry}, nil}
	for i, err := range errs {
		var f *notify.Failure
		if errors.As(err, &f); (f == nil) != (want[i] == nil) || f != nil && f.Verdict != want[i].Verdict {
			t.Errorf("delivery %d: %v", i, err)
		}
	}
	to := func(p messaging.Project, name string) messaging.QueueRef {
		return messaging.QueueRef{Project: p, Name: name}
	}
	if diff := cmp.Diff([]queue.Message{{From: "p", Body: []byte("1"), TTL: 70, Note: delivery.Note{Hops: 3, Trace: "t"},
		To: []messaging.QueueRef{to("p", "a"), to("p", "full"), to("p", "closed"), to("p", "small"), to("p", "away"), to("friend", "b")}}}, q.got); diff != "" {
		t.Error(diff)
	}
}

// Messages do not go in circles, and queues confirm nothing.
func TestWhatIsNotSent(t *testing.T) {
	q := &queues{}
	s := queue.New(q)
	for name, d := range map[string]notify.Delivery{
		"too many hops": {Kind: delivery.Notification, Hops: delivery.MaxHops},
		"confirmation":  {Kind: delivery.SubscriptionConfirmation},
	} {
		d.Subscription, d.Subscriber = &messaging.Subscription{Source: messaging.QueueRef{Project: "p"}}, parse(t, "queue:a")
		var f *notify.Failure
		if _, err := s.Send(t.Context(), &d); !errors.As(err, &f) || f.Verdict != notify.GiveUp {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(q.got) > 0 {
		t.Errorf("%v was forwarded", q.got)
	}
}
