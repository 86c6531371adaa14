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
	err = s.subscribed(ctx, in.Source, func(now time.Time, list *subscribers) error {
		if same := list.to[in.Subscriber]; same != nil {
			stored = whole(same)
			return nil
		}
		n := whole(&in)
		n.ID = messaging.SubscriptionID(s.id(s.next()))
		n.Created, n.Expires = now, after(now, n.TTL)
		list.add(&n)
		stored, created = whole(&n), true
		return nil
	})
	return stored, created, err
}

// Subscription implements storage.Subscriptions.
func (s *Store) Subscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) (found messaging.Subscription, err error) {
	err = s.subscribed(ctx, q, func(_ time.Time, list *subscribers) error {
		sub := list.find(id)
		if sub == nil {
			return errNoSubscription()
		}
		found = whole(sub)
		return nil
	})
	return found, err
}

// SubscriptionTo implements storage.Subscriptions.
func (s *Store) SubscriptionTo(ctx context.Context, q messaging.QueueRef, subscriber string) (found messaging.Subscription, err error) {
	err = s.subscribed(ctx, q, func(_ time.Time, list *subscribers) error {
		sub := list.to[subscriber]
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
	err = s.subscribed(ctx, q, func(_ time.Time, list *subscribers) error {
		if after != "" {
			if _, given := s.numberOf(string(after)); !given {
				return nil
			}
		}
		for _, sub := range page(list.behind(after), limit) {
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
			for _, sub := range list.created {
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
	err = s.subscribed(ctx, q, func(now time.Time, list *subscribers) error {
		old := list.find(id)
		if old == nil {
			return errNoSubscription()
		}
		n := whole(old)
		if err := edit(&n); err != nil {
			return err
		}
		anew := n.TTL != old.TTL || n.Expires.IsZero()
		n.ID, n.Source, n.Created, n.Expires = old.ID, old.Source, old.Created, old.Expires
		if anew {
			n.Expires = after(now, n.TTL)
		}
		if same := list.to[n.Subscriber]; same != nil && same != old {
			return messaging.E(messaging.Conflict, "Such a subscription exists already.")
		}
		list.replace(old, whole(&n))
		stored = n
		return nil
	})
	return stored, err
}

// Unsubscribe implements storage.Subscriptions.
func (s *Store) Unsubscribe(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) error {
	return s.subscribed(ctx, q, func(_ time.Time, list *subscribers) error {
		if sub := list.find(id); sub != nil {
			list.remove(sub)
		}
		return nil
	})
}

// UnsubscribeAll implements storage.Subscriptions.
func (s *Store) UnsubscribeAll(ctx context.Context, q messaging.QueueRef) error {
	return s.subscribed(ctx, q, func(_ time.Time, list *subscribers) error {
		*list = *newSubscribers()
		return nil
	})
}

// subscribed runs do alone on the live subscriptions of the queue.
func (s *Store) subscribed(ctx context.Context, q messaging.QueueRef, do func(now time.Time, list *subscribers) error) error {
	return s.locked(ctx, func() error {
		now := s.now()
		list := s.expireSubscriptions(q, now)
		defer s.forgetNobody(q)
		return do(now, list)
	})
}

// expireSubscriptions drops the expired subscriptions of the queue. It returns
// the others, which may be none.
func (s *Store) expireSubscriptions(q messaging.QueueRef, now time.Time) *subscribers {
	list := s.subscriptions[q]
	if list == nil {
		list = newSubscribers()
		s.subscriptions[q] = list
	}
	s.swept.Subscriptions += list.expire(now)
	return list
}

// forgetNobody drops the list of a queue that has no subscriptions.
func (s *Store) forgetNobody(q messaging.QueueRef) {
	if list := s.subscriptions[q]; list != nil && len(list.created) == 0 {
		delete(s.subscriptions, q)
	}
}

func errNoSubscription() error {
	return messaging.E(messaging.NotFound, "The subscription does not exist.")
}

// whole copies a subscription with its options.
func whole(sub *messaging.Subscription) messaging.Subscription {
	c := *sub
	c.Options, c.Secrets, c.State = bytes.Clone(sub.Options), bytes.Clone(sub.Secrets), bytes.Clone(sub.State)
	return c
}
