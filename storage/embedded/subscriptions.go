package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"time"

	"zaqar/messaging"
)

// Subscriptions have two keys: by id, which is the record, and by subscriber,
// which controlPlane.named keeps in memory.

func subscriptionKey(q messaging.QueueRef, id messaging.SubscriptionID) string {
	return subscriptionPrefix(q) + string(id)
}

// subscriptionPrefix ends in a byte that no queue name has.
func subscriptionPrefix(q messaging.QueueRef) string { return queueKey(q) + "\x00" }

// subscriptionRecord is a subscription in the log. Instants are in ms, because
// JSON times end with the year 9999.
type subscriptionRecord struct {
	ID         messaging.SubscriptionID `json:"id"`
	Source     messaging.QueueRef       `json:"source"`
	Subscriber string                   `json:"subscriber"`
	Moves      int                      `json:"moves,omitempty"`
	TTL        int64                    `json:"ttl"`
	Options    []byte                   `json:"options,omitempty"`
	Confirmed  bool                     `json:"confirmed,omitempty"`
	Secrets    []byte                   `json:"secrets,omitempty"`
	State      []byte                   `json:"state,omitempty"`
	Created    int64                    `json:"created"`
	Expires    int64                    `json:"expires"`
}

func encodeSubscription(sub *messaging.Subscription) []byte {
	b, err := json.Marshal(subscriptionRecord{
		ID: sub.ID, Source: sub.Source, Subscriber: sub.Subscriber, Moves: sub.Moves, TTL: sub.TTL,
		Options: sub.Options, Confirmed: sub.Confirmed, Secrets: sub.Secrets, State: sub.State,
		Created: sub.Created.UnixMilli(), Expires: sub.Expires.UnixMilli(),
	})
	if err != nil {
		panic("embedded: subscription: " + err.Error())
	}
	return b
}

func decodeSubscription(b []byte) (*messaging.Subscription, error) {
	var r subscriptionRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, err
	}
	return &messaging.Subscription{
		ID: r.ID, Source: r.Source, Subscriber: r.Subscriber, Moves: r.Moves, TTL: r.TTL,
		Options: r.Options, Confirmed: r.Confirmed, Secrets: r.Secrets, State: r.State,
		Created: time.UnixMilli(r.Created), Expires: time.UnixMilli(r.Expires),
	}, nil
}

// detached is a copy that shares nothing.
func detached(sub *messaging.Subscription) messaging.Subscription {
	out := *sub
	out.Options, out.Secrets, out.State = bytes.Clone(sub.Options), bytes.Clone(sub.Secrets), bytes.Clone(sub.State)
	return out
}

// living calls f for the unexpired subscriptions of the queue behind after.
// The caller holds c.mu.
func (c *controlPlane) living(q messaging.QueueRef, after messaging.SubscriptionID, f func(*messaging.Subscription) (more bool)) {
	prefix, now := subscriptionPrefix(q), c.store.env.Now()
	c.scan(tableSubscriptions, prefix, prefix+string(after), func(_ string, value any) bool {
		sub := value.(*messaging.Subscription)
		return !now.Before(sub.Expires) || f(sub)
	})
}

// subscription returns an unexpired one, or nil. The caller holds c.mu.
func (c *controlPlane) subscription(q messaging.QueueRef, id messaging.SubscriptionID) *messaging.Subscription {
	sub, ok := c.get(tableSubscriptions, subscriptionKey(q, id)).(*messaging.Subscription)
	if !ok || !c.store.env.Now().Before(sub.Expires) {
		return nil
	}
	return sub
}

// subscriptionTo returns the unexpired one with the subscriber, or nil. The
// caller holds c.mu.
func (c *controlPlane) subscriptionTo(q messaging.QueueRef, subscriber string) *messaging.Subscription {
	sub, ok := c.get(tableSubscriptions, c.named[subscriptionPrefix(q)+subscriber]).(*messaging.Subscription)
	if !ok || !c.store.env.Now().Before(sub.Expires) {
		return nil
	}
	return sub
}

