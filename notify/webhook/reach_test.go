package webhook_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/internal/egress"
	"zaqar/internal/testclock"
	"zaqar/messaging"
	"zaqar/notify"
	"zaqar/notify/webhook"
)

// TestReach exchanges the lists: they count at once, and connections that were
// made by the old ones are not used again.
func TestReach(t *testing.T) {
	var made atomic.Int64
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	receiver.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			made.Add(1)
		}
	}
	receiver.Start()
	defer receiver.Close()
	c := webhook.Defaults()
	c.Now, c.Allow = testclock.New(time.Unix(1_800_000_000, 0)).Now, local(t)
	s := webhook.New(c)
	defer s.Close()
	u, err := url.Parse(receiver.URL)
	if err != nil {
		t.Fatal(err)
	}
	send := func() error {
		_, err := s.Send(t.Context(), &notify.Delivery{Subscription: &messaging.Subscription{ID: "s", Subscriber: receiver.URL}, Subscriber: u, Message: "m", Document: []byte(`{}`), Attempt: 1})
		return err
	}
	want := func(connections int64) {
		t.Helper()
		if err := send(); err != nil {
			t.Error(err)
		}
		if got := made.Load(); got != connections {
			t.Errorf("%d connections, want %d", got, connections)
		}
	}
	want(1)
	want(1)
	s.Reach(local(t), egress.List{})
	want(2)
	s.Reach(local(t), local(t))
	if err := send(); err == nil {
		t.Error("what is denied was reached")
	}
	if err := s.Check(t.Context(), u, nil); err == nil {
		t.Error("what is denied would be stored")
	}
	s.Reach(egress.List{}, egress.List{})
	if err := send(); err == nil {
		t.Error("what is not allowed any more was reached")
	}
	s.Reach(local(t), egress.List{})
	want(3)
}
