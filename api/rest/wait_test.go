package rest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"zaqar/api/rest"
	"zaqar/internal/testwait"
	"zaqar/messaging"
)

// async sends a request in the background and tells the status of the reply,
// 0 if there is none.
func (s *server) async(req *http.Request) <-chan int {
	status := make(chan int, 1)
	go func() {
		defer close(status)
		res, err := s.client.Do(req)
		if err != nil {
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	return status
}

// patiences are servers whose waiting requests stay in the middle of things,
// and such where they wait on their connections or at the door of their
// handlers.
func patiences(t *testing.T, test func(t *testing.T, patience func(*setup))) {
	t.Run("in the middle", func(t *testing.T) { test(t, func(set *setup) { set.rest.Patience = time.Hour }) })
	t.Run("connection", func(t *testing.T) { test(t, func(set *setup) { set.rest.Patience = 0 }) })
	t.Run("handler", func(t *testing.T) { test(t, func(set *setup) { set.rest.Patience, set.bare = 0, true }) })
	t.Run("stream", func(t *testing.T) {
		test(t, func(set *setup) {
			set.rest.Patience, set.http2 = 0, true
			set.rest.Now = time.Now // bodies come behind their heads and need some time
		})
	})
}

// TestWaitEndsWithAMessage waits on a list and on a claim, with and without a
// body, on connections whose time for bodies is over.
func TestWaitEndsWithAMessage(t *testing.T) {
	for request, body := range map[string]string{
		"GET /v2/queues/q/messages?echo=true&wait=20": "",
		"POST /v2/queues/q/claims?wait=20":            "",
		"POST /v2/queues/q/claims?wait=20&limit=1":    `{"ttl": 60}`,
		"GET /v2/topics/q/messages?wait=20&echo=1":    `{"a body": "that nobody reads"}`,
	} {
		t.Run(request, func(t *testing.T) {
			patiences(t, func(t *testing.T, patience func(*setup)) {
				s := newServer(t, openMemory, overdue, patience)
				method, target, _ := strings.Cut(request, " ")
				answer := s.async(s.request(method, target, body))
				container, _, _ := strings.Cut(target, "/q/")
				s.post(container+"/q/messages", `{"messages":[{"body":1}]}`).want(201)
				if status := <-answer; status != 200 && status != 201 {
					t.Errorf("status %d", status)
				}
			})
		})
	}
}

func TestWaitParameter(t *testing.T) {
	s := newServer(t, openMemory, func(set *setup) { set.broker.MaxWait = 5 })
	s.posted("q", "1", "2")
	for _, wait := range []string{"6", "-1", "x", "1.0", "99999999999999999999"} {
		s.get("/v2/queues/q/messages?wait=" + wait).want(400)
		s.post("/v2/queues/q/claims?wait="+wait, "").want(400)
	}
	for _, wait := range []string{"", "0", "5", "+5"} {
		s.get("/v2/queues/q/messages?echo=true&wait=" + wait).want(200)
	}
	equal(t, "next", params(t, s.get("/v2/queues/q/messages?echo=true&wait=05").next()).Get("wait"), "5")
	s.post("/v2/queues/q/claims?wait=0", "").want(201)
	s.post("/v2/queues/q/claims?wait=0", "").want(204)
	s.get("/v2/queues/q/messages?wait=0").want(200)
}

// TestWaitEndsWithItsClient makes sure that nobody waits for nobody.
func TestWaitEndsWithItsClient(t *testing.T) {
	for request, body := range map[string]string{
		"GET /v2/queues/q/messages?wait=20":  "",
		"GET /v2/queues/q/messages?wait=5":   `{"a body": "that nobody asked for"}`,
		"POST /v2/queues/q/claims?wait=20":   `{"ttl": 60}`,
		"POST /v2/queues/q/claims?wait=20&x": "",
	} {
		test := func(t *testing.T, patience func(*setup)) {
			served := make(chan rest.Served, 10)
			s := newServer(t, openMemory, patience, func(set *setup) { set.rest.Served = func(d rest.Served) { served <- d } })
			method, target, _ := strings.Cut(request, " ")
			ctx, cancel := context.WithCancel(t.Context())
			s.async(s.request(method, target, body).WithContext(ctx))
			testwait.Until(t, "it waits", func() bool { return s.waiting() > 0 })
			cancel()
			if got := <-served; got.Status != rest.StatusClientGone {
				t.Errorf("%+v", got)
			}
			testwait.Until(t, "nobody waits", func() bool { return s.waiting() == 0 })
			// What comes later is for those who are still there.
			s.posted("q", "1")
			s.claimed("q", 1, "")
		}
		t.Run(request, func(t *testing.T) { patiences(t, test) })
	}
}

// announcing tells when a request has come in.
type announcing struct{ entered chan<- struct{} }

func (a announcing) Identify(ctx context.Context, r *http.Request) (who messaging.Caller, err error) {
	a.entered <- struct{}{}
	return rest.Open{}.Identify(ctx, r)
}
