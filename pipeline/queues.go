package pipeline

import (
	"context"

	"zaqar/messaging"
	"zaqar/storage"
)

// control shows stages what is done to queues, and others what is done to
// topics.
type control struct {
	storage.Control
	guard
	queues, topics QueueStore
}

// DeletesMessages says that DeleteQueue drops the messages as well, when all
// stages have let it pass: one that refuses to delete a queue keeps what is in it.
func (c *control) DeletesMessages() {}

// emptied is what stands behind the last stage.
type emptied struct {
	QueueStore
	messages MessageStore
}

// DeleteQueue implements storage.Queues. Messages go first, so that a crash in
// between cannot leave some behind that a new queue of the name would show, and
// those posted meanwhile go last.
func (e emptied) DeleteQueue(ctx context.Context, q messaging.QueueRef) error {
	if err := e.messages.Drop(ctx, q); err != nil {
		return err
	}
	if err := e.QueueStore.DeleteQueue(ctx, q); err != nil {
		return err
	}
	return e.messages.Drop(ctx, q)
}

func (c *control) of(topics bool) QueueStore {
	if topics {
		return c.topics
	}
	return c.queues
}

// CreateQueue implements storage.Queues.
func (c *control) CreateQueue(ctx context.Context, q messaging.QueueRef, m *messaging.Metadata) (created bool, err error) {
	defer c.failing(&err)
	return c.of(q.Topic).CreateQueue(ctx, q, m)
}

// Queue implements storage.Queues.
func (c *control) Queue(ctx context.Context, q messaging.QueueRef) (found messaging.Queue, err error) {
	defer c.failing(&err)
	return c.of(q.Topic).Queue(ctx, q)
}

// AmendQueue implements storage.Queues.
func (c *control) AmendQueue(ctx context.Context, q messaging.QueueRef, edit func(*messaging.Metadata) (*messaging.Metadata, error)) (stored messaging.Queue, err error) {
	defer c.failing(&err)
	return c.of(q.Topic).AmendQueue(ctx, q, edit)
}

// DeleteQueue implements storage.Queues.
func (c *control) DeleteQueue(ctx context.Context, q messaging.QueueRef) (err error) {
	defer c.failing(&err)
	return c.of(q.Topic).DeleteQueue(ctx, q)
}

// Queues implements storage.Queues.
func (c *control) Queues(ctx context.Context, p messaging.Project, topics bool, after string, limit int) (page []messaging.Queue, err error) {
	defer c.failing(&err)
	return c.of(topics).Queues(ctx, p, topics, after, limit)
}

// CountQueues implements storage.Queues.
func (c *control) CountQueues(ctx context.Context, p messaging.Project, topics bool) (n int, err error) {
	defer c.failing(&err)
	return c.of(topics).CountQueues(ctx, p, topics)
}
