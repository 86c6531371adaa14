package rest

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"zaqar/messaging"
)

// Served tells about one request that was answered.
type Served struct {
	Method string // as sent: any token, cut off if it is long
	Route  string // the pattern of the path, or empty for unknown paths
	Status int    // StatusClientGone when the client did not wait for the reply
	Bytes  int64  // of the reply's body
	// Endpoint is the place of Route among Endpoints, or -1.
	Endpoint int
	Received int64 // bytes of the body that were read
	Took     time.Duration
	Waits    bool              // it asked to wait for messages, so that Took says little
	Request  string            // its id
	Caller   string            // the id of the request of another service that caused it
	Project  messaging.Project // cut off if it is longer than a project can be
	Client   messaging.ClientID
	Address  netip.Addr // where it came from, as far as that can be known
}

// StatusClientGone is recorded for requests whose client went away before the
// reply. It is never sent.
const StatusClientGone = 499

// record tells the audit log, the metrics and the access log about the request.
func (c *call) record() {
	if c.parked || c.Access == nil && c.Served == nil && c.Audit == nil && c.span == nil {
		return
	}
	now := c.Now()
	done := c.served(c.status)
	done.Took = now.Sub(c.begun)
	if c.gone {
		done.Status = StatusClientGone
	}
	if c.Audit != nil {
		c.audit(&done)
	}
	if c.span != nil {
		end(c.span, &done, c.queue)
	}
	c.report(c.r.Context(), now, &done)
}

// served describes the request.
func (c *call) served(status int) Served {
	done := Served{
		Method: bounded(c.r.Method), Status: status, Bytes: c.bytes,
		Request: c.who.Request, Project: messaging.Project(bounded(string(c.who.Project))), Client: c.who.Client, Address: c.who.Address,
		Endpoint: -1, Received: c.received, Waits: c.query.waits || c.waiting != nil,
	}
	if c.route != nil {
		done.Route, done.Endpoint = c.route.path, c.route.number
	}
	if id := first(c.r.Header["X-Openstack-Request-Id"]); isRequestID(id) {
		done.Caller = id
	}
	return done
}

// longestText bounds what records repeat of a request, in bytes: as long as a
// project id can be. Whoever is refused may have sent anything.
const longestText = messaging.MaxProjectLength * utf8.UTFMax

// bounded returns s, cut off if it is longer than what is told of it.
func bounded(s string) string {
	if len(s) <= longestText {
		return s
	}
	return strings.ToValidUTF8(s[:longestText], "") + "…"
}

// boundedRoles returns the roles, as many of them as are told.
func boundedRoles(roles []string) []string {
	const most = 64
	told := roles[:min(len(roles), most)]
	total := 0
	for i, role := range told {
		if total += len(role); total > longestText {
			return append(slices.Clone(told[:i]), "…")
		}
	}
	if len(told) < len(roles) {
		return append(slices.Clone(told), "…")
	}
	return told
}

// report tells about a request that is over.
func (s *server) report(ctx context.Context, now time.Time, done *Served) {
	if s.Served != nil {
		s.Served(*done)
	}
	if s.Access != nil && (done.Status >= http.StatusBadRequest || done.Endpoint < 0 || !s.table.routes[done.Endpoint].quiet) {
		s.tell(ctx, now, done)
	}
}

// attrsHandler is what log handlers may be: they write a record that was not
// put together, and do not keep its attributes.
type attrsHandler interface {
	HandleAttrs(ctx context.Context, at time.Time, level slog.Level, message string, attrs []slog.Attr) error
}

// attrs are the attributes of an access record, in memory that is used again.
type attrs struct {
	list    [10]slog.Attr
	address netip.Addr
}

// tell writes the access record. It hands it to the log's handler itself,
// which spares a look at the stack for a source that is always this one.
func (s *server) tell(ctx context.Context, now time.Time, done *Served) {
	handler := s.Access.Handler()
	if !handler.Enabled(ctx, slog.LevelInfo) {
		return
	}
	room, ok := s.attrs.Get().(*attrs)
	if !ok {
		room = new(attrs)
	}
	list := append(room.list[:0],
		slog.String("method", done.Method),
		slog.String("route", done.Route),
		slog.Int("status", done.Status),
		slog.Int64("bytes", done.Bytes),
		slog.Duration("took", done.Took),
		slog.String("request_id", done.Request),
		slog.String("project", string(done.Project)),
		slog.String("client", string(done.Client)),
	)
	if done.Address.IsValid() {
		room.address = done.Address
		list = append(list, slog.Any("address", &room.address)) // as a pointer it takes no memory
	}
	if done.Caller != "" {
		list = append(list, slog.String("caller_request_id", done.Caller))
	}
	// As with every Logger, there is nobody to tell of an error but the log.
	if pieces, ok := handler.(attrsHandler); ok {
		_ = pieces.HandleAttrs(ctx, now, slog.LevelInfo, "request", list)
	} else {
		record := slog.NewRecord(now, slog.LevelInfo, "request", 0)
		record.AddAttrs(list...)
		_ = handler.Handle(ctx, record)
	}
	clear(room.list[:]) // the strings are the request's
	s.attrs.Put(room)
}

// first returns the first value of a header, empty if there is none.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// isRequestID keeps out of the logs what other services do not send.
func isRequestID(s string) bool {
	id, ok := strings.CutPrefix(s, "req-")
	if ok {
		_, ok = canonicalUUID(id)
	}
	return ok
}
