package broker

import (
	"context"

	"zaqar/messaging"
	"zaqar/storage"
)

// grave is where a queue's dead letters go. The zero value: nowhere, messages
// may be claimed without end.
type grave struct {
	queue messaging.QueueRef
	after int64 // claims that a message may have had before
	ttl   int64 // the new lifetime, seconds; 0 keeps the old one
}

// graveOf reads the settings: dead letters need a count and a queue that is
// not this one (http-v2 §11.4).
func graveOf(q messaging.QueueRef, r record) grave {
	name := r.DeadLetterQueue
	if r.MaxClaimCount == nil || *r.MaxClaimCount < 1 || !messaging.ValidName(name) || name == q.Name {
		return grave{}
	}
	g := grave{queue: messaging.QueueRef{Project: q.Project, Name: name}, after: *r.MaxClaimCount}
	if r.DeadLetterTTL != nil && *r.DeadLetterTTL > 0 {
		g.ttl = *r.DeadLetterTTL
	}
	return g
}

// bury moves the spent messages of a lease to the dead-letter queue, which it
// creates if need be. A sealed message stays sealed.
//
// When that fails, the messages are where they were, under the lease: it is
// dissolved if it holds nothing else, so that they are tried again soon, else
// they stay until it ends. The error matters only in the first case.
func (b *Broker) bury(ctx context.Context, s *setup, q messaging.QueueRef, g grave, l storage.Lease) error {
	if len(l.Spent) == 0 {
		return nil
	}
	moved, err := b.moveSpent(ctx, s, q, g, l)
	if err == nil {
		b.waiters.arrived(g.queue, moved)
		b.counters.buried.Add(int64(moved))
		return nil
	}
	b.log.ErrorContext(ctx, "cannot move messages to the dead-letter queue",
		"project", q.Project, "queue", q.Name, "target", g.queue.Name, "count", len(l.Spent), "error", err)
	if len(l.Messages) > 0 {
		return err
	}
	if err := b.release(context.WithoutCancel(ctx), q, l.Claim.ID); err != nil {
		b.log.ErrorContext(ctx, "cannot release messages that could not be moved",
			"project", q.Project, "queue", q.Name, "error", err)
	}
	return err
}

func (b *Broker) moveSpent(ctx context.Context, s *setup, q messaging.QueueRef, g grave, l storage.Lease) (moved int, err error) {
	ids := make([]messaging.MessageID, len(l.Spent))
	for i := range l.Spent {
		ids[i] = l.Spent[i].ID
	}
	target, err := b.record(ctx, g.queue)
	if err != nil {
		return 0, err
	}
	err = b.intoQueue(ctx, g.queue, target.exists, func() (err error) {
		moved, err = b.data.Move(ctx, q, ids, l.Claim.ID, g.queue, min(g.ttl, s.MaxMessageTTL))
		return err
	})
	return moved, err
}
