// Package rawhttp is an HTTP/1.1 client for load generators: one connection,
// requests that the caller has put into bytes, and as much of the answer read
// as is needed to check it. It costs a small part of what a server spends on
// the same request, so that a server on the same machine is what is measured.
//
// It promises one request at a time per connection (no pipelining), and that
// an answer it cannot read to its exact end is an error. It does not follow
// redirects and does not connect again by itself: Closed says when the caller
// has to.
package rawhttp

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Conn is a keep-alive connection. It is used by one goroutine at a time.
type Conn struct {
	c      net.Conn
	buf    []byte // buf[at:] was received and not yet used
	at     int
	closed bool // the server said that it closes
}

// Response is an answer. Its Body is valid until the next call of Do.
type Response struct {
	Status int
	Body   []byte
}

// maxHead and maxBody bound what is kept of one answer, in bytes.
const (
	maxHead = 64 << 10
	maxBody = 64 << 20
)

// dialTime bounds how long connecting may take.
const dialTime = 10 * time.Second

// Dial connects to host:port.
func Dial(addr string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", addr, dialTime)
	if err != nil {
		return nil, err
	}
	return newConn(c), nil
}

// DialTLS connects to host:port with TLS. Only HTTP/1.1 is offered.
func DialTLS(addr string, config *tls.Config) (*Conn, error) {
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: dialTime}, "tcp", addr, config)
	if err != nil {
		return nil, err
	}
	return newConn(c), nil
}

// newConn makes a Conn of a connection, which it then owns.
func newConn(c net.Conn) *Conn { return &Conn{c: c, buf: make([]byte, 0, 16<<10)} }

// SetDeadline bounds all calls of Do from now on.
func (c *Conn) SetDeadline(t time.Time) error { return c.c.SetDeadline(t) }

// Close closes the connection. It may be called at any time, from any
// goroutine; a call of Do then fails.
func (c *Conn) Close() { _ = c.c.Close() }

// Closed reports whether the server closes the connection after the answer
// that Do has returned.
func (c *Conn) Closed() bool { return c.closed }

// ErrClosed is returned by Do after an answer with "Connection: close".
var ErrClosed = errors.New("rawhttp: the server closed the connection")

// Do sends one request and reads its answer. After an error the connection
// must not be used any more.
func (c *Conn) Do(request []byte) (Response, error) {
	if c.closed {
		return Response{}, ErrClosed
	}
	if c.at != len(c.buf) {
		return Response{}, errors.New("rawhttp: the server sent more than its answer")
	}
	if _, err := c.c.Write(request); err != nil {
		return Response{}, err
	}
	for {
		r, f, err := c.head()
		if err != nil {
			return r, err
		}
		if r.Status < 200 {
			continue
		}
		switch {
		case f.chunked:
			r.Body, err = c.chunks()
		case f.length < 0:
			r.Body, err = c.rest()
		default:
			r.Body, err = c.body(f.length)
		}
		return r, err
	}
}

// head reads up to the end of the headers.
func (c *Conn) head() (Response, framing, error) {
	c.buf = append(c.buf[:0], c.buf[c.at:]...)
	c.at = 0
	end := bytes.Index(c.buf, []byte("\r\n\r\n"))
	for end < 0 {
		if len(c.buf) > maxHead {
			return Response{}, framing{}, errors.New("rawhttp: the headers are too long")
		}
		searched := max(0, len(c.buf)-3)
		if err := c.fill(); err != nil {
			return Response{}, framing{}, err
		}
		if i := bytes.Index(c.buf[searched:], []byte("\r\n\r\n")); i >= 0 {
			end = searched + i
		}
	}
	end += 2
	c.at = end + 2
	return c.parse(c.buf[:end])
}

// fill receives more.
func (c *Conn) fill() error {
	if len(c.buf) == cap(c.buf) {
		c.buf = slices.Grow(c.buf, cap(c.buf))
	}
	n, err := c.c.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}

// framing says where the body of an answer ends.
type framing struct {
	length  int // negative: at the end of the connection
	chunked bool
}

