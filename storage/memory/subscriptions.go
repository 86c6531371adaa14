package memory

import (
	"bytes"
	"context"
	"slices"
	"time"

	"zaqar/messaging"
)

// Subscribe implements storage.Subscriptions.
func (s *Store) Subscribe(ctx context.Context, in messaging.Subscription) (stored messaging.Subscription, created bool, err error) {
	err = s.subscribed(ctx, in.Source, func(now time.Time, list []*messaging.Subscription) error {
		if same := to(list, in.Subscriber); same != nil {
			stored = whole(same)
			return nil
		}
		n := whole(&in)
		n.ID = messaging.SubscriptionID(s.id(s.next()))
		n.Created, n.Expires = now, after(now, n.TTL)
		s.subscriptions[n.Source] = append(list, &n)
		stored, created = whole(&n), true
		return nil
	})
	return stored, created, err
}

// Subscription implements storage.Subscriptions.
func (s *Store) Subscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) (found messaging.Subscription, err error) {
	err = s.subscribed(ctx, q, func(_ time.Time, list []*messaging.Subscription) error {
		i := index(list, id)
		if i < 0 {
			return errNoSubscription()
		}
		found = whole(list[i])
		return nil
	})
	return found, err
}

// SubscriptionTo implements storage.Subscriptions.
func (s *Store) SubscriptionTo(ctx context.Context, q messaging.QueueRef, subscriber string) (found messaging.Subscription, err error) {
	err = s.subscribed(ctx, q, func(_ time.Time, list []*messaging.Subscription) error {
		sub := to(list, subscriber)
		if sub == nil {
			return errNoSubscription()
		}
		found = whole(sub)
		return nil
	})
	return found, err
}

// Subscriptions implements storage.Subscriptions.
func (s *Store) Subscriptions(ctx context.Context, q messaging.QueueRef, after messaging.SubscriptionID, limit int) (found []messaging.Subscription, err error) {
	err = s.subscribed(ctx, q, func(_ time.Time, list []*messaging.Subscription) error {
		if after != "" {
			if _, given := s.numberOf(string(after)); !given {
				return nil
			}
			list = slices.Clone(list)
			list = slices.DeleteFunc(list, func(sub *messaging.Subscription) bool { return sub.ID <= after })
		}
		for _, sub := range page(list, limit) {
			found = append(found, whole(sub))
		}
		return nil
	})
	return found, err
}

// Sources implements storage.Subscriptions.
func (s *Store) Sources(ctx context.Context, after messaging.QueueRef, limit int) (list []messaging.QueueRef, err error) {
	err = s.locked(ctx, func() error {
		for q := range s.subscriptions {
			if compareRefs(q, after) > 0 {
				list = append(list, q)
			}
		}
		slices.SortFunc(list, compareRefs)
		list = page(list, limit)
		return nil
	})
	return list, err
}

// CountSubscriptions implements storage.Subscriptions.
func (s *Store) CountSubscriptions(ctx context.Context, p messaging.Project) (n int, err error) {
	err = s.locked(ctx, func() error {
		now := s.now()
		for q, list := range s.subscriptions {
			for _, sub := range list {
				if q.Project == p && !expired(sub.Expires, now) {
					n++
				}
			}
		}
		return nil
	})
	return n, err
}

// AmendSubscription implements storage.Subscriptions.
func (s *Store) AmendSubscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID, edit func(*messaging.Subscription) error) (stored messaging.Subscription, err error) {
	err = s.subscribed(ctx, q, func(now time.Time, list []*messaging.Subscription) error {
		i := index(list, id)
		if i < 0 {
			return errNoSubscription()
		}
		old, n := list[i], whole(list[i])
		if err := edit(&n); err != nil {
			return err
		}
		anew := n.TTL != old.TTL || n.Expires.IsZero()
		n.ID, n.Source, n.Created, n.Expires = old.ID, old.Source, old.Created, old.Expires
		if anew {
			n.Expires = after(now, n.TTL)
		}
		if same := to(list, n.Subscriber); same != nil && same != old {
			return messaging.E(messaging.Conflict, "Such a subscription exists already.")
		}
		*old = whole(&n)
		stored = n
		return nil
	})
	return stored, err
}

// Unsubscribe implements storage.Subscriptions.
func (s *Store) Unsubscribe(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) error {
	return s.subscribed(ctx, q, func(_ time.Time, list []*messaging.Subscription) error {
		if i := index(list, id); i >= 0 {
			s.subscriptions[q] = slices.Delete(list, i, i+1)
		}
		return nil
	})
}

// UnsubscribeAll implements storage.Subscriptions.
func (s *Store) UnsubscribeAll(ctx context.Context, q messaging.QueueRef) error {
	return s.subscribed(ctx, q, func(time.Time, []*messaging.Subscription) error {
		delete(s.subscriptions, q)
		return nil
	})
}

// subscribed runs do alone on the live subscriptions of the queue.
func (s *Store) subscribed(ctx context.Context, q messaging.QueueRef, do func(now time.Time, list []*messaging.Subscription) error) error {
	return s.locked(ctx, func() error {
		now := s.now()
		s.expireSubscriptions(q, now)
		return do(now, s.subscriptions[q])
	})
}

func (s *Store) expireSubscriptions(q messaging.QueueRef, now time.Time) {
	list := s.subscriptions[q]
	live := slices.DeleteFunc(list, func(sub *messaging.Subscription) bool { return expired(sub.Expires, now) })
	s.swept.Subscriptions += len(list) - len(live)
	if len(live) == 0 {
		delete(s.subscriptions, q)
		return
	}
	s.subscriptions[q] = live
}

func errNoSubscription() error {
	return messaging.E(messaging.NotFound, "The subscription does not exist.")
}

func index(list []*messaging.Subscription, id messaging.SubscriptionID) int {
	return slices.IndexFunc(list, func(sub *messaging.Subscription) bool { return sub.ID == id })
}

func to(list []*messaging.Subscription, subscriber string) *messaging.Subscription {
	for _, sub := range list {
		if sub.Subscriber == subscriber {
			return sub
		}
	}
	return nil
}

// whole copies a subscription with its options.
func whole(sub *messaging.Subscription) messaging.Subscription {
	c := *sub
	c.Options, c.Secrets, c.State = bytes.Clone(sub.Options), bytes.Clone(sub.Secrets), bytes.Clone(sub.State)
	return c
}
