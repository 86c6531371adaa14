package broker

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// ListSubscriptions returns a page of the subscriptions to a queue or topic, in
// order of creation. A missing queue has none (http-v2 §12.2).
func (b *Broker) ListSubscriptions(ctx context.Context, who messaging.Caller, q messaging.QueueRef, in ListSubscriptions) (Subscriptions, error) {
	defer b.follow(&ctx, who, "ListSubscriptions")()
	s, err := b.enter(ctx, who, q, "subscription:get_all")
	if err != nil {
		return Subscriptions{}, err
	}
	limit, err := pageSize(in.Limit, s.MaxSubscriptionsPerPage)
	if err != nil {
		return Subscriptions{}, err
	}
	list, err := b.data.Subscriptions(ctx, q, in.Marker, limit)
	return Subscriptions{b.now(), list}, fault(err)
}

// ShowSubscription returns a subscription and the instant to which its age
// refers, or NotFound (http-v2 §12.4).
func (b *Broker) ShowSubscription(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.SubscriptionID) (messaging.Subscription, time.Time, error) {
	defer b.follow(&ctx, who, "ShowSubscription")()
	if _, err := b.enter(ctx, who, q, "subscription:get"); err != nil {
		return messaging.Subscription{}, time.Time{}, err
	}
	sub, err := b.data.Subscription(ctx, q, id)
	return sub, b.now(), fault(err)
}

// CreateSubscription subscribes to a queue or topic, which is created if it is
// missing (http-v2 §12.3). A subscriber whose subscription is not confirmed is
// asked for that once more, and nothing else happens; if it is confirmed, that
// is a Conflict.
func (b *Broker) CreateSubscription(ctx context.Context, who messaging.Caller, q messaging.QueueRef, in CreateSubscription) (Subscribed, error) {
	defer b.follow(&ctx, who, "CreateSubscription")()
	s, err := b.enter(ctx, who, q, "subscription:create")
	if err != nil {
		return Subscribed{}, err
	}
	sub, err := s.newSubscription(q, in, b.now())
	if err != nil {
		return Subscribed{}, err
	}
	switch old, err := b.data.SubscriptionTo(ctx, q, sub.Subscriber); {
	case err == nil:
		return b.subscribeAgain(ctx, s, old, sub.TTL)
	case !is(err, messaging.NotFound):
		return Subscribed{}, fault(err)
	}
	return b.subscribe(ctx, s, who, sub)
}

// subscribe stores a new subscription. The notifier is asked before the queue
// is created: what it refuses leaves nothing behind.
func (b *Broker) subscribe(ctx context.Context, s *setup, who messaging.Caller, sub messaging.Subscription) (made Subscribed, err error) {
	hold, err := b.quotas.HoldSubscription(ctx, sub.Source.Project)
	if err != nil {
		return made, fault(err)
	}
	defer hold.Done()
	if err := b.permitTargets(ctx, who, sub, messaging.Subscription{}); err != nil {
		return made, err
	}
	if err := b.mayAsk(s, sub); err != nil {
		return made, err
	}
	if err := b.notifier.Admit(ctx, who, &sub); err != nil {
		return made, fault(err)
	}
	if made.Queue, err = b.createQueue(ctx, sub.Source, nil); err != nil {
		b.notifier.Forget(ctx, sub)
		return made, err
	}
	stored, created, err := b.data.Subscribe(ctx, sub)
	if err != nil || !created {
		b.notifier.Forget(ctx, sub)
	}
	switch {
	case err != nil:
		return made, fault(err)
	case !created: // somebody was faster
		again, err := b.subscribeAgain(ctx, s, stored, sub.TTL)
		again.Queue = again.Queue || made.Queue
		return again, err
	}
	made.ID = stored.ID
	b.askConfirmation(ctx, s, stored, stored.Expires)
	return made, nil
}

// subscribeAgain answers who is subscribed already. What the subscriber is asked
// is good for the lifetime that this request wants.
func (b *Broker) subscribeAgain(ctx context.Context, s *setup, old messaging.Subscription, ttl int64) (Subscribed, error) {
	if old.Confirmed {
		return Subscribed{}, messaging.E(messaging.Conflict, "The "+noun(old.Source)+" has a confirmed subscription of this subscriber.")
	}
	if err := b.mayAsk(s, old); err != nil {
		return Subscribed{}, err
	}
	created, err := b.createQueue(ctx, old.Source, nil)
	if err != nil {
		return Subscribed{}, err
	}
	expires, err := subscriptionEnd(b.now(), ttl)
	if err != nil {
		return Subscribed{Queue: created}, err
	}
	b.askConfirmation(ctx, s, old, expires)
	return Subscribed{ID: old.ID, Queue: created}, nil
}

