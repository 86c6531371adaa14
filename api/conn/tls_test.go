package conn

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zaqar/internal/certtest"
)

// securePair returns a connection of this package under TLS and its other end,
// which speaks the given protocol.
func securePair(t *testing.T, protocol string) (net.Conn, *tls.Conn) {
	t.Helper()
	authority := certtest.NewAuthority(t)
	near, far := net.Pipe()
	server := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, "localhost").TLS(t)}, NextProtos: []string{protocol}})
	client := tls.Client(far, &tls.Config{RootCAs: authority.Pool(), ServerName: "localhost", NextProtos: []string{protocol}})
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	l := Listen(&one{conn: server}, time.Now)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		near.Close()
		far.Close()
		l.Close()
	})
	return c, client
}

// TestTLS tells apart what net/http has to know by its type.
func TestTLS(t *testing.T) {
	c, _ := securePair(t, "http/1.1")
	if own, ok := c.(*Conn); !ok || own.TLS() == nil || own.TLS().NegotiatedProtocol != "http/1.1" {
		t.Errorf("HTTP/1.1 is a %T", c)
	}
	if c, _ := securePair(t, "h2"); c.(*tls.Conn) == nil {
		t.Errorf("HTTP/2 is a %T", c)
	}
	if c, _, _ := pair(t); c.TLS() != nil {
		t.Error("TLS where there is none")
	}
}

// TestWriteOutlivesAnEarlierDeadline has a reply take longer than the time of
// the one before would have allowed, which under TLS must not end any write.
func TestWriteOutlivesAnEarlierDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := securePair(t, "http/1.1")
		large := strings.Repeat("x", 100_000)
		read := make(chan string, 2)
		go func() {
			first := make([]byte, 5)
			_, _ = io.ReadFull(far, first)
			time.Sleep(15 * time.Second)
			rest := make([]byte, len(large))
			_, _ = io.ReadFull(far, rest)
			read <- string(first) + string(rest)
		}()
		start := time.Now()
		c.SetWriteDeadline(start.Add(10 * time.Second))
		if _, err := io.WriteString(c, "first"); err != nil {
			t.Fatal(err)
		}
		c.SetWriteDeadline(start.Add(20 * time.Second))
		if _, err := io.WriteString(c, large); err != nil {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
		if got := <-read; got != "first"+large {
			t.Errorf("%d bytes came", len(got))
		}
		c.SetWriteDeadline(start.Add(time.Minute))
		c.SetWriteDeadline(time.Time{})
		go func() {
			time.Sleep(2 * time.Minute)
			b := make([]byte, 4)
			_, _ = io.ReadFull(far, b)
			read <- string(b)
		}()
		if _, err := io.WriteString(c, "late"); err != nil || <-read != "late" {
			t.Errorf("without a deadline: %v", err)
		}
	})
}
