package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/embedded/disk"
)

// What the tools for the embedded store tell. The JSON forms are part of the
// program's interface: names stay, and more may come.
type (
	// StoreInfo is what is in a store.
	StoreInfo = embedded.Info
	// StoreVerified is what Verify found.
	StoreVerified = embedded.VerifyReport
	// StoreDamage is one piece of damage.
	StoreDamage = embedded.Finding
	// StoreBackup is what a backup holds.
	StoreBackup = embedded.BackupReport
	// StoreCompacted is what Compact gained.
	StoreCompacted = embedded.CompactReport
	// StoreCondition is what Glance saw.
	StoreCondition = embedded.Condition
	// StoreProgress is how far a tool has come.
	StoreProgress = embedded.Progress
)

// AllQueues asks InspectStore for every queue.
const AllQueues = embedded.AllQueues

// ErrNoStore is the error of the tools for a directory without a store.
var ErrNoStore = embedded.ErrNoStore

// IsLocked reports whether a tool failed because a server has the store open.
func IsLocked(err error) bool { return errors.Is(err, disk.ErrLocked) }

// Tools work on the embedded store in a directory, which need not be that of a
// running server.
type Tools struct {
	Dir      string
	Progress func(StoreProgress) // nil: nobody is told
}

func (t Tools) embedded() embedded.Tool {
	env := storage.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	return embedded.Tool{Dir: t.Dir, Env: env, Progress: t.Progress}
}

// Inspect tells what is in a store, stopped or in use, with so many of its
// queues, those that take most space.
func (t Tools) Inspect(ctx context.Context, queues int) (*StoreInfo, error) {
	return embedded.Inspect(ctx, t.embedded(), queues)
}

// Verify reads every byte of a store, stopped or in use, or of a backup. An
// error means that this could not be done.
func (t Tools) Verify(ctx context.Context) (*StoreVerified, error) {
	return embedded.Verify(ctx, t.embedded())
}

// Backup copies a store, stopped or in use, to a new or empty directory.
func (t Tools) Backup(ctx context.Context, to string) (*StoreBackup, error) {
	return embedded.Backup(ctx, t.embedded(), to)
}

// Compact gives back what space can be had in a store that nobody has open.
func (t Tools) Compact(ctx context.Context) (*StoreCompacted, error) {
	return embedded.CompactAll(ctx, t.embedded())
}

// Glance tells within milliseconds whether a store, stopped or in use, can be
// expected to work.
func (t Tools) Glance(ctx context.Context) (*StoreCondition, error) {
	return embedded.Glance(ctx, t.embedded())
}

// Directory returns where the store keeps its files. It fails for stores that keep
// none.
func (s Store) Directory() (string, error) {
	if s.Driver != "embedded" {
		return "", fmt.Errorf("the configured store %q keeps no files", s.Driver)
	}
	return s.Dir, nil
}
