package conn

import (
	"io"
	"net"
	"testing"
	"time"
)

// counted is one end of a pipe that counts what reaches it.
type counted struct {
	net.Conn
	deadlines     int
	reads, writes int
	closed        bool
	refuse        error // of Write
}

func (c *counted) SetReadDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetReadDeadline(t)
}

func (c *counted) SetWriteDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetWriteDeadline(t)
}

func (c *counted) Read(p []byte) (int, error) {
	c.reads++
	return c.Conn.Read(p)
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes++
	if c.refuse != nil {
		return 0, c.refuse
	}
	return c.Conn.Write(p)
}

func (c *counted) Close() error {
	c.closed = true
	return c.Conn.Close()
}

// one is a net.Listener that has one connection.
type one struct {
	net.Listener
	conn net.Conn
}

func (l *one) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, io.EOF
	}
	c := l.conn
	l.conn = nil
	return c, nil
}

func (l *one) Close() error { return nil }

// pair returns a connection of this package, what it wraps, and the other end.
func pair(t *testing.T) (*Conn, *counted, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	inner := &counted{Conn: near}
	l := Listen(&one{conn: inner}, time.Now)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); err != io.EOF {
		t.Errorf("the end of the listener: %v", err)
	}
	t.Cleanup(func() {
		c.Close()
		far.Close()
		l.Close()
	})
	return c.(*Conn), inner, far
}

// waiting returns how many requests wait on their connections, or are on their
// way back to a handler.
func (l *Listener) waiting() int {
	l.parked.mu.Lock()
	defer l.parked.mu.Unlock()
	return len(l.parked.conns)
}
