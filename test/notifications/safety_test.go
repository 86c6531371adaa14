package notifications

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"zaqar/app"
)

// attempted waits until the owner of a subscription is told of so many attempts,
// the last of which failed as said.
func (s server) attempted(one string, n int, failure string) {
	s.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) { // the server is at work meanwhile
		var told struct{ Attempts []struct{ Error string } }
		text := s.must("GET", one+"/deliveries", "")
		if err := json.Unmarshal([]byte(text), &told); err != nil {
			s.Fatalf("%s: %v", text, err)
		}
		switch {
		case len(told.Attempts) >= n:
			if told.Attempts[0].Error != failure || strings.Contains(text, "SECRET") {
				s.Errorf("the owner is told %s", text)
			}
			return
		case time.Since(begun) > patience:
			s.Fatalf("not told of %d attempts: %s", n, text)
		}
	}
}

// TestInsideIsOutOfReach has a server that was told nothing: who subscribes
// cannot send it to this machine, nor is anything sent to whom it once
// could.
func TestInsideIsOutOfReach(t *testing.T) {
	inside := receive(t)
	port := inside.url[strings.LastIndexByte(inside.url, ':'):]
	dir := t.TempDir()
	var one string
	t.Run("once allowed", func(t *testing.T) {
		s := serve(t, func(o *app.Options) { o.Store.Dir = dir })
		one = "/queues/q/subscriptions/" + s.subscribe("queues/q", inside.url+"?SECRET", "")
		s.post("queues/q", "1")
		inside.wantBodies("1")
	})
	t.Run("by default", func(t *testing.T) {
		s := serve(t, func(o *app.Options) { o.Store.Dir, o.Webhooks = dir, app.Defaults().Webhooks })
		for _, host := range []string{"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "017700000001", "[::1]", "[::ffff:127.0.0.1]",
			"127.0.0.1.", "１２７.0.0.1", "0", "[64:ff9b::7f00:1]"} {
			to := "http://" + host + port
			if status, text := s.do("POST", "/queues/q/subscriptions", `{"subscriber": "`+to+`"}`); status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", to, status, text)
			}
			if status, text := s.do("PATCH", one, `{"subscriber": "`+to+`"}`); status != http.StatusBadRequest {
				t.Errorf("change to %s: %d %s", to, status, text)
			}
		}
		s.post("queues/q", "2")
		s.attempted(one, 2, "Nothing may be sent to this host.")
		inside.wantNothing()
	})
}

// TestRedirectsLeadNowhere has a receiver that points elsewhere.
func TestRedirectsLeadNowhere(t *testing.T) {
	victim := receive(t)
	here := make(chan struct{}, 10)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, victim.url, http.StatusTemporaryRedirect)
		here <- struct{}{}
	}))
	t.Cleanup(r.Close)
	s := serve(t)
	one := "/queues/q/subscriptions/" + s.subscribe("queues/q", r.URL, "")
	s.post("queues/q", "1")
	<-here
	s.attempted(one, 1, "The subscriber answered 307. Redirects are not followed.")
	victim.wantNothing()
}

// keys asks for the secrets of a subscription.
func (s server) keys(method, one string) []string {
	s.Helper()
	var shown struct{ Keys []struct{ Key string } }
	text := s.must(method, one+"/secret", "")
	if err := json.Unmarshal([]byte(text), &shown); err != nil {
		s.Fatalf("%s: %v", text, err)
	}
	var keys []string
	for _, k := range shown.Keys {
		keys = append(keys, k.Key)
	}
	return keys
}

// TestSignatures verifies what is delivered with the library of those who made
// the scheme and the secrets that the API shows, also after a change of secrets.
func TestSignatures(t *testing.T) {
	s := serve(t)
	r := receive(t, http.StatusInternalServerError)
	one := "/queues/q/subscriptions/" + s.subscribe("queues/q", r.url, "")
	verify := func(q request, keys []string) {
		t.Helper()
		for _, key := range keys {
			w, err := standardwebhooks.NewWebhook(key)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Verify([]byte(q.body), q.Header); err != nil {
				t.Errorf("%v: %v", q.Header, err)
			}
		}
	}
	first := s.keys("GET", one)
	s.post("queues/q", "1")
	a, again := r.next(), r.next()
	verify(a, first)
	verify(again, first)
	if id := a.Header.Get("webhook-id"); id == "" || again.Header.Get("webhook-id") != id {
		t.Errorf("the ids of two attempts: %q, %q", id, again.Header.Get("webhook-id"))
	}
	both := s.keys("POST", one)
	if len(first) != 1 || len(both) != 2 || both[1] != first[0] {
		t.Errorf("%d secrets, then %d", len(first), len(both))
	}
	s.post("queues/q", "2")
	verify(r.next(), both)
}
