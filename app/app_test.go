package app_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"zaqar/app"
	"zaqar/internal/testhttp"
)

// options are those of a server for a test: any port, a store of its own.
func options(t *testing.T) app.Options {
	t.Helper()
	o := app.Defaults()
	o.HTTP.Port = 0
	o.Store.Dir = t.TempDir()
	o.AccessLog = false
	return o
}

// running is a server under test.
type running struct {
	*app.App
	stop func() error // ends it and returns what Run returned
}

func start(t *testing.T, o app.Options) running {
	t.Helper()
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- a.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-result })
	t.Cleanup(func() { _ = stop() })
	return running{a, stop}
}

func (r running) request(t *testing.T, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	return testhttp.Request(t, method, "http://"+r.Addr()+path, body, headers...)
}

// do sends a request and returns the status, the headers and the body.
func (r running) do(t *testing.T, method, path, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	return testhttp.Do(t, r.request(t, method, path, body, headers...))
}

const (
	oneMessage = `{"messages":[{"body":"hello"}]}`
	messages   = "/v2/queues/q/messages"
)

func TestServesAndStops(t *testing.T) {
	o := options(t)
	r := start(t, o)
	if status, _, body := r.do(t, "POST", messages, oneMessage); status != http.StatusCreated {
		t.Fatalf("post: %d %s", status, body)
	}
	if err := r.stop(); err != nil {
		t.Errorf("an ordinary stop is an error: %v", err)
	}
	if _, err := net.Dial("tcp", r.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the stop, connecting gives %v", err)
	}

	// The store was closed and can be opened again, with what it held.
	again := start(t, o)
	if _, _, body := again.do(t, "GET", messages+"?echo=true", ""); !strings.Contains(body, "hello") {
		t.Errorf("after a restart: %s", body)
	}
}

func TestMemoryStore(t *testing.T) {
	o := options(t)
	o.Store = app.Store{Driver: "memory"}
	r := start(t, o)
	if status, _, body := r.do(t, "POST", messages, oneMessage); status != http.StatusCreated {
		t.Fatalf("post: %d %s", status, body)
	}
}

func TestFailedStartLeavesNothingOpen(t *testing.T) {
	o := options(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := o
	busy.HTTP.Port = int64(taken.Addr().(*net.TCPAddr).Port)
	if _, err := app.New(t.Context(), busy); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("on a port in use: %v", err)
	}
	bad := o
	bad.Broker.MaxMessageTTL = 1
	if _, err := app.New(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "max_message_ttl") {
		t.Fatalf("with an impossible limit: %v", err)
	}
	// Either one would still hold the lock of the store.
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.New(t.Context(), o); err == nil {
		t.Error("two servers opened one store")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestStartErrors(t *testing.T) {
	o := options(t)
	o.Store.Driver = "papyrus"
	if _, err := app.New(t.Context(), o); err == nil || !strings.Contains(err.Error(), "papyrus") {
		t.Errorf("unknown driver: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := app.New(ended, options(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted start: %v", err)
	}
}

func TestReload(t *testing.T) {
	o := options(t)
	r := start(t, o)
	two := `{"messages":[{"body":"` + strings.Repeat("x", 100) + `"}]}`
	if status, _, _ := r.do(t, "POST", messages, two); status != http.StatusCreated {
		t.Fatalf("before: %d", status)
	}
	o.Broker.MaxMessagesPostSize = 50
	if err := r.Reload(o); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := r.do(t, "POST", messages, two); status != http.StatusBadRequest {
		t.Errorf("over the new limit: %d", status)
	}
	o.Broker.MaxMessagesPostSize = -1
	if err := r.Reload(o); err == nil {
		t.Error("an impossible limit was accepted")
	}
	if status, _, _ := r.do(t, "POST", messages, oneMessage); status != http.StatusCreated {
		t.Errorf("after the refused reload: %d", status)
	}
}

func TestReport(t *testing.T) {
	o := options(t)
	o.Version = "1.2.3"
	o.Effective = func() string { return "[DEFAULT]\nkey = ***\n" }
	r := start(t, o)
	r.do(t, "GET", "/", "")
	var b bytes.Buffer
	if err := r.Report(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"version: 1.2.3", "uptime: ", "address: " + r.Addr(), "open connections: 1\n", "key = ***", "app.(*App).Run", "goroutines: ", "=== end of report\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in the report", want)
		}
	}
}

func TestCORS(t *testing.T) {
	const origin = "https://dashboard.example.org"
	o := options(t)
	o.CORS.Origins = []string{origin}
	r := start(t, o)
	preflight := func(origin, method, headers string) http.Header {
		t.Helper()
		status, h, body := r.do(t, "OPTIONS", messages, "", "Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
		if status != http.StatusOK || body != "" {
			t.Errorf("preflight: %d %s", status, body)
		}
		return h
	}
	h := preflight(origin, "PATCH", "client-id,content-type,url-signature,x-auth-token,x-project-id")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods": "PATCH", "Access-Control-Max-Age": "3600",
		"Access-Control-Allow-Headers": "client-id,content-type,url-signature,x-auth-token,x-project-id",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(h.Get("X-OpenStack-Request-ID"), "req-") || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
		t.Errorf("headers of a preflight: %v", h)
	}
	for what, h := range map[string]http.Header{
		"another origin": preflight("https://evil.example.org", "GET", ""),
		"another method": preflight(origin, "TRACE", ""),
		"another header": preflight(origin, "GET", "x-secret"),
	} {
		if got := h.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s is allowed: %q", what, got)
		}
	}

	status, h, _ := r.do(t, "GET", "/", "", "Origin", origin)
	if status != http.StatusMultipleChoices || h.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(strings.ToLower(h.Get("Access-Control-Expose-Headers")), "x-openstack-request-id") {
		t.Errorf("an actual request: %d %v", status, h)
	}
	if _, h, _ := r.do(t, "GET", "/nothing", "", "Origin", origin); h.Get("Access-Control-Allow-Origin") != origin || strings.Join(h["Vary"], ", ") != "Origin, Accept" {
		t.Errorf("an actual request that fails: %v", h)
	}
	if status, h, _ := r.do(t, "GET", "/", "", "Origin", "https://evil.example.org"); status != http.StatusMultipleChoices || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("an actual request of another origin: %d %v", status, h)
	}

	r = start(t, options(t))
	if _, h, _ := r.do(t, "GET", "/", "", "Origin", origin); h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("CORS is on without configuration: %v", h)
	}
}

func TestHeaderLimit(t *testing.T) {
	o := options(t)
	o.HTTP.MaxHeaderBytes = 4096
	r := start(t, o)
	status, _, _ := r.do(t, "GET", "/", "", "X-Long", strings.Repeat("x", 32<<10))
	if status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("32 KiB of headers: %d", status)
	}
}

// TestIdleConnections opens many connections, which are served afterwards.
func TestIdleConnections(t *testing.T) {
	r := start(t, options(t))
	var conns []net.Conn
	for range 500 {
		c, err := net.Dial("tcp", r.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	for _, c := range []net.Conn{conns[0], conns[499]} {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusMultipleChoices {
			t.Errorf("%v %v", resp, err)
		}
	}
}

func TestDefaultsShareNothing(t *testing.T) {
	a, b := app.Defaults(), app.Defaults()
	a.CORS.Methods[0] = "X"
	if b.CORS.Methods[0] == "X" {
		t.Error("changing one changes the other")
	}
}
