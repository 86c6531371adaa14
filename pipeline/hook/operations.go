package hook

import (
	"context"
	"fmt"
	"slices"

	"zaqar/messaging"
	"zaqar/pipeline"
	"zaqar/storage"
)

type messages struct {
	pipeline.MessageStore
	*asker
}

// Append implements storage.Messages.
func (m *messages) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	told := make([]message, len(drafts))
	for i, d := range drafts {
		told[i] = message{TTL: d.TTL, Delay: d.Delay, Encrypted: d.Key != ""}
		if d.Key == "" {
			told[i].Body = d.Body
		}
	}
	for _, q := range append([]messaging.QueueRef{q}, o.Also...) {
		said, err := m.ask(ctx, q, question{Operation: "messages.post", Messages: told})
		if err != nil {
			return storage.Appended{}, err
		}
		if drafts, err = changed(drafts, said); err != nil {
			return storage.Appended{}, messaging.Wrap(messaging.Unavailable, "This could not be checked.", err)
		}
	}
	return m.MessageStore.Append(ctx, q, by, drafts, o)
}

// changed puts the bodies of an answer into drafts.
func changed(drafts []messaging.Draft, said answer) ([]messaging.Draft, error) {
	if said.Messages == nil {
		return drafts, nil
	}
	if len(said.Messages) != len(drafts) {
		return nil, fmt.Errorf("an answer with %d messages for %d", len(said.Messages), len(drafts))
	}
	drafts = slices.Clone(drafts)
	for i, m := range said.Messages {
		if m.Body == nil {
			continue
		}
		if err := pipeline.SetBody(&drafts[i], m.Body); err != nil {
			return nil, err
		}
	}
	return drafts, nil
}

// Remove implements storage.Messages.
func (m *messages) Remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) error {
	if _, err := m.ask(ctx, q, question{Operation: "messages.delete", IDs: ids}); err != nil {
		return err
	}
	return m.MessageStore.Remove(ctx, q, ids, hold)
}

// Pop implements storage.Messages.
func (m *messages) Pop(ctx context.Context, q messaging.QueueRef, t storage.Take) ([]messaging.Message, error) {
	if _, err := m.ask(ctx, q, question{Operation: "messages.pop", Limit: t.Limit}); err != nil {
		return nil, err
	}
	return m.MessageStore.Pop(ctx, q, t)
}

// Purge implements storage.Messages.
func (m *messages) Purge(ctx context.Context, q messaging.QueueRef) error {
	if _, err := m.ask(ctx, q, question{Operation: "messages.purge"}); err != nil {
		return err
	}
	return m.MessageStore.Purge(ctx, q)
}

type claims struct {
	pipeline.ClaimStore
	*asker
}

// Claim implements storage.Claims.
func (c *claims) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	if _, err := c.ask(ctx, q, question{Operation: "claims.create", TTL: t.TTL, Grace: &t.Grace, Limit: t.Limit}); err != nil {
		return storage.Lease{}, err
	}
	return c.ClaimStore.Claim(ctx, q, t)
}

type subscriptions struct {
	pipeline.SubscriptionStore
	*asker
}

// Subscribe implements storage.Subscriptions.
func (s *subscriptions) Subscribe(ctx context.Context, sub messaging.Subscription) (messaging.Subscription, bool, error) {
	o := question{Operation: "subscriptions.create", Subscriber: sub.Subscriber, Options: sub.Options, TTL: sub.TTL}
	if _, err := s.ask(ctx, sub.Source, o); err != nil {
		return messaging.Subscription{}, false, err
	}
	return s.SubscriptionStore.Subscribe(ctx, sub)
}

// Unsubscribe implements storage.Subscriptions.
func (s *subscriptions) Unsubscribe(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) error {
	if _, err := s.ask(ctx, q, question{Operation: "subscriptions.delete", ID: id}); err != nil {
		return err
	}
	return s.SubscriptionStore.Unsubscribe(ctx, q, id)
}

type queues struct {
	pipeline.QueueStore
	*asker
}

func operation(q messaging.QueueRef, what string) string {
	if q.Topic {
		return "topics." + what
	}
	return "queues." + what
}

// CreateQueue implements storage.Queues.
func (s *queues) CreateQueue(ctx context.Context, q messaging.QueueRef, m *messaging.Metadata) (bool, error) {
	if _, err := s.ask(ctx, q, question{Operation: operation(q, "create"), Metadata: m.JSON()}); err != nil {
		return false, err
	}
	return s.QueueStore.CreateQueue(ctx, q, m)
}

// AmendQueue implements storage.Queues.
func (s *queues) AmendQueue(ctx context.Context, q messaging.QueueRef, edit func(*messaging.Metadata) (*messaging.Metadata, error)) (messaging.Queue, error) {
	if _, err := s.ask(ctx, q, question{Operation: operation(q, "update")}); err != nil {
		return messaging.Queue{}, err
	}
	return s.QueueStore.AmendQueue(ctx, q, edit)
}

// DeleteQueue implements storage.Queues.
func (s *queues) DeleteQueue(ctx context.Context, q messaging.QueueRef) error {
	if _, err := s.ask(ctx, q, question{Operation: operation(q, "delete")}); err != nil {
		return err
	}
	return s.QueueStore.DeleteQueue(ctx, q)
}
