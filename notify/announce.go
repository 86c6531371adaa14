package notify

import (
	"context"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/storage"
)

// longestOutage is how long outboxes and backlogs wait for a notifier, beside the
// lifetime of deliveries.
const longestOutage = 30 * 24 * time.Hour

// Announcing returns a store whose posts are announced to subscribers: those to
// queues and topics with subscriptions leave copies in their outboxes, in the
// same step, and the notifier is woken. carry tells where a request is in a
// trace, empty for nowhere.
func (n *Notifier) Announcing(next storage.Messages, carry func(context.Context) string) storage.Messages {
	return &announcing{Messages: next, notifier: n, carry: carry, plain: storage.Announcement{TTL: n.backlogTTL()}}
}

type announcing struct {
	storage.Messages
	notifier *Notifier
	carry    func(context.Context) string
	plain    storage.Announcement // of a post that is not followed
}

// Append implements storage.Messages. A note that is there stays.
func (a *announcing) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	a.notifier.posts.Add(1)
	switch {
	case o.Announce != nil:
		o.Announce = &storage.Announcement{Note: o.Announce.Note, TTL: a.plain.TTL}
	default:
		o.Announce = &a.plain
		if trace := a.carry(ctx); trace != "" {
			note := delivery.Note{Trace: trace}
			o.Announce = &storage.Announcement{Note: note.Append(nil), TTL: a.plain.TTL}
		}
	}
	done, err := a.Messages.Append(ctx, q, by, drafts, o)
	if done.Announced || err != nil { // of a failure nobody knows how far it came
		a.notifier.Wake(q)
		for _, q := range o.Also {
			a.notifier.Wake(q)
		}
	}
	return done, err
}
