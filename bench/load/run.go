package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Plan says how long and how wide a scenario runs.
type Plan struct {
	Scenario    Scenario
	Connections int
	Warmup      time.Duration // runs, but is not measured
	Duration    time.Duration // measured
	// Cycles, if not 0, ends each connection after so many.
	Cycles int
	// Mark is called at the begin and at the end of the time that is measured;
	// it may be nil.
	Mark func()
}

// Result is what was measured.
type Result struct {
	Elapsed  time.Duration
	Requests int64
	Messages int64          // posted, listed or claimed
	Latency  Histogram      // of all requests
	Of       [ops]Histogram // by kind
	// Exhausted says that nothing was left to claim before the time was over.
	Exhausted bool
}

// Rate returns requests per second.
func (r *Result) Rate() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// window is the time that is measured. It ends early when a connection finds
// nothing to do.
type window struct {
	from time.Time
	to   atomic.Pointer[time.Time]
}

func (w *window) holds(t time.Time) bool { return !t.Before(w.from) && t.Before(*w.to.Load()) }

// endAt ends the window at t if it does not end before.
func (w *window) endAt(t time.Time) {
	for {
		old := w.to.Load()
		if !t.Before(*old) || w.to.CompareAndSwap(old, &t) {
			return
		}
	}
}

// Run carries a plan out on a queue. A connection ends with a whole cycle, so
// that the queue is at rest afterwards. The first mistake of the server ends
// the run and is its error.
func Run(ctx context.Context, q *Queue, p Plan) (Result, error) {
	w := &window{from: time.Now().Add(p.Warmup)}
	end := w.from.Add(p.Duration)
	w.to.Store(&end)
	workers := make([]*worker, p.Connections)
	for i := range workers {
		k, err := newWorker(i, q, p.Scenario, w)
		if err != nil {
			return Result{}, err
		}
		defer k.conn.Close()
		workers[i] = k
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		for _, k := range workers {
			k.conn.Close()
		}
	})()

	var running sync.WaitGroup
	var dry atomic.Bool
	for _, k := range workers {
		running.Go(func() {
			exhausted, err := k.run(ctx, p.Cycles)
			if err != nil {
				cancel(err)
			}
			if exhausted {
				dry.Store(true)
			}
			if exhausted || err != nil {
				w.endAt(time.Now())
			}
		})
	}
	p.watch(w, &running)
	if ctx.Err() != nil {
		return Result{}, fmt.Errorf("%s: %w", p.Scenario.Name, context.Cause(ctx))
	}
	return collect(workers, w, dry.Load())
}

// run repeats the scenario until the window is over or nothing is left.
func (k *worker) run(ctx context.Context, cycles int) (exhausted bool, err error) {
	if err := k.conn.SetDeadline(k.window.to.Load().Add(answerTime)); err != nil {
		return false, err
	}
	for n := 0; cycles == 0 || n < cycles; n++ {
		if ctx.Err() != nil || !time.Now().Before(*k.window.to.Load()) {
			return false, nil
		}
		more, err := k.cycle()
		if err != nil || !more {
			return err == nil, err
		}
	}
	return false, nil
}

// watch marks the window and returns when all connections have ended.
func (p *Plan) watch(w *window, running *sync.WaitGroup) {
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	for _, at := range []time.Time{w.from, *w.to.Load()} {
		timer := time.NewTimer(time.Until(at))
		select {
		case <-timer.C:
		case <-done:
			timer.Stop()
			w.endAt(time.Now())
		}
		if p.Mark != nil {
			p.Mark()
		}
	}
	<-done
}

// collect adds up what the workers measured.
func collect(workers []*worker, w *window, exhausted bool) (Result, error) {
	r := Result{Elapsed: w.to.Load().Sub(w.from), Exhausted: exhausted}
	if r.Elapsed <= 0 {
		if exhausted {
			return r, errors.New("nothing was left to claim before the measurement began; fill the queue with more")
		}
		r.Elapsed = 0
	}
	for _, k := range workers {
		r.Messages += k.messages
		for op := range k.measured {
			r.Of[op].Add(&k.measured[op])
		}
	}
	for op := range r.Of {
		r.Latency.Add(&r.Of[op])
	}
	r.Requests = r.Latency.Count()
	return r, nil
}
