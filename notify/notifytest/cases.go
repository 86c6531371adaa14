package notifytest

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"zaqar/internal/certtest"
	"zaqar/internal/testwait"
	"zaqar/notify"
)

// expected is what becomes of a message after an answer.
func expected(status, attempt int) string {
	switch {
	case status >= 200 && status <= 299:
		return "delivered"
	case status == 410:
		return "disable"
	case status == 101, status == 429, status >= 500:
		return "retry"
	case attempt > 1:
		return "retry"
	}
	return "give up"
}

// statuses tries every one that an answer can have, on a first and on a later
// attempt. Other informational ones are no answers.
func (s suite) statuses(t *testing.T) {
	sender, _ := s.sender(t, time.Minute)
	for status := 100; status <= 599; status++ {
		if status < 200 && status != 101 {
			continue
		}
		r := NewReceiver(t, Answer(status, "an answer", "Location: /elsewhere"))
		for attempt := 1; attempt <= 2; attempt++ {
			receipt, f := s.send(t.Context(), t, sender, s.delivery(t, r.URL, attempt))
			got := "delivered"
			if f != nil {
				got = f.Verdict.String()
				receipt.Status = f.Status
				if strings.Contains(f.What, "an answer") || !strings.Contains(f.What, fmt.Sprint(status)) {
					t.Errorf("%d: the owner is told %q", status, f.What)
				}
			}
			if want := expected(status, attempt); got != want || receipt.Status != status {
				t.Errorf("%d on attempt %d: %s, status %d; want %s", status, attempt, got, receipt.Status, want)
			}
		}
		if n := len(r.Requests()); n != 2 {
			t.Errorf("%d: %d requests", status, n)
		}
	}
}

func (s suite) retryAfter(t *testing.T) {
	sender, _ := s.sender(t, time.Minute)
	for _, c := range []struct {
		status int
		value  string
		want   time.Duration
	}{
		{503, "7", 7 * time.Second},
		{429, "120", 2 * time.Minute},
		{500, "0", 0},
		{503, "100000", time.Hour},
		{503, "99999999999999999999999", time.Hour},
		{503, "-5", 0},
		{503, "soon", 0},
		{503, "1.5", 0},
		{503, noon.Add(90 * time.Second).Format("Mon, 02 Jan 2006 15:04:05 GMT"), 90 * time.Second},
		{503, noon.Add(time.Second).Format("Monday, 02-Jan-06 15:04:05 GMT"), time.Second},
		{503, noon.Add(-time.Hour).Format("Mon, 02 Jan 2006 15:04:05 GMT"), 0},
		{503, noon.AddDate(50, 0, 0).Format("Mon, 02 Jan 2006 15:04:05 GMT"), time.Hour},
		{503, "", 0},
		{404, "7", 0},
		{410, "7", 0},
	} {
		r := NewReceiver(t, Answer(c.status, "", "Retry-After: "+c.value))
		_, f := s.send(t.Context(), t, sender, s.delivery(t, r.URL, 1))
		if f == nil || f.After != c.want {
			t.Errorf("%d with %q: %+v, want %v", c.status, c.value, f, c.want)
		}
	}
}

func (s suite) redirects(t *testing.T) {
	sender, _ := s.sender(t, time.Minute)
	victim := NewReceiver(t, Answer(200, ""))
	for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
		for _, location := range []string{victim.URL, "http://169.254.169.254/latest/meta-data/", "/again", "file:///etc/passwd", "//", ""} {
			r := NewReceiver(t, Answer(status, "", "Location: "+location, "Refresh: 0; url="+victim.URL))
			_, f := s.send(t.Context(), t, sender, s.delivery(t, r.URL, 1))
			if f == nil || f.Verdict != notify.GiveUp || f.Status != status || len(r.Requests()) != 1 {
				t.Errorf("%d to %s: %v after %d requests", status, location, f, len(r.Requests()))
			}
		}
	}
	if n := len(victim.Requests()); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// behaviour is what a receiver does, and what comes of it: a status, or 0 for an
// attempt that may be repeated.
type behaviour struct {
	name   string
	do     Behaviour
	status int
}

const ok = "HTTP/1.1 200 OK\r\n"

// until writes the same again and again until the sender has enough.
func until(c *Conn, text string, every time.Duration) {
	for c.Say("%s", text) {
		if every > 0 {
			time.Sleep(every) // slowness is what is tested
		}
	}
}

// silent waits for the sender to go.
func silent(c *Conn) { io.Copy(io.Discard, c) } //nolint:errcheck // any end will do