// mayAsk refuses what would have a subscriber asked to confirm, where that is
// required, when the project had too many asked: Exceeded.
func (b *Broker) mayAsk(s *setup, sub messaging.Subscription) error {
	if !s.RequireConfirmation {
		return nil
	}
	return fault(b.notifier.MayAsk(&sub))
}

// askConfirmation sends the subscriber what it needs to confirm, where that is
// required. What cannot be sent is logged: the subscription stands.
func (b *Broker) askConfirmation(ctx context.Context, s *setup, sub messaging.Subscription, expires time.Time) {
	if s.RequireConfirmation {
		b.inform(ctx, sub, delivery.SubscriptionConfirmation, expires)
	}
}

func (b *Broker) inform(ctx context.Context, sub messaging.Subscription, kind delivery.Kind, expires time.Time) {
	if err := b.notifier.Confirm(ctx, sub, kind, expires); err != nil {
		b.log.LogAttrs(ctx, slog.LevelError, "a subscriber cannot be told about confirmation", slog.String("kind", string(kind)),
			slog.String("project", string(sub.Source.Project)), slog.String(noun(sub.Source), sub.Source.Name),
			slog.String("subscription", string(sub.ID)), slog.Any("error", err))
	}
}

// UpdateSubscription changes what in names, of which there must be something
// (http-v2 §12.5). A TTL begins a new lifetime. Another subscriber has to
// confirm anew. NotFound: no such subscription; Conflict: the queue has one of
// the new subscriber.
func (b *Broker) UpdateSubscription(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.SubscriptionID, in UpdateSubscription) error {
	defer b.follow(&ctx, who, "UpdateSubscription")()
	s, err := b.enter(ctx, who, q, "subscription:update")
	if err != nil {
		return err
	}
	now := b.now()
	if err := s.checkUpdate(q, &in, now); err != nil {
		return err
	}
	old, err := b.data.Subscription(ctx, q, id)
	if err != nil {
		return fault(err)
	}
	next, err := b.admitUpdate(ctx, s, who, old, in, now)
	if err != nil {
		return err
	}
	stored, err := b.data.AmendSubscription(ctx, q, id, func(sub *messaging.Subscription) error {
		amend(sub, in, next)
		return nil
	})
	if err != nil {
		b.abandon(ctx, next, old)
		return fault(err)
	}
	b.abandon(ctx, old, stored)
	if in.Subscriber != nil && old.Moves != stored.Moves { // others may have changed it, too
		b.askConfirmation(ctx, s, stored, stored.Expires)
	}
	b.notifier.Resume(ctx, stored)
	return nil
}

// admitUpdate returns what the update would make of the subscription, after
// the notifier has admitted it.
func (b *Broker) admitUpdate(ctx context.Context, s *setup, who messaging.Caller, old messaging.Subscription, in UpdateSubscription, now time.Time) (messaging.Subscription, error) {
	next := old
	if in.TTL != nil {
		next.TTL = *in.TTL
		next.Expires, _ = subscriptionEnd(now, next.TTL) // checkUpdate has found it possible
	}
	if in.Options != nil {
		next.Options = in.Options
	}
	if in.Subscriber != nil && *in.Subscriber != old.Subscriber {
		next.Subscriber = *in.Subscriber
		switch _, err := b.data.SubscriptionTo(ctx, old.Source, next.Subscriber); {
		case err == nil:
			return next, messaging.E(messaging.Conflict, "The "+noun(old.Source)+" has a subscription of this subscriber.")
		case !is(err, messaging.NotFound):
			return next, fault(err)
		}
		if err := b.mayAsk(s, next); err != nil {
			return next, err
		}
	}
	if err := b.permitTargets(ctx, who, next, old); err != nil {
		return next, err
	}
	err := b.notifier.Admit(ctx, who, &next)
	return next, fault(err)
}

