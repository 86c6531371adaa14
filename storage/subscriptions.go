package storage

import (
	"context"

	"zaqar/messaging"
)

// Subscriptions keeps who wants the messages of a queue or topic. The queue
// need not exist, and deleting it leaves them alone.
type Subscriptions interface {
	// Subscribe stores a new subscription; ID, Created and Expires are set by
	// the store from its clock and TTL. If one with the same source and
	// subscriber exists, that one is returned unchanged with false.
	Subscribe(ctx context.Context, s messaging.Subscription) (stored messaging.Subscription, created bool, err error)
	// Subscription returns one of the queue, or NotFound.
	Subscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) (messaging.Subscription, error)
	// SubscriptionTo returns the one with the subscriber, or NotFound.
	SubscriptionTo(ctx context.Context, q messaging.QueueRef, subscriber string) (messaging.Subscription, error)
	// Subscriptions returns up to limit of them in order of creation, strictly
	// after the one with the id after (empty: from the start). One that is gone
	// keeps its place, so that whoever reads on misses none. An id that was never
	// given out gives an empty page.
	Subscriptions(ctx context.Context, q messaging.QueueRef, after messaging.SubscriptionID, limit int) ([]messaging.Subscription, error)
	// CountSubscriptions returns the number of unexpired ones to queues and
	// topics of the project. It may be slow in proportion to that.
	CountSubscriptions(ctx context.Context, p messaging.Project) (int, error)
	// Sources returns up to limit queues and topics, of all projects, that have
	// subscriptions, in an order that stays the same, strictly after the given
	// one, which need not have any. Some may have lost theirs. The zero value is
	// before all.
	Sources(ctx context.Context, after messaging.QueueRef, limit int) ([]messaging.QueueRef, error)
	// AmendSubscription stores what edit makes of it, or returns NotFound. If
	// edit changes TTL, or sets Expires to the zero time, the lifetime begins
	// anew, from now. ID, Source, Created, and Expires otherwise, stay whatever
	// edit does. A Subscriber that another one has is a Conflict. edit may run
	// more than once, does no I/O, and its error ends the call.
	AmendSubscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID, edit func(*messaging.Subscription) error) (messaging.Subscription, error)
	// Unsubscribe removes the one with the id from the queue.
	Unsubscribe(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) error
	// UnsubscribeAll removes all of the queue.
	UnsubscribeAll(ctx context.Context, q messaging.QueueRef) error
}
