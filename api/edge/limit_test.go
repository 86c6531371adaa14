package edge

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what takes no time.
const patience = 30 * time.Second

// door is a listener under test. Whoever is let in is kept until he leaves.
type door struct {
	*Limited
	t   *testing.T
	in  chan net.Conn // accepted
	log *bytes.Buffer
}

func openDoor(t *testing.T, l Limits) *door {
	t.Helper()
	inner, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, in: make(chan net.Conn, 100), log: new(bytes.Buffer)}
	l.Refusal, l.Now = TooMany(), time.Now
	l.Log = slog.New(slog.NewTextHandler(d.log, nil))
	d.Limited = Limit(inner, l)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := d.Accept()
			if err != nil {
				return
			}
			d.in <- c
		}
	})
	t.Cleanup(func() { inner.Close(); done.Wait() })
	return d
}

// knock connects from an address of this machine.
func (d *door) knock(from string) net.Conn {
	d.t.Helper()
	_, port, _ := net.SplitHostPort(d.Addr().String())
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	c, err := dialer.Dial("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// enter expects to be let in, and returns the server's end.
func (d *door) enter(from string) net.Conn {
	d.t.Helper()
	d.knock(from)
	select {
	case c := <-d.in:
		return c
	case <-time.After(patience):
		d.t.Fatal("nobody was let in")
		return nil
	}
}

// turnedAway expects to be refused, in words.
func (d *door) turnedAway(from string) {
	d.t.Helper()
	c := d.knock(from)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	text, err := io.ReadAll(c)
	if err != nil {
		d.t.Fatalf("the refusal was cut off: %v", err)
	}
	if !strings.HasPrefix(string(text), "HTTP/1.1 503 ") || !strings.HasSuffix(string(text), `Try again later."}`) {
		d.t.Errorf("told %q", text)
	}
}

func TestLimitOfAll(t *testing.T) {
	d := openDoor(t, Limits{Total: 2})
	first := d.enter("127.0.0.1")
	d.enter("127.0.0.1")
	d.turnedAway("127.0.0.1")
	d.turnedAway("127.0.0.2")
	first.Close()
	first.Close() // counts once
	d.enter("127.0.0.2")
	d.turnedAway("127.0.0.2")
	if n := d.Refused(); n != 3 {
		t.Errorf("%d refused", n)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := strings.Count(d.log.String(), "too many connections"); n != 1 {
		t.Errorf("%d records for three refusals within seconds:\n%s", n, d.log)
	}
}

func TestLimitOfAnAddress(t *testing.T) {
	d := openDoor(t, Limits{PerAddress: 1, Exempt: networks("127.0.0.9/32")})
	first := d.enter("127.0.0.1")
	d.turnedAway("127.0.0.1")
	d.enter("127.0.0.2")
	for range 3 {
		d.enter("127.0.0.9")
	}
	first.Close()
	d.enter("127.0.0.1").Close()
	d.enter("127.0.0.1").Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.open) != 1 {
		t.Errorf("addresses are remembered: %v", d.open)
	}
}

func TestNoLimits(t *testing.T) {
	d := openDoor(t, Limits{})
	for range 20 {
		d.enter("127.0.0.1")
	}
}

func TestCountedTogether(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"2001:db8::1", "2001:db8::ffff:1"}, {"192.0.2.1", "::ffff:192.0.2.1"}, {"fe80::1%a", "fe80::2%b"},
	} {
		if x, y := site(netip.MustParseAddr(c.a)), site(netip.MustParseAddr(c.b)); x != y {
			t.Errorf("%s and %s count as %v and %v", c.a, c.b, x, y)
		}
	}
	if x, y := site(netip.MustParseAddr("2001:db8::1")), site(netip.MustParseAddr("2001:db8:0:1::1")); x == y {
		t.Errorf("two sites count as %v", x)
	}
}

func TestTooManyIsAReply(t *testing.T) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(TooMany())), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.HasPrefix(string(body), `{"title":`) {
		t.Errorf("%v %v %s %v", resp.Status, resp.Header, body, err)
	}
}
