package broker

import (
	"context"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// Deliveries is how it goes with the deliveries of a subscription.
type Deliveries struct {
	delivery.State
	Pending int // that wait for their next attempt
	Failed  int // that were given up and are kept
}

// ShowDeliveries tells how it goes with what the subscriber is sent, or
// returns NotFound.
func (b *Broker) ShowDeliveries(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.SubscriptionID) (Deliveries, error) {
	defer b.follow(&ctx, who, "ShowDeliveries")()
	if _, err := b.enter(ctx, who, q, "subscription:deliveries"); err != nil {
		return Deliveries{}, err
	}
	b.notifier.Record(ctx, q, id)
	sub, err := b.data.Subscription(ctx, q, id)
	if err != nil {
		return Deliveries{}, fault(err)
	}
	d := Deliveries{State: delivery.ReadState(sub.State)}
	for part, n := range map[messaging.Part]*int{messaging.Backlog(id): &d.Pending, messaging.Failed(id): &d.Failed} {
		t, err := b.data.Tally(ctx, q.In(part))
		if err != nil {
			return Deliveries{}, fault(err)
		}
		*n = t.Total
	}
	return d, nil
}

// ReplayDeliveries makes deliveries of a subscription once more and returns how
// many. NotFound: no such subscription; Unsupported: nobody delivers.
func (b *Broker) ReplayDeliveries(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.SubscriptionID, what delivery.Replay) (int, error) {
	defer b.follow(&ctx, who, "ReplayDeliveries")()
	if _, err := b.enter(ctx, who, q, "subscription:replay"); err != nil {
		return 0, err
	}
	if what.What != delivery.AgainFailed && what.What != delivery.AgainAll {
		return 0, invalid("what must be %s or %s, not %s.", delivery.AgainFailed, delivery.AgainAll, quoted(string(what.What)))
	}
	sub, err := b.data.Subscription(ctx, q, id)
	if err != nil {
		return 0, fault(err)
	}
	n, err := b.notifier.Replay(ctx, sub, what)
	return n, fault(err)
}

// ShowSecrets returns the keys that sign what the subscriber is sent now, the
// newest first, or NotFound. They are not for whoever comes with a pre-signed
// URL: it opens a subscription, and not what proves where a message is from.
func (b *Broker) ShowSecrets(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.SubscriptionID) (delivery.Secrets, error) {
	defer b.follow(&ctx, who, "ShowSecrets")()
	if err := b.enterSecrets(ctx, who, q); err != nil {
		return nil, err
	}
	sub, err := b.data.Subscription(ctx, q, id)
	if err != nil {
		return nil, fault(err)
	}
	return b.secretsOf(sub)
}

// RotateSecret adds a key, which signs beside the former one for a while, and
// returns what ShowSecrets then does.
func (b *Broker) RotateSecret(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.SubscriptionID) (delivery.Secrets, error) {
	defer b.follow(&ctx, who, "RotateSecret")()
	if err := b.enterSecrets(ctx, who, q); err != nil {
		return nil, err
	}
	next := delivery.NewSecret(b.now())
	sub, err := b.data.AmendSubscription(ctx, q, id, func(sub *messaging.Subscription) error {
		secrets, err := delivery.ParseSecrets(sub.Secrets)
		sub.Secrets = secrets.Rotate(next).Encode()
		return err
	})
	if err != nil {
		return nil, fault(err)
	}
	b.notifier.Resume(ctx, sub)
	return b.secretsOf(sub)
}

func (b *Broker) enterSecrets(ctx context.Context, who messaging.Caller, q messaging.QueueRef) error {
	if _, err := b.enter(ctx, who, q, "subscription:secret"); err != nil {
		return err
	}
	if who.Signed {
		return messaging.E(messaging.Denied, "A pre-signed URL does not open the keys of a subscription.")
	}
	return nil
}

func (b *Broker) secretsOf(sub messaging.Subscription) (delivery.Secrets, error) {
	secrets, err := delivery.ParseSecrets(sub.Secrets)
	return secrets.At(b.now()), fault(err)
}
