package notify

import (
	"context"
	"net/url"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// Sender delivers to the subscribers of one kind, over one protocol. It keeps
// nothing about attempts: when to try again, and for how long, is for the
// caller to say. It may be used concurrently.
type Sender interface {
	// Check says whether the subscriber is one this sender could serve: nil, or
	// messaging.Invalid with a sentence for the client. It is asked when a
	// subscription is created or changed.
	Check(ctx context.Context, subscriber *url.URL, o *delivery.Options) error
	// Send makes one attempt. A nil error means delivered; other errors are
	// *Failure. It ends soon after ctx does, and keeps nothing of d.
	Send(ctx context.Context, d *Delivery) (Receipt, error)
}

// Delivery is one document for one subscriber, and what is known about it.
type Delivery struct {
	Subscription *messaging.Subscription
	Options      *delivery.Options
	Kind         delivery.Kind
	Message      messaging.MessageID // or the id of the confirmation
	Document     []byte              // JSON text
	Posted       time.Time
	Attempt      int    // 1 is the first
	Trace        string // W3C traceparent, or empty

	// The same in parts, for those that do not send the document.
	Subscriber *url.URL // the subscription's
	Body       []byte   // of the message: JSON text
	TTL        int64    // of the message, seconds
	Hops       int      // queues that the message has passed
	Origin     string   // of the message, if it has passed any (delivery.Note)
	Socket     bool     // the subscription was made for a WebSocket
}

// Receipt is what is known about a delivery that an attempt ended.
type Receipt struct {
	Status int // HTTP status; 0 where there is none
}

// Verdict is what a failed attempt means for those to come.
type Verdict int

// The verdicts.
const (
	Retry   Verdict = iota // it may work later
	GiveUp                 // it will not work for this message
	Disable                // it will not work for any message of the subscription
)

// String names the verdict for logs and metrics.
func (v Verdict) String() string {
	switch v {
	case Retry:
		return "retry"
	case GiveUp:
		return "give up"
	case Disable:
		return "disable"
	}
	return "unknown"
}

// Failure is an attempt that did not deliver.
type Failure struct {
	Verdict Verdict
	After   time.Duration // how long the subscriber asks to be left alone; 0: it does not say
	Status  int           // HTTP status; 0 where there is none
	What    string        // for the owner of the subscription: no address of ours, no body, no secret
	Err     error         // the cause, for logs; no secret either
}

// Error is for logs.
func (f *Failure) Error() string {
	if f.Err == nil {
		return f.What
	}
	return f.What + ": " + f.Err.Error()
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Agreed is what a Sender may be as well: one whose subscribers agreed when the
// subscription was made. They are not asked to confirm it, and need not.
type Agreed interface{ Agreed() }

// Inspector is what a Sender may be as well: one that has to know whose a
// subscription is to say whether it could serve it. It is asked after Check.
type Inspector interface {
	Inspect(ctx context.Context, sub *messaging.Subscription, subscriber *url.URL) error
}

// GroupSender is what a Sender may be as well: one that can make the deliveries
// of one message together. It returns an error for each, nil for those made.
type GroupSender interface {
	SendAll(ctx context.Context, ds []*Delivery) []error
}
