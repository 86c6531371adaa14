// Package queue delivers to subscribers that are queues: queue:NAME is a queue of
// the project of the subscription, queue:PROJECT/NAME one of another project,
// whose metadata has to accept it (_accept_from).
//
// A delivery is a post of the message's body, with the message's TTL and what the
// queue says of delays, encryption, limits and quotas; the queue has subscribers
// of its own, too. The queues passed are counted, so that a circle ends, and
// what came of one message comes to a queue once, however many ways lead there.
//
// Subscribers of one post that have the same rules get it in one step of the
// store, all or none (SendAll).
package queue

import (
	"context"
	"errors"
	"net/url"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
)

// Scheme is that of the subscribers.
const Scheme = delivery.QueueScheme

// Queues is what a Sender needs of the server.
type Queues interface {
	// Accepts says whether the queue takes what the project has for its
	// subscribers: nil, Denied, or Invalid for a name that cannot be one.
	Accepts(ctx context.Context, from messaging.Project, to messaging.QueueRef) error
	// Forward stores the message in each of the queues and returns an error for
	// each that did not get it.
	Forward(ctx context.Context, m Message) []error
}

// Message is one for several queues.
type Message struct {
	From messaging.Project
	To   []messaging.QueueRef
	Body []byte // JSON text
	TTL  int64  // seconds
	Note delivery.Note
}

// Sender implements notify.Sender.
type Sender struct{ queues Queues }

// New returns a Sender.
func New(q Queues) *Sender { return &Sender{q} }

// Agreed implements notify.Agreed: the queue is the project's own, or its
// project has said that it takes the messages.
func (s *Sender) Agreed() {}

// Check implements notify.Sender.
func (s *Sender) Check(_ context.Context, subscriber *url.URL, _ *delivery.Options) error {
	_, err := target("p", subscriber)
	return err
}

// Inspect implements notify.Inspector: the other project is asked, and a queue
// does not subscribe to itself.
func (s *Sender) Inspect(ctx context.Context, sub *messaging.Subscription, subscriber *url.URL) error {
	to, err := target(sub.Source.Project, subscriber)
	switch {
	case err != nil:
		return err
	case to == sub.Source:
		return messaging.E(messaging.Invalid, "subscriber must not be the queue itself.")
	}
	if err := s.queues.Accepts(ctx, sub.Source.Project, to); errors.Is(err, messaging.Denied) {
		return messaging.Wrap(messaging.Invalid, "subscriber must be a queue that accepts messages from this project.", err)
	} else if err != nil {
		return err
	}
	return nil
}

// target reads a subscriber.
func target(own messaging.Project, u *url.URL) (messaging.QueueRef, error) {
	q, ok := delivery.TargetQueue(own, u.Opaque)
	if !ok || u.RawQuery != "" || u.Fragment != "" {
		return q, messaging.E(messaging.Invalid, "subscriber must be queue:NAME, or queue:PROJECT/NAME for a queue of another project.")
	}
	return q, nil
}

// Send implements notify.Sender.
func (s *Sender) Send(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
	return notify.Receipt{}, s.SendAll(ctx, []*notify.Delivery{d})[0]
}

// SendAll implements notify.GroupSender: all deliveries are of one message.
func (s *Sender) SendAll(ctx context.Context, ds []*notify.Delivery) []error {
	failed := make([]error, len(ds))
	first := ds[0]
	m := Message{From: first.Subscription.Source.Project, Body: first.Body, TTL: first.TTL,
		Note: delivery.Note{Hops: first.Hops + 1, Trace: first.Trace, Origin: first.Origin}}
	var at []int
	for i, d := range ds {
		to, err := target(m.From, d.Subscriber)
		switch {
		case err != nil:
			failed[i] = &notify.Failure{Verdict: notify.GiveUp, What: "The subscriber is not a queue.", Err: err}
		case d.Kind != delivery.Notification:
			failed[i] = &notify.Failure{Verdict: notify.GiveUp, What: "Queues confirm nothing."}
		case m.Note.Hops > delivery.MaxHops:
			failed[i] = &notify.Failure{Verdict: notify.GiveUp, What: "The message has passed too many queues."}
		default:
			m.To, at = append(m.To, to), append(at, i)
		}
	}
	if len(m.To) == 0 {
		return failed
	}
	for k, err := range s.queues.Forward(ctx, m) {
		failed[at[k]] = failure(err)
	}
	return failed
}

// failure tells what an error of the server means for a delivery.
func failure(err error) error {
	if err == nil {
		return nil
	}
	f := &notify.Failure{Verdict: notify.Retry, What: "The queue could not be reached.", Err: err}
	var e *messaging.Error
	if !errors.As(err, &e) {
		return f
	}
	switch e.Kind {
	case messaging.Denied:
		f.Verdict, f.What = notify.GiveUp, "The queue does not accept messages from this project."
	case messaging.Invalid:
		f.Verdict, f.What = notify.GiveUp, "The queue does not take the message: "+e.What
	case messaging.OverQuota, messaging.Exceeded:
		f.What, f.After = "The project of the queue has used up a quota.", e.After
	}
	return f
}
