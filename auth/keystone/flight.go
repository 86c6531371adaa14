package keystone

import (
	"context"
	"sync"
)

// flights are the validations under way, one for each token.
type flights struct {
	mu     sync.Mutex
	open   map[key]*flight
	closed bool
	work   sync.WaitGroup
}

type flight struct {
	done  chan struct{}
	entry *entry
	err   error
}

// join returns the outcome of the flight for the key. Without one it looks
// whether the answer is known by now, and else begins one: begin runs in a
// goroutine of its own, because others may wait for it after the first went
// away.
func (f *flights) join(ctx context.Context, k *key, known func() (*entry, error, bool), begin func() (*entry, error)) (*entry, error) {
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
		a = &flight{done: make(chan struct{})}
		f.open[*k] = a
		f.work.Go(func() { f.run(*k, a, begin) })
	}
	f.mu.Unlock()
	select {
	case <-a.done:
		return a.entry, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (f *flights) run(k key, a *flight, begin func() (*entry, error)) {
	defer func() {
		f.mu.Lock()
		delete(f.open, k)
		f.mu.Unlock()
		close(a.done)
	}()
	a.entry, a.err = begin()
}

// close lets no flight begin any more and waits for those under way.
func (f *flights) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.work.Wait()
}
