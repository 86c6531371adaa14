package rest_test

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/api/rest"
	"zaqar/internal/testclock"
	"zaqar/internal/testlog"
)

// TestServed tells what metrics and the access log learn of each request.
func TestServed(t *testing.T) {
	served := make(chan rest.Served, 1)
	logs := new(testlog.Buffer)
	wall := testclock.New(time.Unix(0, 0))
	s := newServer(t, openMemory, func(set *setup) {
		set.rest.Served = func(d rest.Served) { served <- d }
		set.rest.Access = slog.New(slog.NewJSONHandler(logs, nil))
		set.rest.BodyTime, set.rest.ReplyTime = 0, 0
		set.rest.Now = func() time.Time { wall.Advance(time.Second); return wall.Now() }
	})
	for _, c := range []struct {
		method, target, body string
		headers              []string
		want                 rest.Served
	}{
		{"POST", "/v2/queues/secret-name/messages?x=secret", `{"messages":[{"body":"secret"}]}`, []string{"X-Auth-Token: secret"},
			rest.Served{Method: "POST", Route: "/v2/queues/{queue_name}/messages", Status: 201, Project: project, Client: clientA}},
		{"GET", "/v2/queues/secret-name/messages?echo=true&wait=1", "", nil,
			rest.Served{Method: "GET", Route: "/v2/queues/{queue_name}/messages", Status: 200, Waits: true, Project: project, Client: clientA}},
		{"GET", "/v2/queues/secret-name/messages?echo=true&wait=0", "", nil,
			rest.Served{Method: "GET", Route: "/v2/queues/{queue_name}/messages", Status: 200, Project: project, Client: clientA}},
		{"GET", "/v2/queues?limit=0", "", []string{"X-OpenStack-Request-ID: req-secret"},
			rest.Served{Method: "GET", Route: "/v2/queues", Status: 400, Project: project, Client: clientA}},
		{"GET", "/v2/queues", "", []string{"X-OpenStack-Request-ID: req-" + clientB},
			rest.Served{Method: "GET", Route: "/v2/queues", Status: 200, Caller: "req-" + clientB, Project: project, Client: clientA}},
		{"GET", "/nothing", "", nil, rest.Served{Method: "GET", Status: 404, Project: project}},
		{"BREW", "/v2/ping", "", nil, rest.Served{Method: "BREW", Route: "/v2/ping", Status: 405, Project: project, Client: clientA}},
		{"GET", "/", "", []string{"-X-Project-ID", "-Client-ID"}, rest.Served{Method: "GET", Route: "/", Status: 300}},
		{"DELETE", "/v2/queues/q", "", nil, rest.Served{Method: "DELETE", Route: "/v2/queues/{queue_name}", Status: 204, Project: project, Client: clientA}},
	} {
		r := s.do(c.method, c.target, c.body, c.headers...)
		c.want.Address = netip.MustParseAddr("127.0.0.1")
		c.want.Bytes, c.want.Took, c.want.Request = int64(len(r.body)), time.Second, r.header.Get("X-OpenStack-Request-ID")
		c.want.Received, c.want.Endpoint = int64(len(c.body)), slices.Index(rest.Endpoints(rest.Defaults()), c.want.Route)
		equal(t, c.method+" "+c.target, <-served, c.want)

		lines := strings.Split(strings.TrimSpace(logs.String()), "\n")
		var line map[string]any
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
			t.Fatal(err)
		}
		delete(line, "time")
		want := map[string]any{"level": "INFO", "msg": "request", "method": c.want.Method, "route": c.want.Route,
			"status": float64(c.want.Status), "bytes": float64(c.want.Bytes), "took": float64(time.Second), "request_id": c.want.Request,
			"project": string(c.want.Project), "client": string(c.want.Client), "address": "127.0.0.1"}
		if c.want.Caller != "" {
			want["caller_request_id"] = c.want.Caller
		}
		equal(t, "record", line, want)
	}
	if strings.Contains(logs.String(), "secret") {
		t.Errorf("the access log tells secrets:\n%s", logs.String())
	}
}

func TestNewNeedsAClock(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a server without a clock is built")
		}
	}()
	rest.New(rest.Defaults(), nil, nil)
}
