package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"zaqar/test/e2e/daemon"
)

// raw is a connection that says exactly what it is told to.
type raw struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, d *daemon.Daemon) *raw {
	t.Helper()
	conn, err := net.DialTimeout("tcp", d.Addr, daemon.Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(daemon.Patience)); err != nil {
		t.Fatal(err)
	}
	return &raw{t, conn, bufio.NewReader(conn)}
}

// write sends text. That the server has closed the connection meanwhile is
// seen by who reads.
func (r *raw) write(text string) { _, _ = io.WriteString(r.conn, text) }

// answer reads one answer. The error is io.EOF if the server has closed the
// connection instead.
func (r *raw) answer() (*http.Response, []byte, error) {
	r.t.Helper()
	resp, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return nil, nil, closed(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, closed(err)
}

// closed makes one error of all that say that the server closed the
// connection, but not of a time that ran out.
func closed(err error) error {
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return io.EOF
}

// want reads an answer with that status.
func (r *raw) want(status int) []byte {
	r.t.Helper()
	resp, body, err := r.answer()
	if err != nil {
		r.t.Fatalf("no answer: %v", err)
	}
	if resp.StatusCode != status {
		r.t.Fatalf("status %d, want %d: %.300s", resp.StatusCode, status, body)
	}
	return body
}

// wantClosed waits for the server to close the connection without a word.
func (r *raw) wantClosed() {
	r.t.Helper()
	rest, err := io.ReadAll(r.in)
	if err := closed(err); err != nil && !errors.Is(err, io.EOF) {
		r.t.Fatalf("the connection stays open: %v", err)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		r.t.Fatalf("unexpected: %.300s", rest)
	}
}

// head is a request line with the headers every request needs, and the empty
// line. Further headers end in "\r\n" each.
func head(c *daemon.Client, method, target string, headers ...string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: zaqar\r\nClient-ID: %s\r\nX-Project-ID: %s\r\n%s\r\n",
		method, target, c.ID, c.Project, strings.Join(headers, ""))
}

// length is a Content-Length header.
func length(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
