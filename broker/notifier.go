package broker

import (
	"context"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// Notifier delivers to subscribers. Its errors are messaging.Errors. Calls
// return without waiting for a subscriber.
type Notifier interface {
	// Check says whether it can deliver to the subscriber, with these options:
	// nil, or Invalid. It is asked before a subscription is confirmed.
	Check(ctx context.Context, sub *messaging.Subscription) error
	// Admit says so as well, and whether on behalf of the caller: Unavailable if
	// what it needs for that cannot be reached. It may add to the options what it needs (a trust). It
	// is asked before a subscription is stored, anew or with changes.
	Admit(ctx context.Context, who messaging.Caller, sub *messaging.Subscription) error
	// MayAsk says whether Confirm could be called for the subscription now: nil,
	// or Exceeded, because its project had too many asked.
	MayAsk(sub *messaging.Subscription) error
	// Confirm stores a document for delivery that asks the subscriber to confirm,
	// or says that it no longer does. It can be used until expires.
	Confirm(ctx context.Context, sub messaging.Subscription, kind delivery.Kind, expires time.Time) error
	// Forget gives up what belongs to a subscription that is gone. Without an ID
	// only what its options name: it was never stored, or has other ones now.
	Forget(ctx context.Context, sub messaging.Subscription)
	// Resume takes note of a subscription that was changed, or confirmed.
	Resume(ctx context.Context, sub messaging.Subscription)
	// Record writes what it knows of a subscription into its State.
	Record(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID)
	// Replay makes deliveries once more and returns how many.
	Replay(ctx context.Context, sub messaging.Subscription, what delivery.Replay) (int, error)
}

// nobody is the Notifier of a Broker that has none: subscriptions are kept,
// and nothing is delivered.
type nobody struct{}

func (nobody) Check(context.Context, *messaging.Subscription) error                   { return nil }
func (nobody) Admit(context.Context, messaging.Caller, *messaging.Subscription) error { return nil }
func (nobody) MayAsk(*messaging.Subscription) error                                   { return nil }
func (nobody) Confirm(context.Context, messaging.Subscription, delivery.Kind, time.Time) error {
	return nil
}
func (nobody) Forget(context.Context, messaging.Subscription)                       {}
func (nobody) Resume(context.Context, messaging.Subscription)                       {}
func (nobody) Record(context.Context, messaging.QueueRef, messaging.SubscriptionID) {}
func (nobody) Replay(context.Context, messaging.Subscription, delivery.Replay) (int, error) {
	return 0, messaging.E(messaging.Unsupported, "This server delivers nothing to subscribers.")
}
