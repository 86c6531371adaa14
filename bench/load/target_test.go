package load_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/app/apptest"
	"zaqar/bench/load"
)

func TestParseURL(t *testing.T) {
	tests := []struct{ url, addr, prefix, text string }{
		{"http://127.0.0.1:8888", "127.0.0.1:8888", "", "http://127.0.0.1:8888"},
		{"http://zaqar.example.org", "zaqar.example.org:80", "", "http://zaqar.example.org:80"},
		{"https://zaqar.example.org/", "zaqar.example.org:443", "", "https://zaqar.example.org:443"},
		{"http://[::1]:8888/messaging/", "[::1]:8888", "/messaging", "http://[::1]:8888/messaging"},
		{"http://h:1/messaging/v2", "h:1", "/messaging", "http://h:1/messaging"},
	}
	for _, tt := range tests {
		got, err := load.ParseURL(tt.url)
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		if got.Addr != tt.addr || got.Prefix != tt.prefix || got.String() != tt.text || !got.Real || (got.TLS != nil) != strings.HasPrefix(tt.url, "https") {
			t.Errorf("%s: %+v, %s", tt.url, got, got.String())
		}
	}
	for _, bad := range []string{"", "127.0.0.1:8888", "ftp://h", "http://", "http://h?x", "http://h#x", "http://u:p@h", "http://h:port"} {
		if got, err := load.ParseURL(bad); err == nil {
			t.Errorf("%q: %+v, want an error", bad, got)
		}
	}
}

// TestBelowAPathOverTLS has a proxy that ends TLS and hides a prefix that the
// server behind it does not know.
func TestBelowAPathOverTLS(t *testing.T) {
	behind := &url.URL{Scheme: "http", Host: apptest.InMemory(t)}
	proxy := httptest.NewTLSServer(http.StripPrefix("/messaging", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forward(t, behind, r).write(w)
	})))
	defer proxy.Close()
	target, err := load.ParseURL(proxy.URL + "/messaging")
	if err != nil {
		t.Fatal(err)
	}
	target.Project = "p"
	if err := target.Check(t.Context()); err == nil {
		t.Error("a certificate that nobody has signed is accepted")
	}
	target.TLS.RootCAs = x509.NewCertPool()
	target.TLS.RootCAs.AddCert(proxy.Certificate())
	if err := target.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	q, err := load.Create(t.Context(), target, load.Spec{Name: "q", Body: load.Body(100)})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		if err := q.Fill(t.Context(), 200, nil); err != nil {
			t.Fatal(err)
		}
		if s.List > 0 && s.Claim == 0 && s.Post == 0 {
			continue // of a queue that others use before
		}
		if _, err := load.Run(t.Context(), q, plan(s, 2)); err != nil {
			t.Error(err)
		}
	}
	if _, err := q.Audit(t.Context(), time.Time{}, time.Time{}); err != nil {
		t.Error(err)
	}
	if err := q.Drop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRateDoesNotHideStalls has a server that stands still once. As many posts
// as were due meanwhile are late, though only one of them was sent.
func TestRateDoesNotHideStalls(t *testing.T) {
	behind := &url.URL{Scheme: "http", Host: apptest.InMemory(t)}
	var once sync.Once
	var posts atomic.Int64
	const stall = 100 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			once.Do(func() { time.Sleep(stall) })
			posts.Add(1)
		}
		forward(t, behind, r).write(w)
	}))
	defer server.Close()
	target, err := load.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	target.Project = "p"
	q, err := load.Create(t.Context(), target, load.Spec{Name: "q", Body: load.Body(100)})
	if err != nil {
		t.Fatal(err)
	}
	p := plan(load.Scenario{Post: 1}, 100)
	p.Connections, p.Rate = 1, 1000
	r, err := load.Run(t.Context(), q, p)
	if err != nil {
		t.Fatal(err)
	}
	if posts.Load() != 100 || r.Requests != 100 {
		t.Errorf("%d posts, %d measured", posts.Load(), r.Requests)
	}
	// Without the stall's share each would take its own time only; with it, one
	// half of those due meanwhile were due in its first half.
	if got := r.Latency.Quantile(0.6); got < stall/2 {
		t.Errorf("of posts that were due in a stall of %v, 40 %% took %v or more", stall, got)
	}
}

func TestRateTooLowToMeasure(t *testing.T) {
	q, err := load.Create(t.Context(), load.Target{Addr: apptest.InMemory(t), Project: "p", Real: true}, load.Spec{Name: "q", Body: load.Body(100)})
	if err != nil {
		t.Fatal(err)
	}
	p := plan(load.Scenario{Name: "post", Post: 1}, 0)
	p.Rate, p.Warmup, p.Duration = 1./7200, time.Hour, time.Second
	if _, err := load.Run(t.Context(), q, p); err == nil || !strings.Contains(err.Error(), "no step is due") {
		t.Errorf("got %v", err)
	}
}

// A rate so low that its second step is due after the end of what a Duration
// can say is one step, not as many as there can be.
func TestRateOfOneStep(t *testing.T) {
	q, err := load.Create(t.Context(), load.Target{Addr: apptest.InMemory(t), Project: "p", Real: true}, load.Spec{Name: "q", Body: load.Body(100)})
	if err != nil {
		t.Fatal(err)
	}
	p := plan(load.Scenario{Name: "post", Post: 1}, 0)
	p.Rate, p.Warmup, p.Duration = 1e-12, 0, 50*time.Millisecond
	if r, err := load.Run(t.Context(), q, p); err != nil || r.Requests != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
}
