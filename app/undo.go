package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// closeTime bounds steps that need little time unless something hangs.
const closeTime = 20 * time.Second

// undo holds what takes back each part that was built.
type undo struct {
	log   *slog.Logger
	steps []step
	once  sync.Once
	err   error
}

type step struct {
	name  string
	limit time.Duration
	do    func(context.Context) error
}

func (u *undo) add(name string, limit time.Duration, do func(context.Context) error) {
	u.steps = append(u.steps, step{name, limit, do})
}

// run takes the steps backwards, once. A step that fails or exceeds its limit
// does not keep the others from running.
func (u *undo) run() error {
	u.once.Do(func() {
		for _, s := range slices.Backward(u.steps) {
			u.err = errors.Join(u.err, s.run(u.log))
		}
	})
	return u.err
}

func (s step) run(log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	done := make(chan error, 1)
	begun := time.Now()
	go func() { done <- s.do(ctx) }()
	// A step that watches ctx gets a moment to report what it left behind.
	hung := time.NewTimer(s.limit + time.Second)
	defer hung.Stop()
	var err error
	select {
	case err = <-done:
	case <-hung.C:
		err = context.DeadlineExceeded
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	log.Debug("stop: "+s.name, "took", time.Since(begun))
	return nil
}
