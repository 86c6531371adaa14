package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"

	"zaqar/api/conn"
	"zaqar/api/wire"
	"zaqar/messaging"
)

// headerLocation is spelled as the original server does on HTTP/1: openstacksdk
// finds no other spelling.
const headerLocation = "location"

const (
	typeJSON = "application/json"
	typeHome = "application/json-home"
	typeYAML = "application/yaml"
)

// Content types as header values, shared by all replies.
var (
	typesJSON = []string{typeJSON}
	typesHome = []string{typeHome}
	typesYAML = []string{typeYAML}
)

// patchType is the one media type of patches to queues (http-v2 §7.5).
const patchType = "application/openstack-messaging-v2.0-json-patch"

// json sends a reply with a JSON body that encode appends.
func (c *call) json(status int, encode func(dst []byte) []byte) error {
	s := c.memory()
	s.Out = encode(s.Out[:0])
	return c.send(status, typesJSON, s.Out)
}

// empty sends a reply without a body.
func (c *call) empty(status int) error { return c.send(status, nil, nil) }

// counted is the size of the bodies whose length net/http tells by itself,
// which takes less than to tell it.
const counted = 1 << 10

// send sends the reply. A client that no longer listens is not an error.
func (c *call) send(status int, contentType []string, body []byte) error {
	h := c.w.Header()
	values := append(make([]string, 0, 3), c.who.Request) // one array for all of them
	h["X-Openstack-Request-Id"] = values[:1:1]
	if contentType != nil {
		h["Content-Type"] = contentType
	}
	if c.location != "" {
		values = append(values, c.location)
		h[headerLocation] = values[1:2:2]
	}
	if head := c.r.Method == http.MethodHead; status != http.StatusNoContent && (head || len(body) > counted) {
		n := len(values)
		values = append(values, strconv.Itoa(len(body)))
		h["Content-Length"] = values[n:]
	}
	if c.ReplyTime > 0 {
		// Not every writer has a deadline to set; those of servers do.
		_ = http.NewResponseController(c.w).SetWriteDeadline(c.Now().Add(c.ReplyTime))
	}
	c.status = status
	c.w.WriteHeader(status)
	if len(body) > 0 && c.r.Method != http.MethodHead {
		c.bytes = int64(c.write(body))
	}
	return nil
}

// atOnce is the size of the bodies that net/http writes with their head in one
// piece.
const atOnce = 3 << 10

// write writes the body and returns how much of it the client may get to see.
func (c *call) write(body []byte) int {
	var out *conn.Conn
	if len(body) > atOnce && c.r.ProtoMajor == 1 {
		out = c.conn
	}
	if out == nil {
		n, _ := c.w.Write(body)
		return n
	}
	out.Gather()
	n, _ := c.w.Write(body)
	_ = http.NewResponseController(c.w).Flush()
	_ = out.Release()
	return n
}

// refusal is a failure that only HTTP has.
type refusal struct {
	status int
	what   string
	header string // Allow of a 405, Accept-Patch of a 415
}

// Error implements error.
func (r *refusal) Error() string { return r.what }

func is(err error, kind messaging.Kind) bool { return errors.Is(err, kind) }

func invalid(what string) error { return messaging.E(messaging.Invalid, what) }

// statuses says which status answers which kind of failure (http-v2 §3.2).
// Clients take every status they do not expect for success, so that limits of
// size answer 400, not 413; for rates see rateStatus.
var statuses = map[messaging.Kind]int{
	messaging.Invalid:         http.StatusBadRequest,
	messaging.Unauthenticated: http.StatusUnauthorized,
	messaging.Denied:          http.StatusForbidden,
	messaging.NotFound:        http.StatusNotFound,
	messaging.Conflict:        http.StatusConflict,
	messaging.Claimed:         http.StatusForbidden,
	messaging.NotClaimed:      http.StatusBadRequest,
	messaging.Exceeded:        http.StatusTooManyRequests,
	messaging.OverQuota:       http.StatusForbidden,
	messaging.Unsupported:     http.StatusBadRequest,
	messaging.Unavailable:     http.StatusServiceUnavailable,
	messaging.Internal:        http.StatusInternalServerError,
}

