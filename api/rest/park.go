package rest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"zaqar/api/conn"
	"zaqar/broker"
	"zaqar/messaging"
)

// waiting is a request that waits on its connection, without a handler, or in
// its handler, with nothing on the stack. When its time has come it takes the
// whole way through the server again, and says by this that it is the same one.
type waiting struct {
	broker.Waiter
	begun time.Time
	done  Served // what there is to say if it ends while it waits
	span  trace.Span
	queue messaging.QueueRef
	body  []byte // of one that waits in its handler
}

// resume picks up a request that waited.
func (c *call) resume() {
	if c.waiting == nil && c.conn != nil {
		c.waiting, _ = c.conn.Resumed().(*waiting)
	}
	if w := c.waiting; w != nil {
		c.begun, c.who.Request, c.charged = w.begun, w.done.Request, w.done.Received
	}
}

// stopWaiting gives up the place of a request that waits no more.
func (c *call) stopWaiting() {
	if c.waiting != nil && !c.parked {
		c.waiting.Leave()
	}
}

// look runs a use case that may wait for the given seconds. If it is to go on
// waiting, c.parked is set, and nothing is left to be done with the call. body
// is that of the request, which was read to its end.
func (c *call) look(seconds int64, body []byte, use func(*broker.Waiter) error) error {
	if seconds == 0 {
		return use(nil)
	}
	if c.waiting == nil {
		c.waiting = new(waiting)
	}
	w := &c.waiting.Waiter
	w.Patience = c.Patience
	err := use(w)
	if err == nil && w.Waits() {
		c.park(body)
	}
	return err
}

// park leaves the request with its connection or, if that cannot be had, with
// its handler.
func (c *call) park(body []byte) {
	s, w := c.server, c.waiting // the call itself is used again
	w.begun, w.done = c.begun, c.served(http.StatusNoContent)
	w.span, w.queue = c.span, c.queue
	c.parked = true
	// Nobody has to know again where a body in chunks ended.
	if c.conn != nil && c.r.ProtoMajor == 1 && c.r.TransferEncoding == nil && c.conn.Park(c.w, &conn.Parked{
		Text:  appendRequest(make([]byte, 0, 512), c.r, body),
		Until: s.Now().Add(w.Left()),
		Watch: w.Notify,
		Gone:  func() { s.abandon(w) },
		State: w,
	}) {
		return
	}
	c.sits, w.body = true, body
}

// sit returns when the request is to take its way again: true, or when its
// client has left: false.
func (w *waiting) sit(ctx context.Context) bool {
	called, forget := w.called(ctx)
	<-called
	forget()
	return ctx.Err() == nil
}

// called returns a channel that gets something when the request is to take its
// way again or its client has left. It is one for all of it, and filled by a
// frame that is gone by then, because of the stack: what a select or a defer
// takes of that would double it.
//
//go:noinline
func (w *waiting) called(ctx context.Context) (called chan struct{}, forget func()) {
	called = make(chan struct{}, 1)
	call := func() {
		select {
		case called <- struct{}{}:
		default:
		}
	}
	left, late := context.AfterFunc(ctx, call), time.AfterFunc(w.Left(), call)
	w.Notify(call)
	return called, func() {
		left()
		late.Stop()
	}
}

// withBody returns the request with the body that was read from it.
func withBody(r *http.Request, body []byte) *http.Request {
	r = r.WithContext(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return r
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
