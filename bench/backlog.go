package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"zaqar/bench/load"
	"zaqar/bench/process"
	"zaqar/bench/report"
)

// shallow is how many messages wait in the queue that others are compared to.
const shallow = 10_000

// batchCycle is what flatness is measured with: of all cycles it leaves the
// most of the time to the store.
var batchCycle = load.Scenario{Name: "cycle-10", Post: 10, Claim: 10, Bulk: true}

// depthRow is a row about a backlog; names end with its size.
type depthRow struct {
	name, what string
	unit       string
	targets    map[int]report.Target // by size
}

var (
	backlogRow = depthRow{"backlog-", "cycle of 10, 16 connections, backlog of %s ÷ of 10k", "", map[int]report.Target{
		1_000_000: {Floor: 0.85, Aim: 0.95}, 10_000_000: {Floor: 0.80, Aim: 0.90}}}
	restartRow = depthRow{"restart-", "restart with %s messages to first answer", "s", map[int]report.Target{
		1_000_000: {Floor: 1, Aim: 0.3, Less: true}, 10_000_000: {Floor: 5, Aim: 2, Less: true}}}
	memoryRow = depthRow{"memory-", "memory per message at %s, as the process has it", "B", map[int]report.Target{
		1_000_000: {Floor: 128, Aim: 64, Less: true}}}
	heapRow = depthRow{"memory-collected-", "memory per message at %s, garbage collected", "B", map[int]report.Target{
		1_000_000: {Floor: 128, Aim: 64, Less: true}}}
	consumedRow = depthRow{"consumed-", "claim p50, first %s consumed ÷ fresh queue, 16 connections", "", map[int]report.Target{
		1_000_000: {Floor: 1.2, Aim: 1.05, Less: true}}}
)

func depthRows() []depthRow {
	return []depthRow{memoryRow, heapRow, restartRow, backlogRow, consumedRow}
}

// at makes the row for a size.
func (d depthRow) at(n int) *report.Row {
	return &report.Row{Name: d.name + size(n), What: fmt.Sprintf(d.what, size(n)), Unit: d.unit, Target: d.targets[n]}
}

// size writes 1000000 as 1M.
func size(n int) string {
	switch {
	case n%1_000_000 == 0:
		return strconv.Itoa(n/1_000_000) + "M"
	case n%1000 == 0:
		return strconv.Itoa(n/1000) + "k"
	}
	return strconv.Itoa(n)
}

// depths measures what depends on how much waits or has waited.
func (b *bench) depths(ctx context.Context) error {
	sizes := []int{b.Backlog}
	if b.Deep {
		sizes = append(sizes, 10*b.Backlog)
	}
	for _, n := range sizes {
		if err := b.depth(ctx, n); err != nil {
			return err
		}
	}
	if b.wants(consumedRow.name + size(b.Backlog)) {
		return b.consumed(ctx, b.Backlog)
	}
	return nil
}

// depth measures memory while n messages are posted, then restarts with them,
// then the cycle on top of them.
func (b *bench) depth(ctx context.Context, n int) error {
	wanted := false
	for _, d := range []depthRow{memoryRow, heapRow, restartRow, backlogRow} {
		wanted = wanted || b.wants(d.name+size(n))
	}
	if !wanted {
		return nil
	}
	dir := "deep-" + size(n)
	q, err := b.memory(ctx, dir, n)
	if err != nil {
		return err
	}
	deep, err := b.restarts(ctx, dir, n)
	if err != nil {
		return err
	}
	q.Moved(deep.Addr)
	if b.wants(backlogRow.name + size(n)) {
		if err := b.flat(ctx, deep, q, n); err != nil {
			return err
		}
	}
	b.say("auditing %s messages", size(n))
	if _, err := q.Audit(ctx); err != nil {
		return err
	}
	if err := b.stop(deep); err != nil {
		return err
	}
	return b.discard(dir)
}

// memory posts n messages and compares what the process has before and after.
func (b *bench) memory(ctx context.Context, dir string, n int) (*load.Queue, error) {
	p, err := b.startInspected(ctx, dir, "off")
	if err != nil {
		return nil, err
	}
	q, err := b.queue(ctx, target(p, true), 1000) // what is allocated once is not counted
	if err != nil {
		return nil, err
	}
	if _, err := inspected(p, "collect"); err != nil {
		return nil, err
	}
	before := p.Usage().Resident
	b.say("filling %s messages", size(n))
	if err := b.fill(ctx, q, n); err != nil {
		return nil, err
	}
	full := p.Usage().Resident
	if _, err := inspected(p, "collect"); err != nil {
		return nil, err
	}
	collected := p.Usage().Resident
	for _, m := range []struct {
		depthRow
		bytes int64
	}{{memoryRow, full - before}, {heapRow, collected - before}} {
		if b.wants(m.name + size(n)) {
			row := m.at(n)
			row.Values = []float64{math.Round(float64(m.bytes) / float64(n))}
			b.add(row)
		}
	}
	return q, b.stop(p)
}