var titles = map[int]string{
	http.StatusBadRequest:           "Invalid request",
	http.StatusForbidden:            "Forbidden",
	http.StatusNotFound:             "Not found",
	http.StatusMethodNotAllowed:     "Method not allowed",
	http.StatusNotAcceptable:        "Not acceptable",
	http.StatusConflict:             "Conflict",
	http.StatusUnsupportedMediaType: "Unsupported media type",
	http.StatusTooManyRequests:      "Too many requests",
	http.StatusInternalServerError:  "Internal server error",
	http.StatusServiceUnavailable:   "Service unavailable",
}

// fail sends the reply to a failure and logs the server's own.
func (c *call) fail(err error) {
	if c.clientGone() && !c.cutOff {
		c.gone = true
		panic(http.ErrAbortHandler) // closes the connection without a reply
	}
	c.failure = err
	status, what := c.judge(err)
	if status >= http.StatusInternalServerError && !errors.Is(err, messaging.Exceeded) {
		c.logFailure(status, err)
	}
	c.answer(status, what)
}

// answer sends the body of a failure.
func (c *call) answer(status int, what string) {
	if c.route != nil && c.route.page {
		c.showFailure(status, what)
		return
	}
	c.varies()
	if status == http.StatusUnauthorized && c.Challenge != "" {
		c.w.Header()["Www-Authenticate"] = []string{c.Challenge}
	}
	_ = c.json(status, func(dst []byte) []byte {
		if status == http.StatusUnauthorized {
			return wire.AppendUnauthenticated(dst, what)
		}
		return wire.AppendError(dst, titles[status], what)
	})
}

// varies says that the reply depends on the Accept header; on others it may
// depend already.
func (c *call) varies() {
	h := c.w.Header()
	h["Vary"] = append(h["Vary"], "Accept")
}

func (c *call) logFailure(status int, err error) {
	c.log.LogAttrs(context.WithoutCancel(c.r.Context()), slog.LevelError, "request failed",
		slog.String("request_id", c.who.Request), slog.Int("status", status), slog.Any("error", err))
}

// judge returns the status of a failure and the text the client gets.
func (c *call) judge(err error) (status int, what string) {
	var refused *refusal
	if errors.As(err, &refused) {
		switch refused.status {
		case http.StatusMethodNotAllowed:
			c.w.Header()["Allow"] = []string{refused.header}
		case http.StatusUnsupportedMediaType:
			c.w.Header()["Accept-Patch"] = []string{refused.header}
		}
		return refused.status, refused.what
	}
	var kind messaging.Kind
	var e *messaging.Error
	switch {
	case errors.As(err, &e):
		kind, what = e.Kind, e.What
	case !errors.As(err, &kind):
		kind = messaging.Internal
	}
	status, known := statuses[kind]
	if kind == messaging.Exceeded {
		status = c.slowDown(e)
	}
	switch {
	case !known || kind == messaging.Internal:
		return http.StatusInternalServerError, "The server failed. The failure is logged under " + c.who.Request + "."
	case what == "":
		return status, string(kind)
	}
	return status, what
}

// clientGone reports whether the client closed the connection. A context that
// ends with another cause was ended by the server.
func (c *call) clientGone() bool {
	ctx := c.r.Context()
	return ctx.Err() != nil && context.Cause(ctx) == context.Canceled
}

// recover turns a panic into a 500, or into a cut connection when the reply
// has begun.
func (c *call) recover() {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	c.log.LogAttrs(context.WithoutCancel(c.r.Context()), slog.LevelError, "panic",
		slog.String("request_id", c.who.Request), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	if c.status != 0 {
		panic(http.ErrAbortHandler)
	}
	c.abandon() // who knows who else still uses it
	c.answer(c.judge(messaging.Internal))
}
