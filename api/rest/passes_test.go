package rest_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"zaqar/api/rest"
	"zaqar/messaging"
)

// passes runs a test with requests that wait and take their way through the
// server every second, because the broker's clock stands still: they wait on
// their connections, in their handlers, and in those of HTTP/2.
func passes(t *testing.T, test func(t *testing.T, how func(*setup))) {
	for name, where := range map[string]func(*setup){
		"connection": func(*setup) {},
		"handler":    func(set *setup) { set.bare = true },
		"stream":     func(set *setup) { set.http2 = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(set *setup) { where(set); set.rest.Patience = 0 })
		})
	}
}

// ending is the identity service of tokens that are good for some requests.
type ending struct {
	good   int64
	passes atomic.Int64
}

func (e *ending) Identify(ctx context.Context, r *http.Request) (messaging.Caller, error) {
	if r.Header.Get("X-Auth-Token") == "short" && e.passes.Add(1) > e.good {
		return messaging.Caller{}, messaging.E(messaging.Unauthenticated, "The token has ended.")
	}
	return rest.Open{}.Identify(ctx, r)
}

// TestTokenEndsDuringAWait refuses the request, which gives its place up, and
// counts it among those that wait: what it took says nothing about the server.
func TestTokenEndsDuringAWait(t *testing.T) {
	passes(t, func(t *testing.T, how func(*setup)) {
		served := make(chan rest.Served, 10)
		s := newServer(t, openMemory, how, func(set *setup) {
			set.rest.Identity = &ending{good: 2}
			set.rest.Served = func(d rest.Served) { served <- d }
		})
		r := s.post("/v2/queues/q/claims?wait=1", `{"ttl": 60}`, "X-Auth-Token: short").want(401)
		if got := <-served; got.Status != 401 || !got.Waits || got.Request != r.header.Get("X-Openstack-Request-Id") {
			t.Errorf("%+v", got)
		}
		equal(t, "waiting", s.waiting(), 0)
		s.posted("q", "1")
		s.claimed("q", 1, "")
	})
}

// TestProofsOfWaiters verifies what a request brings once, however often it
// comes back: it may be good for one time.
func TestProofsOfWaiters(t *testing.T) {
	passes(t, func(t *testing.T, how func(*setup)) {
		var verified atomic.Int64
		passes := make(chan struct{}, 10)
		s := newServer(t, openMemory, how, func(set *setup) {
			set.rest.Identity = announcing{passes}
			set.rest.Tasks = map[string]rest.Verifier{"code": func(context.Context, rest.Proof) error {
				if verified.Add(1) > 1 {
					return messaging.E(messaging.Denied, "The code was used.")
				}
				return nil
			}}
		})
		result := make(chan *reply, 1)
		go func() {
			result <- s.post("/v2/queues/q/claims?wait=1", "{"+strings.Repeat(" ", 100)+"}", "EXTRA-SPEC: code:4711")
		}()
		for range 3 {
			select {
			case <-passes:
			case r := <-result:
				r.want(201)
			}
		}
		s.posted("q", "1")
		(<-result).want(201)
		s.get("/v2/queues/q", "EXTRA-SPEC: code:4711").want(403)
	})
}