func behaviours() []behaviour {
	after := func(first string, then func(*Conn)) Behaviour {
		return func(c *Conn) {
			if c.Next() && c.Say("%s", first) {
				then(c)
			}
		}
	}
	end := func(*Conn) {}
	reset := func(c *Conn) {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) //nolint:errcheck // then it is an ordinary end
		}
	}
	slowly := func(text string) func(*Conn) { return func(c *Conn) { until(c, text, 5*time.Millisecond) } }
	flood := func(text string) func(*Conn) { return func(c *Conn) { until(c, text, 0) } }
	return []behaviour{
		{"closes at once", end, 0},
		{"resets at once", reset, 0},
		{"never reads", func(c *Conn) { <-c.receiver.stopped() }, 0},
		{"never answers", after("", silent), 0},
		{"closes after the request", after("", end), 0},
		{"resets after the request", after("", reset), 0},
		{"stops in the status line", after("HTTP/1.1 2", silent), 0},
		{"closes in the status line", after("HTTP/1.1 2", end), 0},
		{"stops in the headers", after(ok+"X-A: b\r\n", silent), 0},
		{"closes in the headers", after(ok+"X-A: b\r\n", end), 0},
		{"resets in the headers", after(ok+"X-A: b\r\n", reset), 0},
		{"drips headers", after(ok, slowly("X-A: b\r\n")), 0},
		{"drips one header", after(ok+"X-A: ", slowly("b")), 0},
		{"huge headers", after(ok, flood("X-A: "+strings.Repeat("b", 1000)+"\r\n")), 0},
		{"one huge header", after(ok+"X-A: ", flood(strings.Repeat("b", 1000))), 0},
		{"a MiB of headers", after(ok+strings.Repeat("X-A: "+strings.Repeat("b", 1000)+"\r\n", 1000)+"\r\n", end), 0},
		{"many headers", after(ok, flood("X-A: b\r\n")), 0},
		{"a flood of 100 Continue", after("", flood("HTTP/1.1 100 Continue\r\n\r\n")), 0},
		{"a flood of early hints", after("", flood("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")), 0},
		{"slow processing", after("", slowly("HTTP/1.1 102 Processing\r\n\r\n")), 0},
		{"100 Continue first", after("HTTP/1.1 100 Continue\r\n\r\n"+ok+"Content-Length: 0\r\n\r\n", end), 200},
		{"garbage", after("\x00\x01\x02 "+secretHeader+" is what you sent\r\n\r\n", end), 0},
		{"an echo", func(c *Conn) { io.Copy(c, c) }, 0}, //nolint:errcheck // any end will do
		{"another protocol", after("220 mail.example ESMTP "+secretBody+"\r\n", silent), 0},
		{"a status in words", after("HTTP/1.1 OK "+secretHeader+"\r\n\r\n", end), 0},
		{"a status of four digits", after("HTTP/1.1 2000 OK\r\n\r\n", end), 0},
		{"a negative status", after("HTTP/1.1 -20 OK\r\n\r\n", end), 0},
		{"a version to come", after("HTTP/9.9 200 OK\r\n\r\n", end), 200},
		{"headers without names", after(ok+": "+secretHeader+"\r\n\r\n", end), 0},
		{"headers without colons", after(ok+secretHeader+"\r\n\r\n", end), 0},
		{"two lengths", after(ok+"Content-Length: 1\r\nContent-Length: 2\r\n\r\n"+secretBody, end), 0},
		{"a negative length", after(ok+"Content-Length: -1\r\n\r\n", end), 0},
		{"an unknown encoding", after(ok+"Transfer-Encoding: "+secretHeader+"\r\n\r\n", end), 0},
		{"only line feeds", after("HTTP/1.1 204 OK\n\n", end), 204},
		{"HTTP/1.0", after("HTTP/1.0 200 OK\r\n\r\ngood", end), 200},
		{"status 600", after("HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n", end), 600},
		{"status 999", after("HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", end), 999},
		{"switches protocols", after("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", silent), 101},
		// The status says that the message arrived. What comes after does not matter.
		{"stops in the body", after(ok+"Content-Length: 10\r\n\r\nabc", silent), 200},
		{"closes in the body", after(ok+"Content-Length: 10\r\n\r\nabc", end), 200},
		{"resets in the body", after(ok+"Content-Length: 10\r\n\r\nabc", reset), 200},
		{"drips the body", after(ok+"Content-Length: 100000\r\n\r\n", slowly("b")), 200},
		{"a body without end", after(ok+"\r\n", flood(strings.Repeat("b", 1000))), 200},
		{"chunks without end", after(ok+"Transfer-Encoding: chunked\r\n\r\n", flood("5\r\nabcde\r\n")), 200},
		{"broken chunks", after(ok+"Transfer-Encoding: chunked\r\n\r\nzzz\r\n", end), 200},
		{"trailers without end", after(ok+"Transfer-Encoding: chunked\r\n\r\n0\r\n", flood("X-A: b\r\n")), 200},
		{"a failure that stops in the body", after("HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\nabc", silent), 500},
		{"a body that claims to be gzip", after(ok+"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", end), 200},
	}
}

func (s suite) receivers(t *testing.T) {
	for _, b := range behaviours() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			sender, free := s.sender(t, patience)
			r := NewReceiver(t, b.do)
			receipt, f := s.send(t.Context(), t, sender, s.delivery(t, r.URL, 1))
			switch {
			case f == nil && (receipt.Status != b.status || b.status/100 != 2):
				t.Errorf("delivered, status %d", receipt.Status)
			case f != nil && (f.Verdict != notify.Retry || f.Status != b.status || b.status/100 == 2):
				t.Errorf("%v, status %d: %v", f.Verdict, f.Status, f)
			}
			if n := len(r.Requests()); n > 1 {
				t.Errorf("%d requests", n)
			}
			free()
			if b.name != "never reads" {
				testwait.Until(t, "the connection is closed", func() bool { _, open := r.Connections(); return open == 0 })
			}
		})
	}
}

