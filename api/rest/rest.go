package rest

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"zaqar/api/conn"
	"zaqar/api/edge"
	"zaqar/api/wire"
	"zaqar/auth/signed"
	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/quota"
)

// Config is what an operator decides about the HTTP front. Start from
// Defaults.
type Config struct {
	// Admin registers the routes for administrators ([DEFAULT] admin_mode).
	Admin bool
	// ClientIDs are the rules for the Client-ID header.
	ClientIDs ClientIDs
	// Trust says which proxies are believed about where a request came from
	// and under which path (in the versions document).
	Trust edge.Trust
	// BodyTime is the longest a client may take to send a body, ReplyTime the
	// longest it may take to receive a reply.
	BodyTime, ReplyTime time.Duration
	// Quotas limits the requests and connections of projects; nil limits
	// nothing, and leaves out the routes about quotas.
	Quotas *quota.Guard
	// RateStatus answers who goes too fast.
	RateStatus RateStatus
	// Patience is how long a request that waits for messages does so in the
	// middle of things, before it waits on its connection or at least with
	// little on its stack, where it costs less but has to begin anew.
	Patience time.Duration
	// Identity says who asks; nil is Open.
	Identity Identity
	// Challenge is sent as WWW-Authenticate with every 401; empty: none.
	Challenge string
	// Healthcheck is a page for load balancers.
	Healthcheck Healthcheck
	// Signatures are the keys of pre-signed URLs; nil is none.
	Signatures *signed.Keys
	// ConfirmationPage has a page at which subscribers who were asked by mail
	// answer.
	ConfirmationPage bool
	// ShareLimit is how far ahead grants may expire; 0: any time.
	ShareLimit time.Duration
	// Tasks verify what requests bring in their EXTRA-SPEC header, by the names
	// that stand there.
	Tasks map[string]Verifier
	// Access gets one record per request; nil is none.
	Access *slog.Logger
	// Audit gets one record per request that changes the control plane, and per
	// request that was refused; nil is none.
	Audit *slog.Logger
	// Served is called after each request, for metrics; nil is none.
	Served func(Served)
	// Trace begins the span of a request and returns the context for what
	// happens in it; the span is nil for requests that are not followed. nil is
	// no tracing.
	Trace func(*http.Request) (context.Context, trace.Span)
	// Now is the wall clock: it measures requests and sets the time limits of
	// connections. Ages and expiry use the broker's clock. Required.
	Now func() time.Time
}

// ClientIDs are the rules for client ids (http-v2 §4.3).
type ClientIDs struct {
	// AnyString accepts any string of MinLength to MaxLength characters
	// (client_id_uuid_safe = off), not only UUIDs.
	AnyString            bool
	MinLength, MaxLength int
}

// Defaults returns the configuration of a server that was told nothing,
// without a clock.
func Defaults() Config {
	return Config{
		ClientIDs: ClientIDs{MinLength: 10, MaxLength: 36},
		Trust:     edge.Trust{Header: edge.XForwardedFor},
		BodyTime:  time.Minute,
		ReplyTime: time.Minute,
		Patience:  100 * time.Millisecond,
		// Where oslo.middleware has it.
		Healthcheck: Healthcheck{Path: "/healthcheck"},
	}
}

// Identity says who asks.
type Identity interface {
	// Identify returns the caller as far as the request's credentials tell:
	// project, user and roles. A project that is not known stays empty; the
	// request is then refused where its turn comes. It is called before
	// anything else is looked at, for every path but those open to all.
	// Errors are messaging.Errors.
	Identify(ctx context.Context, r *http.Request) (messaging.Caller, error)
}

// New returns the handler of the whole HTTP API. log gets what went wrong
// inside; its records name the request.
func New(c Config, b *broker.Broker, log *slog.Logger) http.Handler {
	if c.Now == nil {
		panic("rest: Config.Now is required")
	}
	if c.Identity == nil {
		c.Identity = Open{}
	}
	if c.Signatures == nil {
		c.Signatures = signed.NewKeys()
	}
	s := &server{Config: c, broker: b, log: log}
	s.table = newTable(routes(c))
	s.home = homeDocument(s.table.routes)
	s.pages = newPage()
	return s
}