// inspected asks the second listener of a server that startInspected began.
func inspected(p *process.Process, path string) ([]byte, error) {
	m, err := p.Logged(regexp.MustCompile(`inspector on (\S+)`))
	if err != nil {
		return nil, err
	}
	r, err := http.Get("http://" + m + "/" + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("inspector: %s", r.Status)
	}
	return io.ReadAll(r.Body)
}

// restarts starts the server again and again, and leaves it running.
func (b *bench) restarts(ctx context.Context, dir string, n int) (*process.Process, error) {
	row := restartRow.at(n)
	for round := 1; ; round++ {
		p, err := b.startProduct(ctx, dir, b.modes()[0])
		if err != nil {
			return nil, err
		}
		row.Values = append(row.Values, p.Took.Seconds())
		if round == b.Rounds {
			if b.wants(row.Name) {
				b.add(row)
			}
			return p, nil
		}
		if err := b.stop(p); err != nil {
			return nil, err
		}
	}
}

// flat measures the cycle on a deep and on a shallow queue, each on a server
// of its own.
func (b *bench) flat(ctx context.Context, deep *process.Process, deepQueue *load.Queue, n int) error {
	plain, err := b.startProduct(ctx, "shallow-"+size(n), b.modes()[0])
	if err != nil {
		return err
	}
	plainQueue, err := b.queue(ctx, target(plain, true), shallow)
	if err != nil {
		return err
	}
	row := backlogRow.at(n)
	for range b.Rounds {
		this, _, err := b.measureOn(ctx, deep, deepQueue, batchCycle, 16)
		if err != nil {
			return err
		}
		other, _, err := b.measureOn(ctx, plain, plainQueue, batchCycle, 16)
		if err != nil {
			return err
		}
		row.Pairs = append(row.Pairs, report.Pair{This: this, Other: other, Ratio: this.Rate / other.Rate})
	}
	b.add(row)
	if _, err := plainQueue.Audit(ctx); err != nil {
		return err
	}
	return b.stop(plain)
}

// consumed compares claims on a queue that has had n messages consumed with
// those on a fresh one, on one server.
func (b *bench) consumed(ctx context.Context, n int) error {
	dir := "consumed"
	p, err := b.startProduct(ctx, dir, b.modes()[0])
	if err != nil {
		return err
	}
	b.say("filling and consuming %s messages", size(n))
	old, err := b.queue(ctx, target(p, true), n)
	if err != nil {
		return err
	}
	drain := load.Scenario{Name: "drain", Claim: 20, Bulk: true}
	r, err := load.Run(ctx, old, load.Plan{Scenario: drain, Connections: 16, Duration: time.Hour})
	if err != nil {
		return err
	}
	b.say("consumed at %.0f messages/s", float64(r.Messages)/r.Elapsed.Seconds())
	if err := b.fill(ctx, old, shallow); err != nil {
		return err
	}
	row := consumedRow.at(n)
	for range b.Rounds {
		pair, err := b.oldAndFresh(ctx, p, old)
		if err != nil {
			return err
		}
		row.Pairs = append(row.Pairs, pair)
	}
	b.add(row)
	b.say("auditing %s messages", size(n))
	if _, err := old.Audit(ctx); err != nil {
		return err
	}
	if err := b.stop(p); err != nil {
		return err
	}
	return b.discard(dir)
}

func (b *bench) oldAndFresh(ctx context.Context, p *process.Process, old *load.Queue) (report.Pair, error) {
	fresh, err := b.queue(ctx, target(p, true), shallow)
	if err != nil {
		return report.Pair{}, err
	}
	this, _, err := b.measureOn(ctx, p, old, batchCycle, 16)
	if err != nil {
		return report.Pair{}, err
	}
	other, _, err := b.measureOn(ctx, p, fresh, batchCycle, 16)
	if err != nil {
		return report.Pair{}, err
	}
	if _, err := fresh.Audit(ctx); err != nil {
		return report.Pair{}, err
	}
	claim := load.Claim.String()
	return report.Pair{This: this, Other: other, Ratio: this.P50Of[claim] / other.P50Of[claim]}, fresh.Drop(ctx)
}

// discard removes a data directory that is done with: they are large.
func (b *bench) discard(dir string) error {
	if b.Keep || strings.Contains(dir, "/") {
		return nil
	}
	return os.RemoveAll(b.work + "/" + dir)
}
