package pipeline

import (
	"context"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// messages shows stages what is done to messages.
type messages struct{ staged[MessageStore] }

// Append implements storage.Messages.
func (m *messages) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (done storage.Appended, err error) {
	defer m.failing(&err)
	return m.of(q).Append(ctx, q, by, drafts, o)
}

// Scan implements storage.Messages.
func (m *messages) Scan(ctx context.Context, q messaging.QueueRef, s storage.Scan) (page []messaging.Message, err error) {
	defer m.failing(&err)
	return m.of(q).Scan(ctx, q, s)
}

// Fetch implements storage.Messages.
func (m *messages) Fetch(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID) (found []messaging.Message, err error) {
	defer m.failing(&err)
	return m.of(q).Fetch(ctx, q, ids)
}

// Remove implements storage.Messages.
func (m *messages) Remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) (err error) {
	defer m.failing(&err)
	return m.of(q).Remove(ctx, q, ids, hold)
}

// Pop implements storage.Messages.
func (m *messages) Pop(ctx context.Context, q messaging.QueueRef, t storage.Take) (popped []messaging.Message, err error) {
	defer m.failing(&err)
	return m.of(q).Pop(ctx, q, t)
}

// Move implements storage.Messages.
func (m *messages) Move(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, held messaging.ClaimID, to messaging.QueueRef, ttl int64) (moved int, err error) {
	defer m.failing(&err)
	return m.of(q).Move(ctx, q, ids, held, to, ttl)
}

// Tally implements storage.Messages.
func (m *messages) Tally(ctx context.Context, q messaging.QueueRef) (tally messaging.Tally, err error) {
	defer m.failing(&err)
	return m.of(q).Tally(ctx, q)
}

// Volume implements storage.Messages.
func (m *messages) Volume(ctx context.Context) (total, claimed int, err error) {
	defer m.failing(&err)
	return m.stages.Volume(ctx)
}

// Stored implements storage.Messages.
func (m *messages) Stored(ctx context.Context, p messaging.Project) (stored messaging.Stored, err error) {
	defer m.failing(&err)
	return m.stages.Stored(ctx, p)
}

// Purge implements storage.Messages.
func (m *messages) Purge(ctx context.Context, q messaging.QueueRef) (err error) {
	defer m.failing(&err)
	return m.of(q).Purge(ctx, q)
}

// Drop implements storage.Messages.
func (m *messages) Drop(ctx context.Context, q messaging.QueueRef) (err error) {
	defer m.failing(&err)
	return m.of(q).Drop(ctx, q)
}

// Due implements storage.Messages.
func (m *messages) Due(ctx context.Context, q messaging.QueueRef) (at time.Time, found bool, err error) {
	defer m.failing(&err)
	return m.of(q).Due(ctx, q)
}