// parse reads the status line and the headers, each ended by CR LF.
func (c *Conn) parse(head []byte) (r Response, f framing, err error) {
	line, rest := cutLine(head)
	if r.Status, err = status(line); err != nil {
		return r, f, err
	}
	old := line[len("HTTP/1.")] == '0'
	f.length = -1
	for len(rest) > 0 {
		line, rest = cutLine(rest)
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "Content-Length"):
			n, err := strconv.ParseUint(string(value), 10, 31)
			if err != nil || f.length >= 0 && int(n) != f.length || n > maxBody {
				return r, f, fmt.Errorf("rawhttp: Content-Length %q", value)
			}
			f.length = int(n)
		case is(name, "Connection"):
			c.closed = c.closed || is(value, "close")
			old = old && !is(value, "keep-alive")
		case is(name, "Transfer-Encoding"):
			if f.chunked || !is(value, "chunked") {
				return r, f, fmt.Errorf("rawhttp: Transfer-Encoding %q is not supported", value)
			}
			f.chunked = true
		}
	}
	c.closed = c.closed || old
	switch {
	case r.Status < 200 || r.Status == 204 || r.Status == 304:
		f = framing{}
	case f.chunked && f.length >= 0:
		return r, f, errors.New("rawhttp: an answer has both a Content-Length and a Transfer-Encoding")
	case f.length < 0 && !f.chunked && !c.closed:
		return r, f, fmt.Errorf("rawhttp: an answer with status %d does not say where it ends", r.Status)
	}
	return r, f, nil
}

// is compares without regard to case.
func is(got []byte, want string) bool {
	return len(got) == len(want) && strings.EqualFold(string(got), want)
}

func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\r\n"))
	return line, rest
}

// status returns the number in "HTTP/1.1 200 OK".
func status(line []byte) (int, error) {
	const at, end = len("HTTP/1.1 "), len("HTTP/1.1 200")
	if len(line) < end || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[at-1] != ' ' ||
		len(line) > end && line[end] != ' ' {
		return 0, fmt.Errorf("rawhttp: status line %.60q", line)
	}
	n := 0
	for _, d := range line[at:end] {
		if d < '0' || d > '9' {
			return 0, fmt.Errorf("rawhttp: status line %.60q", line)
		}
		n = n*10 + int(d-'0')
	}
	if n < 100 {
		return 0, fmt.Errorf("rawhttp: status line %.60q", line)
	}
	return n, nil
}

// body reads n bytes.
func (c *Conn) body(n int) ([]byte, error) {
	if err := c.need(n); err != nil {
		return nil, err
	}
	return c.take(n), nil
}

// need receives until n bytes are there.
func (c *Conn) need(n int) error {
	end := c.at + n
	if cap(c.buf) < end {
		c.buf = slices.Grow(c.buf, end-len(c.buf))
	}
	for len(c.buf) < end {
		if err := c.fill(); err != nil {
			return fmt.Errorf("rawhttp: %d of %d bytes of a body: %w", len(c.buf)-c.at, n, err)
		}
	}
	return nil
}

// take uses n bytes that are there.
func (c *Conn) take(n int) []byte {
	b := c.buf[c.at : c.at+n : c.at+n]
	c.at += n
	return b
}

// rest reads to the end of the connection.
func (c *Conn) rest() ([]byte, error) {
	for {
		if len(c.buf)-c.at > maxBody {
			return nil, errTooLong
		}
		err := c.fill()
		if errors.Is(err, io.EOF) {
			return c.take(len(c.buf) - c.at), nil
		}
		if err != nil {
			return nil, fmt.Errorf("rawhttp: a body: %w", err)
		}
	}
}

var errTooLong = errors.New("rawhttp: the body is too long")

// chunks reads chunks to the last one, and moves their data together.
func (c *Conn) chunks() ([]byte, error) {
	from, end := c.at, c.at // of the data
	for {
		line, err := c.line()
		if err != nil {
			return nil, err
		}
		text, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 16, 31)
		if err != nil {
			return nil, fmt.Errorf("rawhttp: size of a chunk %.60q", line)
		}
		if n == 0 {
			return c.buf[from:end:end], c.trailer()
		}
		if end-from+int(n) > maxBody {
			return nil, errTooLong
		}
		if err := c.need(int(n) + 2); err != nil {
			return nil, err
		}
		end += copy(c.buf[end:], c.take(int(n)))
		if string(c.take(2)) != "\r\n" {
			return nil, errors.New("rawhttp: a chunk is longer than it says")
		}
	}
}

// trailer reads the headers after the last chunk.
func (c *Conn) trailer() error {
	for range maxHead {
		line, err := c.line()
		if err != nil || len(line) == 0 {
			return err
		}
	}
	return errors.New("rawhttp: the headers are too long")
}

// line reads a line without its end.
func (c *Conn) line() ([]byte, error) {
	for {
		if i := bytes.Index(c.buf[c.at:], []byte("\r\n")); i >= 0 {
			return c.take(i + 2)[:i], nil
		}
		if len(c.buf)-c.at > maxHead {
			return nil, errors.New("rawhttp: a line is too long")
		}
		if err := c.fill(); err != nil {
			return nil, fmt.Errorf("rawhttp: a chunk: %w", err)
		}
	}
}
