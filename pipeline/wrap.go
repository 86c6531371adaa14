package pipeline

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"zaqar/messaging"
	"zaqar/storage"
)

// data is a store with stages before some of it.
type data struct {
	messageStore
	claimStore
	subscriptionStore
	storage.Lifecycle
	capable
}

type (
	messageStore      = storage.Messages
	claimStore        = storage.Claims
	subscriptionStore = storage.Subscriptions
)

type capable interface {
	Capabilities() []messaging.Capability
}

func (p *Pipeline) wrapData(d storage.Data) storage.Data {
	m, mine, others := wrap(p, p.config.Message, MessageStore(d), stageMessages)
	if others {
		m = &messages{staged[MessageStore]{guard{p.log}, m, d}}
	}
	c, _, claimed := wrap(p, p.config.Claim, ClaimStore(d), stageClaims)
	if claimed {
		c = &claims{staged[ClaimStore]{guard{p.log}, c, d}}
	}
	s, _, subscribed := wrap(p, p.config.Subscription, SubscriptionStore(d), stageSubscriptions)
	if subscribed {
		s = &subscriptions{guard{p.log}, s}
	}
	if !mine && !others && !claimed && !subscribed {
		return d
	}
	wrapped := data{m, c, s, d, d}
	if surveyor, ok := d.(storage.Surveyor); ok {
		return struct {
			data
			storage.Surveyor
		}{wrapped, surveyor}
	}
	return wrapped
}

func (p *Pipeline) wrapControl(c storage.Control, d storage.Data) storage.Control {
	queues, _, one := wrap(p, p.config.Queue, QueueStore(emptied{c, d}), stageQueues)
	topics, _, other := wrap(p, p.config.Topic, QueueStore(emptied{c, d}), stageQueues)
	if !one && !other {
		return c
	}
	return &control{c, guard{p.log}, queues, topics}
}

func stageQueues(s Stage) func(QueueStore) QueueStore                      { return s.Queues }
func stageMessages(s Stage) func(MessageStore) MessageStore                { return s.Messages }
func stageClaims(s Stage) func(ClaimStore) ClaimStore                      { return s.Claims }
func stageSubscriptions(s Stage) func(SubscriptionStore) SubscriptionStore { return s.Subscriptions }

// wrap puts the stages with the names before a store, the first outermost, and
// tells whether there are built-in ones and others among them.
func wrap[T any](p *Pipeline, names []string, store T, of func(Stage) func(T) T) (outer T, builtin, foreign bool) {
	outer = store
	for _, name := range slices.Backward(names) {
		put := of(p.stages[name])
		if put == nil {
			continue
		}
		outer = put(outer)
		builtin, foreign = builtin || name == Notifier, foreign || name != Notifier
	}
	return outer, builtin, foreign
}

// staged is a store with stages before it.
type staged[T any] struct {
	guard
	stages, store T
}

// of returns who is asked about a queue: parts are none of the stages' business.
func (s *staged[T]) of(q messaging.QueueRef) T {
	if q.Part != "" {
		return s.store
	}
	return s.stages
}

// guard turns a panic of a stage into an error.
type guard struct{ log *slog.Logger }

func (g guard) failing(err *error) {
	if r := recover(); r != nil {
		g.log.Error("a stage of a pipeline panicked", "panic", r, "stack", string(debug.Stack()))
		*err = messaging.Wrap(messaging.Internal, "", fmt.Errorf("a stage panicked: %v", r))
	}
}
