package trust

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
)

// Keystone makes trusts and gets tokens for them.
type Keystone interface {
	// Create makes a trust from the caller, for his project, with his roles.
	// Errors are Unavailable.
	Create(ctx context.Context, who messaging.Caller, expires time.Time) (id string, err error)
	// Verify says whether a trust is from the caller, for his project, to us: nil
	// and when it ends, zero for never; Invalid, or Unavailable if that cannot be
	// told.
	Verify(ctx context.Context, who messaging.Caller, id string) (ends time.Time, err error)
	// Token returns a token for a trust, and how long it can be used.
	Token(ctx context.Context, id string) (token messaging.Secret, lasts time.Duration, err error)
	// Delete removes a trust; one that is gone is no error.
	Delete(ctx context.Context, id string) error
}

// Webhook sends what has a token.
type Webhook interface {
	Check(ctx context.Context, subscriber *url.URL, o *delivery.Options) error
	Post(ctx context.Context, target *url.URL, d *notify.Delivery, token string) (notify.Receipt, error)
}

// Config is what a Sender is made of.
type Config struct {
	Webhook  Webhook
	Keystone Keystone // nil: this service is nobody's trustee, and there are no such subscriptions
	// Stored returns a subscription as it is stored.
	Stored func(ctx context.Context, source messaging.QueueRef, id messaging.SubscriptionID) (messaging.Subscription, error)
	Now    func() time.Time
	Log    *slog.Logger // nil: logs are dropped
}

// Sender is a notify.Sender, and gets subscriptions their trusts.
type Sender struct {
	Config
	tokens   *tokens
	failures failures
	removals removals
}

var _ notify.Sender = (*Sender)(nil)

// New returns a Sender. Close it.
func New(c Config) *Sender {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sender{Config: c}
	if c.Keystone != nil {
		s.tokens = newTokens(c.Keystone.Token, c.Now)
		s.removals.begin(c.Keystone.Delete, c.Log)
	}
	return s
}

// Close waits for removals of trusts until ctx ends, and gives up what is left.
func (s *Sender) Close(ctx context.Context) {
	if s.Keystone != nil {
		s.removals.end(ctx)
	}
}

const prefix = "trust+"

// target is where a subscriber is, without the prefix of the scheme.
func target(subscriber *url.URL) (*url.URL, bool) {
	to := *subscriber
	var ok bool
	to.Scheme, ok = strings.CutPrefix(strings.ToLower(subscriber.Scheme), prefix)
	return &to, ok
}

// Check implements notify.Sender.
func (s *Sender) Check(ctx context.Context, subscriber *url.URL, o *delivery.Options) error {
	to, ok := target(subscriber)
	if !ok {
		return messaging.E(messaging.Invalid, "subscriber must be a URL like trust+http://host/path.")
	}
	return s.Webhook.Check(ctx, to, o)
}

// Send implements notify.Sender.
func (s *Sender) Send(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
	u, err := url.Parse(d.Subscription.Subscriber)
	if err != nil {
		return notify.Receipt{}, &notify.Failure{Verdict: notify.GiveUp, What: "The subscriber is not a URL."}
	}
	to, ok := target(u)
	switch {
	case !ok:
		return notify.Receipt{}, &notify.Failure{Verdict: notify.GiveUp, What: "The subscriber is no trust+http URL."}
	case s.Keystone == nil:
		return notify.Receipt{}, &notify.Failure{Verdict: notify.Retry, What: "This server has no trustee."}
	case d.Options == nil || d.Options.TrustID == "":
		return notify.Receipt{}, &notify.Failure{Verdict: notify.GiveUp, What: "The subscription has no trust. Updating it makes one."}
	}
	id := d.Options.TrustID
	token, fresh, err := s.tokens.get(ctx, id)
	if err != nil {
		if fresh {
			s.failed(d.Subscription, err)
		}
		return notify.Receipt{}, &notify.Failure{Verdict: notify.Retry, What: "The identity service gave no token for the trust.", Err: err}
	}
	receipt, err := s.Webhook.Post(ctx, to, d, string(token))
	return receipt, s.judge(id, token, fresh, err)
}

// judge has another token made for the next attempt when the subscriber did not
// take this one. One that was used before may have been revoked since: that
// says nothing about the message.
func (s *Sender) judge(id string, token messaging.Secret, fresh bool, err error) error {
	var f *notify.Failure
	if !errors.As(err, &f) || f.Status != http.StatusUnauthorized {
		return err
	}
	s.tokens.drop(id, token)
	if !fresh && f.Verdict == notify.GiveUp {
		again := *f
		again.Verdict = notify.Retry
		return &again
	}
	return err
}
