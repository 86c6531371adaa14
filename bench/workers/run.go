package workers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"zaqar/bench/load"
)

// Progress is what has happened so far.
type Progress struct {
	Elapsed time.Duration
	// Posts, Claims, Deletes and Lists are requests that succeeded.
	Posts, Claims, Deletes, Lists int64
	Failed                        int64 // requests
	// Checking says that the load is over and so many messages have been
	// compared.
	Checking bool
	Checked  int64
}

// run is one run under way.
type run struct {
	o        Options
	target   load.Target
	queues   []string
	ledger   load.Ledger
	pace     pace
	counters counters
	checked  progressCount

	groups  [3][]*worker // producers, consumers, observers
	elapsed [3]time.Duration
}

// Groups in a run.
const (
	producers = iota
	consumers
	observers
)

// newTarget returns the server that the options name.
func newTarget(o *Options) (load.Target, error) {
	t, err := load.ParseURL(o.Server)
	if err != nil {
		return t, err
	}
	t.Project = o.Project
	if t.TLS != nil && o.TLS != nil {
		name := t.TLS.ServerName
		t.TLS = o.TLS.Clone()
		t.TLS.ServerName = name
	}
	return t, nil
}

// Run carries the options out. When the context ends, the load ends early and
// what was done is checked and reported all the same.
//
// The error is why there is no result: the options, a server that cannot be
// reached, or one that went away; in the last case there is a report too, of
// what was done until then. Whether the server made mistakes is said by the
// report: see Report.Err.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	r := &run{o: o}
	var err error
	if r.target, err = newTarget(&o); err != nil {
		return nil, err
	}
	for n := range o.Queues {
		r.queues = append(r.queues, fmt.Sprintf("%s-%d", o.Prefix, n))
	}
	r.ledger.Keeps = load.Keeps{Timed: true, Bodies: true}
	r.ledger.Shared = o.SkipReset
	// A claim begins before its answer comes, at most by the time that an
	// answer may take.
	r.ledger.ClaimLife = claimTTL*time.Second - answerTime - o.Wait
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	return r.carryOut(ctx)
}

// prepare asks whether the server is there and deletes the queues.
func (r *run) prepare(ctx context.Context) error {
	c := newClient(r.target, r.o.Auth)
	defer c.close()
	defer context.AfterFunc(ctx, c.hurry)()
	requests := []*request{{method: "GET", path: "/v2/ping"}}
	if !r.o.SkipReset {
		for _, q := range r.queues {
			requests = append(requests, &request{method: "DELETE", path: "/v2/queues/" + q})
		}
	}
	for _, q := range requests {
		a, err := c.do(ctx, q)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if a.Status != http.StatusNoContent {
			return refused(q, a)
		}
	}
	return nil
}

// carryOut puts the server under load, checks the account and reports.
func (r *run) carryOut(ctx context.Context) (*Report, error) {
	r.pace.begin = time.Now()
	r.pace.end, r.pace.rate = r.pace.begin.Add(r.o.Duration), r.o.Rate
	for i, g := range []struct {
		Group
		role func(*worker) func(context.Context) error
	}{{r.o.Producers, producer}, {r.o.Consumers, consumer}, {r.o.Observers, observer}} {
		for range g.connections() {
			r.groups[i] = append(r.groups[i], r.newWorker(g.role))
		}
	}
	stop := r.tell()
	err := r.load(ctx)
	interrupted := ctx.Err() != nil
	ended := time.Now()
	var account *load.Account
	if err == nil {
		// The check is bounded, and what was done should not go unchecked.
		account, err = r.audit(context.WithoutCancel(ctx))
	}
	stop()
	return r.report(account, ended, interrupted), err
}

// load lets all workers work until the end. The error is the first connection
// that broke.
func (r *run) load(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	var mu sync.Mutex
	var broke error
	for _, w := range slices.Concat(r.groups[:]...) {
		defer context.AfterFunc(ctx, w.client.hurry)()
		running.Go(func() {
			if err := w.work(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if broke == nil {
					broke = err
				}
				cancel(err)
			}
		})
	}
	running.Wait()
	for i, g := range r.groups {
		for _, w := range g {
			r.elapsed[i] = max(r.elapsed[i], w.ended.Sub(r.pace.begin))
		}
	}
	if broke != nil {
		return fmt.Errorf("the run was given up: %w", broke)
	}
	return nil
}

// tell tells the progress until stop is called.
func (r *run) tell() (stop func()) {
	if r.o.Progress == nil {
		return func() {}
	}
	done := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(max(time.Second, r.o.Duration/60))
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				r.o.Progress(r.progress())
			}
		}
	})
	return func() { close(done); telling.Wait() }
}

func (r *run) progress() Progress {
	c := &r.counters
	p := Progress{
		Elapsed: time.Since(r.pace.begin),
		Posts:   c.ok[opPost].Load(), Claims: c.ok[opClaim].Load(), Deletes: c.ok[opDelete].Load(), Lists: c.ok[opList].Load(),
	}
	for o := range c.failed {
		p.Failed += c.failed[o].Load()
	}
	p.Checking, p.Checked = r.checked.get()
	return p
}

var errUnchecked = errors.New("the account could not be checked")
