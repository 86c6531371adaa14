package messaging

import "time"

// SubscriptionID identifies a subscription. Opaque, same alphabet as MessageID.
type SubscriptionID string

// Subscription asks for the messages of Source to be sent to Subscriber.
// Unique by source and subscriber (http-v2 §12).
type Subscription struct {
	ID         SubscriptionID
	Source     QueueRef
	Subscriber string // URI
	TTL        int64  // seconds; may be hundreds of centuries
	Options    []byte // JSON object text
	Confirmed  bool
	Secrets    []byte // keys that sign what is delivered; opaque to stores
	State      []byte // what the notifier remembers; opaque to stores
	Created    time.Time
	Expires    time.Time // creation or last change of TTL, plus TTL
}

// Age returns the whole seconds since the subscription was created.
func (s *Subscription) Age(now time.Time) int64 { return age(s.Created, now) }