// countSubscription notes that a subscription is there, with by 1, or no more,
// with by -1. Of several of one name, all but one of which have expired, that
// one has it. The caller holds c.mu.
func (c *controlPlane) countSubscription(it *item, by int) {
	sub, ok := it.value.(*messaging.Subscription)
	if !ok {
		return
	}
	if c.sources[sub.Source] += by; c.sources[sub.Source] == 0 {
		delete(c.sources, sub.Source)
	}
	if c.named == nil {
		return
	}
	name := subscriptionPrefix(sub.Source) + sub.Subscriber
	switch other := c.subscriptionTo(sub.Source, sub.Subscriber); {
	case by > 0 && (other == nil || other.ID == sub.ID):
		c.named[name] = it.key
	case by < 0 && c.named[name] == it.key:
		delete(c.named, name)
	}
}

// nameSubscriptions names those that recovery has found. Only when all is read
// does one live subscription at most have a name: the removal of an earlier one
// may have been carried behind it in the log.
func (c *controlPlane) nameSubscriptions() {
	c.named = make(map[string]string)
	now := c.store.env.Now()
	c.scan(tableSubscriptions, "", "", func(key string, value any) bool {
		if sub := value.(*messaging.Subscription); now.Before(sub.Expires) {
			c.named[subscriptionPrefix(sub.Source)+sub.Subscriber] = key
		}
		return true
	})
}

// hasSubscriptions reports whether the queue has some that may not have expired.
func (c *controlPlane) hasSubscriptions(q messaging.QueueRef) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.sources[q] > 0
}

// lifetime returns when something that begins now begins and ends, as the log
// keeps it: in ms, the end being the last instant there is if ttl is too long.
func lifetime(now time.Time, ttl int64) (from, to time.Time) {
	start := now.UnixMilli()
	if ttl > (math.MaxInt64-start)/1000 {
		return time.UnixMilli(start), time.UnixMilli(math.MaxInt64)
	}
	return time.UnixMilli(start), time.UnixMilli(start + ttl*1000)
}

// Subscribe implements storage.Subscriptions.
func (s *Store) Subscribe(ctx context.Context, sub messaging.Subscription) (stored messaging.Subscription, created bool, err error) {
	if err := s.enter(ctx); err != nil {
		return stored, false, err
	}
	c := &s.control
	err = c.change(true, func() ([]staged, error) {
		if old := c.subscriptionTo(sub.Source, sub.Subscriber); old != nil {
			stored, created = detached(old), false
			return nil, nil
		}
		sub.ID = messaging.SubscriptionID(s.id(s.journal.reserveNumber()))
		sub.Created, sub.Expires = lifetime(s.env.Now(), sub.TTL)
		stored, created = sub, true
		value := detached(&sub)
		return []staged{c.put(tableSubscriptions, subscriptionKey(sub.Source, sub.ID), &value)}, nil
	})
	if err != nil {
		return messaging.Subscription{}, false, err
	}
	return stored, created, nil
}

func errNoSubscription() error {
	return messaging.E(messaging.NotFound, "The subscription does not exist.")
}

// Subscription implements storage.Subscriptions.
func (s *Store) Subscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) (messaging.Subscription, error) {
	return s.oneSubscription(ctx, func(c *controlPlane) *messaging.Subscription { return c.subscription(q, id) })
}

// SubscriptionTo implements storage.Subscriptions.
func (s *Store) SubscriptionTo(ctx context.Context, q messaging.QueueRef, subscriber string) (messaging.Subscription, error) {
	return s.oneSubscription(ctx, func(c *controlPlane) *messaging.Subscription { return c.subscriptionTo(q, subscriber) })
}

func (s *Store) oneSubscription(ctx context.Context, find func(*controlPlane) *messaging.Subscription) (out messaging.Subscription, err error) {
	found, err := view(ctx, &s.control, func() *messaging.Subscription { return find(&s.control) })
	if err != nil {
		return out, err
	}
	if found == nil {
		return out, errNoSubscription()
	}
	return detached(found), nil
}

// Subscriptions implements storage.Subscriptions.
func (s *Store) Subscriptions(ctx context.Context, q messaging.QueueRef, after messaging.SubscriptionID, limit int) ([]messaging.Subscription, error) {
	c := &s.control
	return view(ctx, c, func() (out []messaging.Subscription) {
		if n, ok := s.number(string(after)); after != "" && (!ok || n >= s.journal.horizon()) {
			return nil
		}
		c.living(q, after, func(sub *messaging.Subscription) bool {
			out = append(out, detached(sub))
			return len(out) < limit
		})
		return out
	})
}

