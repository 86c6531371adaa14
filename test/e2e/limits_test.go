package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"zaqar/internal/testwait"
	"zaqar/test/e2e/daemon"
)

// TestConnectionsBeyondTheLimit has the server refuse what is too much, by
// what is configured and by what its open files leave room for. Who is
// connected is served on, and the store never lacks a file.
func TestConnectionsBeyondTheLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options daemon.Options
		room    int
	}{
		"configured":  {daemon.Options{Config: "[drivers:transport:wsgi]\nmax_connections = 5\n"}, 5},
		"per address": {daemon.Options{Config: "[drivers:transport:wsgi]\nmax_connections_per_address = 5\n"}, 5},
		"open files":  {daemon.Options{Wrap: []string{"sh", "-c", `ulimit -n 100 && exec "$0" "$@"`}}, 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := daemon.Start(t, c.options)
			client := d.Client()
			var inside []*raw
			for range c.room {
				r := dial(t, d)
				r.write(head(client, "GET", "/v2/ping"))
				r.want(204)
				inside = append(inside, r)
			}
			for range 100 {
				r := dial(t, d)
				r.write(head(client, "GET", "/v2/ping"))
				if got := r.statuses("204"); got != "503 closed" && got != "closed" {
					t.Fatalf("beyond the limit: %s", got)
				}
			}
			for _, r := range inside {
				r.write(post(client, okBody, length(len(okBody))))
				r.want(201)
			}
			if d.Logged("too many open files") {
				t.Error("the process ran out of files")
			}
			if n := len(d.Records("connections are refused: too many connections")) + len(d.Records("connections are refused: too many connections from this address")); n == 0 {
				t.Error("the log does not tell")
			}
			inside[0].conn.Close()
			testwait.Until(t, "there is room again", func() bool {
				r := dial(t, d)
				r.write(head(client, "GET", "/v2/ping", "Connection: close\r\n"))
				return r.statuses("204") == "204"
			})
		})
	}
}

// TestDrippingClientsAreCutOff has clients that always send a little more, but
// never all: the limits are for the whole.
func TestDrippingClientsAreCutOff(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: "[drivers:transport:wsgi]\nheader_timeout = 1\nbody_timeout = 1\nidle_timeout = 1\n"})
	c := d.Client()
	for name, x := range map[string]struct{ begin, drip, want string }{
		"empty lines":       {"", "\r\n", "closed"},
		"a request line":    {"GET /", "a", "closed"},
		"headers":           {"GET / HTTP/1.1\r\nHost: a\r\n", "A: b\r\n", "closed"},
		"a body":            {post(c, "[", length(1<<17)), "1,", "400 closed"},
		"a chunk":           {post(c, "20000\r\n[", chunkedLine), "1,", "400 closed"},
		"chunks":            {post(c, "1\r\n[\r\n", chunkedLine), "2\r\n1,\r\n", "400 closed"},
		"an unread body":    {head(c, "POST", "/none", length(1<<17)), "1,", "404 closed"},
		"trailers":          {post(c, chunk(okBody)+"0\r\n", chunkedLine), "A: b\r\n", "400 closed"},
		"a chunk extension": {post(c, "1;", chunkedLine), "a", "400 closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := dial(t, d)
			r.write(x.begin)
			over := make(chan struct{})
			go func() {
				defer close(over)
				for drop := time.NewTicker(20 * time.Millisecond); ; <-drop.C {
					if _, err := io.WriteString(r.conn, x.drip); err != nil {
						drop.Stop()
						return
					}
				}
			}()
			if got := r.statuses("300"); got != x.want && got != "408 closed" && got != "400 closed" && got != "closed" {
				t.Errorf("got %q, want %q", got, x.want)
			}
			<-over
		})
	}
}

// TestSlowReadersAreCutOff has a client that asks for much and reads nothing.
func TestSlowReadersAreCutOff(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: "[drivers:transport:wsgi]\nsend_timeout = 1\nidle_timeout = 1\n"})
	c := d.Client()
	for range 16 {
		c.Post(t, "big", strings.Repeat("x", 250_000))
	}
	testwait.Until(t, "only idle connections are closed", func() bool { return sockets(t, d) == 1 })

	small := net.Dialer{Timeout: daemon.Patience, Control: func(_, _ string, conn syscall.RawConn) (err error) {
		if e := conn.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) }); e != nil {
			return e
		}
		return err
	}}
	conn, err := small.Dial("tcp", d.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.Repeat(head(c, "GET", "/v2/queues/big/messages?echo=true&limit=20"), 20)); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "the server begins to answer", func() bool { return len(d.Records("request")) > 16 || sockets(t, d) == 2 })
	testwait.Until(t, "the server gives up", func() bool { return sockets(t, d) == 1 })
	c.HTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	c.Do(t, http.MethodGet, "/v2/ping", nil).Want(204)
}

// sockets is how many sockets a server has open, the one it listens on
// included.
func sockets(t *testing.T, d *daemon.Daemon) int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", d.PID())
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Skipf("there is no telling what is open: %v", err)
	}
	n := 0
	for _, f := range files {
		if to, err := os.Readlink(dir + "/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}
