package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"zaqar/bench/load"
	"zaqar/bench/process"
	"zaqar/bench/report"
)

// Run measures a server with the scenarios asked for, in turns with another
// one if that was asked for too, and writes a table. Messages that are not
// accounted for, wrong answers and servers that fail are errors; what was
// measured before is reported.
func Run(ctx context.Context, o RunOptions, stdout, stderr io.Writer) error {
	if err := o.Check(); err != nil {
		return err
	}
	if err := Writable(o.JSON); err != nil {
		return err
	}
	modest(o.Procs)
	b := &runner{RunOptions: o, stage: &stage{
		programs: o.Programs, dir: o.Dir, keep: o.Keep, project: o.Project, headers: o.headers(), timeout: o.Timeout,
		// No two benchmarks share queues.
		prefix: fmt.Sprintf("%s-%08x", o.Prefix, rand.Uint32()),
		body:   load.Body(o.Size), warmup: o.Warmup, duration: o.Duration,
		progress: newProgress(stderr, o.Quiet), report: newReport(o.Programs.Version, o.settings()),
	}}
	return b.finish(ctx, b.runAll(ctx), o.JSON, stdout)
}

// settings are the options that matter for the result.
func (o *RunOptions) settings() map[string]any {
	return map[string]any{
		"server_url": o.ServerURL, "against": o.Against, "rounds": o.Rounds,
		"duration": o.Duration.Seconds(), "warmup": o.Warmup.Seconds(),
		"connections": o.Connections, "rate": o.Rate, "size": o.Size, "batch": o.Batch, "client_procs": o.Procs,
	}
}

// runner is one run of Run.
type runner struct {
	RunOptions
	*stage
	this, other *side // other: nil if there is none
}

