package storage

import (
	"context"
	"log/slog"
	"time"

	"zaqar/messaging"
)

// MaxLifetime is the longest lifetime of a message or claim that every store
// keeps, in seconds.
const MaxLifetime = 1<<32 - 1

// Env is what a store needs from its surroundings.
type Env struct {
	Now func() time.Time // the only clock a store may read
	Log *slog.Logger
}

// Data is a store of messages, claims and subscriptions.
type Data interface {
	Messages
	Claims
	Subscriptions
	Lifecycle
	// Capabilities tells what the store promises, in the order of the
	// constants of package messaging.
	Capabilities() []messaging.Capability
}

// Surveyor is what a Data store may be as well: one that can tell how full each
// of its queues is with little work, for metrics.
type Surveyor interface {
	// Survey calls each with the unexpired messages of every queue and topic
	// that has some, as Volume counts them, in any order. each is quick and
	// does not use the store.
	Survey(ctx context.Context, each func(q messaging.QueueRef, total, claimed int)) error
}

// PartLister is what a Data store may be as well: one that can tell which parts
// there are. What belongs to subscriptions that ended while nobody was there to
// remove it lives out its lifetime in other stores.
type PartLister interface {
	// Parts calls each with every part that holds messages, of the queues and
	// topics of all projects, once, in any order. Parts without messages may be
	// among them, but for those that were dropped since. Changes made meanwhile
	// may or may not show, and the call may take time in proportion to the queues.
	// each is quick and does not use the store.
	Parts(ctx context.Context, each func(messaging.QueueRef)) error
}

// Control is the store of everything that is not on the hot path: which
// queues exist, how pools and flavors place them, and what projects may have.
type Control interface {
	Queues
	Pools
	Flavors
	Placements
	Quotas
	Lifecycle
}

// Store is a store of both planes.
type Store interface {
	Data
	Control
}

// Lifecycle is common to both planes. A store that implements both has one of
// each method and may be closed twice.
type Lifecycle interface {
	// Ping reports whether the store can serve reads and writes, as nil or an
	// Unavailable error, within the deadline of ctx.
	Ping(ctx context.Context) error
	// Sweep reclaims what has expired and returns how much that was. Visible
	// behaviour never depends on it. Stores with work of this sort also do it
	// on their own.
	Sweep(ctx context.Context) (Swept, error)
	// Close releases everything. Calls after it fail with Unavailable.
	Close() error
}

// Swept counts what one Sweep found expired and reclaimed since the last one.
type Swept struct {
	Messages, Claims, Subscriptions int
}
