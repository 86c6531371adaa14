package rest

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"zaqar/api/conn"
	"zaqar/broker"
	"zaqar/messaging"
)

// waiting is a request that waits on its connection, without a handler. When
// its time has come it takes the whole way through the server again, and says
// by this that it is the same one.
type waiting struct {
	broker.Waiter
	begun time.Time
	done  Served // what there is to say if it ends while it waits
	span  trace.Span
	queue messaging.QueueRef
}

// resume picks up a request that waited on its connection.
func (c *call) resume() {
	if c.conn == nil {
		return
	}
	if w, ok := c.conn.Resumed().(*waiting); ok {
		c.waiting, c.begun, c.who.Request, c.charged = w, w.begun, w.done.Request, w.done.Received
	}
}

// stopWaiting gives up the place of a request that waits no more.
func (c *call) stopWaiting() {
	if c.waiting != nil && !c.parked {
		c.waiting.Leave()
	}
}

// wait runs a use case that may wait. If it is to go on waiting on its
// connection, c.parked is set, and nothing is left to be done with the call.
// body is that of the request, which was read to its end.
func (c *call) wait(body []byte, use func(*broker.Waiter) error) error {
	if c.conn == nil || c.r.ProtoMajor != 1 || c.r.TransferEncoding != nil {
		// Nobody has to know again where a body in chunks ended.
		return use(nil)
	}
	if c.waiting == nil {
		c.waiting = new(waiting)
	}
	w := &c.waiting.Waiter
	w.Patience = c.Patience
	if err := use(w); err != nil || !w.Waits() || c.park(body) {
		return err
	}
	w.Patience = math.MaxInt64
	return use(w)
}

// park leaves the request with its connection, unless that cannot be had.
func (c *call) park(body []byte) bool {
	s, w := c.server, c.waiting // the call itself is used again
	w.begun, w.done = c.begun, c.served(http.StatusNoContent)
	w.span, w.queue = c.span, c.queue
	c.parked = c.conn.Park(c.w, &conn.Parked{
		Text:  appendRequest(make([]byte, 0, 512), c.r, body),
		Until: s.Now().Add(w.Left()),
		Watch: w.Notify,
		Gone:  func() { s.abandon(w) },
		State: w,
	})
	return c.parked
}

// abandon ends a wait whose client has left.
func (s *server) abandon(w *waiting) {
	w.Leave()
	now := s.Now()
	w.done.Status, w.done.Took = StatusClientGone, now.Sub(w.begun)
	if w.span != nil {
		end(w.span, &w.done, w.queue)
	}
	s.report(context.Background(), now, &w.done)
}

// appendRequest appends a request as its client could have sent it, with a head
// no longer than the client's: that was within the limits of the server. The
// body is not one in chunks.
func appendRequest(dst []byte, r *http.Request, body []byte) []byte {
	dst = append(dst, r.Method...)
	dst = append(dst, ' ')
	dst = append(dst, r.RequestURI...)
	dst = append(dst, ' ')
	dst = append(dst, r.Proto...)
	switch {
	case r.URL.Host != "": // which counts; but HTTP/1.1 wants the header
		if r.ProtoAtLeast(1, 1) {
			dst = append(dst, "\r\nHost:"...)
		}
	case r.Host != "" || r.ProtoAtLeast(1, 1):
		dst = append(dst, "\r\nHost:"...)
		dst = append(dst, r.Host...)
	}
	for name, values := range r.Header {
		switch name {
		case "Content-Length", "Expect":
			continue // of the body, which is there
		}
		for _, value := range values {
			dst = append(dst, "\r\n"...)
			dst = append(dst, name...)
			dst = append(dst, ':')
			dst = append(dst, value...)
		}
	}
	if len(body) > 0 {
		dst = append(dst, "\r\nContent-Length:"...)
		dst = strconv.AppendInt(dst, int64(len(body)), 10)
	}
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}
