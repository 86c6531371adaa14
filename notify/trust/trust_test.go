package trust_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"zaqar/internal/egress"
	"zaqar/internal/testclock"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/notify/notifytest"
	"zaqar/notify/trust"
	"zaqar/notify/webhook"
)

const secretToken = "SECRETTOKEN"

// keystone is a fake one.
type keystone struct {
	mu      sync.Mutex
	made    map[string]string // by id: trustor and expiry
	removed []string
	asked   int           // for tokens
	lasts   time.Duration // of tokens
	err     error         // of everything
	hold    chan struct{} // requests for tokens and removals wait for it
}

func newKeystone() *keystone { return &keystone{made: map[string]string{}, lasts: time.Hour} }

func (k *keystone) Create(_ context.Context, who messaging.Caller, expires time.Time) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return "", messaging.Wrap(messaging.Unavailable, "not now", k.err)
	}
	id := fmt.Sprint("made-", len(k.made)+1)
	k.made[id] = who.User + " until " + expires.Format(time.DateTime)
	return id, nil
}

// Verify knows trusts named after their trustors. Those with -soon in their name
// end then.
func (k *keystone) Verify(_ context.Context, who messaging.Caller, id string) (ends time.Time, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.err != nil:
		return ends, messaging.Wrap(messaging.Unavailable, "not now", k.err)
	case id == "of-"+who.User+"-soon":
		return soon, nil
	case id == "of-"+who.User, strings.HasPrefix(k.made[id], who.User+" "):
		return ends, nil
	}
	return ends, messaging.E(messaging.Invalid, "not yours")
}

