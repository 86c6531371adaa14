package rest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// sink is a ResponseWriter that keeps nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkHandler measures what the front itself takes for one request,
// together with the memory store.
func BenchmarkHandler(b *testing.B) {
	post := `{"messages":[{"ttl":300,"body":{"event":"` + strings.Repeat("x", 1000) + `"}}]}`
	for _, c := range []struct {
		name, method, target, body string
		status                     int
	}{
		{"post", "POST", "/v2/queues/q/messages", post, http.StatusCreated},
		{"list", "GET", "/v2/queues/q/messages?echo=true&limit=10", "", http.StatusOK},
		{"stats", "GET", "/v2/queues/q/stats", "", http.StatusOK},
		{"claim nothing", "POST", "/v2/queues/empty/claims", `{"ttl":60,"grace":60}`, http.StatusNoContent},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := newHandler(b)
			for range 10 {
				serve(h, identified("POST", "/v2/queues/q/messages", post))
			}
			req := identified(c.method, c.target, c.body)
			body := strings.NewReader(c.body)
			req.Body = io.NopCloser(body)
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(c.body)
				w := &sink{header: http.Header{}}
				h.ServeHTTP(w, req)
				if w.status != c.status {
					b.Fatalf("status %d", w.status)
				}
			}
		})
	}
}