func (b *runner) runAll(ctx context.Context) error {
	if err := b.servers(ctx); err != nil {
		return err
	}
	all, err := b.all()
	if err != nil {
		return err
	}
	for _, j := range all {
		if err := b.job(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// servers finds or starts the servers and asks whether they can be measured.
func (b *runner) servers(ctx context.Context) error {
	var err error
	if b.ServerURL == "" {
		b.this, err = b.startProduct(ctx, "data", "default")
	} else {
		b.this, err = b.foreign(ctx, b.ServerURL, b.Pids)
	}
	if err != nil {
		return err
	}
	switch b.Against {
	case "":
	case AgainstNull:
		b.other, err = b.startNull(ctx)
	default:
		b.other, err = b.foreign(ctx, b.Against, b.AgainstPids)
	}
	return err
}

// foreign is a server that somebody else runs.
func (b *runner) foreign(ctx context.Context, url string, pids []int) (*side, error) {
	parsed, err := load.ParseURL(url)
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		if process.UsageOf(pid) == (process.Usage{}) {
			return nil, fmt.Errorf("nothing can be known of process %d", pid)
		}
	}
	t := b.target()
	t.Addr, t.TLS, t.Prefix = parsed.Addr, parsed.TLS, parsed.Prefix
	defer b.during("asking "+t.String(), nil)()
	if err := t.Check(ctx); err != nil {
		return nil, fmt.Errorf("%s cannot be measured: %w", t.String(), err)
	}
	name := t.Addr + t.Prefix
	if b.this != nil && b.this.name == name {
		name += " again"
	}
	return &side{name: name, target: t, pids: pids}, nil
}

// sides are the servers to measure.
func (b *runner) sides() []*side {
	if b.other == nil {
		return []*side{b.this}
	}
	return []*side{b.this, b.other}
}

// job measures a scenario in rounds. In every second round the other server
// comes first, so that what grows with time tells for neither.
func (b *runner) job(ctx context.Context, j job) error {
	row := &report.Row{Name: j.Name, What: j.what, Unit: "requests/s"}
	if j.Waits() {
		row.Unit = "messages received/s"
	}
	if b.other != nil {
		row.What, row.Unit = j.what+" ÷ "+b.other.name, ""
	}
	sides := b.sides()
	deep := map[*side]*load.Queues{}
	err := b.rounds(b.Rounds, func(round int) error {
		samples := make([]report.Sample, len(sides))
		for i := range sides {
			i := (i + round) % len(sides)
			var err error
			if samples[i], err = b.sample(ctx, sides[i], j, deep); err != nil {
				return fmt.Errorf("%s, round %d: %w", j.Name, round+1, err)
			}
		}
		if len(sides) == 1 {
			row.Samples = append(row.Samples, samples[0])
			return nil
		}
		row.Pairs = append(row.Pairs, report.Pair{This: samples[0], Other: samples[1], Ratio: report.Over(samples[0].Rate, samples[1].Rate)})
		return nil
	})
	if err != nil {
		return err
	}
	b.add(row)
	for i, on := range sides {
		if q := deep[on]; q != nil {
			a, err := b.settle(ctx, on, q, nil, j)
			if err != nil {
				return fmt.Errorf("%s: %w", j.Name, err)
			}
			lastOf(row, i).Account = accounted(on, a)
		}
	}
	return nil
}

// lastOf returns the last sample in a row of this server (0) or the other one.
func lastOf(row *report.Row, side int) *report.Sample {
	if len(row.Samples) > 0 {
		return &row.Samples[len(row.Samples)-1]
	}
	p := &row.Pairs[len(row.Pairs)-1]
	return [2]*report.Sample{&p.This, &p.Other}[side]
}

// accounted is the account as it is reported: nil of a server that only looks
// like one.
func accounted(on *side, a *load.Account) *report.Account {
	if !on.target.Real {
		return nil
	}
	return &report.Account{Posted: a.Posted, Claimed: a.Claimed, Deleted: a.Deleted, Left: a.Left}
}

// sample measures a scenario once and accounts for the messages. deep holds
// the queues that are kept for the next round.
func (b *runner) sample(ctx context.Context, on *side, j job, deep map[*side]*load.Queues) (report.Sample, error) {
	q := deep[on]
	if q == nil {
		var err error
		if q, err = b.prepare(ctx, on, j); err != nil {
			return report.Sample{}, err
		}
	}
	plan, err := b.plan(ctx, on, q, j)
	if err != nil {
		return report.Sample{}, err
	}
	s, result, err := b.measure(ctx, on, q, plan)
	if err != nil {
		return s, err
	}
	b.remark(on, j, result)
	if j.Waits() {
		s.Rate = float64(s.Received) / s.Seconds
	}
	if j.deep {
		deep[on] = q
		return s, b.nothing(on, s)
	}
	a, err := b.settle(ctx, on, q, result, j)
	if err != nil {
		return s, err
	}
	if !on.target.Real {
		return s, b.nothing(on, s)
	}
	s.Account = accounted(on, a)
	if d := &a.Delivery; d.Count() > 0 {
		s.Delivery = &report.Latency{
			Count: d.Count(), P50: d.Quantile(0.5).Seconds(), P95: d.Quantile(0.95).Seconds(),
			P99: d.Quantile(0.99).Seconds(), Max: d.Max().Seconds(),
		}
	}
	return s, b.nothing(on, s)
}

// plan says how a scenario is run on a server.
func (b *runner) plan(ctx context.Context, on *side, q *load.Queues, j job) (load.Plan, error) {
	p := load.Plan{Scenario: j.Scenario, Connections: b.Connections, Rate: b.Rate}
	if j.Readers > 0 {
		p.Connections = 1
	}
	var err error
	if j.Waits() {
		p.Waits, err = b.waits(ctx, on, q)
	}
	return p, err
}

// prepare makes the queues of a scenario with what they begin with.
func (b *runner) prepare(ctx context.Context, on *side, j job) (*load.Queues, error) {
	q, err := b.queues(ctx, on, load.Spec{Count: j.queues, Timed: j.Waits()})
	if err != nil {
		return nil, err
	}
	limit := time.Duration(0)
	if j.consumed && b.Fill < 0 {
		// A server that takes long for posts takes long for claims as well.
		limit = 2 * (b.warmup + b.duration)
	}
	return q, b.fill(ctx, on, q, j.fill, limit)
}

// waits asks whether a server lets clients wait for messages.
func (b *runner) waits(ctx context.Context, on *side, q *load.Queues) (bool, error) {
	if on.waits != nil {
		return *on.waits, nil
	}
	yes, err := q.Waits(ctx)
	if err != nil {
		return false, on.gone(err)
	}
	if !yes {
		b.note("%s ignores wait; clients ask again after %s instead", on.name, load.PollTime)
	}
	on.waits = &yes
	return yes, nil
}

// remark notes what is odd about a sample.
func (b *runner) remark(on *side, j job, r *load.Result) {
	if r.Redials > 0 {
		b.note("%s closes connections after answers; making them again is part of what was measured", on.name)
	}
	if due := r.Behind + r.Requests; r.Behind > due/100 {
		b.note("%s: %s was asked for more than it could take: %d steps were not begun in time", j.Name, on.name, r.Behind)
	}
}

// settle accounts for the messages of a queue at rest and deletes it.
func (b *runner) settle(ctx context.Context, on *side, q *load.Queues, r *load.Result, j job) (*load.Account, error) {
	if j.drain {
		end := b.during("consuming what is left on "+on.name, nil)
		err := q.Drain(ctx)
		end()
		if err != nil {
			return nil, on.gone(err)
		}
	}
	a, err := b.audit(ctx, on, q, r)
	if err != nil {
		return a, err
	}
	if j.drain && a.Left > 0 {
		return a, fmt.Errorf("%w: %d are listed that cannot be claimed", load.ErrFindings, a.Left)
	}
	return a, b.drop(ctx, q)
}
