package load

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"zaqar/bench/rawhttp"
)

// client is one connection whose requests are measured.
type client struct {
	template
	run    *run
	log    *Log
	number int

	conn    atomic.Pointer[rawhttp.Conn]
	redials int64
	// pending is the request under way: when it was sent, as what went by since
	// the run's begin, times 8, and its Op. 0: none is.
	pending atomic.Int64

	measured [ops]Histogram
	counted  bool  // whether the last answer came within the window
	messages int64 // in answers within the window

	scratch []byte
	got     claimed
}

func (r *run) client(number int) (*client, error) {
	conn, err := r.queues.target.Dial()
	if err != nil {
		return nil, err
	}
	c := &client{template: r.queues.template(1 + number), run: r, log: r.queues.ledger.Log(), number: number}
	c.conn.Store(conn)
	return c, nil
}

// close makes the request under way fail.
func (c *client) close() { c.conn.Load().Close() }

// connection returns a connection that can be used.
func (c *client) connection() (*rawhttp.Conn, error) {
	conn := c.conn.Load()
	if !conn.Closed() {
		return conn, nil
	}
	conn.Close()
	conn, err := c.run.queues.target.Dial()
	if err != nil {
		return nil, err
	}
	c.conn.Store(conn)
	c.redials++
	if c.run.ctx.Err() != nil { // it may have come too late to be closed
		conn.Close()
	}
	return conn, nil
}

// request is what one call sends.
type request struct {
	op    Op
	bytes []byte
	due   time.Time // when it was to be sent; zero: now
}

// call makes one request and measures it.
func (c *client) call(q request, want ...int) (rawhttp.Response, error) {
	conn, err := c.connection()
	if err != nil {
		return rawhttp.Response{}, err
	}
	sent := time.Now()
	c.pending.Store(int64(max(1, sent.Sub(c.run.begun)))<<3 | int64(q.op))
	r, err := conn.Do(q.bytes)
	c.pending.Store(0)
	if err != nil {
		return r, failed(q.bytes, c.run.patience(q.op), err)
	}
	end := time.Now()
	if !slices.Contains(want, r.Status) {
		return r, unexpected(q.bytes, r)
	}
	if q.due.IsZero() {
		q.due = sent
	}
	if c.counted = c.run.window.holds(end); c.counted {
		c.measured[q.op].Record(end.Sub(q.due))
	}
	c.run.plan.live(q.op)
	c.log.At(end)
	if q.op == Post {
		c.log.At(q.due)
	}
	return r, nil
}

// count counts the messages of the last answer.
func (c *client) count(n int) {
	if c.counted {
		c.messages += int64(n)
	}
}

// overdue returns an error if an answer is waited for longer than it may take.
func (c *client) overdue(now time.Time) error {
	pending := c.pending.Load()
	op, since := Op(pending&7), time.Duration(pending>>3)
	if patience := c.run.patience(op); pending == 0 || now.Sub(c.run.begun)-since <= patience {
		return nil
	}
	return fmt.Errorf("a %s was not answered within %s", op, c.run.patience(op))
}

// real reports whether the server stores what is posted.
func (c *client) real() bool { return c.run.queues.target.Real }

// take claims and remembers what it got; it returns how many that was.
func (c *client) take(q request, queue, limit int) (int, error) {
	r, err := c.call(q, http.StatusCreated, http.StatusNoContent)
	if err != nil || r.Status == http.StatusNoContent {
		return 0, err
	}
	if err := c.got.read(r.Body, c.run.queues.proof); err != nil {
		return 0, misread(q.bytes, err)
	}
	if c.got.n == 0 || c.got.n > limit {
		return 0, fmt.Errorf("%s was answered with %d messages", firstLine(q.bytes), c.got.n)
	}
	c.count(c.got.n)
	if c.real() {
		for id := range c.got.ids.each() {
			c.log.Claimed(queue, id)
		}
	}
	return c.got.n, nil
}

// deleteTaken deletes what take got, with one request or one by one.
func (c *client) deleteTaken(queue int, bulk bool) error {
	if bulk {
		path := c.got.bulk(c.queue(make([]byte, 0, 1<<10), queue))
		c.scratch = c.request(c.scratch[:0], "DELETE", path, nil)
		if _, err := c.call(request{op: Delete, bytes: c.scratch}, http.StatusNoContent); err != nil {
			return err
		}
	} else if err := c.deleteEach(); err != nil {
		return err
	}
	if c.real() {
		for id := range c.got.ids.each() {
			c.log.Deleted(queue, id)
		}
	}
	return nil
}

func (c *client) deleteEach() error {
	var path [256]byte
	for href := range idList(c.got.hrefs).each() {
		c.scratch = c.request(c.scratch[:0], "DELETE", c.path(path[:0], href), nil)
		if _, err := c.call(request{op: Delete, bytes: c.scratch}, http.StatusNoContent); err != nil {
			return err
		}
	}
	return nil
}
