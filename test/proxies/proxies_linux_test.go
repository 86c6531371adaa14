package proxies

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"zaqar/internal/certtest"
	"zaqar/internal/testwait"
	"zaqar/test/e2e/daemon"
)

func TestMain(m *testing.M) { os.Exit(daemon.Main(m, true)) }

// given are the ports of this run: HAProxy shares a port with another one
// without a word.
var given sync.Map

// clientAddress is where the clients of these tests are, which is not where
// the proxies are.
const clientAddress = "127.0.0.2"

// through returns a client's way through a proxy that runs before a server.
func (p proxy) through(t *testing.T, before string, http2 bool) (url string, way *http.Client) {
	t.Helper()
	authority := certtest.NewAuthority(t)
	port := freePort(t)
	p.start(t, port, before, authority.Issue(t, "proxy"))
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)}}
	transport := &http.Transport{DialContext: dialer.DialContext, ForceAttemptHTTP2: http2, TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}}
	t.Cleanup(transport.CloseIdleConnections)
	return fmt.Sprintf("https://127.0.0.1:%d", port), &http.Client{Transport: transport, Timeout: daemon.Patience}
}

const trusting = "[drivers:transport:wsgi]\ntrusted_proxies = 127.0.0.1\n"

// TestBehindProxies has the ordinary work done through each proxy.
func TestBehindProxies(t *testing.T) {
	t.Parallel()
	for _, p := range proxies() {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", p.name, http2), func(t *testing.T) {
				t.Parallel()
				d := daemon.Start(t, daemon.Options{Config: trusting})
				c := d.Client()
				c.URL, c.HTTP = p.through(t, d.Addr, http2)
				ordinaryWork(t, c)
				longPoll(t, c)
				addresses(t, d, c)
			})
		}
	}
}

// ordinaryWork posts, lists, claims and deletes, small and large.
func ordinaryWork(t *testing.T, c *daemon.Client) {
	t.Helper()
	large := strings.Repeat("x", 260_000)
	for i := range 20 {
		c.Post(t, "large", large+strconv.Itoa(i))
	}
	var list []daemon.Message
	c.Do(t, http.MethodGet, "/v2/queues/large/messages?echo=true&limit=20", nil).Want(200).JSON(&struct {
		Messages *[]daemon.Message `json:"messages"`
	}{&list})
	for i, m := range list {
		if want := fmt.Sprintf("%q", large+strconv.Itoa(i)); string(m.Body) != want {
			t.Errorf("message %d has %d bytes, want %d", i, len(m.Body), len(want))
		}
	}
	if len(list) != 20 {
		t.Errorf("%d messages of 5 MB in all", len(list))
	}
	refused := c.Do(t, http.MethodPost, "/v2/queues/large/messages", map[string]any{"messages": []any{map[string]any{"body": large + large}}}).Want(400)
	if !json.Valid(refused.Body) {
		t.Errorf("a post over the limit is not refused by the server itself: %s", refused.Body)
	}
	c.Post(t, "q", "one", "two")
	claimed := c.Do(t, http.MethodPost, "/v2/queues/q/claims?limit=2", "{}").Want(201).Messages()
	for _, m := range claimed {
		c.Do(t, http.MethodDelete, m.Href, nil).Want(204)
	}
	if len(claimed) != 2 || c.Count(t, "q") != 0 {
		t.Errorf("claimed %d, left %d", len(claimed), c.Count(t, "q"))
	}
	// Chunks, for want of a length.
	c.Do(t, http.MethodPost, "/v2/queues/q/messages", io.MultiReader(strings.NewReader(`{"messages": [`), strings.NewReader(`{"body": "in chunks"}]}`))).Want(201)
	c.Do(t, http.MethodDelete, "/v2/queues/q", nil).Want(204)
}

// longPoll waits for a message that another client posts, and for one that
// nobody does.
func longPoll(t *testing.T, c *daemon.Client) {
	t.Helper()
	type result struct {
		a   *daemon.Answer
		err error
	}
	answered := make(chan result, 1)
	go func() {
		a, err := c.Other().Try(t, http.MethodGet, "/v2/queues/wait/messages?wait=20", nil)
		answered <- result{a, err}
	}()
	c.Post(t, "wait", "at last")
	r := <-answered
	if r.err != nil || r.a.Status != 200 || len(r.a.Messages()) != 1 {
		t.Errorf("waiting: %+v", r)
	}
	a := c.Do(t, http.MethodGet, "/v2/queues/none/messages?wait=1", nil).Want(200)
	if len(a.Messages()) != 0 {
		t.Errorf("waiting in vain: %s", a.Body)
	}
}

