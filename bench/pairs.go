package bench

import (
	"context"
	"fmt"
	"time"

	"zaqar/bench/load"
	"zaqar/bench/process"
	"zaqar/bench/report"
)

// httpRow is a scenario that is measured against the null sink.
type httpRow struct {
	load.Scenario
	connections int
	fill        int // messages that the queue begins with; claims drain it
	what        string
	target      report.Target
}

func httpRows() []httpRow {
	const slowDrain, drain = 120_000, 250_000 // more than can be claimed in the usual time
	return []httpRow{
		{load.Scenario{Name: "post-1-c1", Post: 1}, 1, 0, "post 1, 1 connection ÷ null sink", report.Target{}},
		{load.Scenario{Name: "post-1-c16", Post: 1}, 16, 0, "post 1, 16 connections ÷ null sink", report.Target{Floor: 0.30, Aim: 0.40}},
		{load.Scenario{Name: "post-1-c64", Post: 1}, 64, 0, "post 1, 64 connections ÷ null sink", report.Target{Floor: 0.45, Aim: 0.60}},
		{load.Scenario{Name: "post-10-c16", Post: 10}, 16, 0, "post 10, 16 connections ÷ null sink", report.Target{Floor: 0.25, Aim: 0.40}},
		{load.Scenario{Name: "list-10-c16", List: 10}, 16, 10_000, "list 10, 16 connections ÷ null sink", report.Target{Floor: 0.60, Aim: 0.75}},
		{load.Scenario{Name: "claim-10-single-c16", Claim: 10}, 16, slowDrain, "claim 10 + 10 deletes, 16 connections ÷ null sink", report.Target{Floor: 0.35, Aim: 0.45}},
		{load.Scenario{Name: "claim-10-bulk-c16", Claim: 10, Bulk: true}, 16, drain, "claim 10 + bulk delete, 16 connections ÷ null sink", report.Target{Floor: 0.40, Aim: 0.55}},
		{load.Scenario{Name: "cycle-1-c16", Post: 1, Claim: 1}, 16, 10_000, "post 1 + claim 1 + delete, 16 connections ÷ null sink", report.Target{}},
	}
}

// againstNull measures the chosen scenarios in pairs with the null sink.
func (b *bench) againstNull(ctx context.Context, mode string) error {
	var rows []httpRow
	for _, r := range httpRows() {
		if b.wants(r.Name) || r.Name == "post-1-c64" && b.wants("amplification") {
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
		for range b.Rounds {
			this, err := b.sample(ctx, zaqar, true, r)
			if err != nil {
				return err
			}
			other, err := b.sample(ctx, null, false, r)
			if err != nil {
				return err
			}
			row.Pairs = append(row.Pairs, report.Pair{This: this, Other: other, Ratio: this.Rate / other.Rate})
		}
		if b.wants(r.Name) {
			b.add(row)
		}
		if r.Name == "post-1-c64" && b.wants("amplification") {
			b.amplification(row, mode)
		}
	}
	if err := b.stop(zaqar); err != nil {
		return err
	}
	return b.stop(null)
}

func suffix(mode string) string {
	if mode == "default" {
		return ""
	}
	return ", access log " + mode
}

const amplificationWhat = "bytes written ÷ payload, 64 connections"

// amplification derives what was written to the disk from the posts of a row.
func (b *bench) amplification(posts *report.Row, mode string) {
	row := &report.Row{
		Name: "amplification" + suffix(mode), What: amplificationWhat + suffix(mode),
		Target: report.Target{Floor: 1.3, Aim: 1.15, Less: true},
	}
	if mode != "off" {
		row.What += " (the log counts)"
	}
	for _, p := range posts.Pairs {
		row.Values = append(row.Values, float64(p.This.Written)/float64(p.This.Messages*int64(b.Size)))
	}
	b.add(row)
}

// sample runs a scenario once on a queue of its own and audits it.
func (b *bench) sample(ctx context.Context, p *process.Process, real bool, r httpRow) (report.Sample, error) {
	q, err := b.queue(ctx, target(p, real), r.fill)
	if err != nil {
		return report.Sample{}, err
	}
	s, result, err := b.measureOn(ctx, p, q, r.Scenario, r.connections)
	if err != nil {
		return s, err
	}
	if result.Exhausted {
		b.note("%s: the queue was drained after %s", r.Name, result.Elapsed.Round(time.Millisecond))
	}
	if _, err := q.Audit(ctx); err != nil {
		return s, err
	}
	return s, q.Drop(ctx)
}

// measureOn runs a scenario on a queue and notes what server and client used.
func (b *bench) measureOn(ctx context.Context, p *process.Process, q *load.Queue, s load.Scenario, connections int) (report.Sample, *load.Result, error) {
	var server, client []process.Usage
	result, err := load.Run(ctx, q, load.Plan{
		Scenario: s, Connections: connections, Warmup: b.Warmup, Duration: b.Duration,
		Mark: func() { server, client = append(server, p.Usage()), append(client, process.Self()) },
	})
	if err != nil {
		return report.Sample{}, nil, fmt.Errorf("%s on %s: %w", s.Name, p.Name, err)
	}
	sample := report.Sample{
		Of: p.Name, Seconds: result.Elapsed.Seconds(), Requests: result.Requests, Messages: result.Messages,
		Rate: result.Rate(), P50: result.Latency.Quantile(0.5).Seconds(), P99: result.Latency.Quantile(0.99).Seconds(),
		Max: result.Latency.Max().Seconds(), P50Of: map[string]float64{}, P99Of: map[string]float64{},
		ServerCPU: (server[1].CPU - server[0].CPU).Seconds(), ClientCPU: (client[1].CPU - client[0].CPU).Seconds(),
		Resident: server[1].Resident, Written: server[1].Written - server[0].Written,
	}
	for _, op := range load.Ops() {
		if h := &result.Of[op]; h.Count() > 0 {
			sample.P50Of[op.String()] = h.Quantile(0.5).Seconds()
			sample.P99Of[op.String()] = h.Quantile(0.99).Seconds()
		}
	}
	return sample, &result, nil
}