func (k *keystone) Token(ctx context.Context, id string) (messaging.Secret, time.Duration, error) {
	if k.hold != nil {
		select {
		case <-k.hold:
		case <-ctx.Done():
			return "", 0, ctx.Err()
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if k.err != nil {
		return "", 0, k.err
	}
	return messaging.Secret(fmt.Sprint(secretToken, "-", id, "-", k.asked)), k.lasts, nil
}

func (k *keystone) Delete(ctx context.Context, id string) error {
	if k.hold != nil {
		select {
		case <-k.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.removed = append(k.removed, id)
	return k.err
}

func (k *keystone) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

func (k *keystone) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// underTrust adds a trust to whatever it sends.
type underTrust struct{ *trust.Sender }

func (s underTrust) Send(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
	o := *d.Options
	o.TrustID = "t1"
	under := *d
	under.Options = &o
	return s.Sender.Send(ctx, &under)
}

// TestSender has the cases of all senders over HTTP. Each attempt gets a token
// of its own, so that what a refusal of the token means is not among them.
func TestSender(t *testing.T) {
	notifytest.Run(t, notifytest.Harness{
		Subscriber: func(url string) string { return "trust+" + url },
		Secrets:    []string{secretToken},
		New: func(t testing.TB, c notifytest.Config) (notify.Sender, func()) {
			k := newKeystone()
			k.lasts = 0
			hooks := hooks(t, c)
			s := trust.New(trust.Config{Webhook: hooks, Keystone: k, Now: c.Now})
			free := func() { hooks.Close(); s.Close(t.Context()) }
			t.Cleanup(free)
			return underTrust{s}, free
		},
	})
}

func hooks(t testing.TB, c notifytest.Config) *webhook.Sender {
	t.Helper()
	allow, err := egress.ParseList([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	w := webhook.Defaults()
	w.Timeout, w.Authorities, w.Now, w.Allow = c.Timeout, c.Authorities, c.Now, allow
	return webhook.New(w)
}

// world is a Sender with what it stands between.
type world struct {
	t     *testing.T
	clock *testclock.Clock
	*keystone
	*trust.Sender
	receiver *notifytest.Receiver
	log      *bytes.Buffer
	stored   map[messaging.SubscriptionID]messaging.Subscription
}

func newWorld(t *testing.T, status int) *world {
	t.Helper()
	w := &world{
		t: t, clock: testclock.New(time.Date(2031, 5, 4, 10, 0, 0, 0, time.UTC)), keystone: newKeystone(),
		receiver: notifytest.NewReceiver(t, notifytest.Answer(status, "")), log: new(bytes.Buffer),
		stored: map[messaging.SubscriptionID]messaging.Subscription{},
	}
	hooks := hooks(t, notifytest.Config{Timeout: time.Minute, Now: w.clock.Now})
	t.Cleanup(hooks.Close)
	w.Sender = trust.New(trust.Config{
		Webhook: hooks, Keystone: w.keystone, Now: w.clock.Now, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Stored: func(_ context.Context, _ messaging.QueueRef, id messaging.SubscriptionID) (messaging.Subscription, error) {
			sub, ok := w.stored[id]
			if !ok {
				return sub, messaging.E(messaging.NotFound, "gone")
			}
			return sub, nil
		},
	})
	t.Cleanup(func() {
		w.Close(t.Context())
		if strings.Contains(w.log.String(), secretToken) {
			t.Errorf("the log holds a token:\n%s", w.log)
		}
	})
	return w
}

func (w *world) send(id string) (notify.Receipt, error) {
	return w.Send(w.t.Context(), &notify.Delivery{
		Subscription: &messaging.Subscription{ID: "s1", Subscriber: "TRUST+" + w.receiver.URL + "/v2/queues/q2/messages?x=y"},
		Options:      &delivery.Options{TrustID: id}, Kind: delivery.Notification, Message: "m1", Document: []byte(`{}`), Attempt: 1,
	})
}

// wantTokens checks what the receiver was shown.
func (w *world) wantTokens(want ...string) {
	w.t.Helper()
	var got []string
	for _, r := range w.receiver.Requests() {
		got = append(got, strings.TrimPrefix(r.Header.Get("X-Auth-Token"), secretToken+"-"))
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("tokens %q, want %q", got, want)
	}
}

// Tokens are used again until shortly before they end.
func TestTokens(t *testing.T) {
	w := newWorld(t, 201)
	for _, id := range []string{"t1", "t1", "t2", "t1"} {
		if _, err := w.send(id); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.Advance(time.Hour)
	if _, err := w.send("t1"); err != nil {
		t.Fatal(err)
	}
	w.wantTokens("t1-1", "t1-1", "t2-2", "t1-1", "t1-3")
	if r := w.receiver.Requests()[0]; r.Target != "/hook/v2/queues/q2/messages?x=y" {
		t.Errorf("posted to %s", r.Target)
	}
}

// A token that the subscriber does not take is not used again. Only with one
// that was got just now is its answer final.
func TestTokenRefused(t *testing.T) {
	w := newWorld(t, 401)
	var f *notify.Failure
	if _, err := w.send("t1"); !errors.As(err, &f) || f.Verdict != notify.GiveUp || f.Status != 401 {
		t.Errorf("with a new token: %v", err)
	}
	w.wantTokens("t1-1")

	w = newWorld(t, 403) // not about the token
	for range 2 {
		if _, err := w.send("t1"); !errors.As(err, &f) || f.Verdict != notify.GiveUp {
			t.Errorf("403: %v", err)
		}
	}
	w.wantTokens("t1-1", "t1-1")

	status := 200
	w = newWorld(t, 200)
	w.receiver = notifytest.NewReceiver(t, func(c *notifytest.Conn) { notifytest.Answer(status, "")(c) })
	if _, err := w.send("t1"); err != nil {
		t.Error(err)
	}
	status = 401
	w.receiver = notifytest.NewReceiver(t, func(c *notifytest.Conn) { notifytest.Answer(status, "")(c) })
	if _, err := w.send("t1"); !errors.As(err, &f) || f.Verdict != notify.Retry || f.Status != 401 {
		t.Errorf("with a used token: %v", err)
	}
	if _, err := w.send("t1"); !errors.As(err, &f) || f.Verdict != notify.GiveUp {
		t.Errorf("with another one: %v", err)
	}
	w.wantTokens("t1-1", "t1-2")
}

// That there is no token loses nothing, and Keystone is not asked for it by each
// delivery.
func TestNoToken(t *testing.T) {
	w := newWorld(t, 200)
	w.fail(errors.New("no answer from keystone at 192.0.2.1"))
	for range 3 {
		var f *notify.Failure
		if _, err := w.send("t1"); !errors.As(err, &f) || f.Verdict != notify.Retry || strings.Contains(f.What, "192.0.2.1") || !strings.Contains(err.Error(), "192.0.2.1") {
			t.Errorf("%v", err)
		}
	}
	if n := w.count(); n != 1 {
		t.Errorf("Keystone was asked %d times", n)
	}
	w.fail(nil)
	w.clock.Advance(5 * time.Second)
	if _, err := w.send("t1"); err != nil {
		t.Error(err)
	}
	w.wantTokens("t1-2")
}

// The operator sees that there are no tokens: at once, and then once a minute,
// however many trusts fail.
func TestNoTokenIsLogged(t *testing.T) {
	w := newWorld(t, 200)
	const told = "the identity service gives no token"
	logged := func(records int, last string) {
		t.Helper()
		lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
		if n := strings.Count(w.log.String(), told); n != records || records > 0 && !strings.Contains(lines[len(lines)-1], last) {
			t.Errorf("%d records, want %d, the last with %s:\n%s", n, records, last, w.log)
		}
	}
	send := func(ids ...string) {
		for _, id := range ids {
			_, _ = w.send(id)
		}
	}
	send("fine")
	logged(0, "")
	w.fail(errors.New("no answer from keystone at 192.0.2.1"))
	send("t1")
	logged(1, `level=WARN msg="deliveries under a trust wait: the identity service gives no token" project="" queue="" topic=false subscription=s1 failures=1 error="no answer from keystone at 192.0.2.1"`)
	send("t1", "t2", "t3", "fine") // t1 is not asked about again so soon, and fine needs no other token
	w.clock.Advance(59 * time.Second)
	send("t1")
	logged(1, "failures=1 ")
	w.clock.Advance(time.Second)
	send("t1")
	if w.clock.Advance(5 * time.Second); w.TokenFailures() != 4 {
		t.Errorf("%d failures", w.TokenFailures())
	}
	send("t1")
	logged(2, "failures=4 ")
}

// However many deliveries there are under a trust, one asks; and whoever waits
// for that waits no longer than it may.
func TestOneAsks(t *testing.T) {
	w := newWorld(t, 200)
	w.hold = make(chan struct{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := w.send("t1"); err != nil {
				t.Error(err)
			}
		})
	}
	_, err := w.Send(ctx, &notify.Delivery{Subscription: &messaging.Subscription{Subscriber: "trust+http://127.0.0.1"}, Options: &delivery.Options{TrustID: "t1"}})
	var f *notify.Failure
	if !errors.As(err, &f) || f.Verdict != notify.Retry {
		t.Errorf("%v", err)
	}
	close(w.hold)
	all.Wait()
	if n := w.count(); n != 1 {
		t.Errorf("Keystone was asked %d times", n)
	}
}

func TestSendWithout(t *testing.T) {
	w := newWorld(t, 200)
	var f *notify.Failure
	if _, err := w.send(""); !errors.As(err, &f) || f.Verdict != notify.GiveUp {
		t.Errorf("without a trust: %v", err)
	}
	bare := trust.New(trust.Config{Webhook: hooks(t, notifytest.Config{Now: w.clock.Now}), Now: w.clock.Now})
	_, err := bare.Send(t.Context(), &notify.Delivery{Subscription: &messaging.Subscription{Subscriber: "trust+http://127.0.0.1"}, Options: &delivery.Options{TrustID: "t1"}})
	if !errors.As(err, &f) || f.Verdict != notify.Retry {
		t.Errorf("without a trustee: %v", err)
	}
	if err := bare.Register(t.Context(), messaging.Caller{}, &messaging.Subscription{}); !errors.Is(err, messaging.Unavailable) {
		t.Errorf("without a trustee: %v", err)
	}
	bare.Close(t.Context())
}

func TestCheck(t *testing.T) {
	w := newWorld(t, 200)
	for subscriber, ok := range map[string]bool{
		"trust+http://127.0.0.1/x": true, "Trust+HTTPS://127.0.0.1": true, "trust+http://": false, "trust+http:///x": false,
		"trust+http://10.0.0.1/": false, "trust+ftp://127.0.0.1": false, "http://127.0.0.1": false,
	} {
		u, err := url.Parse(subscriber)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Check(t.Context(), u, &delivery.Options{}); (err == nil) != ok || err != nil && !errors.Is(err, messaging.Invalid) {
			t.Errorf("%s: %v", subscriber, err)
		}
	}
}
