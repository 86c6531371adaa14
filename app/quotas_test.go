package app_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"zaqar/app"
	"zaqar/messaging"
	"zaqar/quota"
)

func withQuotas(o app.Options, l messaging.Limits) app.Options {
	o.REST.Admin = true
	o.Quotas = app.Quotas{Enabled: true, Config: quota.Config{Defaults: l}}
	return o
}

// TestQuotasSurviveARestart finds what was granted and what is used as it was.
func TestQuotasSurviveARestart(t *testing.T) {
	o := withQuotas(options(t), messaging.Limits{messaging.LimitMessages: 1})
	r := start(t, o)
	if status, _, body := r.do(t, "PUT", "/v2/quotas/p", `{"quota":{"messages":2}}`, "X-Roles", "admin"); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	post := func(want int) {
		t.Helper()
		if status, _, body := r.do(t, "POST", messages, oneMessage); status != want {
			t.Fatalf("post: %d %s, want %d", status, body, want)
		}
	}
	post(http.StatusCreated)
	post(http.StatusCreated)
	post(http.StatusForbidden)
	_, _, before := r.do(t, "GET", "/v2/quotas/p", "")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, o)
	_, _, after := r.do(t, "GET", "/v2/quotas/p", "")
	if before != after || !strings.Contains(after, `"granted":{"messages":2}`) || !strings.Contains(after, `"messages":2,"message_bytes":14,`) {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	post(http.StatusForbidden)
	if status, _, _ := r.do(t, "DELETE", messages+"?pop=1", ""); status != http.StatusOK {
		t.Fatal(status)
	}
	post(http.StatusCreated)
}

func TestQuotasReload(t *testing.T) {
	o := withQuotas(options(t), nil)
	r := start(t, o)
	next := withQuotas(o, messaging.Limits{messaging.LimitQueues: 0})
	if err := r.Reload(next); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := r.do(t, "PUT", "/v2/queues/q", ""); status != http.StatusForbidden {
		t.Errorf("beyond the new limit: %d", status)
	}
	wrong := withQuotas(o, messaging.Limits{messaging.LimitQueues: -7})
	wrong.Broker.MaxMessageTTL = 999
	wrong.Broker.DefaultMessageTTL = 99
	if err := r.Reload(wrong); err == nil || !strings.Contains(err.Error(), "queues") {
		t.Errorf("a wrong limit: %v", err)
	}
	if _, _, body := r.do(t, "GET", "/v2/queues/q", ""); !strings.Contains(body, `"_default_message_ttl":3600`) {
		t.Errorf("half of a wrong configuration is in force: %s", body)
	}
	if r.Reload(withQuotas(o, nil)) != nil {
		t.Error("cannot go back")
	}
	if status, _, _ := r.do(t, "PUT", "/v2/queues/q", ""); status != http.StatusCreated {
		t.Errorf("without a limit again: %d", status)
	}
}

// client is one connection.
type client struct {
	testing.TB
	net.Conn
	in *bufio.Reader
}

func (r running) dial(t *testing.T) *client {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) send(path, project string) {
	c.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\nClient-ID: 3381af92-2b9e-11e3-b191-71861300734c\r\nX-Project-ID: %s\r\n\r\n", path, project); err != nil {
		c.Fatal(err)
	}
}

// answer returns the status, and the body.
func (c *client) answer() (int, string) {
	c.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.Fatal(err)
	}
	if res.StatusCode == http.StatusTooManyRequests {
		if _, err := c.in.ReadByte(); err != io.EOF {
			c.Errorf("a connection too many stays open: %v", err)
		}
	}
	return res.StatusCode, string(text)
}

func (c *client) get(path, project string) (int, string) {
	c.Helper()
	c.send(path, project)
	return c.answer()
}

// TestConnectionsOfProjects has a project open more connections than it may,
// with requests that wait and without.
func TestConnectionsOfProjects(t *testing.T) {
	o := withQuotas(options(t), messaging.Limits{messaging.LimitConnections: 2})
	r := start(t, o)
	a, b := r.dial(t), r.dial(t)
	for range 2 {
		for _, c := range []*client{a, b} {
			if status, _ := c.get("/v2/ping", "p"); status != http.StatusNoContent {
				t.Fatalf("within the limit: %d", status)
			}
		}
	}
	a.send("/v2/queues/q/messages?echo=true&wait=20", "p")
	other := r.dial(t)
	used := func() string {
		t.Helper()
		if status, body := other.get("/v2/quotas/other", "other"); status != http.StatusOK || !strings.Contains(body, `"usage":{"connections":1,`) {
			t.Fatalf("of the other project: %d %s", status, body)
		}
		_, body := b.get("/v2/quotas/p", "p")
		_, usage, _ := strings.Cut(body, `"usage":`)
		return usage
	}
	for !strings.Contains(used(), `"waiting_requests":1`) { // it is on its way
	}
	if usage := used(); !strings.Contains(usage, `"connections":2`) {
		t.Errorf("one that waits is not counted: %s", usage)
	}
	if status, body := r.dial(t).get("/v2/ping", "p"); status != http.StatusTooManyRequests {
		t.Errorf("one too many: %d %s", status, body)
	}
	if status, _, body := r.do(t, "POST", messages, oneMessage, "X-Project-ID", "else"); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	b.send("/v2/queues/q/messages?wait=1", "p")
	b.answer()
	a.Close()
	for strings.Contains(used(), `"connections":2`) { // the server is about to notice
	}
	if status, _ := r.dial(t).get("/v2/ping", "p"); status != http.StatusNoContent {
		t.Errorf("after one was closed: %d", status)
	}
}
