package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"zaqar/bench/load"
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
	targets    map[int]*report.Target // by size
}

var (
	backlogRow = depthRow{"backlog-", "cycle of 10, 16 connections, backlog of %s ÷ of 10k", "", map[int]*report.Target{
		1_000_000: {Floor: 0.85, Aim: 0.95}, 10_000_000: {Floor: 0.80, Aim: 0.90}}}
	restartRow = depthRow{"restart-", "restart with %s messages to first answer", "s", map[int]*report.Target{
		1_000_000: {Floor: 1, Aim: 0.3, Less: true}, 10_000_000: {Floor: 5, Aim: 2, Less: true}}}
	memoryRow = depthRow{"memory-", "memory per message at %s, as the process has it", "B", map[int]*report.Target{
		1_000_000: {Floor: 128, Aim: 64, Less: true}}}
	heapRow = depthRow{"memory-collected-", "memory per message at %s, garbage collected", "B", map[int]*report.Target{
		1_000_000: {Floor: 128, Aim: 64, Less: true}}}
	consumedRow = depthRow{"consumed-", "claim p50, first %s consumed ÷ fresh queue, 16 connections", "", map[int]*report.Target{
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
func (b *targets) depths(ctx context.Context) error {
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
func (b *targets) depth(ctx context.Context, n int) error {
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
	q.Moved(deep.target.Addr)
	if b.wants(backlogRow.name + size(n)) {
		if err := b.flat(ctx, deep, q, n); err != nil {
			return err
		}
	}
	if _, err := b.audit(ctx, deep, q, nil); err != nil {
		return err
	}
	if err := b.stop(deep); err != nil {
		return err
	}
	return b.discard(dir)
}

// memory posts n messages and compares what the process has before and after.
func (b *targets) memory(ctx context.Context, dir string, n int) (*load.Queues, error) {
	p, err := b.startInspected(ctx, dir, "off")
	if err != nil {
		return nil, err
	}
	q, err := b.filled(ctx, p, 1000) // what is allocated once is not counted
	if err != nil {
		return nil, err
	}
	if _, err := inspected(p, "collect"); err != nil {
		return nil, err
	}
	before := p.usage().Resident
	if err := b.fill(ctx, p, q, n, 0); err != nil {
		return nil, err
	}
	full := p.usage().Resident
	if _, err := inspected(p, "collect"); err != nil {
		return nil, err
	}
	collected := p.usage().Resident
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
func inspected(p *side, path string) ([]byte, error) {
	m, err := p.own.Logged(regexp.MustCompile(`inspector on (\S+)`))
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
func (b *targets) restarts(ctx context.Context, dir string, n int) (*side, error) {
	row := restartRow.at(n)
	for round := 1; ; round++ {
		p, err := b.startProduct(ctx, dir, b.modes()[0])
		if err != nil {
			return nil, err
		}
		row.Values = append(row.Values, p.own.Took.Seconds())
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
func (b *targets) flat(ctx context.Context, deep *side, deepQueue *load.Queues, n int) error {
	plain, err := b.startProduct(ctx, "shallow-"+size(n), b.modes()[0])
	if err != nil {
		return err
	}
	plainQueue, err := b.filled(ctx, plain, shallow)
	if err != nil {
		return err
	}
	row := backlogRow.at(n)
	err = b.inPairs(row,
		func() (report.Sample, error) { return b.batches(ctx, deep, deepQueue) },
		func() (report.Sample, error) { return b.batches(ctx, plain, plainQueue) })
	if err != nil {
		return err
	}
	b.add(row)
	if _, err := b.audit(ctx, plain, plainQueue, nil); err != nil {
		return err
	}
	return b.stop(plain)
}

// consumed compares claims on a queue that has had n messages consumed with
// those on a fresh one, on one server.
func (b *targets) consumed(ctx context.Context, n int) error {
	dir := "consumed"
	p, err := b.startProduct(ctx, dir, b.modes()[0])
	if err != nil {
		return err
	}
	old, err := b.filled(ctx, p, n)
	if err != nil {
		return err
	}
	drain := load.Scenario{Name: "drain", Claim: 20, Bulk: true}
	r, err := load.Run(ctx, old, load.Plan{Scenario: drain, Connections: 16, Duration: time.Hour})
	if err != nil {
		return err
	}
	b.say("consumed at %.0f messages/s", float64(r.Messages)/r.Elapsed.Seconds())
	if err := b.fill(ctx, p, old, shallow, 0); err != nil {
		return err
	}
	row := consumedRow.at(n)
	err = b.rounds(b.Rounds, func(int) error {
		pair, err := b.oldAndFresh(ctx, p, old)
		row.Pairs = append(row.Pairs, pair)
		return err
	})
	if err != nil {
		return err
	}
	b.add(row)
	if _, err := b.audit(ctx, p, old, nil); err != nil {
		return err
	}
	if err := b.stop(p); err != nil {
		return err
	}
	return b.discard(dir)
}

func (b *targets) oldAndFresh(ctx context.Context, p *side, old *load.Queues) (report.Pair, error) {
	fresh, err := b.filled(ctx, p, shallow)
	if err != nil {
		return report.Pair{}, err
	}
	this, err := b.batches(ctx, p, old)
	if err != nil {
		return report.Pair{}, err
	}
	other, err := b.batches(ctx, p, fresh)
	if err != nil {
		return report.Pair{}, err
	}
	if _, err := b.audit(ctx, p, fresh, nil); err != nil {
		return report.Pair{}, err
	}
	claim := load.Claim.String()
	if other.P50Of[claim] == 0 {
		return report.Pair{}, fmt.Errorf("%w of %s", ErrTooShort, b.duration)
	}
	return report.Pair{This: this, Other: other, Ratio: report.Over(this.P50Of[claim], other.P50Of[claim])}, b.drop(ctx, fresh)
}