// amend makes the changes of an update.
func amend(sub *messaging.Subscription, in UpdateSubscription, next messaging.Subscription) {
	if in.Subscriber != nil && sub.Subscriber != next.Subscriber {
		sub.Subscriber, sub.Confirmed = next.Subscriber, false
		sub.Moves++
		if s := delivery.ReadState(sub.State); s.Socket { // this one has to confirm
			s.Socket = false
			sub.State = s.Append(nil)
		}
	}
	if in.TTL != nil {
		sub.TTL, sub.Expires = next.TTL, time.Time{}
	}
	sub.Options = next.Options
}

// abandon lets the notifier give up what belongs to the subscriber and options
// of one state of a subscription and not to those of another one.
func (b *Broker) abandon(ctx context.Context, sub, instead messaging.Subscription) {
	if sub.Subscriber != instead.Subscriber || string(sub.Options) != string(instead.Options) {
		sub.ID = ""
		b.notifier.Forget(ctx, sub)
	}
}

// ConfirmSubscription says whether the subscriber wants what is sent
// (http-v2 §12.7). asked is the id of the subscription, or the ConfirmationID
// that its present subscriber was told. To the id alone a pre-signed URL says
// only what the first subscriber was asked: NotFound once that is another one.
// One to whom nothing may be sent by now is Invalid. Whoever takes a
// confirmation back is told how to renew it, where one is required.
func (b *Broker) ConfirmSubscription(ctx context.Context, who messaging.Caller, q messaging.QueueRef, asked messaging.SubscriptionID, confirmed bool) error {
	defer b.follow(&ctx, who, "ConfirmSubscription")()
	s, err := b.enter(ctx, who, q, "subscription:confirm")
	if err != nil {
		return err
	}
	id, _, _ := strings.Cut(string(asked), ".")
	if confirmed {
		sub, err := b.data.Subscription(ctx, q, messaging.SubscriptionID(id))
		if err == nil {
			err = b.notifier.Check(ctx, &sub)
		}
		if err != nil {
			return fault(err)
		}
	}
	sub, err := b.data.AmendSubscription(ctx, q, messaging.SubscriptionID(id), func(sub *messaging.Subscription) error {
		if asked != sub.ConfirmationID() && (asked != sub.ID || who.Signed) {
			return messaging.E(messaging.NotFound, "The subscription does not exist, or its subscriber is another one by now.")
		}
		sub.Confirmed = confirmed
		return nil
	})
	switch {
	case err != nil:
		return fault(err)
	case confirmed:
		b.notifier.Resume(ctx, sub)
	case s.RequireConfirmation:
		expires, err := subscriptionEnd(b.now(), s.DefaultSubscriptionTTL)
		if err != nil {
			return err
		}
		b.inform(ctx, sub, delivery.UnsubscribeConfirmation, expires)
	}
	return nil
}

// DeleteSubscription ends a subscription. One that is not there is no error
// (http-v2 §12.6).
func (b *Broker) DeleteSubscription(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.SubscriptionID) error {
	defer b.follow(&ctx, who, "DeleteSubscription")()
	if _, err := b.enter(ctx, who, q, "subscription:delete"); err != nil {
		return err
	}
	switch sub, err := b.data.Subscription(ctx, q, id); {
	case is(err, messaging.NotFound):
		return nil
	case err != nil:
		return fault(err)
	default:
		return b.unsubscribe(ctx, sub)
	}
}

func (b *Broker) unsubscribe(ctx context.Context, sub messaging.Subscription) error {
	if err := b.data.Unsubscribe(ctx, sub.Source, sub.ID); err != nil {
		return fault(err)
	}
	b.notifier.Forget(ctx, sub)
	return nil
}

// unsubscribeChunk is how many subscriptions a purge reads at a time.
const unsubscribeChunk = 100

// unsubscribeAll ends all subscriptions to the queue.
func (b *Broker) unsubscribeAll(ctx context.Context, q messaging.QueueRef) error {
	if b.notifier == (nobody{}) {
		return fault(b.data.UnsubscribeAll(ctx, q))
	}
	for {
		list, err := b.data.Subscriptions(ctx, q, "", unsubscribeChunk)
		if err != nil {
			return fault(err)
		}
		for _, sub := range list {
			if err := b.unsubscribe(ctx, sub); err != nil {
				return err
			}
		}
		if len(list) < unsubscribeChunk {
			return nil
		}
	}
}
