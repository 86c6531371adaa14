package pipeline

import (
	"context"

	"zaqar/messaging"
)

// subscriptions shows stages what is done to subscriptions.
type subscriptions struct {
	guard
	stages SubscriptionStore
}

// Subscribe implements storage.Subscriptions.
func (s *subscriptions) Subscribe(ctx context.Context, sub messaging.Subscription) (stored messaging.Subscription, created bool, err error) {
	defer s.failing(&err)
	return s.stages.Subscribe(ctx, sub)
}

// Subscription implements storage.Subscriptions.
func (s *subscriptions) Subscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) (found messaging.Subscription, err error) {
	defer s.failing(&err)
	return s.stages.Subscription(ctx, q, id)
}

// SubscriptionTo implements storage.Subscriptions.
func (s *subscriptions) SubscriptionTo(ctx context.Context, q messaging.QueueRef, subscriber string) (found messaging.Subscription, err error) {
	defer s.failing(&err)
	return s.stages.SubscriptionTo(ctx, q, subscriber)
}

// Subscriptions implements storage.Subscriptions.
func (s *subscriptions) Subscriptions(ctx context.Context, q messaging.QueueRef, after messaging.SubscriptionID, limit int) (page []messaging.Subscription, err error) {
	defer s.failing(&err)
	return s.stages.Subscriptions(ctx, q, after, limit)
}

// CountSubscriptions implements storage.Subscriptions.
func (s *subscriptions) CountSubscriptions(ctx context.Context, p messaging.Project) (n int, err error) {
	defer s.failing(&err)
	return s.stages.CountSubscriptions(ctx, p)
}

// Sources implements storage.Subscriptions.
func (s *subscriptions) Sources(ctx context.Context, after messaging.QueueRef, limit int) (page []messaging.QueueRef, err error) {
	defer s.failing(&err)
	return s.stages.Sources(ctx, after, limit)
}

// AmendSubscription implements storage.Subscriptions.
func (s *subscriptions) AmendSubscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID, edit func(*messaging.Subscription) error) (stored messaging.Subscription, err error) {
	defer s.failing(&err)
	return s.stages.AmendSubscription(ctx, q, id, edit)
}

// Unsubscribe implements storage.Subscriptions.
func (s *subscriptions) Unsubscribe(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) (err error) {
	defer s.failing(&err)
	return s.stages.Unsubscribe(ctx, q, id)
}

// UnsubscribeAll implements storage.Subscriptions.
func (s *subscriptions) UnsubscribeAll(ctx context.Context, q messaging.QueueRef) (err error) {
	defer s.failing(&err)
	return s.stages.UnsubscribeAll(ctx, q)
}
