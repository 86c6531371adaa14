package keystone

import (
	"context"
	"errors"
	"sync"
	"time"
)

// mostAsked is how many validations ask Keystone at a time, and bounds the
// connections to it: others wait for their turn.
const mostAsked = 32

// errCrowd is the failure of a validation whose turn did not come.
var errCrowd = errors.New("too many tokens wait to be validated")

// flights are the validations under way, one for each token. Keystone is asked
// about a token once its turn has come, and not at all if whoever wanted to
// know went away before: what waits is bounded by the requests that wait.
type flights struct {
	ctx      context.Context // ends those that wait for their turn
	patience time.Duration   // for a turn
	turns    chan struct{}   // of those that ask

	mu     sync.Mutex
	open   map[key]*flight
	closed bool
	work   sync.WaitGroup
}

type flight struct {
	done  chan struct{}
	entry *entry
	err   error

	waiting  int           // requests that want the outcome
	asking   bool          // its turn has come
	unwanted chan struct{} // closed when nobody waits before that
}

func newFlights(ctx context.Context, patience time.Duration) *flights {
	return &flights{ctx: ctx, patience: patience, turns: make(chan struct{}, mostAsked), open: map[key]*flight{}}
}

// join returns the outcome of the flight for the key. Without one it looks
// whether the answer is known by now, and else begins one: ask runs in a
// goroutine of its own, because others may wait for it after the first went
// away.
func (f *flights) join(ctx context.Context, k *key, known func() (*entry, error, bool), ask func() (*entry, error)) (*entry, error) {
	f.mu.Lock()
	a := f.open[*k]
	if a == nil && f.closed {
		f.mu.Unlock()
		return nil, context.Canceled
	}
	if a == nil {
		if e, err, ok := known(); ok {
			f.mu.Unlock()
			return e, err
		}
		a = &flight{done: make(chan struct{}), unwanted: make(chan struct{})}
		f.open[*k] = a
		f.work.Go(func() { f.run(*k, a, ask) })
	}
	a.waiting++
	f.mu.Unlock()
	select {
	case <-a.done:
		return a.entry, a.err
	case <-ctx.Done():
		f.leave(k, a)
		return nil, context.Cause(ctx)
	}
}

// leave is called by a request that went away.
func (f *flights) leave(k *key, a *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.waiting--; a.waiting == 0 && !a.asking {
		close(a.unwanted)
		delete(f.open, *k) // who comes now begins another one
	}
}

func (f *flights) run(k key, a *flight, ask func() (*entry, error)) {
	a.entry, a.err = f.inTurn(a, ask)
	f.mu.Lock()
	if f.open[k] == a {
		delete(f.open, k)
	}
	f.mu.Unlock()
	close(a.done)
}

// inTurn asks when the flight's turn has come.
func (f *flights) inTurn(a *flight, ask func() (*entry, error)) (*entry, error) {
	late := time.NewTimer(f.patience)
	defer late.Stop()
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-a.unwanted:
		return nil, context.Canceled
	case <-late.C:
		return nil, errCrowd
	case <-f.ctx.Done():
		return nil, f.ctx.Err()
	}
	f.mu.Lock()
	a.asking = a.waiting > 0
	f.mu.Unlock()
	if !a.asking {
		return nil, context.Canceled
	}
	return ask()
}

// close lets no flight begin any more and waits for those under way.
func (f *flights) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.work.Wait()
}
