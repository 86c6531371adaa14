package trust

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// removals removes trusts beside everything else. What a Keystone that cannot
// be asked does not remove ends with the lifetime of its subscription.
type removals struct {
	remove  func(ctx context.Context, id string) error
	log     *slog.Logger
	ids     chan string
	workers sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc

	mu     sync.Mutex
	closed bool
}

const (
	mostRemovals = 10_000 // that wait
	removers     = 4
	removalTime  = 30 * time.Second
)

func (r *removals) begin(remove func(context.Context, string) error, log *slog.Logger) {
	r.remove, r.log, r.ids = remove, log, make(chan string, mostRemovals)
	r.ctx, r.stop = context.WithCancel(context.Background())
	for range removers {
		r.workers.Go(r.work)
	}
}

// add reports whether there was room for one more.
func (r *removals) add(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	select {
	case r.ids <- id:
		return true
	default:
		return false
	}
}

func (r *removals) work() {
	for id := range r.ids {
		ctx, cancel := context.WithTimeout(r.ctx, removalTime)
		if err := r.remove(ctx, id); err != nil {
			r.log.Warn("a trust cannot be removed, and ends with its lifetime", "error", err)
		}
		cancel()
	}
}

// end takes no more and waits for what there is until ctx ends; then it gives
// up.
func (r *removals) end(ctx context.Context) {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.ids)
	}
	r.mu.Unlock()
	defer context.AfterFunc(ctx, r.stop)()
	r.workers.Wait()
	r.stop()
}
