package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"zaqar/auth/signed"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// notices is a notifier that delivers nothing and keeps what it is told.
type notices struct {
	mu   sync.Mutex
	list []string
	sent []notice
	// refuse is the answer to Admit.
	refuse error
	full   error // of MayAsk
}

// notice is a document about confirmation that should be sent.
type notice struct {
	sub     messaging.Subscription
	kind    delivery.Kind
	expires time.Time
}

func (n *notices) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, fmt.Sprintf(format, args...))
}

// told returns what it was told since the last time.
func (n *notices) told() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() { n.list = nil }()
	return strings.Join(n.list, "; ")
}

// last returns the last notice.
func (n *notices) last() notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.sent) == 0 {
		return notice{}
	}
	return n.sent[len(n.sent)-1]
}

func (n *notices) Check(context.Context, *messaging.Subscription) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.refuse
}

func (n *notices) Admit(_ context.Context, _ messaging.Caller, sub *messaging.Subscription) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if strings.HasPrefix(sub.Subscriber, "trust+") && !strings.Contains(string(sub.Options), "trust_id") {
		sub.Options = []byte(`{"trust_id":"t1"}`)
	}
	return n.refuse
}

func (n *notices) MayAsk(*messaging.Subscription) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.full
}

func (n *notices) Confirm(_ context.Context, sub messaging.Subscription, kind delivery.Kind, expires time.Time) error {
	n.note("%s to %s", kind, sub.Subscriber)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent = append(n.sent, notice{sub, kind, expires})
	return nil
}

func (n *notices) Forget(_ context.Context, sub messaging.Subscription) {
	if sub.ID != "" { // else only of what its options name
		n.note("forget %s", sub.Subscriber)
	}
}
func (n *notices) Resume(_ context.Context, sub messaging.Subscription) {
	n.note("resume %s", sub.Subscriber)
}

func (n *notices) Record(context.Context, messaging.QueueRef, messaging.SubscriptionID) {}

func (n *notices) Replay(_ context.Context, sub messaging.Subscription, what delivery.Replay) (int, error) {
	if y := what.Since.Year(); y > 1 && y < 2000 { // there would be too many
		return 0, messaging.E(messaging.Conflict, "1000 deliveries wait.")
	}
	n.note("replay %s %s of %s", what.What, what.Since.UTC().Format(time.RFC3339Nano), sub.Subscriber)
	return 7, nil
}

// confirming is a server that requires confirmations.
func confirming(n *notices) func(*setup) {
	return func(set *setup) {
		signing(set)
		set.notifier, set.broker.RequireConfirmation = n, true
	}
}

// signedConfirm are the headers that a notice brings (notifications §11.3).
func signedConfirm(s *server, n notice) []string {
	s.t.Helper()
	path := fmt.Sprintf("/v2/queues/%s/subscriptions/%s/confirm", n.sub.Source.Name, n.sub.ConfirmationID())
	if n.sub.Source.Topic {
		path = strings.Replace(path, "/queues/", "/topics/", 1)
	}
	grant := signed.Grant{Project: n.sub.Source.Project, Paths: []string{path}, Methods: []string{http.MethodPut}, Expires: n.expires}
	signature, err := signed.NewKeys("secret").Sign(grant)
	if err != nil {
		s.t.Fatal(err)
	}
	return []string{"URL-Signature: " + signature, "URL-Methods: PUT", "URL-Paths: " + path,
		"URL-Expires: " + signed.FormatInstant(n.expires), "X-Project-ID: " + string(n.sub.Source.Project)}
}

// without leaves out the header.
func without(headers []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(headers), func(h string) bool { return strings.HasPrefix(h, name+":") })
}
