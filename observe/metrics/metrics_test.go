package metrics_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/internal/histogram"
	"zaqar/observe/metrics"
)

// scrape returns the lines of a scrape that begin with zaqar_, and the log.
func scrape(t *testing.T, r *metrics.Registry) []string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "zaqar_") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestScrape(t *testing.T) {
	r := metrics.New(discard())
	h := histogram.New([]int64{1e6, 1e9})
	for _, ns := range []int64{1e6, 2e6, 3e9} {
		h.Observe(ns)
	}
	r.Add([]metrics.Family{
		{Name: "zaqar_done_total", Type: metrics.Counter, Help: "Done."},
		{Name: "zaqar_full", Type: metrics.Gauge, Help: "Full.", Labels: []string{"a", "b"}},
		{Name: "zaqar_took_seconds", Type: metrics.Histogram, Help: "Took.", Scale: metrics.Seconds},
	}, func(v *metrics.Values) {
		v.Set("zaqar_done_total", 7)
		v.Is("zaqar_full", true, "x\"\n", "\xff")
		v.Is("zaqar_full", false, "y", "")
		v.Histogram("zaqar_took_seconds", h.Snapshot())
	})
	want := []string{
		`zaqar_done_total 7`,
		`zaqar_full{a="x\"\n",b="` + "\uFFFD" + `"} 1`,
		`zaqar_full{a="y",b=""} 0`,
		`zaqar_took_seconds_bucket{le="0.001"} 1`,
		`zaqar_took_seconds_bucket{le="1"} 2`,
		`zaqar_took_seconds_bucket{le="+Inf"} 3`,
		`zaqar_took_seconds_sum 3.003`,
		`zaqar_took_seconds_count 3`,
	}
	if d := cmp.Diff(want, scrape(t, r)); d != "" {
		t.Error(d)
	}
	var names []string
	for _, f := range r.Families() {
		names = append(names, f.Name)
	}
	if d := cmp.Diff([]string{"zaqar_done_total", "zaqar_full", "zaqar_took_seconds"}, names); d != "" {
		t.Error(d)
	}
}

// TestABadValueSpoilsNothingElse has one metric fail.
func TestABadValueSpoilsNothingElse(t *testing.T) {
	var log bytes.Buffer
	r := metrics.New(slog.New(slog.NewTextHandler(&log, nil)))
	r.Add([]metrics.Family{
		{Name: "zaqar_good", Type: metrics.Gauge, Help: "Good."},
		{Name: "zaqar_bad", Type: metrics.Gauge, Help: "Bad.", Labels: []string{"a"}},
	}, func(v *metrics.Values) {
		v.Set("zaqar_bad", 1, "too", "many")
		v.Set("zaqar_good", 1)
	})
	if d := cmp.Diff([]string{"zaqar_good 1"}, scrape(t, r)); d != "" {
		t.Error(d)
	}
	if !strings.Contains(log.String(), "zaqar_bad") {
		t.Errorf("log: %s", log.String())
	}
}

func TestNamesAreUnique(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a second metric of one name was taken")
		}
	}()
	r := metrics.New(discard())
	for range 2 {
		r.Add([]metrics.Family{{Name: "zaqar_x", Type: metrics.Gauge, Help: "X."}}, func(*metrics.Values) {})
	}
}

func TestRequests(t *testing.T) {
	r := metrics.New(discard())
	q := metrics.NewRequests([]string{"/a", "/b/{id}"})
	r.Add(q.Families(), q.Collect)
	if lines := scrape(t, r); len(lines) != 0 {
		t.Errorf("before any request: %v", lines)
	}
	for _, one := range []metrics.Request{
		{Route: 0, Method: "GET", Status: 200, Out: 10, Took: time.Millisecond},
		{Route: 0, Method: "GET", Status: 200, Out: 5, Took: time.Hour},
		{Route: 0, Method: "GET", Status: 418},
		{Route: 1, Method: "POST", Status: 201, In: 100, Out: 1, Took: 3 * time.Second, Waits: true},
		{Route: -1, Method: "BREW", Status: 404},
		{Route: 2, Method: "GET", Status: 499},
	} {
		q.Count(&one)
	}
	got := scrape(t, r)
	for _, want := range []string{
		`zaqar_http_requests_total{method="GET",route="/a",status="200"} 2`,
		`zaqar_http_requests_total{method="GET",route="/a",status="other"} 1`,
		`zaqar_http_requests_total{method="POST",route="/b/{id}",status="201"} 1`,
		`zaqar_http_requests_total{method="other",route="unknown",status="404"} 1`,
		`zaqar_http_requests_total{method="GET",route="unknown",status="499"} 1`,
		`zaqar_http_request_duration_seconds_count{method="GET",route="/a"} 3`,
		`zaqar_http_request_duration_seconds_bucket{method="GET",route="/a",le="0.001"} 2`,
		`zaqar_http_request_duration_seconds_bucket{method="GET",route="/a",le="10"} 2`,
		`zaqar_http_wait_duration_seconds_bucket{method="POST",route="/b/{id}",le="5"} 1`,
		`zaqar_http_wait_duration_seconds_bucket{method="POST",route="/b/{id}",le="2"} 0`,
		`zaqar_http_request_body_bytes_total{method="POST",route="/b/{id}"} 100`,
		`zaqar_http_response_body_bytes_total{method="GET",route="/a"} 15`,
	} {
		if !strings.Contains("\n"+strings.Join(got, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(strings.Join(got, "\n"), `zaqar_http_request_duration_seconds_count{method="POST"`) {
		t.Error("a request that waits counts among the others")
	}
}

func TestCountTakesNoMemory(t *testing.T) {
	q := metrics.NewRequests([]string{"/a"})
	if n := testing.AllocsPerRun(100, func() {
		q.Count(&metrics.Request{Method: "DELETE", Status: 503, In: 1, Out: 1, Took: time.Second})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCount(b *testing.B) {
	q := metrics.NewRequests([]string{"/a"})
	for b.Loop() {
		q.Count(&metrics.Request{Method: "POST", Status: 201, In: 1024, Out: 60, Took: 300 * time.Microsecond})
	}
}

func BenchmarkScrape(b *testing.B) {
	r := metrics.New(discard())
	q := metrics.NewRequests(make([]string, 26))
	r.Add(q.Families(), q.Collect)
	h := r.Handler()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
	}
}
