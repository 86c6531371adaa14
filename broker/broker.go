// Package broker is the core: every use case once, free of any transport and
// of any database.
//
// A use case is one method: it asks the policy, applies defaults and limits,
// acts on storage and wakes those who wait. Dead letters, delays, claim
// counts, encryption, checksums and long polling are decided here and nowhere
// else, so that fronts cannot drift apart.
//
// Fronts hand over decoded, well-formed values (see requests.go) and get plain
// structs back. Failures are messaging.Errors whose text is meant for the
// client; what went wrong inside is in their cause, for logs.
//
// Start reading at Broker, then posts.go, messages.go, deletes.go and claims.go.
// The other files: limits.go (Config and its rules), metadata.go, validate.go
// and patch.go (what a queue's metadata may say), sealing.go (encryption at
// rest), deadletters.go, waiting.go and hub.go (long polling), subscriptions.go,
// subscription_terms.go (what they may ask for), deliveries.go (what became of
// them) and notifier.go, forward.go and arrivals.go (queues as subscribers),
// quotas.go, health.go, stats.go (for metrics).
package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"zaqar/messaging"
	"zaqar/quota"
	"zaqar/storage"
)

// Policy says what callers may do.
type Policy interface {
	// Allow returns nil, or a Denied error. rule is a name of http-v2 §2.3, on
	// is what is acted on: a queue or topic, or the project alone.
	Allow(ctx context.Context, who messaging.Caller, rule string, on messaging.QueueRef) error
}

// Parts are what a Broker is built from.
type Parts struct {
	Control storage.Control
	Data    storage.Data
	Policy  Policy
	Quotas  *quota.Guard // nil: projects may have what they like
	// Notifier delivers to subscribers; nil: nobody does.
	Notifier Notifier
	Now      func() time.Time
	Log      *slog.Logger // nil: logs are dropped
	Tracer   trace.Tracer // of use cases within requests that are followed; nil: none
	// Mark puts who asks into the context that the stores get; nil: nobody
	// wants to know.
	Mark func(ctx context.Context, who messaging.Caller) context.Context
}

// Broker serves the use cases. Its methods may be called concurrently.
type Broker struct {
	control  storage.Control
	data     storage.Data
	policy   Policy
	quotas   *quota.Guard
	notifier Notifier
	now      func() time.Time
	log      *slog.Logger
	tracer   trace.Tracer
	mark     func(context.Context, messaging.Caller) context.Context

	active   atomic.Pointer[setup]
	waiters  *hub
	drafts   sync.Pool // of *drafts
	arrived  arrivals
	counters counters
	granted  sync.Mutex // one changes the quota of a project at a time
}

// setup is a configuration in force, with what is derived from it.
type setup struct {
	Config
	keys *keyring
}

// New returns a Broker that serves at once. It fails if a part is missing or
// the configuration breaks a rule; the error names every mistake.
func New(c Config, p Parts) (*Broker, error) {
	if p.Control == nil || p.Data == nil || p.Policy == nil || p.Now == nil {
		return nil, errors.New("broker: Control, Data, Policy and Now are needed")
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	if p.Notifier == nil {
		p.Notifier = nobody{}
	}
	b := &Broker{control: p.Control, data: p.Data, policy: p.Policy, quotas: p.Quotas, notifier: p.Notifier, now: p.Now, log: p.Log, tracer: p.Tracer, mark: p.Mark}
	b.drafts.New = func() any { return new(drafts) }
	s, err := newSetup(c)
	if err != nil {
		return nil, err
	}
	b.active.Store(s)
	b.waiters = newHub(p.Data.Due, p.Now, p.Log)
	return b, nil
}

// Reconfigure puts another configuration in force, for calls that begin from
// now on and for what waiting ones do next. An invalid one is refused and
// changes nothing.
func (b *Broker) Reconfigure(c Config) error {
	s, err := newSetup(c)
	if err != nil {
		return err
	}
	b.active.Store(s)
	// A new default delay can make messages available.
	b.waiters.stirAll()
	return nil
}

// Config returns the configuration in force.
func (b *Broker) Config() Config { return b.active.Load().Config.clone() }

// Now is the instant by which messages and claims expire.
func (b *Broker) Now() time.Time { return b.now() }

// Close ends every wait at once with the answer for nothing found, and makes
// later calls answer without waiting. Everything else goes on working.
func (b *Broker) Close() { b.waiters.close() }

func newSetup(c Config) (*setup, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c = c.clone()
	keys, err := newKeyring(c.Keys)
	if err != nil {
		return nil, err
	}
	return &setup{Config: c, keys: keys}, nil
}

// enter begins a use case on a queue: it checks the name, that the queue is
// one of the caller's project, and the policy.
func (b *Broker) enter(ctx context.Context, who messaging.Caller, q messaging.QueueRef, rule string) (*setup, error) {
	if !messaging.ValidName(q.Name) {
		return nil, invalid("The %s name must be 1 to %d letters, digits, '_', '-' or '.' of ASCII, not %s.",
			noun(q), messaging.MaxNameLength, quoted(q.Name))
	}
	if q.Project != who.Project {
		return nil, messaging.E(messaging.Denied, "The "+noun(q)+" belongs to another project.")
	}
	return b.admit(ctx, who, rule, q)
}

// Permit asks the policy before any use case does, for fronts that refuse a
// request before they look into it (http-v2 §2.1).
func (b *Broker) Permit(ctx context.Context, who messaging.Caller, rule string, on messaging.QueueRef) error {
	return fault(b.policy.Allow(ctx, who, rule, on))
}

// rule returns the name of the rule for an action on the queue or topic itself.
func rule(q messaging.QueueRef, action string) string { return noun(q) + "s:" + action }

// admit asks the policy and returns the configuration for this call.
func (b *Broker) admit(ctx context.Context, who messaging.Caller, rule string, on messaging.QueueRef) (*setup, error) {
	if err := b.Permit(ctx, who, rule, on); err != nil {
		return nil, err
	}
	return b.active.Load(), nil
}

// project is what a use case acts on that names no queue.
func project(who messaging.Caller) messaging.QueueRef {
	return messaging.QueueRef{Project: who.Project}
}

// noun returns what to call the thing q names.
func noun(q messaging.QueueRef) string {
	if q.Topic {
		return "topic"
	}
	return "queue"
}