func (s suite) certificates(t *testing.T) {
	ours, stranger := s.authority, certtest.NewAuthority(t)
	now := time.Now()
	soon, ago := now.Add(time.Hour), now.Add(-time.Hour)
	local := []string{"127.0.0.1"}
	for name, p := range map[string]certtest.Pair{
		"of a stranger":   stranger.IssueFor(t, local, ago, soon),
		"for others":      ours.IssueFor(t, []string{"127.0.0.2", "example.org"}, ago, soon),
		"that expired":    ours.IssueFor(t, local, ago, now.Add(-time.Minute)),
		"not valid yet":   ours.IssueFor(t, local, soon, soon.Add(time.Hour)),
		"for a wide name": ours.IssueFor(t, []string{"*"}, ago, soon),
	} {
		t.Run(name, func(t *testing.T) {
			sender, _ := s.sender(t, time.Minute)
			r := NewTLSReceiver(t, Answer(200, ""), p.TLS(t))
			s.fails(t, sender, r.URL)
			if len(r.Requests()) != 0 {
				t.Error("a request was sent")
			}
		})
	}
	t.Run("good", func(t *testing.T) {
		sender, _ := s.sender(t, time.Minute)
		r := NewTLSReceiver(t, Answer(200, ""), ours.IssueFor(t, local, ago, soon).TLS(t))
		if receipt, f := s.send(t.Context(), t, sender, s.delivery(t, r.URL, 1)); f != nil || receipt.Status != 200 {
			t.Errorf("%v, status %d", f, receipt.Status)
		}
	})
	t.Run("no TLS", func(t *testing.T) {
		sender, _ := s.sender(t, time.Minute)
		for _, b := range []Behaviour{
			func(c *Conn) { c.Say("HTTP/1.1 400 Bad Request\r\n\r\n") },
			func(c *Conn) { c.Say("%s", strings.Repeat(secretBody, 10)) },
			func(*Conn) {},
		} {
			r := NewReceiver(t, b)
			s.fails(t, sender, strings.Replace(r.URL, "http:", "https:", 1))
		}
	})
	t.Run("a handshake without end", func(t *testing.T) {
		sender, _ := s.sender(t, patience)
		r := NewReceiver(t, silent)
		s.fails(t, sender, strings.Replace(r.URL, "http:", "https:", 1))
	})
}

// nobody has subscribers where nobody listens.
func (s suite) nobody(t *testing.T) {
	sender, _ := s.sender(t, time.Minute)
	r := NewReceiver(t, Answer(200, ""))
	r.stop()
	s.fails(t, sender, r.URL)
	s.fails(t, sender, "http://nobody.invalid/hook")
}

func (s suite) brokenOff(t *testing.T) {
	sender, _ := s.sender(t, time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := NewReceiver(t, func(c *Conn) {
		if c.Next() {
			cancel()
		}
		silent(c)
	})
	if _, f := s.send(ctx, t, sender, s.delivery(t, r.URL, 1)); f == nil || f.Verdict != notify.Retry || len(r.Requests()) != 1 {
		t.Errorf("%d requests: %v", len(r.Requests()), f)
	}
}

func (s suite) reuse(t *testing.T) {
	sender, _ := s.sender(t, time.Minute)
	for _, answer := range []Behaviour{Answer(200, ""), Answer(200, strings.Repeat("b", 10_000)), Answer(204, ""), Answer(503, "no")} {
		r := NewReceiver(t, answer)
		for range 10 {
			s.send(t.Context(), t, sender, s.delivery(t, r.URL, 1)) //nolint:errcheck // whatever comes of it
		}
		if made, _ := r.Connections(); made != 1 || len(r.Requests()) != 10 {
			t.Errorf("%d requests over %d connections", len(r.Requests()), made)
		}
	}
}

// closedMeanwhile has a receiver that closes connections behind the back of the
// sender: no attempt is lost.
func (s suite) closedMeanwhile(t *testing.T) {
	sender, _ := s.sender(t, time.Minute)
	r := NewReceiver(t, func(c *Conn) {
		if c.Next() {
			c.Say(ok + "Content-Length: 0\r\n\r\n")
		}
	})
	for range 50 {
		if _, f := s.send(t.Context(), t, sender, s.delivery(t, r.URL, 1)); f != nil {
			t.Fatal(f)
		}
	}
}

// leaks counts goroutines before and after attempts of all sorts.
func (s suite) leaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("attempts", func(t *testing.T) {
		sender, free := s.sender(t, patience)
		for _, b := range behaviours() {
			r := NewReceiver(t, b.do)
			s.send(t.Context(), t, sender, s.delivery(t, r.URL, 1)) //nolint:errcheck // whatever comes of it
		}
		free()
	})
	testwait.Until(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}
