// Package rawhttp is an HTTP/1.1 client for load generators: one connection,
// requests that the caller has put into bytes, and as much of the answer read
// as is needed to check it. It costs a small part of what a server spends on
// the same request, so that a server on the same machine is what is measured.
//
// It promises one request at a time per connection (no pipelining), and that
// an answer it cannot read to its exact end is an error. It does not follow
// redirects, open connections again or decode chunked bodies: servers of
// short answers send a Content-Length, and one that does not is refused.
package rawhttp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
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

// Dial connects to host:port.
func Dial(addr string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return New(c), nil
}

// New makes a Conn of a connection, which it then owns.
func New(c net.Conn) *Conn { return &Conn{c: c, buf: make([]byte, 0, 16<<10)} }

// SetDeadline bounds all calls of Do from now on.
func (c *Conn) SetDeadline(t time.Time) error { return c.c.SetDeadline(t) }

// Close closes the connection. It may be called at any time, from any
// goroutine; a call of Do then fails.
func (c *Conn) Close() { _ = c.c.Close() }

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
		r, length, err := c.head()
		if err != nil {
			return r, err
		}
		if r.Status >= 100 && r.Status < 200 {
			continue
		}
		r.Body, err = c.body(length)
		return r, err
	}
}

// head reads up to the end of the headers and returns the length of the body.
func (c *Conn) head() (Response, int, error) {
	c.buf = append(c.buf[:0], c.buf[c.at:]...)
	c.at = 0
	end := bytes.Index(c.buf, []byte("\r\n\r\n"))
	for end < 0 {
		if len(c.buf) > maxHead {
			return Response{}, 0, errors.New("rawhttp: the headers are too long")
		}
		searched := max(0, len(c.buf)-3)
		if err := c.fill(); err != nil {
			return Response{}, 0, err
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

// parse reads the status line and the headers, each ended by CR LF.
func (c *Conn) parse(head []byte) (r Response, length int, err error) {
	line, rest := cutLine(head)
	if r.Status, err = status(line); err != nil {
		return r, 0, err
	}
	length = -1
	for len(rest) > 0 {
		line, rest = cutLine(rest)
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.ParseUint(string(value), 10, 31)
			if err != nil || length >= 0 && int(n) != length || n > maxBody {
				return r, 0, fmt.Errorf("rawhttp: Content-Length %q", value)
			}
			length = int(n)
		case len(name) == len("Connection") && bytes.EqualFold(name, []byte("Connection")):
			c.closed = c.closed || bytes.EqualFold(value, []byte("close"))
		case len(name) == len("Transfer-Encoding") && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return r, 0, fmt.Errorf("rawhttp: Transfer-Encoding %q is not supported", value)
		}
	}
	switch {
	case r.Status < 200 || r.Status == 204 || r.Status == 304:
		length = 0
	case length < 0:
		return r, 0, fmt.Errorf("rawhttp: an answer with status %d has no Content-Length", r.Status)
	}
	return r, length, nil
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
	end := c.at + n
	if cap(c.buf) < end {
		c.buf = slices.Grow(c.buf, end-len(c.buf))
	}
	for len(c.buf) < end {
		if err := c.fill(); err != nil {
			return nil, fmt.Errorf("rawhttp: %d of %d bytes of a body: %w", len(c.buf)-c.at, n, err)
		}
	}
	b := c.buf[c.at:end:end]
	c.at = end
	return b, nil
}
