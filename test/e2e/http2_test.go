package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"zaqar/internal/certtest"
	"zaqar/test/e2e/daemon"
)

// secured is a server under TLS, and an authority for its clients.
type secured struct {
	*daemon.Daemon
	authority *certtest.Authority
	dir       string // of the certificate
}

func startSecured(t *testing.T, more string) *secured {
	t.Helper()
	s := &secured{authority: certtest.NewAuthority(t), dir: t.TempDir()}
	cert, key := s.authority.Issue(t, "first").Write(t, s.dir)
	s.Daemon = daemon.Start(t, daemon.Options{Config: fmt.Sprintf("[ssl]\ncert_file = %s\nkey_file = %s\n%s", cert, key, more)})
	return s
}

// client returns a client over HTTP/1.1 or 2.
func (s *secured) client(t *testing.T, http2 bool) *daemon.Client {
	t.Helper()
	tr := &http.Transport{ForceAttemptHTTP2: http2, TLSClientConfig: &tls.Config{RootCAs: s.authority.Pool()}}
	t.Cleanup(tr.CloseIdleConnections)
	c := s.Client()
	c.HTTP = &http.Client{Transport: tr, Timeout: daemon.Patience}
	return c
}

// dial opens a connection that speaks the protocol.
func (s *secured) dial(t *testing.T, protocol string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL, "https://"), &tls.Config{RootCAs: s.authority.Pool(), NextProtos: []string{protocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if got := conn.ConnectionState().NegotiatedProtocol; got != protocol {
		t.Fatalf("%s was agreed on, not %s", got, protocol)
	}
	_ = conn.SetDeadline(time.Now().Add(daemon.Patience))
	return conn
}

// TestCertificateIsReplaced has the program take a new certificate at SIGHUP
// while requests come.
func TestCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "reload_interval = 86400\n")
	c := s.client(t, false)
	c.Post(t, "q", "before")
	s.authority.Issue(t, "second").Write(t, s.dir)
	s.Signal(t, syscall.SIGHUP)
	s.Await(t, "configuration reloaded", 1)
	c.Post(t, "q", "after, on the connection from before")
	if got := s.dial(t, "h2").ConnectionState().PeerCertificates[0].Subject.CommonName; got != "second" {
		t.Errorf("the certificate of %s", got)
	}
	if err := os.WriteFile(s.dir+"/cert.pem", []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Signal(t, syscall.SIGHUP)
	s.Await(t, "the configuration was not reloaded; the old one stays in force", 1)
	if got := s.dial(t, "h2").ConnectionState().PeerCertificates[0].Subject.CommonName; got != "second" {
		t.Errorf("after nonsense, the certificate of %s", got)
	}
}

// TestSlowClientsUnderTLS has the time limits of requests hold there, too.
func TestSlowClientsUnderTLS(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "[drivers:transport:wsgi]\nheader_timeout = 1\nbody_timeout = 1\nidle_timeout = 1\nsend_timeout = 1\n")
	c := s.client(t, false)
	for name, text := range map[string]string{
		"nothing": "", "half a header": "GET / HTTP/1.1\r\nHos", "half a body": post(c, "[", length(1000)), "idle": head(c, "GET", "/v2/ping"),
	} {
		conn := s.dial(t, "http/1.1")
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays open", name)
		}
	}
	if left := c.Do(t, http.MethodGet, "/v2/queues", nil).Want(200); string(left.Body) != `{"queues":[],"links":[]}` {
		t.Errorf("left behind: %s", left.Body)
	}
}

// frame is one frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload string) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind)), flags)
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

// frames reads frames until see says that it has seen enough, or the
// connection ends.
func frames(t *testing.T, conn io.Reader, see func(kind, flags byte, payload []byte) bool) (ended bool) {
	t.Helper()
	for {
		var header [9]byte
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("no answer")
			}
			return true
		}
		payload := make([]byte, binary.BigEndian.Uint32(header[:])>>8)
		if _, err := io.ReadFull(conn, payload); err != nil {
			return true
		}
		if see(header[3], header[4], payload) {
			return false
		}
	}
}

const (
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

	kindHeaders, kindReset, kindSettings, kindPing, kindGoAway, kindContinuation = 1, 3, 4, 6, 7, 9

	// asks is GET / of any host, as HPACK has it in its table.
	asks = "\x82\x84\x87\x41\x01a"
)

