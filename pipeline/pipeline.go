package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// A struct that embeds storage.Queues or storage.Subscriptions under these names
// hides the methods of the same name; hence others.
type (
	// QueueStore is what a stage of queue_pipeline or topic_pipeline wraps.
	QueueStore = storage.Queues
	// MessageStore is what a stage of message_pipeline wraps.
	MessageStore = storage.Messages
	// ClaimStore is what a stage of claim_pipeline wraps.
	ClaimStore = storage.Claims
	// SubscriptionStore is what a stage of subscription_pipeline wraps.
	SubscriptionStore = storage.Subscriptions
)

// Stage wraps what it has to do with; the rest is nil. Each function is called
// once for each pipeline that names the stage.
type Stage struct {
	Queues        func(next QueueStore) QueueStore // and topics, if topic_pipeline names it
	Messages      func(next MessageStore) MessageStore
	Claims        func(next ClaimStore) ClaimStore
	Subscriptions func(next SubscriptionStore) SubscriptionStore
}

// Env is what a stage gets from its surroundings.
type Env struct {
	Now func() time.Time
	Log *slog.Logger
	// Store is the store itself, for looking things up. What is done to it is
	// seen by no stage.
	Store storage.Store
}

// Stages are the stages there are: what makes each, by the name that the
// configuration calls it. A stage that is named is made once, before the server
// listens; an error keeps it from starting.
type Stages map[string]func(Env) (Stage, error)

// Notifier is the name of the built-in stage in message_pipeline that lets
// subscribers know of messages.
const Notifier = "zaqar.notification.notifier"

// Config names the stages of each pipeline, in the order in which they are
// asked, as [storage] *_pipeline lists them.
type Config struct {
	Queue, Topic, Message, Claim, Subscription []string
	// Strict makes it an error to name a stage that does not exist, or that has
	// nothing to do in the pipeline. Else that is a warning.
	Strict bool
}

// Pipeline is the stages in front of a store.
type Pipeline struct {
	config  Config
	stages  map[string]Stage
	log     *slog.Logger
	foreign bool
}

// New makes the stages that the configuration names. builtin is the one called
// Notifier; without Messages it does nothing.
func New(c Config, all Stages, builtin Stage, env Env) (*Pipeline, error) {
	p := &Pipeline{config: c, stages: map[string]Stage{}, log: env.Log}
	for _, l := range c.lists() {
		for _, name := range l.names {
			if err := p.add(l, name, all, builtin, env); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// list is one of the lists of a configuration.
type list struct {
	key   string
	names []string
	uses  func(Stage) bool
}

func (c Config) lists() []list {
	queues := func(s Stage) bool { return s.Queues != nil }
	return []list{
		{"queue_pipeline", c.Queue, queues},
		{"topic_pipeline", c.Topic, queues},
		{"message_pipeline", c.Message, func(s Stage) bool { return s.Messages != nil }},
		{"claim_pipeline", c.Claim, func(s Stage) bool { return s.Claims != nil }},
		{"subscription_pipeline", c.Subscription, func(s Stage) bool { return s.Subscriptions != nil }},
	}
}

// add makes the stage with the name, unless another list has named it already.
func (p *Pipeline) add(l list, name string, all Stages, builtin Stage, env Env) error {
	s, made := p.stages[name]
	if !made && name == Notifier {
		s, made = builtin, true
		p.stages[name] = s
	}
	if !made {
		open, known := all[name]
		if !known {
			return p.odd(l.key, name, "there is no such stage")
		}
		var err error
		if s, err = open(env); err != nil {
			return fmt.Errorf("the stage %s of [storage] %s: %w", name, l.key, err)
		}
		p.stages[name] = s
	}
	if name != Notifier {
		p.foreign = true
	}
	if !l.uses(s) && (name != Notifier || l.key != "message_pipeline") {
		return p.odd(l.key, name, "the stage does nothing there")
	}
	return nil
}

// odd complains about a name as it was asked to.
func (p *Pipeline) odd(key, name, what string) error {
	if p.config.Strict {
		return fmt.Errorf("[storage] %s names %s: %s", key, name, what)
	}
	p.log.Warn("configuration: "+what, "section", "storage", "key", key, "stage", name)
	return nil
}

// Foreign reports whether there are stages that are not built in.
func (p *Pipeline) Foreign() bool { return p.foreign }

// Wrap returns the two planes of a store with the stages before them. What a
// store can do beside its contract it goes on doing. With stages before its
// queues, the control plane has a method DeletesMessages and does that.
func (p *Pipeline) Wrap(d storage.Data, c storage.Control) (storage.Data, storage.Control) {
	d = p.wrapData(d)
	return d, p.wrapControl(c, d)
}

type callerKey struct{}

// WithCaller returns a context in which Caller finds who asks, without his token.
func WithCaller(ctx context.Context, who messaging.Caller) context.Context {
	who.Token = ""
	return context.WithValue(ctx, callerKey{}, &who)
}

// Caller returns the client whose request an operation is part of. false means
// that the service does it by itself: it delivers a message to a queue that
// subscribed, for example.
func Caller(ctx context.Context) (messaging.Caller, bool) {
	if who, ok := ctx.Value(callerKey{}).(*messaging.Caller); ok {
		return *who, true
	}
	return messaging.Caller{}, false
}
