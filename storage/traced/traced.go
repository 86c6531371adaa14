// Package traced puts spans around what a store is asked to do for requests
// that are followed. It is only there when tracing is on.
//
// The span of a write ends when the write is durable: it covers the wait for
// the commit that the store shares among callers.
package traced

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"zaqar/messaging"
	"zaqar/storage"
)

// Data returns a store with spans around the operations on messages and claims
// of d. It is a Surveyor if d is one.
func Data(d storage.Data, t trace.Tracer) storage.Data {
	traced := &data{d, t}
	if s, ok := d.(storage.Surveyor); ok {
		return struct {
			*data
			storage.Surveyor
		}{traced, s}
	}
	return traced
}

type data struct {
	storage.Data
	tracer trace.Tracer
}

// Control returns a store with spans around what changes queues. Looks at them
// are too many and too quick.
func Control(c storage.Control, t trace.Tracer) storage.Control { return &control{c, t} }

type control struct {
	storage.Control
	tracer trace.Tracer
}

// do runs an operation in a span, if the request is followed.
func do(ctx context.Context, t trace.Tracer, name string, count int, operation func(context.Context) error) error {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return operation(ctx)
	}
	ctx, span := t.Start(ctx, "store."+name)
	defer span.End()
	if count > 0 {
		span.SetAttributes(attribute.Int("messaging.batch.message_count", count))
	}
	err := operation(ctx)
	if err != nil {
		kind := messaging.Internal
		errors.As(err, &kind)
		// The text of the error may tell what is nobody's business.
		span.SetAttributes(attribute.String("error.type", string(kind)))
		span.SetStatus(codes.Error, string(kind))
	}
	return err
}

// Append implements storage.Messages.
func (d *data) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (out storage.Appended, err error) {
	err = do(ctx, d.tracer, "Append", len(drafts), func(ctx context.Context) (err error) {
		out, err = d.Data.Append(ctx, q, by, drafts, o)
		return err
	})
	return out, err
}

// Scan implements storage.Messages.
func (d *data) Scan(ctx context.Context, q messaging.QueueRef, s storage.Scan) (page []messaging.Message, err error) {
	err = do(ctx, d.tracer, "Scan", 0, func(ctx context.Context) (err error) {
		page, err = d.Data.Scan(ctx, q, s)
		return err
	})
	return page, err
}

// Fetch implements storage.Messages.
func (d *data) Fetch(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID) (found []messaging.Message, err error) {
	err = do(ctx, d.tracer, "Fetch", len(ids), func(ctx context.Context) (err error) {
		found, err = d.Data.Fetch(ctx, q, ids)
		return err
	})
	return found, err
}

// Remove implements storage.Messages.
func (d *data) Remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) error {
	return do(ctx, d.tracer, "Remove", len(ids), func(ctx context.Context) error { return d.Data.Remove(ctx, q, ids, hold) })
}

// Pop implements storage.Messages.
func (d *data) Pop(ctx context.Context, q messaging.QueueRef, t storage.Take) (popped []messaging.Message, err error) {
	err = do(ctx, d.tracer, "Pop", 0, func(ctx context.Context) (err error) {
		popped, err = d.Data.Pop(ctx, q, t)
		return err
	})
	return popped, err
}

// Move implements storage.Messages.
func (d *data) Move(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, held messaging.ClaimID, to messaging.QueueRef, ttl int64) (moved int, err error) {
	err = do(ctx, d.tracer, "Move", len(ids), func(ctx context.Context) (err error) {
		moved, err = d.Data.Move(ctx, q, ids, held, to, ttl)
		return err
	})
	return moved, err
}

// Purge implements storage.Messages.
func (d *data) Purge(ctx context.Context, q messaging.QueueRef) error {
	return do(ctx, d.tracer, "Purge", 0, func(ctx context.Context) error { return d.Data.Purge(ctx, q) })
}

// Drop implements storage.Messages.
func (d *data) Drop(ctx context.Context, q messaging.QueueRef) error {
	return do(ctx, d.tracer, "Drop", 0, func(ctx context.Context) error { return d.Data.Drop(ctx, q) })
}

// Claim implements storage.Claims.
func (d *data) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (lease storage.Lease, err error) {
	err = do(ctx, d.tracer, "Claim", 0, func(ctx context.Context) (err error) {
		lease, err = d.Data.Claim(ctx, q, t)
		return err
	})
	return lease, err
}

// Renew implements storage.Claims.
func (d *data) Renew(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID, t storage.Terms) error {
	return do(ctx, d.tracer, "Renew", 0, func(ctx context.Context) error { return d.Data.Renew(ctx, q, id, t) })
}

// Release implements storage.Claims.
func (d *data) Release(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) (freed int, err error) {
	err = do(ctx, d.tracer, "Release", 0, func(ctx context.Context) (err error) {
		freed, err = d.Data.Release(ctx, q, id)
		return err
	})
	return freed, err
}

// CreateQueue implements storage.Queues.
func (c *control) CreateQueue(ctx context.Context, q messaging.QueueRef, m *messaging.Metadata) (created bool, err error) {
	err = do(ctx, c.tracer, "CreateQueue", 0, func(ctx context.Context) (err error) {
		created, err = c.Control.CreateQueue(ctx, q, m)
		return err
	})
	return created, err
}

// AmendQueue implements storage.Queues.
func (c *control) AmendQueue(ctx context.Context, q messaging.QueueRef, edit func(*messaging.Metadata) (*messaging.Metadata, error)) (queue messaging.Queue, err error) {
	err = do(ctx, c.tracer, "AmendQueue", 0, func(ctx context.Context) (err error) {
		queue, err = c.Control.AmendQueue(ctx, q, edit)
		return err
	})
	return queue, err
}

// DeleteQueue implements storage.Queues.
func (c *control) DeleteQueue(ctx context.Context, q messaging.QueueRef) error {
	return do(ctx, c.tracer, "DeleteQueue", 0, func(ctx context.Context) error { return c.Control.DeleteQueue(ctx, q) })
}
