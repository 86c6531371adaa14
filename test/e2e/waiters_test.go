package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"zaqar/test/e2e/daemon"
)

// result is what a request in the background brought.
type result struct {
	answer *daemon.Answer
	err    error
	took   time.Duration
}

// begin sends a request in the background.
func begin(t *testing.T, c *daemon.Client, method, path string, body any) <-chan result {
	done := make(chan result, 1)
	begun := time.Now()
	go func() {
		a, err := c.Try(t, method, path, body)
		done <- result{a, err, time.Since(begun)}
	}()
	return done
}

// await returns the answer to a request in the background.
func await(t *testing.T, done <-chan result) *daemon.Answer {
	t.Helper()
	select {
	case r := <-done:
		if r.err != nil {
			t.Fatal(r.err)
		}
		t.Logf("%d after %v", r.answer.Status, r.took.Round(time.Millisecond))
		return r.answer
	case <-time.After(daemon.Patience):
		t.Fatal("no answer")
		return nil
	}
}

const longest = "[transport]\nmax_wait = 3600\n"

// TestPostWakesWaiters has clients wait for an hour, so that an answer proves
// that they were woken.
func TestPostWakesWaiters(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: longest})
	c := d.Client()
	list := begin(t, c.Other(), http.MethodGet, "/v2/queues/q/messages?wait=3600", nil)
	d.AwaitWaiters(t, 1)
	c.Post(t, "q", "first")
	if m := await(t, list).Want(200).Messages(); len(m) != 1 || string(m[0].Body) != `"first"` {
		t.Errorf("listed %+v", m)
	}

	c.Do(t, http.MethodDelete, "/v2/queues/q/messages?pop=1", nil).Want(200)
	var claims []<-chan result
	for range 5 {
		claims = append(claims, begin(t, c.Other(), http.MethodPost, "/v2/queues/q/claims?wait=3600&limit=1", nil))
	}
	d.AwaitWaiters(t, 5)
	c.Post(t, "q", "one for one")
	d.AwaitWaiters(t, 4)
	c.Post(t, "q", 2, 3, 4, 5)
	seen := map[string]bool{}
	for _, claim := range claims {
		for _, m := range await(t, claim).Want(201).Messages() {
			seen[string(m.Body)] = true
		}
	}
	if len(seen) != 5 {
		t.Errorf("claimed %v", seen)
	}
}

func TestReleaseWakesAWaiter(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: longest})
	c := d.Client()
	c.Post(t, "q", "again")
	held := c.Do(t, http.MethodPost, "/v2/queues/q/claims", nil).Want(201)
	claim := begin(t, c.Other(), http.MethodPost, "/v2/queues/q/claims?wait=3600", nil)
	d.AwaitWaiters(t, 1)
	c.Do(t, http.MethodDelete, held.Location(), nil).Want(204)
	if m := await(t, claim).Want(201).Messages(); len(m) != 1 || string(m[0].Body) != `"again"` {
		t.Errorf("claimed %+v", m)
	}
}

func TestDelayEndWakesAWaiter(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: longest})
	c := d.Client()
	c.Do(t, http.MethodPut, "/v2/queues/q", `{"_default_message_delay": 1}`).Want(201)
	claim := begin(t, c.Other(), http.MethodPost, "/v2/queues/q/claims?wait=3600", nil)
	d.AwaitWaiters(t, 1)
	c.Post(t, "q", "due")
	await(t, claim).Want(201)
}

// TestWaiterThatGoesAwayIsGone closes the connection of a waiting client: the
// server must not keep it, nor give it the message.
func TestWaiterThatGoesAwayIsGone(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: longest})
	c := d.Client()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL+"/v2/queues/q/claims?wait=3600", strings.NewReader(`{"ttl": 60}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Client-Id": {c.ID}, "X-Project-Id": {c.Project}}
	gone := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		gone <- err
	}()
	d.AwaitWaiters(t, 1)
	cancel()
	if err := <-gone; err == nil {
		t.Error("the request was answered")
	}
	d.AwaitWaiters(t, 0)
	c.Post(t, "q", "for somebody else")
	if m := c.Do(t, http.MethodPost, "/v2/queues/q/claims", nil).Want(201).Messages(); len(m) != 1 {
		t.Errorf("claimed %d messages", len(m))
	}
}
