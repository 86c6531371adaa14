package conn

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Listener gives out connections of this package.
type Listener struct {
	net.Listener
	now     func() time.Time
	buffers sync.Pool // of *[]byte
	lounge  lounge
	parked  park
	refuse  func(status int) []byte // see Refuse

	pumping sync.Once
	fresh   chan arrival // from the wrapped listener
	resumed chan *Conn   // with a request that comes back
	closing sync.Once
	closed  chan struct{}
}

// arrival is what the wrapped listener gave out.
type arrival struct {
	conn net.Conn
	err  error
}

// Listen returns a Listener on top of l. now is the wall clock that deadlines
// refer to.
func Listen(l net.Listener, now func() time.Time) *Listener {
	return &Listener{Listener: l, now: now, fresh: make(chan arrival), resumed: make(chan *Conn), closed: make(chan struct{})}
}

// Accept implements net.Listener. Connections whose request was parked come
// back here, first: a server that runs out of files rests after each error.
func (l *Listener) Accept() (net.Conn, error) {
	l.pumping.Do(func() { go l.pump() })
	select {
	case c := <-l.resumed:
		return c, nil
	default:
	}
	select {
	case a := <-l.fresh:
		if a.err != nil {
			return nil, a.err
		}
		return l.wrap(a.conn), nil
	case c := <-l.resumed:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// wrap makes a connection one of this package. Those of HTTP/2 stay as they
// are: net/http knows them by their type, and they carry many requests.
func (l *Listener) wrap(c net.Conn) net.Conn {
	wrapped := &Conn{Conn: c, listener: l, seat: seat{up: make(chan struct{}, 1)}}
	if secure, ok := c.(*tls.Conn); ok {
		state := secure.ConnectionState()
		if state.NegotiatedProtocol == "h2" {
			return c
		}
		// What a write leaves behind that ran out of time is no TLS any more.
		wrapped.tls, wrapped.writes.exact = &state, true
	}
	return wrapped
}

// pump hands on what the wrapped listener gives out.
func (l *Listener) pump() {
	for {
		c, err := l.Listener.Accept()
		select {
		case l.fresh <- arrival{c, err}:
		case <-l.closed:
			if err == nil {
				_ = c.Close()
			}
			return
		}
	}
}

// Close implements net.Listener. Parked requests come back no more: their
// connections are closed.
func (l *Listener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	l.parked.close()
	return l.Listener.Close()
}

// Conn is a connection. Its methods may be called concurrently.
type Conn struct {
	net.Conn
	listener *Listener
	reads    deadline
	writes   deadline
	seat     seat
	closed   atomic.Bool
	tls      *tls.ConnectionState // nil if there is none

	mu        sync.Mutex // guards the rest, and the order of writes
	gathering bool
	gathered  *[]byte // nil before the first write

	after  atomic.Pointer[func()] // called after Close
	parked atomic.Pointer[Parked] // until somebody asks for it
	text   []byte                 // of a parked request, to be read again
	talks  bool                   // the client has sent more behind a parked request
}

type key struct{}

// Context lets From find the connection; it is made for
// [net/http.Server.ConnContext].
func Context(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*Conn); ok {
		return context.WithValue(ctx, key{}, c)
	}
	return ctx
}

// From returns the connection that belongs to a request's context, or nil if
// it is none of this package's.
func From(ctx context.Context) *Conn {
	c, _ := ctx.Value(key{}).(*Conn)
	return c
}

// TLS returns what was agreed in the handshake of a connection under TLS, the
// client's certificate among it, or nil.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	err := c.reads.want(t, c.Conn.SetReadDeadline)
	if !t.IsZero() {
		c.listener.lounge.call(&c.seat)
	}
	return err
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.writes.want(t, c.Conn.SetWriteDeadline) }

// Read implements net.Conn. Reads of a single byte may begin late.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.text) > 0 {
		return c.again(p), nil
	}
	if len(p) == 1 {
		c.listener.lounge.wait(&c.seat, c.idle)
	}
	if err := c.reads.begin(c.listener.now, c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	defer c.reads.end()
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || err == nil || !c.reads.early(err, c.listener.now, c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

// idle reports whether nothing says yet that a read is to end.
func (c *Conn) idle() bool { return c.reads.none() && !c.closed.Load() }

// Close implements net.Conn.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.closed.Store(true)
	c.listener.lounge.call(&c.seat)
	c.listener.parked.remove(c)
	if p := c.parked.Swap(nil); p != nil {
		p.Gone()
	}
	if after := c.after.Swap(nil); after != nil {
		(*after)()
	}
	return err
}

// AfterClose has f called once the connection is closed. To net/http it is gone
// as soon as a request is parked on it.
func (c *Conn) AfterClose(f func()) { c.after.Store(&f) }

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gathering {
		if c.listener.refuse != nil {
			if status := refusal(p); status != 0 {
				_, err := c.write(c.listener.refuse(status))
				return len(p), err
			}
		}
		return c.write(p)
	}
	if c.gathered == nil {
		c.gathered = c.listener.buffer()
	}
	if len(*c.gathered)+len(p) > largest {
		if err := c.send(); err != nil {
			return 0, err
		}
		return c.write(p)
	}
	*c.gathered = append(*c.gathered, p...)
	return len(p), nil
}

// write writes all of p, unless its time is over.
func (c *Conn) write(p []byte) (done int, err error) {
	if err := c.writes.begin(c.listener.now, c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	defer c.writes.end()
	for {
		n, err := c.Conn.Write(p[done:])
		done += n
		if err == nil || !c.writes.early(err, c.listener.now, c.Conn.SetWriteDeadline) {
			return done, err
		}
	}
}

// largest is how many bytes are gathered at most.
const largest = 64 << 10

// Gather has what is written from now on wait for Release, up to a size. It is
// for connections that carry one request at a time.
func (c *Conn) Gather() {
	c.mu.Lock()
	c.gathering = true
	c.mu.Unlock()
}

// Release sends what was gathered. If that fails, the connection is closed:
// the writers believe that it was sent.
func (c *Conn) Release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = false
	err := c.send()
	if err != nil {
		_ = c.Close() // err tells more
	}
	return err
}

// send writes what was gathered and gives the memory back.
func (c *Conn) send() error {
	if c.gathered == nil {
		return nil
	}
	b := c.gathered
	c.gathered = nil
	_, err := c.write(*b)
	*b = (*b)[:0]
	c.listener.buffers.Put(b)
	return err
}

func (l *Listener) buffer() *[]byte {
	if b, ok := l.buffers.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

// CloseWrite ends the connection in one direction, as net/http does after a
// last reply so that the client can read it.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
