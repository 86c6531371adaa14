package storage

import (
	"context"

	"zaqar/messaging"
)

// Pools keeps the message stores of a pooled deployment.
type Pools interface {
	// PutPool creates the pool or replaces it whole. A URI that another pool
	// has is a Conflict.
	PutPool(ctx context.Context, p messaging.Pool) error
	// Pool returns the pool, or NotFound.
	Pool(ctx context.Context, name string) (messaging.Pool, error)
	// Pools returns up to limit pools (0: all) ascending by name, strictly
	// after the given name.
	Pools(ctx context.Context, after string, limit int) ([]messaging.Pool, error)
	// PoolsOf returns the pools of a flavor, or those of none for the zero
	// value, ascending by name.
	PoolsOf(ctx context.Context, f messaging.FlavorRef) ([]messaging.Pool, error)
	// AmendPool stores what edit makes of the pool, or returns NotFound.
	// Conflict as for PutPool. Name stays whatever edit does. edit may run more
	// than once, does no I/O, and its error ends the call with nothing changed.
	AmendPool(ctx context.Context, name string, edit func(*messaging.Pool) error) (messaging.Pool, error)
	// DeletePool removes the pool. It is a Conflict while placements name it
	// or while it is the last pool of an existing flavor. AmendPool and PutPool
	// may take a flavor's last pool away.
	DeletePool(ctx context.Context, name string) error
}

// Flavors keeps the flavors of projects.
type Flavors interface {
	// PutFlavor creates the flavor or replaces it.
	PutFlavor(ctx context.Context, f messaging.Flavor) error
	// Flavor returns the flavor, or NotFound.
	Flavor(ctx context.Context, f messaging.FlavorRef) (messaging.Flavor, error)
	// Flavors returns up to limit flavors of the project ascending by name,
	// strictly after the given name.
	Flavors(ctx context.Context, p messaging.Project, after string, limit int) ([]messaging.Flavor, error)
	// DeleteFlavor removes the flavor and clears it from its pools (PoolsOf),
	// from those too that name a flavor that does not exist.
	DeleteFlavor(ctx context.Context, f messaging.FlavorRef) error
}

// Placements records which pool holds which queue (the catalogue).
type Placements interface {
	// Place maps the queue to the pool, replacing an earlier mapping.
	Place(ctx context.Context, p messaging.Placement) error
	// PlaceNew maps the queue unless it is mapped, and returns what holds now.
	PlaceNew(ctx context.Context, p messaging.Placement) (messaging.Placement, error)
	// Placement returns the mapping of the queue, or NotFound.
	Placement(ctx context.Context, q messaging.QueueRef) (messaging.Placement, error)
	// Placements returns the mappings of a project, queues before topics, each
	// ascending by name.
	Placements(ctx context.Context, p messaging.Project) ([]messaging.Placement, error)
	// PlacedOn returns up to limit mappings to the pool, in a stable order.
	PlacedOn(ctx context.Context, pool string, limit int) ([]messaging.Placement, error)
	// Unplace removes the mapping of the queue.
	Unplace(ctx context.Context, q messaging.QueueRef) error
}
