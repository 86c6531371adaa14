package load_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/app/apptest"
	"zaqar/bench/load"
	"zaqar/bench/nullsink"
)

var scenarios = []load.Scenario{
	{Name: "post", Post: 3},
	{Name: "list", List: 10},
	{Name: "claim and delete", Claim: 10},
	{Name: "claim and delete in bulk", Claim: 7, Bulk: true},
	{Name: "cycle", Post: 1, Claim: 1},
	{Name: "everything", Post: 2, List: 5, Claim: 2, Bulk: true},
}

// plan is bounded by cycles, so that no clock decides what happens.
func plan(s load.Scenario, cycles int) load.Plan {
	return load.Plan{Scenario: s, Connections: 4, Duration: time.Hour, Cycles: cycles}
}

func TestRunOnTheProduct(t *testing.T) {
	addr := apptest.InMemory(t)
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			const fill, cycles, connections = 500, 10, 4
			q, err := load.Create(t.Context(), load.Target{Addr: addr, Project: "p", Real: true}, load.Spec{Name: strings.ReplaceAll(s.Name, " ", "-"), Body: load.Body(200)})
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Fill(t.Context(), fill, nil); err != nil {
				t.Fatal(err)
			}
			marks := 0
			p := plan(s, cycles)
			p.Mark = func() { marks++ }
			r, err := load.Run(t.Context(), q, p)
			if err != nil {
				t.Fatal(err)
			}
			a, err := q.Audit(t.Context(), r.From, r.To)
			if err != nil {
				t.Fatal(err)
			}
			if want := fill + cycles*connections*(s.Post-s.Claim); a.Left != want {
				t.Errorf("%d messages are left, want %d", a.Left, want)
			}
			if want := int64(cycles * connections * (s.Post + s.List + s.Claim)); r.Messages != want {
				t.Errorf("%d messages were measured, want %d", r.Messages, want)
			}
			if marks != 2 || r.Elapsed <= 0 || r.Requests == 0 || r.Latency.Max() <= 0 {
				t.Errorf("%d marks, %v, %d requests, %v", marks, r.Elapsed, r.Requests, r.Latency.Max())
			}
			if err := q.Drop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRunOnTheNullSink(t *testing.T) {
	server := httptest.NewServer(nullsink.New(load.Body(200)))
	defer server.Close()
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			q, err := load.Create(t.Context(), load.Target{Addr: server.Listener.Addr().String(), Project: "p"}, load.Spec{Name: "q", Body: load.Body(200)})
			if err != nil {
				t.Fatal(err)
			}
			r, err := load.Run(t.Context(), q, plan(s, 10))
			if err != nil {
				t.Fatal(err)
			}
			if want := int64(40 * (s.Post + s.List + s.Claim)); r.Messages != want {
				t.Errorf("%d messages were measured, want %d", r.Messages, want)
			}
		})
	}
}

func TestRunEndsWhenNothingIsLeft(t *testing.T) {
	q, err := load.Create(t.Context(), load.Target{Addr: apptest.InMemory(t), Project: "p", Real: true}, load.Spec{Name: "q", Body: load.Body(100)})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Fill(t.Context(), 95, nil); err != nil {
		t.Fatal(err)
	}
	r, err := load.Run(t.Context(), q, plan(load.Scenario{Name: "claim", Claim: 10, Bulk: true}, 0))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := q.Audit(t.Context(), r.From, r.To); err != nil || a.Left != 0 || !r.Exhausted {
		t.Errorf("%+v, %v, exhausted %v", a, err, r.Exhausted)
	}
}

// TestRunFindsMistakes puts a server between that falsifies one answer.
func TestRunFindsMistakes(t *testing.T) {
	swap := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	tests := []struct {
		name   string
		s      load.Scenario
		method string
		path   string // how the falsified request's path ends
		lie    func(body string) string
		status int
		want   string // in the error of Run or Audit
	}{
		{"status", load.Scenario{Post: 1}, "POST", "/messages", nil, 503, "answered with 503"},
		{"too few ids", load.Scenario{Post: 2}, "POST", "/messages", func(s string) string { return s[:strings.IndexByte(s, ',')] + "]}" }, 0, "a post of 2 messages was answered with 1"},
		{"other id", load.Scenario{Post: 1}, "POST", "/messages", swap("/messages/", "/messages/x"), 0, "lost"},
		{"short page", load.Scenario{List: 2}, "GET", "/messages", func(string) string { return `{"messages":[],"links":[]}` }, 0, "a page of 0 messages"},
		{"wrong page", load.Scenario{List: 2}, "GET", "/messages", swap("/messages/", "/messages/x"), 0, "not what was posted"},
		{"delete refused", load.Scenario{Claim: 1}, "DELETE", "", nil, 403, "answered with 403"},
		{"not a claim", load.Scenario{Claim: 1}, "POST", "/claims", swap("?claim_id=", "?x="), 0, "unexpected form"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			behind := &url.URL{Scheme: "http", Host: apptest.InMemory(t)}
			var armed, lied atomic.Bool
			liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := forward(t, behind, r)
				if armed.Load() && r.Method == tt.method && strings.HasSuffix(r.URL.Path, tt.path) && lied.CompareAndSwap(false, true) {
					if tt.lie != nil {
						answer.body = tt.lie(answer.body)
					}
					if tt.status != 0 {
						answer.status = tt.status
					}
				}
				answer.write(w)
			}))
			defer liar.Close()
			q, err := load.Create(t.Context(), load.Target{Addr: liar.Listener.Addr().String(), Project: "p", Real: true}, load.Spec{Name: "q", Body: load.Body(100)})
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Fill(t.Context(), 20, nil); err != nil {
				t.Fatal(err)
			}
			armed.Store(true)
			p := plan(tt.s, 3)
			_, err = load.Run(t.Context(), q, p)
			if err == nil {
				_, err = q.Audit(t.Context(), time.Time{}, time.Time{})
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
