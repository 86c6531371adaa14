package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"zaqar/api/conn"
	"zaqar/api/rest"
	"zaqar/auth/policy"
	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/observe"
	"zaqar/observe/metrics"
	"zaqar/observe/trace"
	"zaqar/quota"
	"zaqar/storage"
	"zaqar/storage/traced"
)

// hollow is a store that does nothing: what a request costs on top of it is
// the price of the front and of the broker. Its one queue exists, and however
// many messages are asked for are there.
type hollow struct {
	everything
	ids   []messaging.MessageID
	found []messaging.Message
}

// everything is what a store can do.
type everything interface {
	storage.Control
	storage.Data
}

const hollowClaim = "8d2f8a0b00000000000f4240"

func newHollow() *hollow {
	h := new(hollow)
	now := time.Now()
	for i := range 20 {
		id := messaging.MessageID(fmt.Sprintf("8d2f8a0b%016x", 1<<20+i))
		h.ids = append(h.ids, id)
		h.found = append(h.found, messaging.Message{
			ID: id, Position: messaging.Position(1<<20 + i), Poster: clientB, Posted: now, TTL: 86400,
			Expires: now.Add(24 * time.Hour), Body: []byte(benchBody),
		})
	}
	return h
}

func (h *hollow) Queue(_ context.Context, q messaging.QueueRef) (messaging.Queue, error) {
	return messaging.Queue{Ref: q}, nil
}

func (h *hollow) Append(_ context.Context, _ messaging.QueueRef, _ messaging.ClientID, d []messaging.Draft, _ storage.AppendOptions) (storage.Appended, error) {
	return storage.Appended{IDs: h.ids[:len(d)]}, nil
}

func (h *hollow) Scan(_ context.Context, _ messaging.QueueRef, s storage.Scan) ([]messaging.Message, error) {
	return h.found[:s.Limit], nil
}

func (h *hollow) Claim(_ context.Context, _ messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	return storage.Lease{Claim: messaging.Claim{ID: hollowClaim, TTL: t.TTL}, Messages: h.found[:t.Limit]}, nil
}

func (h *hollow) Remove(context.Context, messaging.QueueRef, []messaging.MessageID, storage.Hold) error {
	return nil
}

func (h *hollow) Due(context.Context, messaging.QueueRef) (time.Time, bool, error) {
	return time.Time{}, false, nil
}

func (h *hollow) Quota(context.Context, messaging.Project) (messaging.Quota, error) {
	return messaging.Quota{}, messaging.E(messaging.NotFound, "")
}

func (h *hollow) Stored(context.Context, messaging.Project) (messaging.Stored, error) {
	return messaging.Stored{}, nil
}

// newHollowHandler returns the API over a hollow store.
func newHollowHandler(t testing.TB) http.Handler { return hollowHandler(t, newHollow(), nil) }