// Sources implements storage.Subscriptions.
func (s *Store) Sources(ctx context.Context, after messaging.QueueRef, limit int) ([]messaging.QueueRef, error) {
	c := &s.control
	return view(ctx, c, func() (out []messaging.QueueRef) {
		from := ""
		if after != (messaging.QueueRef{}) {
			from = subscriptionPrefix(after) + behindIDs
		}
		for len(out) < limit {
			last := len(out)
			c.scan(tableSubscriptions, "", from, func(_ string, value any) bool {
				source := value.(*messaging.Subscription).Source
				out, from = append(out, source), subscriptionPrefix(source)+behindIDs
				return false
			})
			if len(out) == last {
				break
			}
		}
		return out
	})
}

// behindIDs sorts behind every id of a subscription.
const behindIDs = "\xff"

// CountSubscriptions implements storage.Subscriptions.
func (s *Store) CountSubscriptions(ctx context.Context, p messaging.Project) (int, error) {
	c, prefix, now := &s.control, string(projectKey(p)), s.env.Now()
	return view(ctx, c, func() (n int) {
		c.scan(tableSubscriptions, prefix, prefix, func(_ string, value any) bool {
			if now.Before(value.(*messaging.Subscription).Expires) {
				n++
			}
			return true
		})
		return n
	})
}

// AmendSubscription implements storage.Subscriptions.
func (s *Store) AmendSubscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID, edit func(*messaging.Subscription) error) (out messaging.Subscription, err error) {
	if err := s.enter(ctx); err != nil {
		return out, err
	}
	c := &s.control
	err = c.change(true, func() ([]staged, error) {
		old := c.subscription(q, id)
		if old == nil {
			return nil, errNoSubscription()
		}
		sub := detached(old)
		if err := edit(&sub); err != nil {
			return nil, err
		}
		anew := sub.TTL != old.TTL || sub.Expires.IsZero()
		sub.ID, sub.Source, sub.Created, sub.Expires = old.ID, old.Source, old.Created, old.Expires
		if anew {
			_, sub.Expires = lifetime(s.env.Now(), sub.TTL)
		}
		if other := c.subscriptionTo(q, sub.Subscriber); other != nil && other.ID != id {
			return nil, messaging.E(messaging.Conflict, "Another subscription of the queue has this subscriber.")
		}
		value := detached(&sub)
		out = sub
		return []staged{c.put(tableSubscriptions, subscriptionKey(q, id), &value)}, nil
	})
	if err != nil {
		return messaging.Subscription{}, err
	}
	return out, nil
}

// Unsubscribe implements storage.Subscriptions.
func (s *Store) Unsubscribe(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) error {
	return s.deleteRecord(ctx, tableSubscriptions, subscriptionKey(q, id))
}

// UnsubscribeAll implements storage.Subscriptions.
func (s *Store) UnsubscribeAll(ctx context.Context, q messaging.QueueRef) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	c := &s.control
	prefix := subscriptionPrefix(q)
	return c.change(false, func() (edits []staged, err error) {
		c.scan(tableSubscriptions, prefix, prefix, func(key string, _ any) bool {
			edits = append(edits, c.erase(tableSubscriptions, key))
			return true
		})
		return edits, nil
	})
}

// sweepSubscriptions erases those that have expired.
func (s *Store) sweepSubscriptions() error {
	c := &s.control
	now := s.env.Now()
	swept := 0
	err := c.change(false, func() (edits []staged, err error) {
		c.scan(tableSubscriptions, "", "", func(key string, value any) bool {
			if !now.Before(value.(*messaging.Subscription).Expires) {
				edits = append(edits, c.erase(tableSubscriptions, key))
			}
			return len(edits) < sweepLot
		})
		swept = len(edits)
		return edits, nil
	})
	if err == nil {
		s.swept.subscriptions.Add(int64(swept))
	}
	return err
}

// sweepLot bounds the subscriptions one sweep erases.
const sweepLot = 1000
