package quota

import (
	"context"
	"fmt"
	"time"

	"zaqar/messaging"
)

// Hold is room held for something on its way to the store, or for a wait. Done
// gives it back; the store counts what was stored. The zero value holds nothing.
type Hold struct {
	account *account
	kind    kind
	want    amount // of a stock; none: a wait
}

// Done ends the hold. It is called once.
func (h Hold) Done() {
	switch {
	case h.account == nil:
		return
	case h.want == amount{}:
		h.account.waiting.Add(-1)
	default:
		h.account.of(h.kind).done(h.want)
	}
	h.account.unpin()
}

// HoldMessages holds room for messages with bodies of so many bytes in all, or
// returns OverQuota, or the error of the store if that had to be asked and could
// not be.
func (g *Guard) HoldMessages(ctx context.Context, p messaging.Project, n int, bytes int64) (Hold, error) {
	return g.hold(ctx, p, messages, amount{int64(n), bytes})
}

// HoldQueue holds room for a queue or topic; errors as for HoldMessages.
func (g *Guard) HoldQueue(ctx context.Context, q messaging.QueueRef) (Hold, error) {
	if q.Topic {
		return g.hold(ctx, q.Project, topics, amount{n: 1})
	}
	return g.hold(ctx, q.Project, queues, amount{n: 1})
}

// HoldSubscription holds room for a subscription; errors as for HoldMessages.
func (g *Guard) HoldSubscription(ctx context.Context, p messaging.Project) (Hold, error) {
	return g.hold(ctx, p, subscriptions, amount{n: 1})
}

func (g *Guard) hold(ctx context.Context, p messaging.Project, k kind, want amount) (Hold, error) {
	if g == nil {
		return Hold{}, nil
	}
	now := g.ns()
	a, t := g.account(ctx, p, now)
	most := t.most[k]
	if most.unbounded() {
		a.unpin()
		return Hold{}, nil
	}
	have, ok, err := a.of(k).hold(ctx, want, most, now, func(ctx context.Context) (amount, error) { return g.have(ctx, p, k) })
	if ok {
		return Hold{a, k, want}, nil
	}
	a.unpin()
	if err != nil {
		return Hold{}, err
	}
	return Hold{}, g.tooMuch(k, want, have, most)
}

// have asks the store how much of something the project has.
func (g *Guard) have(ctx context.Context, p messaging.Project, k kind) (amount, error) {
	switch k {
	case messages:
		s, err := g.data.Stored(ctx, p)
		return amount{s.Messages, s.Bytes}, err
	case subscriptions:
		n, err := g.data.CountSubscriptions(ctx, p)
		return amount{n: int64(n)}, err
	default:
		n, err := g.control.CountQueues(ctx, p, k == topics)
		return amount{n: int64(n)}, err
	}
}

// tooMuch is the error for who has as much as there may be.
func (g *Guard) tooMuch(k kind, want, have, most amount) error {
	name := [stocks]messaging.Limit{messaging.LimitQueues, messaging.LimitTopics, messaging.LimitMessages, messaging.LimitSubscriptions}[k]
	what, n, has, may := string(name), want.n, have.n, most.n
	if k == messages && have.n+want.n <= most.n {
		name, what, n, has, may = messaging.LimitMessageBytes, "bytes of messages", want.bytes, have.bytes, most.bytes
	}
	g.count(name)
	return messaging.E(messaging.OverQuota, fmt.Sprintf("The quota of the project is used up: it may have %d %s and has %d; this would be %d more.", may, what, has, n))
}

// HoldWait counts a request that waits, or returns Exceeded: too many do.
func (g *Guard) HoldWait(ctx context.Context, p messaging.Project) (Hold, error) {
	if g == nil {
		return Hold{}, nil
	}
	a, t := g.account(ctx, p, g.ns())
	if a.waiting.Add(1) > t.waiting {
		a.waiting.Add(-1)
		a.unpin()
		return Hold{}, g.tooMany(messaging.LimitWaiting, t, "requests that wait for messages")
	}
	return Hold{account: a}, nil
}

// tooMany is the error for who does too much at a time.
func (g *Guard) tooMany(l messaging.Limit, t *terms, what string) error {
	g.count(l)
	return &messaging.Error{Kind: messaging.Exceeded, After: time.Second,
		What: fmt.Sprintf("The project may have %d %s at a time, and has them.", t.limits[l], what)}
}
