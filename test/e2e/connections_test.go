package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"zaqar/internal/testwait"
	"zaqar/test/e2e/daemon"
)

// TestIdleConnectionsDoNotStopService opens thousands of connections, some
// that have sent nothing, some half a header, some a whole request, and then
// works on a new one.
func TestIdleConnectionsDoNotStopService(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	c := d.Client()
	c.Post(t, "q", "here")
	before := memory(t, d.PID())

	count := connections(t)
	open := make([]net.Conn, 0, count)
	t.Cleanup(func() {
		for _, conn := range open {
			conn.Close()
		}
	})
	answer := make([]byte, 1024)
	for i := range count {
		conn, err := net.DialTimeout("tcp", d.Addr, daemon.Patience)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		open = append(open, conn)
		switch i % 3 {
		case 1:
			_, err = io.WriteString(conn, "GET /v2/queues HTTP/1.1\r\nHost: zaq")
		case 2:
			_ = conn.SetDeadline(time.Now().Add(daemon.Patience))
			if _, err = io.WriteString(conn, head(c, "GET", "/v2/ping")); err == nil {
				_, err = conn.Read(answer)
			}
		}
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	c.HTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	c.Post(t, "q", "and here")
	if n := len(c.List(t, "q")); n != 2 {
		t.Errorf("%d messages", n)
	}
	t.Logf("%d connections: from %d to %d MiB of memory", count, before>>20, memory(t, d.PID())>>20)
}

// connections is how many a test may open: a quarter of what the limit of open
// files leaves for both ends, and 3000 at most.
func connections(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(min(limit.Cur/4, 3000))
}

// TestTooManyConnections takes all files that a server may open: who is
// connected is served on, writing stops without harm when it needs another
// file, and everything recovers.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	const limit = 64
	d := daemon.Start(t, daemon.Options{
		Wrap:   []string{"sh", "-c", `ulimit -n "$0" && exec "$@"`, fmt.Sprint(limit)},
		Config: "[drivers:transport:wsgi]\nmax_connections = 1000\n",
	})
	c := d.Client()
	c.HTTP = &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	c.Post(t, "q", "connected")
	var others []net.Conn
	for range 2 * limit {
		conn, err := net.DialTimeout("tcp", d.Addr, daemon.Patience)
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, conn)
	}
	testwait.Until(t, "the server runs out of files", func() bool { return d.Logged("too many open files") })

	acknowledged := fillDisk(t, c) // until the next segment of the log cannot be created
	c.Do(t, http.MethodGet, acknowledged[0], nil).Want(200)
	c.Do(t, http.MethodDelete, acknowledged[0], nil).Want(204)

	for _, conn := range others {
		conn.Close()
	}
	testwait.Until(t, "posts are taken again", func() bool {
		return c.Do(t, http.MethodPost, "/v2/queues/q/messages", `{"messages": [{"body": "again"}]}`).Want(201, 503).Status == 201
	})
	fresh := c.Other()
	fresh.HTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	wantBodies(t, fresh, "q", "connected", "again")
	if n, want := fresh.Count(t, "big"), len(acknowledged)-1; n != want {
		t.Errorf("%d messages are left, want %d", n, want)
	}
}

// TestSlowClientsAreCutOff has clients that never finish what they began.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: "[drivers:transport:wsgi]\nheader_timeout = 1\nbody_timeout = 1\nidle_timeout = 1\n"})
	c := d.Client()

	header := dial(t, d)
	header.write("GET /v2/queues HTTP/1.1\r\nHost: zaqar\r\nX-Slow: ")
	body := dial(t, d)
	body.write(head(c, "POST", "/v2/queues/q/messages", length(100)) + `{"messages": [`)
	chunks := dial(t, d)
	chunks.write(head(c, "POST", "/v2/queues/q/messages", "Transfer-Encoding: chunked\r\n") + "5\r\n{\"mes\r\n")
	idle := dial(t, d)
	idle.write(head(c, "GET", "/v2/ping"))
	idle.want(204)

	for _, r := range []*raw{body, chunks} {
		r.want(400)
		r.wantClosed()
	}
	idle.wantClosed()
	// The standard library closes without a word, or says 408 itself.
	if resp, _, err := header.answer(); err == nil && resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("status %d", resp.StatusCode)
	}
	if names := c.Do(t, http.MethodGet, "/v2/queues", nil).Want(200); string(names.Body) != `{"queues":[],"links":[]}` {
		t.Errorf("left behind: %s", names.Body)
	}
}
