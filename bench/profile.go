package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"zaqar/bench/load"
)

// profiles runs the chosen scenarios once more on a server that can be
// profiled, and writes what it spent its time on.
func (b *targets) profiles(ctx context.Context, mode string) error {
	if b.Profile == "" {
		return nil
	}
	if err := os.MkdirAll(b.Profile, 0o755); err != nil {
		return err
	}
	p, err := b.startInspected(ctx, "profile-"+mode, mode)
	if err != nil {
		return err
	}
	for _, r := range httpRows() {
		if b.wants(r.Name) {
			if err := b.profileOne(ctx, p, r, mode); err != nil {
				return err
			}
		}
	}
	return b.stop(p)
}

func (b *targets) profileOne(ctx context.Context, p *side, r httpRow, mode string) error {
	q, err := b.filled(ctx, p, b.begin(r))
	if err != nil {
		return err
	}
	before, err := allocated(p)
	if err != nil {
		return err
	}
	type answer struct {
		text []byte
		err  error
	}
	profile := make(chan answer, 1)
	time.AfterFunc(b.Warmup, func() {
		seconds := max(1, int(math.Floor(b.Duration.Seconds())))
		text, err := inspected(p, fmt.Sprintf("profile?seconds=%d", seconds))
		profile <- answer{text, err}
	})
	result, err := load.Run(ctx, q, load.Plan{Scenario: r.Scenario, Connections: r.connections, Duration: b.Warmup + b.Duration})
	a := <-profile
	if err != nil {
		return err
	}
	if a.err != nil {
		return a.err
	}
	after, err := allocated(p)
	if err != nil {
		return err
	}
	n := uint64(max(1, result.Requests))
	b.note("%s%s: %d allocations and %d bytes a request", r.Name, suffix(mode), (after.Mallocs-before.Mallocs)/n, (after.TotalAlloc-before.TotalAlloc)/n)
	name := filepath.Join(b.Profile, r.Name+"-"+mode+".pprof")
	if err := os.WriteFile(name, a.text, 0o644); err != nil {
		return err
	}
	b.say("wrote %s", name)
	return b.drop(ctx, q)
}

// allocated returns what the server has allocated since its start.
func allocated(p *side) (runtime.MemStats, error) {
	var m runtime.MemStats
	text, err := inspected(p, "memory")
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}
