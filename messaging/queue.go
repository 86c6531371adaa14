package messaging

import "strings"

// Project identifies a tenant: any non-empty string of up to 256 characters
// (http-v2 §4.2). It is data and is never interpolated into patterns.
type Project string

// QueueRef names a container of messages. Queues and topics are separate name
// spaces: Topic tells them apart. The zero value names nothing.
type QueueRef struct {
	Project Project
	Name    string
	Topic   bool
	Part    Part
}

// Part names a queue that belongs to another queue or topic and holds what is
// on its way to the subscribers of that. Empty is the queue or topic itself, and
// the only one that clients can name.
type Part string

// Outbox holds copies of messages that subscribers have to be told of.
const Outbox Part = "outbox"

// Backlog holds what could not be delivered to the subscription yet.
func Backlog(id SubscriptionID) Part { return "backlog/" + Part(id) }

// Failed holds what was given up.
func Failed(id SubscriptionID) Part { return "failed/" + Part(id) }

// Subscription returns the subscription that the part belongs to, and false for
// one that belongs to all of its queue or topic.
func (p Part) Subscription() (id SubscriptionID, one bool) {
	_, rest, one := strings.Cut(string(p), "/")
	return SubscriptionID(rest), one
}

// In names a part of the queue or topic that q names, or is a part of.
func (q QueueRef) In(p Part) QueueRef {
	q.Part = p
	return q
}

// Whole names the queue or topic that q is, or is a part of.
func (q QueueRef) Whole() QueueRef { return q.In("") }

// Queue is the record of a queue or topic in the control plane.
type Queue struct {
	Ref      QueueRef
	Metadata *Metadata // nil is the empty object
}

// Tally counts the unexpired messages of one queue (http-v2 §7.6).
type Tally struct {
	Total   int // delayed and claimed messages included
	Claimed int // those under a live claim
	// Oldest and Newest range over all unexpired messages; nil when Total is 0.
	// Only ID, Posted and TTL are set in them.
	Oldest, Newest *Message
}

// Free returns the number of messages that are not under a live claim.
func (t Tally) Free() int { return t.Total - t.Claimed }
