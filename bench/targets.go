package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"zaqar/bench/load"
	"zaqar/bench/report"
)

// targets is one run of Targets.
type targets struct {
	TargetOptions
	*stage
}

func newTargets(o TargetOptions, stderr io.Writer) *targets {
	return &targets{TargetOptions: o, stage: &stage{
		programs: o.Programs, dir: o.Dir, keep: o.Keep, prefix: "bench", project: "bench",
		body: load.Body(o.Size), warmup: o.Warmup, duration: o.Duration, progress: newProgress(stderr, o.Quiet),
		report: newReport(o.Programs.Version, map[string]any{
			"rounds": o.Rounds, "duration": o.Duration.Seconds(), "warmup": o.Warmup.Seconds(), "size": o.Size,
			"access_log": o.AccessLog, "backlog": o.Backlog, "client_procs": o.Procs,
		}),
	}}
}

// startInspected starts the product with a listener for profiles.
func (b *targets) startInspected(ctx context.Context, dir, accessLog string) (*side, error) {
	work, err := b.space()
	if err != nil {
		return nil, err
	}
	return b.start(ctx, "inspected", b.programs.Inspected, "--data-dir", filepath.Join(work, dir), "--access-log", accessLog)
}

// filled makes a queue and posts n messages to it.
func (b *targets) filled(ctx context.Context, on *side, n int) (*load.Queues, error) {
	q, err := b.queues(ctx, on, load.Spec{})
	if err != nil {
		return nil, err
	}
	return q, b.fill(ctx, on, q, n, 0)
}

// modes are the settings of the access log that are measured.
func (b *targets) modes() []string {
	if b.AccessLog == "both" {
		return []string{"off", "on"}
	}
	return []string{b.AccessLog}
}

// wants reports whether a row was asked for.
func (b *targets) wants(name string) bool { return b.Rows.MatchString(name) }

// measureAll measures everything that was asked for.
func (b *targets) measureAll(ctx context.Context) error {
	if b.Rounds < 1 {
		for _, mode := range b.modes() {
			if err := b.profiles(ctx, mode); err != nil {
				return err
			}
		}
		return nil
	}
	if err := b.starts(ctx, b.modes()[0]); err != nil {
		return err
	}
	for _, mode := range b.modes() {
		for _, part := range []func(context.Context, string) error{b.alone, b.againstNull, b.profiles} {
			if err := part(ctx, mode); err != nil {
				return err
			}
		}
	}
	return b.depths(ctx)
}

// discard removes a data directory that is done with: they are large.
func (b *targets) discard(dir string) error {
	if b.keep || strings.Contains(dir, "/") {
		return nil
	}
	return os.RemoveAll(filepath.Join(b.work, dir))
}

// TargetList names the rows of Targets and says what each is, a line each.
func TargetList() string {
	var s strings.Builder
	add := func(name, what string) { fmt.Fprintf(&s, "  %-22s%s\n", name, what) }
	for _, r := range []report.Row{startRow, idleRow, syncRow} {
		add(r.Name, r.What)
	}
	for _, r := range httpRows() {
		add(r.Name, r.what)
	}
	add(amplification, amplificationWhat)
	for _, d := range depthRows() {
		row := d.at(1_000_000)
		add(row.Name, row.What)
	}
	return s.String()
}
