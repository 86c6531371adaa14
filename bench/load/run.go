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
	// Rate, if not 0, is how many steps (a post, a list, or a claim with its
	// deletes) all connections together begin in a second. A step that begins
	// late because all connections were busy is measured from when it was due:
	// a server that stalls does not hide that by keeping the load away.
	Rate float64
	// Waits says that the server honours wait; else receivers poll.
	Waits bool
	// Cycles, if not 0, ends each connection after so many.
	Cycles int
	// Mark is called at the begin and at the end of the time that is measured;
	// it may be nil.
	Mark func()
	// Live, if not nil, is how many requests were answered so far.
	Live *atomic.Int64
}

func (p *Plan) live(op Op) {
	if p.Live != nil && op != Wait {
		p.Live.Add(1)
	}
}

// Result is what was measured.
type Result struct {
	From, To time.Time // the window; what follows was measured in it
	Elapsed  time.Duration
	Requests int64          // without those that wait
	Messages int64          // posted, listed or claimed
	Received int64          // of these, by consumers and readers
	Latency  Histogram      // of all requests, without those that wait
	Of       [ops]Histogram // by kind
	Redials  int64          // connections made again because the server closed them
	Behind   int64          // steps that Rate asked for and that were not begun
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

// run is a plan under way.
type run struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	queues *Queues
	plan   Plan
	begun  time.Time
	window window

	workers   []*worker
	receivers []*receiver
	turns     atomic.Int64 // taken, if there is a rate
	dry       atomic.Bool
	stage     atomic.Int32
}

// Stages of a run.
const (
	working   = iota
	lastPost  // the workers have ended, and one more message is posted
	allPosted // nothing more is
)

// Run carries a plan out on queues. A connection ends with a whole step, so
// that the queues are at rest afterwards. The first mistake of the server ends
// the run and is its error.
func Run(ctx context.Context, q *Queues, p Plan) (*Result, error) {
	r := &run{queues: q, plan: p}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	defer r.close()
	if err := r.connect(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Scenario.Name, err)
	}
	defer closeAfter(r.ctx, r.close)()
	defer context.AfterFunc(r.ctx, r.closeReceivers)()
	r.begun = time.Now()
	r.window.from = r.begun.Add(p.Warmup)
	end := r.window.from.Add(p.Duration)
	r.window.to.Store(&end)

	done := r.start()
	watched := make(chan struct{})
	go func() { defer close(watched); r.guard(done) }()
	r.mark(done)
	<-done
	<-watched
	if r.ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", p.Scenario.Name, context.Cause(r.ctx))
	}
	return r.collect()
}

func (r *run) connect() error {
	for i := range r.plan.Connections {
		w, err := r.worker(i)
		if err != nil {
			return err
		}
		r.workers = append(r.workers, w)
	}
	s := &r.plan.Scenario
	for i := range s.Consumers + s.Readers {
		v, err := r.receiver(r.plan.Connections+i, i >= s.Consumers)
		if err != nil {
			return err
		}
		r.receivers = append(r.receivers, v)
	}
	return nil
}

func (r *run) close() {
	for _, c := range r.clients() {
		c.close()
	}
}

// closeReceivers ends all waiting.
func (r *run) closeReceivers() {
	for _, v := range r.receivers {
		v.close()
	}
}

func (r *run) clients() []*client {
	var all []*client
	for _, w := range r.workers {
		all = append(all, w.client)
	}
	for _, v := range r.receivers {
		all = append(all, v.client)
	}
	return all
}