// newLimitedHandler returns the same with quotas that are never used up.
func newLimitedHandler(t testing.TB) http.Handler {
	l := messaging.Limits{}
	for _, name := range messaging.AllLimits() {
		l[name] = messaging.MaxLimit
	}
	store := newHollow()
	guard, err := quota.New(quota.Config{Defaults: l}, quota.Parts{Control: store, Data: store, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return hollowHandler(t, store, guard)
}

// newWatchedHandler returns the same with all that watches it: metrics, audit log,
// and a tracer that follows none of the requests.
func newWatchedHandler(t testing.TB) http.Handler {
	tracer, err := trace.New(t.Context(), trace.Config{Endpoint: "http://127.0.0.1:1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tracer.Close(context.Background()) })
	requests := metrics.NewRequests(rest.Endpoints(rest.Defaults()))
	return hollowHandler(t, newHollow(), nil, func(c *rest.Config, p *broker.Parts) {
		c.Trace, c.Audit = tracer.Begin, slog.New(slog.DiscardHandler)
		c.Served = func(s rest.Served) {
			requests.Count(&metrics.Request{Route: s.Endpoint, Method: s.Method, Status: s.Status, In: s.Received, Out: s.Bytes, Took: s.Took, Waits: s.Waits})
		}
		p.Tracer = tracer.Tracer()
		p.Data, p.Control = traced.Data(p.Data, p.Tracer), traced.Control(p.Control, p.Tracer)
	})
}

func hollowHandler(t testing.TB, store *hollow, guard *quota.Guard, edits ...func(*rest.Config, *broker.Parts)) http.Handler {
	log := slog.New(slog.DiscardHandler)
	c := rest.Defaults()
	parts := broker.Parts{Control: store, Data: store, Policy: policy.Default(), Quotas: guard, Now: time.Now, Log: log}
	for _, edit := range edits {
		edit(&c, &parts)
	}
	b, err := broker.New(broker.Defaults(), parts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	access, err := observe.Open(observe.Config{Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = access.Close() })
	c.Now, c.Access, c.Quotas = time.Now, access.Access, guard
	return rest.New(c, b, log)
}

var benchBody = `"` + strings.Repeat("0123456789abcdef", 64) + `"`

// exchange is a request and the status of its answer.
type exchange struct {
	name, method, target, body string
	status                     int
}

func exchanges() []exchange {
	post := func(n int) string {
		one := `{"ttl":86400,"body":` + benchBody + `}`
		return `{"messages":[` + strings.Repeat(one+",", n-1) + one + `]}`
	}
	var ids []string
	for _, id := range newHollow().ids[:10] {
		ids = append(ids, string(id))
	}
	const messages = "/v2/queues/bench/messages"
	return []exchange{
		{"post-1", "POST", messages, post(1), 201},
		{"post-10", "POST", messages, post(10), 201},
		{"list-10", "GET", messages + "?limit=10&echo=true", "", 200},
		{"claim-10", "POST", "/v2/queues/bench/claims?limit=10", `{"ttl":300,"grace":300}`, 201},
		{"delete-1", "DELETE", messages + "/" + ids[0] + "?claim_id=" + hollowClaim, "", 204},
		{"delete-10", "DELETE", messages + "?ids=" + strings.Join(ids, ","), "", 204},
	}
}

// sink is a ResponseWriter that keeps nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

// A server's writer has these.
func (s *sink) SetReadDeadline(time.Time) error  { return nil }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// handled returns a function that has the handler serve the exchange once.
func (e exchange) handled(t testing.TB, h http.Handler) func() {
	req := identified(e.method, e.target, e.body)
	body := strings.NewReader(e.body)
	req.Body = io.NopCloser(body)
	w := &sink{header: http.Header{}}
	return func() {
		body.Reset(e.body)
		clear(w.header)
		h.ServeHTTP(w, req)
		if w.status != e.status {
			t.Fatalf("%s: status %d", e.name, w.status)
		}
	}
}

// BenchmarkHandler measures what the front and the broker themselves take for
// one request.
func BenchmarkHandler(b *testing.B) {
	for _, e := range exchanges() {
		b.Run(e.name, func(b *testing.B) {
			serve := e.handled(b, newHollowHandler(b))
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
		})
		b.Run(e.name+"-watched", func(b *testing.B) {
			serve := e.handled(b, newWatchedHandler(b))
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
		})
		b.Run(e.name+"-quotas", func(b *testing.B) {
			serve := e.handled(b, newLimitedHandler(b))
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
		})
	}
}

// BenchmarkServer measures whole requests on 64 connections, with what
// net/http and the system take for both ends, beside the same answers given by
// a bare handler.
func BenchmarkServer(b *testing.B) {
	for _, e := range exchanges() {
		b.Run(e.name, func(b *testing.B) { e.bench(b, conn.Listen(listen(b), time.Now), newHollowHandler(b)) })
		b.Run(e.name+"-null", func(b *testing.B) { e.bench(b, listen(b), e.canned(b)) })
	}
}

func listen(b *testing.B) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// canned returns a handler that reads the body and gives the answer that the
// API gave once.
func (e exchange) canned(b *testing.B) http.Handler {
	answer := serve(newHollowHandler(b), identified(e.method, e.target, e.body))
	header, body := answer.Header(), answer.Body.Bytes()
	buffers := sync.Pool{New: func() any { return new([16 << 10]byte) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := buffers.Get().(*[16 << 10]byte)
		for {
			if _, err := r.Body.Read(buf[:]); err != nil {
				break
			}
		}
		buffers.Put(buf)
		h := w.Header()
		for name, values := range header {
			h[name] = values
		}
		w.WriteHeader(e.status)
		if len(body) > 0 {
			_, _ = w.Write(body)
		}
	})
}

func (e exchange) bench(b *testing.B, l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ConnContext: conn.Context}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			b.Error(err)
		}
	}()
	text := e.text(l.Addr().String())
	b.SetParallelism(64)
	b.ReportAllocs()
	var refused atomic.Pointer[error]
	before := cpu(b)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			refused.Store(&err)
			return
		}
		defer conn.Close()
		in := bufio.NewReaderSize(conn, 32<<10)
		for pb.Next() {
			if err := e.once(conn, in, text); err != nil {
				refused.Store(&err)
				return
			}
		}
	})
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	if err := refused.Load(); err != nil {
		b.Fatal(*err)
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// text returns the request as it is on the wire.
func (e exchange) text(host string) []byte {
	u, _ := url.Parse(e.target)
	text := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nClient-ID: %s\r\nX-Project-ID: %s\r\n", e.method, u.RequestURI(), host, clientA, project)
	if e.body != "" {
		text = fmt.Appendf(text, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(e.body))
	}
	return append(append(text, "\r\n"...), e.body...)
}

// once sends the request and reads the answer to its end, without allocating.
func (e exchange) once(conn net.Conn, in *bufio.Reader, text []byte) error {
	if _, err := conn.Write(text); err != nil {
		return err
	}
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if status, err := strconv.Atoi(string(line[9:12])); err != nil || status != e.status {
		return fmt.Errorf("status %q", line)
	}
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	_, err = in.Discard(length)
	return err
}