// TestHTTP2Settings reads what the server permits.
func TestHTTP2Settings(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "")
	conn := s.dial(t, "h2")
	_, _ = conn.Write(append([]byte(preface), frame(kindSettings, 0, 0, "")...))
	permitted := map[uint16]uint32{}
	frames(t, conn, func(kind, flags byte, payload []byte) bool {
		if kind != kindSettings || flags != 0 {
			return false
		}
		for ; len(payload) >= 6; payload = payload[6:] {
			permitted[binary.BigEndian.Uint16(payload)] = binary.BigEndian.Uint32(payload[2:])
		}
		return true
	})
	const maxStreams, maxHeaders = 3, 6
	if permitted[maxStreams] != 128 || permitted[maxHeaders] == 0 || permitted[maxHeaders] > 100<<10 {
		t.Errorf("permitted: %v", permitted)
	}
}

// TestHTTP2Floods sends what has brought servers down. The connection is
// ended, or the flood is borne; others are served.
func TestHTTP2Floods(t *testing.T) {
	t.Parallel()
	const many = 20_000
	s := startSecured(t, "")
	c := s.client(t, true)
	c.Post(t, "q", "safe")
	repeat := func(one func(stream uint32) []byte) []byte {
		var b []byte
		for i := range uint32(many) {
			b = append(b, one(2*i+1)...)
		}
		return b
	}
	for name, flood := range map[string][]byte{
		"requests and resets": repeat(func(id uint32) []byte {
			return append(frame(kindHeaders, 5, id, asks), frame(kindReset, 0, id, "\x00\x00\x00\x08")...)
		}),
		"requests": repeat(func(id uint32) []byte { return frame(kindHeaders, 5, id, asks) }),
		"settings": repeat(func(uint32) []byte { return frame(kindSettings, 0, 0, "") }),
		"pings":    repeat(func(uint32) []byte { return frame(kindPing, 0, 0, "12345678") }),
		"headers that go on": append(frame(kindHeaders, 1, 1, asks),
			repeat(func(uint32) []byte {
				return frame(kindContinuation, 0, 1, "\x00\x01a\x7f\x00"+strings.Repeat("b", 127))
			})...),
		"empty headers that go on": append(frame(kindHeaders, 1, 1, asks), repeat(func(uint32) []byte { return frame(kindContinuation, 0, 1, "") })...),
		"a frame of 16 MB":         append(frame(kindHeaders, 5, 1, asks), bytes.Repeat([]byte{0xff}, 1<<16)...),
		"resets of idle streams":   repeat(func(id uint32) []byte { return frame(kindReset, 0, id, "\x00\x00\x00\x08") }),
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial(t, "h2")
			go func() { // an error is a connection that the server has ended
				_, _ = conn.Write(append([]byte(preface), frame(kindSettings, 0, 0, "")...))
				_, _ = conn.Write(flood)
				_, _ = conn.Write(frame(kindPing, 0, 0, "the last"))
			}()
			last := "the end of the connection"
			ended := frames(t, conn, func(kind, flags byte, payload []byte) bool {
				if kind == kindGoAway && len(payload) >= 8 {
					last = fmt.Sprintf("a farewell with code %d", binary.BigEndian.Uint32(payload[4:]))
				}
				return kind == kindPing && flags == 1 && string(payload) == "the last"
			})
			t.Logf("ended: %v, %s", ended, last)
			if n := len(c.List(t, "q")); n != 1 {
				t.Errorf("others see %d messages", n)
			}
		})
	}
	for _, r := range s.Records("panic") {
		t.Errorf("%v", r)
	}
}

// TestWaitersUnderTLS parks requests on connections under TLS, and tells what
// they take.
func TestWaitersUnderTLS(t *testing.T) {
	t.Parallel()
	s := startSecured(t, longest)
	c := s.client(t, false)
	c.Post(t, "warm", "up")
	count := connections(t) / 3
	before := memory(t, s.PID())
	var waiting []*tls.Conn
	for range count {
		conn := s.dial(t, "http/1.1")
		if _, err := io.WriteString(conn, head(c.Other(), "GET", "/v2/queues/wait/messages?wait=3600&echo=true")); err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, conn)
	}
	s.AwaitWaiters(t, count)
	after := memory(t, s.PID())
	c.Post(t, "wait", "for all")
	for _, conn := range waiting {
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Contains(body, []byte("for all")) {
			t.Fatalf("%v %s", err, body)
		}
	}
	t.Logf("%d waiters under TLS: %.1f KB each", count, float64(after-before)/1000/float64(count))
}
