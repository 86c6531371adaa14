package notifytest

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"zaqar/internal/certtest"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
)

// Harness makes the sender that is tested.
type Harness struct {
	// New returns a sender that may reach 127.0.0.1 and lets go of its
	// connections when the test is over or free is called, whatever comes first.
	New func(t testing.TB, c Config) (s notify.Sender, free func())
	// Subscriber is how a subscription names a URL; nil: as it is.
	Subscriber func(url string) string
	// Secrets are texts that the sender sends and must not tell anybody.
	Secrets []string
}

// Config is what a sender is to be set to.
type Config struct {
	Timeout     time.Duration  // of an attempt
	Authorities *x509.CertPool // whom it trusts
	Now         func() time.Time
}

// patience is the time limit of attempts that are to be cut short.
const patience = 150 * time.Millisecond

// Secrets that every delivery of the suite carries.
const (
	secretUser   = "SECRETUSER"
	secretWord   = "SECRETWORD"
	secretQuery  = "SECRETQUERY"
	secretHeader = "SECRETHEADER"
	secretBody   = "SECRETBODY"
)

// noon is when the suite runs, for the sender.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// suite is one run.
type suite struct {
	Harness
	authority *certtest.Authority
	key       delivery.Secret
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	if h.Subscriber == nil {
		h.Subscriber = func(url string) string { return url }
	}
	s := suite{h, certtest.NewAuthority(t), delivery.NewSecret(noon)}
	t.Run("Statuses", s.statuses)
	t.Run("RetryAfter", s.retryAfter)
	t.Run("Redirects", s.redirects)
	t.Run("Receivers", s.receivers)
	t.Run("Certificates", s.certificates)
	t.Run("Nobody", s.nobody)
	t.Run("BrokenOff", s.brokenOff)
	t.Run("ConnectionsAreUsedAgain", s.reuse)
	t.Run("ClosedMeanwhile", s.closedMeanwhile)
	t.Run("NothingIsLeft", s.leaks)
}

func (s suite) sender(t testing.TB, timeout time.Duration) (notify.Sender, func()) {
	t.Helper()
	return s.New(t, Config{Timeout: timeout, Authorities: s.authority.Pool(), Now: func() time.Time { return noon }})
}

// delivery is one to a URL, full of secrets.
func (s suite) delivery(t testing.TB, to string, attempt int) *notify.Delivery {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.RawQuery = url.UserPassword(secretUser, secretWord), "token="+secretQuery
	return &notify.Delivery{
		Subscription: &messaging.Subscription{
			ID: "s1", Subscriber: s.Subscriber(u.String()), Secrets: delivery.Secrets{s.key}.Encode(),
			Source: messaging.QueueRef{Project: "p", Name: "q"},
		},
		Options:  &delivery.Options{PostHeaders: map[string]string{"X-Key": secretHeader}},
		Kind:     delivery.Notification,
		Message:  "m1",
		Document: []byte(`{"body":"` + secretBody + `"}`),
		Posted:   noon, Attempt: attempt,
	}
}

// send makes one attempt, and looks for secrets in what it says.
func (s suite) send(ctx context.Context, t testing.TB, sender notify.Sender, d *notify.Delivery) (notify.Receipt, *notify.Failure) {
	t.Helper()
	receipt, err := sender.Send(ctx, d)
	if err == nil {
		return receipt, nil
	}
	var f *notify.Failure
	if !errors.As(err, &f) {
		t.Fatalf("%T is no *notify.Failure: %v", err, err)
	}
	if f.What == "" || strings.Contains(f.What, "127.0.0.1") {
		t.Errorf("the owner is told %q", f.What)
	}
	told := fmt.Sprintf("%v %+v %s", err, f.Err, f.What)
	for _, secret := range append(s.Secrets, secretUser, secretWord, secretQuery, secretHeader, secretBody, s.key.Text()[6:],
		base64.StdEncoding.EncodeToString([]byte(secretUser+":"+secretWord))) {
		if strings.Contains(told, secret) {
			t.Errorf("%s is told: %s", secret, told)
		}
	}
	return receipt, f
}

// fails makes a first attempt that must fail without an answer, to be repeated.
func (s suite) fails(t testing.TB, sender notify.Sender, to string) {
	t.Helper()
	_, f := s.send(t.Context(), t, sender, s.delivery(t, to, 1))
	if f == nil {
		t.Error("delivered")
	} else if f.Verdict != notify.Retry || f.Status != 0 {
		t.Errorf("%v, status %d: %v", f.Verdict, f.Status, f)
	}
}