// start lets all connections do their work, and closes the channel when they
// have done it.
func (r *run) start() <-chan struct{} {
	var posting, receiving sync.WaitGroup
	for _, v := range r.receivers {
		receiving.Go(func() { r.failed(v.receive()) })
	}
	for _, w := range r.workers {
		posting.Go(func() {
			dry, err := w.work()
			r.failed(err)
			if dry {
				r.dry.Store(true)
				r.window.endAt(time.Now())
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		posting.Wait()
		r.window.endAt(time.Now())
		r.stage.Store(lastPost)
		r.failed(r.wake())
		r.stage.Store(allPosted)
		receiving.Wait()
	}()
	return done
}

// wake posts a last message, so that receivers do not wait any more.
func (r *run) wake() error {
	if len(r.receivers) == 0 || r.ctx.Err() != nil {
		return nil
	}
	_, err := r.workers[0].doPost(time.Time{})
	return err
}

// failed ends the run with its first error.
func (r *run) failed(err error) {
	if err != nil {
		r.cancel(err)
		r.window.endAt(time.Now())
	}
}

// turn returns when the next step is due; zero stands for now. It waits for
// that; ok is false when the window is over before.
func (r *run) turn() (due time.Time, ok bool) {
	now, end := time.Now(), *r.window.to.Load()
	if r.ctx.Err() != nil || !now.Before(end) {
		return due, false
	}
	if r.plan.Rate == 0 {
		return due, true
	}
	due = r.dueAt(r.turns.Add(1) - 1)
	if !due.Before(end) {
		return due, false
	}
	if ahead := due.Sub(now); ahead > 0 {
		r.pause(ahead)
		return time.Time{}, r.ctx.Err() == nil
	}
	return due, true
}

// dueAt returns when the nth step is due, or some time after the end of any run.
func (r *run) dueAt(n int64) time.Time {
	return r.begun.Add(time.Duration(min(float64(n)/r.plan.Rate*float64(time.Second), 1<<62)))
}

// pause waits, unless the run ends.
func (r *run) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
	}
}

// patience is how long the answer to a request may take.
func (r *run) patience(op Op) time.Duration {
	if op == Wait {
		return r.queues.target.timeout() + waitSeconds*time.Second
	}
	return r.queues.target.timeout()
}

// mark marks the begin and the end of the window.
func (r *run) mark(done <-chan struct{}) {
	for _, at := range []time.Time{r.window.from, *r.window.to.Load()} {
		timer := time.NewTimer(time.Until(at))
		select {
		case <-timer.C:
		case <-done:
			timer.Stop()
		}
		if r.plan.Mark != nil {
			r.plan.Mark()
		}
	}
}

// lag bounds how much longer than the posts the receivers may take, in
// durations of the run.
const lag = 10

// guard ends the run when an answer takes too long, or when messages do not
// cease to come.
func (r *run) guard(done <-chan struct{}) {
	tick := time.NewTicker(max(time.Millisecond, min(time.Second, r.queues.target.timeout()/4)))
	defer tick.Stop()
	last := r.begun.Add(r.plan.Warmup + r.plan.Duration).Add(lag*(r.plan.Warmup+r.plan.Duration) + r.patience(Wait))
	for {
		select {
		case <-done:
			return
		case now := <-tick.C:
			for _, c := range r.clients() {
				if err := c.overdue(now); err != nil {
					r.failed(err)
					c.close()
				}
			}
			if r.stage.Load() == allPosted && now.After(last) {
				r.failed(errors.New("messages did not cease to come after the last post"))
			}
		}
	}
}

// collect adds up what the connections measured.
func (r *run) collect() (*Result, error) {
	s := &Result{From: r.window.from, To: *r.window.to.Load(), Exhausted: r.dry.Load()}
	s.Elapsed = s.To.Sub(s.From)
	if s.Elapsed <= 0 {
		if s.Exhausted {
			return nil, fmt.Errorf("%s: nothing was left to claim before the measurement began; fill the queue with more", r.plan.Scenario.Name)
		}
		if r.plan.Rate > 0 {
			return nil, fmt.Errorf("%s: at %v a second no step is due in the time that is measured", r.plan.Scenario.Name, r.plan.Rate)
		}
		return nil, fmt.Errorf("%s: the connections ended before the measurement began", r.plan.Scenario.Name)
	}
	for _, c := range r.clients() {
		s.Messages += c.messages
		s.Redials += c.redials
		for op := range c.measured {
			s.Of[op].Add(&c.measured[op])
		}
	}
	for _, v := range r.receivers {
		s.Received += v.messages
	}
	for op := range s.Of {
		if Op(op) != Wait {
			s.Latency.Add(&s.Of[op])
		}
	}
	s.Requests = s.Latency.Count()
	if r.plan.Rate > 0 && !s.Exhausted {
		asked := int64(s.To.Sub(r.begun).Seconds() * r.plan.Rate)
		s.Behind = max(0, asked-r.turns.Load())
	}
	return s, nil
}
