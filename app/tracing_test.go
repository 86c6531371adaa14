package app_test

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// fakeCollector keeps the spans that are sent to it.
type fakeCollector struct {
	*httptest.Server
	mu      sync.Mutex
	spans   []*spans.Span
	headers http.Header
}

func newCollector(t *testing.T) *fakeCollector {
	t.Helper()
	c := new(fakeCollector)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unzipped
		}
		raw, err := io.ReadAll(body)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(raw, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.headers = r.Header
		for _, resource := range sent.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

// named returns the one span of that name.
func (c *fakeCollector) named(t *testing.T, name string) *spans.Span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var found *spans.Span
	var names []string
	for _, s := range c.spans {
		names = append(names, s.Name)
		if s.Name == name {
			found = s
		}
	}
	if found == nil {
		t.Fatalf("no span %q among %q", name, names)
	}
	return found
}

// attributes writes the attributes of a span in order.
func attributes(s *spans.Span) string {
	var list []string
	for _, a := range s.Attributes {
		value := a.Value.GetStringValue()
		if value == "" {
			value = strings.TrimSpace(a.Value.String())
		}
		list = append(list, a.Key+"="+value)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestTracing(t *testing.T) {
	c := newCollector(t)
	o := options(t)
	o.Tracing.Enabled, o.Tracing.Sampling, o.Tracing.TrustParent = true, 1, true
	o.Tracing.Endpoint, o.Tracing.Headers = c.URL, map[string]string{"X-Scope": "s"}
	r := start(t, o)
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	if status, _, body := r.do(t, "POST", messages, oneMessage, "traceparent", parent); status != http.StatusCreated {
		t.Fatalf("post: %d %s", status, body)
	}
	if status, _, _ := r.do(t, "GET", "/v2/queues/none?secret=1", "", "traceparent", "00-11112222333344445555666677778888-00f067aa0ba902b7-00"); status != http.StatusOK {
		t.Errorf("get: %d", status)
	}
	if err := r.stop(); err != nil { // sends the spans
		t.Fatal(err)
	}
	request := c.named(t, "POST /v2/queues/{queue_name}/messages")
	store, append := c.named(t, "broker.StoreMessages"), c.named(t, "store.Append")
	if string(store.ParentSpanId) != string(request.SpanId) || string(append.ParentSpanId) != string(store.SpanId) {
		t.Error("the spans do not hang together")
	}
	if got := attributes(request); !strings.Contains(got, "http.response.status_code=") || !strings.Contains(got, "messaging.destination.name=q") ||
		!strings.Contains(got, "zaqar.project=p") || !strings.Contains(got, "zaqar.request_id=req-") {
		t.Errorf("attributes: %s", got)
	}
	if request.Kind != spans.Span_SPAN_KIND_SERVER || len(request.ParentSpanId) == 0 {
		t.Errorf("kind %v, parent %x", request.Kind, request.ParentSpanId)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.headers.Get("X-Scope") != "s" {
		t.Errorf("headers %v", c.headers)
	}
	for _, s := range c.spans {
		if strings.HasPrefix(s.Name, "GET ") {
			t.Errorf("a trace that is not followed has the span %s", s.Name)
		}
	}
}

// TestTracingOfDeliveries follows a post to its subscribers: a receiver, who is
// told where he is in the trace, and another queue.
func TestTracingOfDeliveries(t *testing.T) {
	c := newCollector(t)
	got := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("traceparent") }))
	defer receiver.Close()
	o := options(t)
	o.Tracing.Enabled, o.Tracing.Sampling, o.Tracing.TrustParent, o.Tracing.Endpoint = true, 0, true, c.URL
	o.Webhooks.Allow = []string{"127.0.0.1"}
	r := start(t, o)
	for source, subscriber := range map[string]string{"q": "queue:second", "second": receiver.URL} {
		if status, _, body := r.do(t, "POST", "/v2/queues/"+source+"/subscriptions", `{"subscriber":"`+subscriber+`"}`); status != http.StatusCreated {
			t.Fatalf("subscribe: %d %s", status, body)
		}
	}
	if status, _, body := r.do(t, "POST", "/v2/queues/second/messages", oneMessage); status != http.StatusCreated {
		t.Fatalf("post: %d %s", status, body)
	}
	if place := <-got; place != "" {
		t.Errorf("of a post that is not followed the receiver is told %s", place)
	}
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	if status, _, body := r.do(t, "POST", messages, oneMessage, "traceparent", "00-"+id+"-00f067aa0ba902b7-01"); status != http.StatusCreated {
		t.Fatalf("post: %d %s", status, body)
	}
	place := <-got
	if err := r.stop(); err != nil { // sends the spans
		t.Fatal(err)
	}
	first, last := c.named(t, "deliver queue"), c.named(t, "deliver http")
	for _, s := range []*spans.Span{first, last} {
		if hex.EncodeToString(s.TraceId) != id || s.Kind != spans.Span_SPAN_KIND_CLIENT {
			t.Errorf("%s is in trace %x, %v", s.Name, s.TraceId, s.Kind)
		}
	}
	if want := "00-" + id + "-" + hex.EncodeToString(last.SpanId) + "-01"; place != want {
		t.Errorf("the receiver is told %s, want %s", place, want)
	}
	if !strings.Contains(attributes(last), "messaging.destination.name=second") || !strings.Contains(attributes(first), "messaging.destination.name=q ") {
		t.Errorf("attributes: %s, %s", attributes(first), attributes(last))
	}
}

// TestTracingOfAWait has one span for a request that waits on its connection.
func TestTracingOfAWait(t *testing.T) {
	c := newCollector(t)
	o := options(t)
	o.Tracing.Enabled, o.Tracing.Sampling, o.Tracing.Endpoint = true, 1, c.URL
	r := start(t, o)
	if status, _, body := r.do(t, "GET", messages+"?wait=1", ""); status != http.StatusOK {
		t.Fatalf("get: %d %s", status, body)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	request := c.named(t, "GET /v2/queues/{queue_name}/messages")
	if took := request.EndTimeUnixNano - request.StartTimeUnixNano; took < 900_000_000 {
		t.Errorf("the span took %d ns", took)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, s := range c.spans {
		if s.Name == request.Name {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d spans for one request", n)
	}
}

// TestTracingWithoutACollector serves all the same.
func TestTracingWithoutACollector(t *testing.T) {
	o := options(t)
	o.Tracing.Enabled, o.Tracing.Sampling, o.Tracing.Endpoint = true, 1, "http://127.0.0.1:1"
	r := start(t, o)
	if status, _, _ := r.do(t, "POST", messages, oneMessage); status != http.StatusCreated {
		t.Errorf("post: %d", status)
	}
	if err := r.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
