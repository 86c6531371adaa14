package storage

import (
	"context"

	"zaqar/messaging"
)

// Queues keeps the records of queues and topics. The two are separate name
// spaces, told apart by QueueRef.Topic.
type Queues interface {
	// CreateQueue stores a new record and reports true. An existing queue is
	// left untouched and reports false. Of concurrent calls for one name
	// exactly one reports true.
	CreateQueue(ctx context.Context, q messaging.QueueRef, m *messaging.Metadata) (created bool, err error)
	// Queue returns the record, or NotFound.
	Queue(ctx context.Context, q messaging.QueueRef) (messaging.Queue, error)
	// AmendQueue replaces the metadata by what edit makes of it and returns
	// the new record, or NotFound. Edits of one queue do not interleave. edit
	// may run more than once, does no I/O, and its error ends the call with
	// nothing changed.
	AmendQueue(ctx context.Context, q messaging.QueueRef, edit func(*messaging.Metadata) (*messaging.Metadata, error)) (messaging.Queue, error)
	// DeleteQueue removes the record. Messages are dropped by Messages.Drop.
	DeleteQueue(ctx context.Context, q messaging.QueueRef) error
	// Queues returns up to limit queues (or topics) of the project, ascending
	// byte-wise by name, strictly after the given name, which need not exist.
	Queues(ctx context.Context, p messaging.Project, topics bool, after string, limit int) ([]messaging.Queue, error)
	// CountQueues returns the number of queues (or topics) of the project.
	CountQueues(ctx context.Context, p messaging.Project, topics bool) (int, error)
}
