package broker

import (
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// ListQueues asks for a page of queues or topics (http-v2 §7.1).
type ListQueues struct {
	Topics  bool
	Limit   *int   // nil: the default page size
	Marker  string // names strictly after this one
	Name    string // only names that contain this text
	Count   bool   // fill QueuePage.Count
	Filters []Filter
}

// Filter keeps queues whose stored metadata member Key equals Value: as a
// number if Value is an integer, else as a string.
type Filter struct{ Key, Value string }

// QueuePage is what ListQueues returns. Count is how many queues the project
// has, if that was asked for; topics are not counted.
type QueuePage struct {
	Queues []messaging.Queue // stored metadata; see Broker.Shown
	Count  int
}

// PatchOp is one well-formed operation on queue metadata (http-v2 §7.5).
type PatchOp struct {
	Op    string // "add", "remove" or "replace"
	Key   string // unescaped
	Value []byte // JSON text; nil for remove
}

// Purge says what to remove from a queue (http-v2 §7.7).
type Purge struct{ Messages, Subscriptions bool }

// Post is one message as posted (http-v2 §8.2).
type Post struct {
	TTL   *int64
	Delay []byte // JSON text of the member, nil if absent: only looked at on delay queues
	Body  []byte // JSON text
}

// ListMessages asks for a page of messages (http-v2 §8.3).
type ListMessages struct {
	Limit          *int
	Marker         string
	Echo           bool
	IncludeClaimed bool
	IncludeDelayed bool
	Wait           int64   // seconds to wait for a first message; 0: answer at once
	Waiter         *Waiter // nil: the whole wait is within the call
	Arena          *Arena
}

// Arena is memory that the caller lends for the bodies of the answer; nil is
// fine. They hold until it is reset.
type Arena = storage.Arena

// Messages are messages with plain bodies as seen at Now.
type Messages struct {
	Now  time.Time
	List []messaging.Message
}

// CreateClaim asks for messages (http-v2 §9.1).
type CreateClaim struct {
	Limit      *int
	TTL, Grace *int64
	Wait       int64
	Waiter     *Waiter
	Arena      *Arena
}

// UpdateClaim renews a claim (http-v2 §9.5).
type UpdateClaim struct{ TTL, Grace *int64 }

// ClaimView is a claim and what it holds, as seen at Messages.Now.
type ClaimView struct {
	Claim messaging.Claim
	Messages
}

// ListSubscriptions asks for a page of subscriptions (http-v2 §12.2).
type ListSubscriptions struct {
	Limit  *int
	Marker messaging.SubscriptionID
}

// Subscriptions are subscriptions as seen at Now.
type Subscriptions struct {
	Now  time.Time
	List []messaging.Subscription
}

// CreateSubscription asks for a subscription (http-v2 §12.3).
type CreateSubscription struct {
	Subscriber string
	TTL        *int64 // seconds; nil: the default
	Options    []byte // JSON text; empty: none
}

// Subscribed is a subscription that was made, or was there already.
type Subscribed struct {
	ID    messaging.SubscriptionID
	Queue bool // the queue was created for it, even if the call failed
}

// UpdateSubscription changes a subscription; nil leaves a member as it is
// (http-v2 §12.5).
type UpdateSubscription struct {
	Subscriber *string
	TTL        *int64
	Options    []byte // JSON text
}

// UpdateQuota changes what a project was granted.
type UpdateQuota struct {
	Set   messaging.Limits
	Unset []messaging.Limit
}

// Health is the outcome of the storage probe (http-v2 §6.4).
type Health struct {
	StorageReachable bool
	Steps            []HealthStep // in order; later ones missing if one they need failed
	Free, Claimed    int          // over all queues of the store
}

// HealthStep is one step of the probe.
type HealthStep struct {
	Name      string // create_queue, post_messages, …
	Succeeded bool
	Seconds   float64
	Ref       string // id under which the failure was logged, or empty
}
