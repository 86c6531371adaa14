package bench

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"zaqar/bench/load"
	"zaqar/bench/process"
	"zaqar/bench/report"
	"zaqar/storage/embedded/disk"
)

// Rows about a server that has little to do.
var (
	syncRow = report.Row{Name: "sync-c1", What: "post 1, 1 connection ÷ raw append + fdatasync",
		Target: &report.Target{Floor: 0.45, Aim: 0.60}}
	startRow = report.Row{Name: "start", What: "start of an empty server to first answer", Unit: "ms",
		Target: &report.Target{Floor: 200, Aim: 50, Less: true}}
	idleRow = report.Row{Name: "idle", What: "memory of an idle server", Unit: "MB",
		Target: &report.Target{Floor: 50, Aim: 20, Less: true}}
)

// starts measures how an empty server starts and what it has then.
func (b *targets) starts(ctx context.Context, mode string) error {
	start, idle := startRow, idleRow
	if !b.wants(start.Name) && !b.wants(idle.Name) {
		return nil
	}
	for range b.Rounds {
		p, err := b.startProduct(ctx, "empty", mode)
		if err != nil {
			return err
		}
		start.Values = append(start.Values, float64(p.own.Took)/float64(time.Millisecond))
		idle.Values = append(idle.Values, float64(p.usage().Resident)/1e6)
		if err := errors.Join(b.stop(p), b.discard("empty")); err != nil {
			return err
		}
	}
	for _, row := range []*report.Row{&start, &idle} {
		if b.wants(row.Name) {
			b.add(row)
		}
	}
	return nil
}

// alone measures one connection beside the bare disk.
func (b *targets) alone(ctx context.Context, mode string) error {
	if !b.wants(syncRow.Name) {
		return nil
	}
	row := syncRow
	row.Name, row.What = row.Name+suffix(mode), row.What+suffix(mode)
	p, err := b.startProduct(ctx, "alone-"+mode, mode)
	if err != nil {
		return err
	}
	post := httpRow{Scenario: load.Scenario{Name: syncRow.Name, Post: 1}, connections: 1}
	for range b.Rounds {
		this, err := b.sample(ctx, p, post)
		if err != nil {
			return err
		}
		other, err := b.rawAppend(ctx)
		if err != nil {
			return err
		}
		row.Pairs = append(row.Pairs, report.Pair{This: this, Other: other, Ratio: report.Over(this.Rate, other.Rate)})
	}
	b.add(&row)
	return b.stop(p)
}

// rawSize is the size of the file that rawAppend writes, in bytes.
const rawSize = 64 << 20

// rawAppend appends records of the size that a message takes to a file that
// was allocated beforehand, each with a sync, as a store without any work of
// its own would.
func (b *targets) rawAppend(ctx context.Context) (report.Sample, error) {
	files, name := disk.OS(), filepath.Join(b.work, "raw")
	file, err := files.Create(name)
	if err != nil {
		return report.Sample{}, err
	}
	defer func() { _, _ = file.Close(), files.Remove(name) }()
	if err := file.Allocate(0, rawSize); err != nil {
		return report.Sample{}, err
	}
	if err := file.Sync(); err != nil {
		return report.Sample{}, err
	}
	record := make([]byte, b.Size+100)
	from := time.Now().Add(b.Warmup)
	to := from.Add(b.Duration)
	var h load.Histogram
	var before process.Usage
	at := int64(0)
	for now := time.Now(); now.Before(to) && ctx.Err() == nil; {
		record[0]++
		if at+int64(len(record)) > rawSize {
			at = 0
		}
		if _, err := file.WriteAt(record, at); err != nil {
			return report.Sample{}, err
		}
		if err := file.Sync(); err != nil {
			return report.Sample{}, err
		}
		at += int64(len(record))
		end := time.Now()
		if now.After(from) {
			if h.Count() == 0 {
				before = process.Self()
			}
			h.Record(end.Sub(now))
		}
		now = end
	}
	cpu := (process.Self().CPU - before.CPU).Seconds()
	return report.Sample{
		Of: "raw", Seconds: b.Duration.Seconds(), Requests: h.Count(), Rate: float64(h.Count()) / b.Duration.Seconds(),
		P50: h.Quantile(0.5).Seconds(), P99: h.Quantile(0.99).Seconds(), Max: h.Max().Seconds(), ServerCPU: cpu, ClientCPU: cpu,
	}, context.Cause(ctx)
}