type server struct {
	Config
	broker *broker.Broker
	log    *slog.Logger
	table  table
	home   []byte
	pages  *page
	pool   wire.Pool
	calls  sync.Pool // of *call
	attrs  sync.Pool // of *attrs
}

// call is one request on its way through the server. It is used again for
// others when it is done.
type call struct {
	*server
	w     http.ResponseWriter
	r     *http.Request
	conn  *conn.Conn // nil with HTTP/2
	begun time.Time

	who     messaging.Caller
	signed  bool // a signature stands for credentials
	route   *route
	stands  *route // for which a page stands; nil: it is none
	until   string // when that ends
	vars    vars
	queue   messaging.QueueRef // of routes that name a queue or topic
	query   query
	scratch *wire.Scratch // see memory; nil if there is none

	visit    quota.Visit
	status   int // of the reply; 0 before it
	bytes    int64
	received int64 // of the body, as far as it was read
	charged  int64 // of those, before the request was parked
	location string
	created  bool  // a post has created its queue
	failure  error // that the reply tells of
	gone     bool  // the client went away before the reply
	cutOff   bool  // the body could not be read to its end

	span    trace.Span // nil unless the request is followed
	waiting *waiting   // nil unless it may wait or has waited
	parked  bool       // it waits, and the call is over without a reply:
	sits    bool       // in its handler, not on its connection
}

// ServeHTTP serves one request. If it waits for long and cannot be left with
// its connection it sits here, where nearly nothing is on the stack: that shrinks
// to what is used of it.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for waits := s.pass(w, r, nil); waits != nil; waits = s.pass(w, r, waits) {
		if !waits.sit(r.Context()) {
			s.abandon(waits)
			panic(http.ErrAbortHandler) // closes the connection without a reply
		}
	}
}

// pass takes a request the whole way through the server, once more if it has
// waited, and returns what it sits on if it is to wait in its handler. Its frame
// must not be part of the one that waits.
//
//go:noinline
func (s *server) pass(w http.ResponseWriter, r *http.Request, waited *waiting) (waits *waiting) {
	c, ok := s.calls.Get().(*call)
	if !ok {
		c = new(call)
	}
	if waited != nil && r.ContentLength != 0 {
		r = withBody(r, waited.body)
	}
	c.server, c.w, c.r, c.begun, c.waiting = s, w, r, s.Now(), waited
	c.run()
	// A call that is cut off does not come here.
	if c.sits {
		waits = c.waiting
	}
	c.forget()
	c.query.forget()
	kept := c.query
	*c = call{} // in one go with the query it would stand on the stack first
	c.query = kept
	s.calls.Put(c)
	return waits
}

// run serves the request and leaves its record behind.
func (c *call) run() {
	c.conn = conn.From(c.r.Context())
	c.who.Request, c.who.Address = NewRequestID(), c.Trust.Client(c.r)
	c.resume()
	if c.Trace != nil {
		c.follow()
	}
	defer c.record()
	defer c.leave()
	defer c.stopWaiting()
	defer c.recover()
	c.bodyBegins()
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

// parameters reads the query string.
func (c *call) parameters() *query {
	c.query.parse(c.r.URL.RawQuery)
	return &c.query
}

// memory returns the memory of this request. What is read into it and cut out
// of it is valid until forget.
func (c *call) memory() *wire.Scratch {
	if c.scratch == nil {
		c.scratch = c.pool.Get()
	}
	return c.scratch
}

// forget gives the memory back, before a wait or at the end.
func (c *call) forget() {
	if c.scratch != nil {
		c.pool.Put(c.scratch)
		c.scratch = nil
	}
}

// abandon leaves the memory to the garbage collector, because somebody may
// still be using it.
func (c *call) abandon() { c.scratch = nil }
