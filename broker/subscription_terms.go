package broker

import (
	"context"
	"slices"
	"strings"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// newSubscription checks what a client asks for (notifications §10.3) and
// fills in the defaults. Expires is what it will be if it is stored now.
func (s *setup) newSubscription(q messaging.QueueRef, in CreateSubscription, now time.Time) (messaging.Subscription, error) {
	sub := messaging.Subscription{Source: q, Subscriber: in.Subscriber, TTL: s.DefaultSubscriptionTTL,
		Secrets: delivery.Secrets{delivery.NewSecret(now)}.Encode()}
	if err := s.checkSubscriber(in.Subscriber); err != nil {
		return sub, err
	}
	var err error
	if sub.Options, err = checkOptions(q, in.Options); err != nil {
		return sub, err
	}
	if in.TTL != nil {
		sub.TTL = *in.TTL
	}
	sub.Expires, err = subscriptionEnd(now, sub.TTL)
	return sub, err
}

// checkUpdate refuses what CreateSubscription would. It brings the options into
// the form in which they are stored.
func (s *setup) checkUpdate(q messaging.QueueRef, in *UpdateSubscription, now time.Time) (err error) {
	if in.Subscriber == nil && in.TTL == nil && in.Options == nil {
		return invalid("One of subscriber, ttl and options is required.")
	}
	if in.Subscriber != nil {
		if err := s.checkSubscriber(*in.Subscriber); err != nil {
			return err
		}
	}
	if in.Options != nil {
		if in.Options, err = checkOptions(q, in.Options); err != nil {
			return err
		}
	}
	if in.TTL != nil {
		_, err = subscriptionEnd(now, *in.TTL)
	}
	return err
}

// permitTargets refuses a subscription that would bring messages into queues to
// which the caller may post none, unless it did before: subscribing is no way
// around the policy, nor around the paths that a pre-signed URL opens. What
// comes from other projects is up to the queue.
func (b *Broker) permitTargets(ctx context.Context, who messaging.Caller, sub, before messaging.Subscription) error {
	had := targets(before)
	for _, to := range targets(sub) {
		switch {
		case slices.Contains(had, to):
		case who.Signed:
			return messaging.E(messaging.Denied, "A pre-signed URL does not open other queues, as subscribers or for dead letters.")
		case to.Project == who.Project:
			if err := b.Permit(ctx, who, "messages:create", to); err != nil {
				return err
			}
		}
	}
	return nil
}

// targets are the queues that a subscription brings messages to.
func targets(sub messaging.Subscription) (all []messaging.QueueRef) {
	if scheme, rest, _ := strings.Cut(sub.Subscriber, ":"); strings.EqualFold(scheme, delivery.QueueScheme) {
		if i := strings.IndexAny(rest, "?#"); i >= 0 {
			rest = rest[:i] // the notifier says what it thinks of that
		}
		if to, ok := delivery.TargetQueue(sub.Source.Project, rest); ok {
			all = append(all, to)
		}
	}
	if o, _ := delivery.ParseOptions(sub.Options); o.DeadLetterQueue != "" {
		all = append(all, messaging.QueueRef{Project: sub.Source.Project, Name: o.DeadLetterQueue})
	}
	return all
}

// longestSubscriber bounds a subscriber, in bytes.
const longestSubscriber = 4096

// checkSubscriber refuses what cannot be a URI of a kind that is served. The
// notifier looks at it more closely.
func (s *setup) checkSubscriber(subscriber string) error {
	if len(subscriber) > longestSubscriber {
		return invalid("subscriber must have at most %d bytes, not %d.", longestSubscriber, len(subscriber))
	}
	scheme, _, _ := strings.Cut(subscriber, ":")
	if len(scheme) == len(subscriber) || !slices.Contains(s.SubscriberTypes, strings.ToLower(scheme)) {
		return invalid("subscriber must be a URI with one of the schemes %s, not %s.", strings.Join(s.SubscriberTypes, ", "), quoted(subscriber))
	}
	if strings.ContainsFunc(subscriber, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return invalid("subscriber must be a URI, without blanks and control characters, not %s.", quoted(subscriber))
	}
	return nil
}

// checkOptions refuses options that cannot be followed, and returns them in the
// form in which they are stored: without blanks between members, and of members
// with one name the last.
func checkOptions(q messaging.QueueRef, raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return []byte("{}"), nil
	}
	o, err := delivery.ParseOptions(raw)
	if err != nil {
		return nil, err
	}
	if o.DeadLetterQueue == q.Name && !q.Topic {
		return nil, invalid("options.%s must name another queue than %s itself.", delivery.KeyDeadLetterQueue, quoted(q.Name))
	}
	members, err := messaging.DecodeMetadata(raw)
	if err != nil {
		return nil, fault(err)
	}
	return slices.Clone(members.JSON()), nil
}

// subscriptionEnd returns when a subscription ends that gets this lifetime now.
// The year must have four digits.
func subscriptionEnd(now time.Time, ttl int64) (time.Time, error) {
	last := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC).Unix() - 1
	if err := ranged("ttl", ttl, minSubscriptionTTL, last-now.Unix()); err != nil {
		return time.Time{}, err
	}
	return time.Unix(now.Unix()+ttl, int64(now.Nanosecond())).UTC(), nil
}
