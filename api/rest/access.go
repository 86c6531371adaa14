package rest

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"zaqar/messaging"
)

// Served tells about one request that was answered.
type Served struct {
	Method  string // as sent: any token
	Route   string // the pattern of the path, or empty for unknown paths
	Status  int    // StatusClientGone when the client did not wait for the reply
	Bytes   int64  // of the reply's body
	Took    time.Duration
	Request string // its id
	Caller  string // the id of the request of another service that caused it
	Project messaging.Project
	Client  messaging.ClientID
}

// StatusClientGone is recorded for requests whose client went away before the
// reply. It is never sent.
const StatusClientGone = 499

// record tells the access log and the metrics about the request.
func (c *call) record() {
	if c.Access == nil && c.Served == nil {
		return
	}
	done := Served{
		Method: c.r.Method, Status: c.status, Bytes: c.bytes, Took: c.Now().Sub(c.begun),
		Request: c.who.Request, Project: c.who.Project, Client: c.who.Client,
	}
	if c.route != nil {
		done.Route = c.route.path
	}
	if id := c.r.Header.Get("X-OpenStack-Request-ID"); isRequestID(id) {
		done.Caller = id
	}
	if c.gone {
		done.Status = StatusClientGone
	}
	if c.Served != nil {
		c.Served(done)
	}
	if c.Access == nil {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", done.Method),
		slog.String("route", done.Route),
		slog.Int("status", done.Status),
		slog.Int64("bytes", done.Bytes),
		slog.Duration("took", done.Took),
		slog.String("request_id", done.Request),
		slog.String("project", string(done.Project)),
		slog.String("client", string(done.Client)),
	}
	if done.Caller != "" {
		attrs = append(attrs, slog.String("caller_request_id", done.Caller))
	}
	c.Access.LogAttrs(context.WithoutCancel(c.r.Context()), slog.LevelInfo, "request", attrs...)
}

// isRequestID keeps out of the logs what other services do not send.
func isRequestID(s string) bool {
	id, ok := strings.CutPrefix(s, "req-")
	if ok {
		_, ok = canonicalUUID(id)
	}
	return ok
}
