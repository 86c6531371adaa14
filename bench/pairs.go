package bench

import (
	"context"
	"math"

	"zaqar/bench/load"
	"zaqar/bench/report"
)

// httpRow is a scenario that is measured against the null sink.
type httpRow struct {
	load.Scenario
	connections int
	fill        int // messages that the queue begins with; for each second if claims drain it
	what        string
	target      *report.Target
}

func httpRows() []httpRow {
	const slowDrain, drain = 40_000, 80_000 // more than can be claimed in a second
	return []httpRow{
		{load.Scenario{Name: "post-1-c1", Post: 1}, 1, 0, "post 1, 1 connection ÷ null sink", nil},
		{load.Scenario{Name: "post-1-c16", Post: 1}, 16, 0, "post 1, 16 connections ÷ null sink", &report.Target{Floor: 0.30, Aim: 0.40}},
		{load.Scenario{Name: "post-1-c64", Post: 1}, 64, 0, "post 1, 64 connections ÷ null sink", &report.Target{Floor: 0.45, Aim: 0.60}},
		{load.Scenario{Name: "post-10-c16", Post: 10}, 16, 0, "post 10, 16 connections ÷ null sink", &report.Target{Floor: 0.25, Aim: 0.40}},
		{load.Scenario{Name: "list-10-c16", List: 10}, 16, 10_000, "list 10, 16 connections ÷ null sink", &report.Target{Floor: 0.60, Aim: 0.75}},
		{load.Scenario{Name: "claim-10-single-c16", Claim: 10}, 16, slowDrain, "claim 10 + 10 deletes, 16 connections ÷ null sink", &report.Target{Floor: 0.35, Aim: 0.45}},
		{load.Scenario{Name: "claim-10-bulk-c16", Claim: 10, Bulk: true}, 16, drain, "claim 10 + bulk delete, 16 connections ÷ null sink", &report.Target{Floor: 0.40, Aim: 0.55}},
		{load.Scenario{Name: "cycle-1-c16", Post: 1, Claim: 1}, 16, 10_000, "post 1 + claim 1 + delete, 16 connections ÷ null sink", nil},
	}
}

// againstNull measures the chosen scenarios in pairs with the null sink.
func (b *targets) againstNull(ctx context.Context, mode string) error {
	var rows []httpRow
	for _, r := range httpRows() {
		if b.wants(r.Name) || r.Name == "post-1-c64" && b.wants(amplification) {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	null, err := b.startNull(ctx)
	if err != nil {
		return err
	}
	zaqar, err := b.startProduct(ctx, "http-"+mode, mode)
	if err != nil {
		return err
	}
	for _, r := range rows {
		row := &report.Row{Name: r.Name + suffix(mode), What: r.what + suffix(mode), Target: r.target}
		err := b.inPairs(row,
			func() (report.Sample, error) { return b.sample(ctx, zaqar, r) },
			func() (report.Sample, error) { return b.sample(ctx, null, r) })
		if err != nil {
			return err
		}
		if b.wants(r.Name) {
			b.add(row)
		}
		if r.Name == "post-1-c64" && b.wants(amplification) {
			b.amplification(row, mode)
		}
	}
	if err := b.stop(zaqar); err != nil {
		return err
	}
	return b.stop(null)
}

// inPairs measures this and the other in turns, for a row of the ratios of their
// rates.
func (b *targets) inPairs(row *report.Row, this, other func() (report.Sample, error)) error {
	return b.rounds(b.Rounds, func(int) error {
		var p report.Pair
		var err error
		if p.This, err = this(); err != nil {
			return err
		}
		if p.Other, err = other(); err != nil {
			return err
		}
		p.Ratio = report.Over(p.This.Rate, p.Other.Rate)
		row.Pairs = append(row.Pairs, p)
		return nil
	})
}

func suffix(mode string) string {
	if mode == "default" {
		return ""
	}
	return ", access log " + mode
}

const amplification = "amplification"

const amplificationWhat = "bytes written ÷ payload, 64 connections"

// amplification derives what was written to the disk from the posts of a row.
func (b *targets) amplification(posts *report.Row, mode string) {
	row := &report.Row{
		Name: amplification + suffix(mode), What: amplificationWhat + suffix(mode),
		Target: &report.Target{Floor: 1.3, Aim: 1.15, Less: true},
	}
	if mode != "off" {
		row.What += " (the log counts)"
	}
	for _, p := range posts.Pairs {
		row.Values = append(row.Values, report.Over(float64(p.This.Written), float64(p.This.Messages*int64(b.Size))))
	}
	b.add(row)
}

// begin returns how many messages the queue begins with.
func (b *targets) begin(r httpRow) int {
	if r.Claim == 0 || r.Post > 0 {
		return r.fill
	}
	return r.fill * int(math.Ceil((b.warmup + b.duration).Seconds()))
}

// sample runs a scenario once on a queue of its own and audits it.
func (b *targets) sample(ctx context.Context, on *side, r httpRow) (report.Sample, error) {
	q, err := b.filled(ctx, on, b.begin(r))
	if err != nil {
		return report.Sample{}, err
	}
	s, result, err := b.measure(ctx, on, q, load.Plan{Scenario: r.Scenario, Connections: r.connections})
	if err != nil {
		return s, err
	}
	if _, err := b.audit(ctx, on, q, result); err != nil {
		return s, err
	}
	if err := b.drop(ctx, q); err != nil {
		return s, err
	}
	return s, b.nothing(on, s)
}

// batches measures the cycle that flatness is judged by.
func (b *targets) batches(ctx context.Context, on *side, q *load.Queues) (report.Sample, error) {
	s, _, err := b.measure(ctx, on, q, load.Plan{Scenario: batchCycle, Connections: 16})
	if err != nil {
		return s, err
	}
	return s, b.nothing(on, s)
}