// addresses looks for who the server thinks asked, whatever clients claim.
func addresses(t *testing.T, d *daemon.Daemon, c *daemon.Client) {
	t.Helper()
	c.Do(t, http.MethodGet, "/v2/queues/claims-of-clients", nil,
		"X-Forwarded-For: 192.0.2.1, 127.0.0.1", "Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1", "X-Forwarded-Prefix: /evil").Want(200)
	for _, r := range d.Records("request") {
		if got := r.Text("address"); got != clientAddress && r.Text("project") != "" {
			t.Errorf("a request of %s has the address %s", clientAddress, got)
		}
	}
	home := c.Do(t, http.MethodGet, "/", nil, "X-Forwarded-Prefix: /evil").Want(300)
	if strings.Contains(string(home.Body), "evil") {
		t.Errorf("a client's prefix is believed: %s", home.Body)
	}
	c.Do(t, http.MethodGet, "/messaging/v2/ping", nil).Want(204)
	prefixed := c.Do(t, http.MethodGet, "/messaging/", nil, "X-Forwarded-Prefix: /evil").Want(300)
	if !strings.Contains(string(prefixed.Body), `"/messaging/v2/"`) {
		t.Errorf("links without the prefix of the proxy: %s", prefixed.Body)
	}
}

// TestProxiesPassOn looks at requests as a server gets them.
func TestProxiesPassOn(t *testing.T) {
	t.Parallel()
	for _, p := range proxies() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			got := make(chan *http.Request, 10)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/healthcheck" {
					return // HAProxy asks whether the server is well
				}
				got <- r
			}))
			t.Cleanup(server.Close)
			url, way := p.through(t, strings.TrimPrefix(server.URL, "http://"), true)
			headers := map[string]string{
				"Client-Id": "3381af92-2b9e-11e3-b191-71861300734c", "X-Project-Id": "p", "X-Auth-Token": strings.Repeat("t", 8000),
				"Url-Signature": "6a63d63242ebd18c3518871dda6fdcb6273db2672c599bf985469241e9a1c799", "Url-Expires": "2031-05-04T10:00:00",
				"Url-Methods": "GET,HEAD,OPTIONS,POST", "Url-Paths": "/v2/queues/q/messages,/v2/queues/q/claims",
				"X-Openstack-Request-Id": "req-3381af92-2b9e-11e3-b191-71861300734c", "Accept": "application/json",
				"Content-Type": "application/openstack-messaging-v2.0-json-patch", "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			}
			ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
			defer cancel()
			const target = "/v2/queues/a%2Fb/messages?ids=a,b&marker=%C3%A4&x=a+b%20c"
			req, err := http.NewRequestWithContext(ctx, http.MethodPatch, url+target, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range headers {
				req.Header.Set(name, value)
			}
			resp, err := way.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Fatalf("status %d", resp.StatusCode)
			}
			r := <-got
			for name, value := range headers {
				if v := r.Header.Get(name); v != value {
					t.Errorf("%s came as %q", name, v)
				}
			}
			if r.RequestURI != target || r.Method != http.MethodPatch {
				t.Errorf("%s %s", r.Method, r.RequestURI)
			}
			if f := r.Header.Values("X-Forwarded-For"); len(f) != 1 || f[0] != clientAddress {
				t.Errorf("X-Forwarded-For: %q", f)
			}
		})
	}
}

// TestClientsThatLeave has a proxy tell the server that a waiting client has
// gone.
func TestClientsThatLeave(t *testing.T) {
	t.Parallel()
	for _, p := range proxies() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			d := daemon.Start(t, daemon.Options{Config: trusting})
			c := d.Client()
			c.URL, c.HTTP = p.through(t, d.Addr, false)
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/v2/queues/q/messages?wait=20", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Client-ID", c.ID)
			req.Header.Set("X-Project-ID", c.Project)
			sent := make(chan error, 1)
			go func() {
				resp, err := c.HTTP.Do(req)
				if err == nil {
					body, _ := io.ReadAll(resp.Body)
					t.Logf("answered: %d %s", resp.StatusCode, body)
					resp.Body.Close()
				}
				sent <- err
			}()
			d.AwaitWaiters(t, 1)
			cancel()
			if err := <-sent; err == nil {
				t.Fatal("the wait was answered")
			}
			left := func() bool {
				for _, r := range d.Records("request") {
					if r.Number("status") == 499 {
						return true
					}
				}
				return false
			}
			begun := time.Now()
			testwait.Until(t, "the server learns of it", left)
			t.Logf("noticed after %v", time.Since(begun))
		})
	}
}

// TestTakenOutOfService has HAProxy send requests elsewhere, of which there is
// nothing here, while the file of an operator says so.
func TestTakenOutOfService(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "disabled")
	d := daemon.Start(t, daemon.Options{Config: trusting + "[healthcheck]\nbackends = disable_by_file\ndisable_by_file_path = " + file + "\n"})
	url, client := proxy{"haproxy", haproxy}.through(t, d.Addr+" inter 1s fall 1 rise 1", false)
	status := func() int {
		resp, err := client.Get(url + "/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	testwait.Until(t, "the server is in service", func() bool { return status() == http.StatusMultipleChoices })
	write(t, filepath.Dir(file), filepath.Base(file), "")
	testwait.Until(t, "the server is out of service", func() bool { return status() == http.StatusServiceUnavailable })
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "the server is back", func() bool { return status() == http.StatusMultipleChoices })
}
