package messaging

import (
	"strconv"
	"time"
)

// SubscriptionID identifies a subscription. Opaque, same alphabet as MessageID.
type SubscriptionID string

// Subscription asks for the messages of Source to be sent to Subscriber.
// Unique by source and subscriber (http-v2 §12).
type Subscription struct {
	ID         SubscriptionID
	Source     QueueRef
	Subscriber string // URI
	Moves      int    // how often Subscriber was changed
	TTL        int64  // seconds; may be hundreds of centuries
	Options    []byte // JSON object text
	Confirmed  bool
	Secrets    []byte // keys that sign what is delivered; opaque to stores
	State      []byte // what the notifier remembers; opaque to stores
	Created    time.Time
	Expires    time.Time // creation or last change of TTL, plus TTL
}

// ConfirmationID names the subscription to its present subscriber: its ID and,
// once that is another subscriber than the first, a dot and which one. No ID has
// a dot. Thus what an earlier subscriber was asked to confirm is something else.
func (s *Subscription) ConfirmationID() SubscriptionID {
	if s.Moves == 0 {
		return s.ID
	}
	return s.ID + "." + SubscriptionID(strconv.Itoa(s.Moves))
}

// Age returns the whole seconds since the subscription was created.
func (s *Subscription) Age(now time.Time) int64 { return age(s.Created, now) }
