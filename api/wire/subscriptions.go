package wire

import (
	"strconv"
	"time"

	"zaqar/broker"
	"zaqar/messaging"
)

// NewSubscription reads {"subscriber", "ttl", "options"} (http-v2 §12.3). Of
// these, subscriber is required; ttl and options may be null. Others are
// ignored. What is returned is valid until the next document and aliases raw.
func (r *Reader) NewSubscription(raw []byte) (in broker.CreateSubscription, err error) {
	subscriber, ttl, options, err := r.subscription(raw, false)
	switch {
	case err != nil:
		return in, err
	case subscriber == nil:
		return in, r.refuse("subscriber is missing.")
	}
	return broker.CreateSubscription{Subscriber: *subscriber, TTL: ttl, Options: options}, r.end()
}

// SubscriptionUpdate reads the same (http-v2 §12.5), with nothing required: a
// member that is absent or null is nil.
func (r *Reader) SubscriptionUpdate(raw []byte) (in broker.UpdateSubscription, err error) {
	if in.Subscriber, in.TTL, in.Options, err = r.subscription(raw, true); err != nil {
		return in, err
	}
	return in, r.end()
}

// subscription reads the members of a subscription. With null allowed,
// subscriber may be null as well.
func (r *Reader) subscription(raw []byte, null bool) (subscriber *string, ttl *int64, options []byte, err error) {
	if err := r.open(raw); err != nil {
		return nil, nil, nil, err
	}
	err = r.object(func(name []byte) (err error) {
		switch string(name) {
		case "subscriber":
			subscriber = nil
			if null && r.peek() == 'n' {
				return r.skip()
			}
			var text string
			text, err = r.text()
			if err == nil && text == "" {
				err = r.wrong("must not be empty")
			}
			subscriber = &text
		case "ttl":
			ttl, err = r.integer(true)
		case "options":
			options, err = r.optional()
		default:
			err = r.skip()
		}
		return err
	})
	return subscriber, ttl, options, err
}

// optional reads an object as it is, or null, which gives nil.
func (r *Reader) optional() ([]byte, error) {
	kind := r.peek()
	value, err := r.value()
	switch {
	case err != nil:
		return nil, err
	case kind == 'n':
		return nil, nil
	case kind != '{':
		return nil, r.wrong("must be an object, not " + kindName(kind))
	}
	return value, nil
}

// Confirmation reads {"confirmed": true|false} (http-v2 §12.7). Other members
// are ignored.
func (r *Reader) Confirmation(raw []byte) (confirmed bool, err error) {
	if err := r.open(raw); err != nil {
		return false, err
	}
	given := false
	err = r.object(func(name []byte) error {
		if string(name) != "confirmed" {
			return r.skip()
		}
		kind := r.peek()
		if err := r.skip(); err != nil {
			return err
		}
		if kind != 't' && kind != 'f' {
			return r.wrong("must be true or false, not " + kindName(kind))
		}
		given, confirmed = true, kind == 't'
		return nil
	})
	switch {
	case err != nil:
		return false, err
	case !given:
		return false, r.refuse("confirmed is missing.")
	}
	return confirmed, r.end()
}

// AppendSubscriptionsHref appends the path of the subscriptions to a queue or
// topic.
func AppendSubscriptionsHref(dst []byte, q messaging.QueueRef) []byte {
	return append(AppendQueueHref(dst, q), "/subscriptions"...)
}

// AppendSubscribed appends the answer to a subscription (http-v2 §12.3).
func AppendSubscribed(dst []byte, id messaging.SubscriptionID) []byte {
	dst = append(dst, `{"subscription_id":"`...)
	dst = append(dst, id...)
	return append(dst, `"}`...)
}

// AppendSubscriptions appends a page of subscriptions (http-v2 §12.2); next is
// the href of the next page.
func AppendSubscriptions(dst []byte, page broker.Subscriptions, next []byte) []byte {
	dst = append(dst, `{"subscriptions":[`...)
	for i := range page.List {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendSubscription(dst, &page.List[i], page.Now)
	}
	dst = append(dst, ']')
	dst = appendLinks(dst, len(page.List) > 0, next)
	return append(dst, '}')
}

// AppendSubscription appends a subscription as seen at now (http-v2 §12.1).
func AppendSubscription(dst []byte, s *messaging.Subscription, now time.Time) []byte {
	dst = append(dst, `{"id":"`...)
	dst = append(dst, s.ID...)
	dst = append(dst, `","source":"`...)
	dst = append(dst, s.Source.Name...)
	dst = append(dst, `","subscriber":`...)
	dst = appendString(dst, s.Subscriber)
	dst = append(dst, `,"ttl":`...)
	dst = strconv.AppendInt(dst, s.TTL, 10)
	dst = append(dst, `,"age":`...)
	dst = strconv.AppendInt(dst, s.Age(now), 10)
	dst = append(dst, `,"options":`...)
	dst = append(dst, s.Options...)
	dst = append(dst, `,"confirmed":`...)
	dst = strconv.AppendBool(dst, s.Confirmed)
	return append(dst, '}')
}
