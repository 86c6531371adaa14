package conn

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"
)

// Parked is a request that waits on its connection and costs next to nothing
// meanwhile: no server of net/http with its buffers, no handler, only its text
// and a goroutine that reads. When its time has come, the text is read from the
// connection once more, by the server that the connection is then new to.
type Parked struct {
	// Text is the request with its body.
	Text []byte
	// Until is when the request comes back at the latest, by the wall clock.
	Until time.Time
	// Watch is called once, with what brings the request back sooner: a
	// function that does not block and may be called at any time.
	Watch func(resume func())
	// Gone is called if the text will not be read again: the client has left,
	// or the server stops.
	Gone func()
	// State is what Resumed returns to the handler of the request.
	State any
}

// Park takes the connection from net/http and has its request wait on it. False
// leaves both with the handler, as they were: the server stops, or the client
// has sent more behind a request that was parked here, and would bring this one
// back with every byte.
func (c *Conn) Park(w http.ResponseWriter, p *Parked) bool {
	// Drain waits for it from here on.
	if c.talks || !c.listener.parked.add(c) {
		return false
	}
	_, in, err := http.NewResponseController(w).Hijack()
	if err != nil {
		c.listener.parked.remove(c)
		return false
	}
	behind, _ := in.Reader.Peek(in.Reader.Buffered()) // of what is there
	c.text = append(append(p.Text, behind...), c.text...)
	c.reads, c.writes = deadline{}, deadline{exact: c.writes.exact}
	c.parked.Store(p)
	err = errors.Join(c.Conn.SetWriteDeadline(time.Time{}), c.Conn.SetReadDeadline(p.Until))
	// A late call ends a read of the next request; that one notices that its
	// time is not over.
	p.Watch(func() { _ = c.Conn.SetReadDeadline(time.Unix(1, 0)) })
	go c.stand(err)
	return true
}

// stand waits until the request is to come back or the client leaves.
func (c *Conn) stand(err error) {
	if err == nil {
		err = c.hear()
	}
	if err == nil {
		err = c.Conn.SetReadDeadline(time.Time{})
	}
	if err == nil {
		select {
		case c.listener.resumed <- c:
			return
		case <-c.listener.closed:
		}
	}
	_ = c.Close()
}

// hear reads until the time of the request has come or the client sends more.
func (c *Conn) hear() error {
	var next [1]byte
	n, err := c.Conn.Read(next[:])
	if n > 0 {
		c.text, c.talks = append(c.text, next[0]), true
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// Resumed returns the State of the parked request that was read from the
// connection again, to the first who asks; otherwise nil. What Gone would have
// done is up to who asked.
func (c *Conn) Resumed() any {
	if c.parked.Load() == nil {
		return nil
	}
	// No sooner: a server that is told to stop forgets connections that have not
	// got to a handler.
	c.listener.parked.remove(c)
	if p := c.parked.Swap(nil); p != nil {
		return p.State
	}
	return nil
}

// Returns reports whether the connection is one of a parked request that nobody
// has resumed yet.
func (c *Conn) Returns() bool { return c.parked.Load() != nil }

// again reads what is left of the text of a parked request.
func (c *Conn) again(p []byte) int {
	n := copy(p, c.text)
	if c.text = c.text[n:]; len(c.text) == 0 {
		c.text = nil
	}
	return n
}

// park is where the connections of parked requests are, until a handler has
// them again.
type park struct {
	mu     sync.Mutex // guards the rest
	conns  map[*Conn]struct{}
	closed bool          // nobody else may come
	empty  chan struct{} // closed when the last has left; nil if nobody asked
}

// add reports whether c may wait here.
func (p *park) add(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if p.conns == nil {
		p.conns = map[*Conn]struct{}{}
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *park) remove(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, here := p.conns[c]; !here {
		return
	}
	delete(p.conns, c)
	if len(p.conns) == 0 && p.empty != nil {
		close(p.empty)
		p.empty = nil
	}
}

// leaving lets nobody else in and returns a channel that is closed when nobody
// is here.
func (p *park) leaving() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.empty == nil {
		p.empty = make(chan struct{})
	}
	empty := p.empty
	if len(p.conns) == 0 {
		close(empty)
		p.empty = nil
	}
	return empty
}

// close has all leave at once.
func (p *park) close() {
	p.mu.Lock()
	p.closed = true
	conns := p.conns
	p.conns = nil
	p.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close() // who reads from it does the rest
	}
}

// Drain waits until all parked requests have come back to their handlers, and
// lets no more be parked. It brings none of them back. When ctx ends, those left
// are closed.
func (l *Listener) Drain(ctx context.Context) error {
	select {
	case <-l.parked.leaving():
		return nil
	case <-ctx.Done():
		l.parked.close()
		return context.Cause(ctx)
	}
}
