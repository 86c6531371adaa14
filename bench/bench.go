package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"zaqar/bench/load"
	"zaqar/bench/process"
	"zaqar/bench/report"
)

// bench is one run: its settings, the processes it started and its results.
type bench struct {
	TargetOptions
	work     string // holds everything that is written
	body     []byte
	report   *report.Report
	progress io.Writer
	running  []*process.Process
	started  int // counts servers and queues, to give them names
}

func newBench(o TargetOptions, progress io.Writer) (*bench, error) {
	b := &bench{TargetOptions: o, body: load.Body(o.Size), progress: progress}
	var err error
	if b.work, err = os.MkdirTemp(o.Dir, "zaqar-bench-"); err != nil {
		return nil, err
	}
	b.report = &report.Report{
		Begun:   time.Now(),
		Machine: machine(),
		Settings: map[string]string{
			"rounds": fmt.Sprint(o.Rounds), "duration": o.Duration.String(), "warmup": o.Warmup.String(),
			"size": fmt.Sprint(o.Size), "access_log": o.AccessLog, "backlog": fmt.Sprint(o.Backlog),
			"client_procs": fmt.Sprint(o.Procs),
		},
	}
	return b, nil
}

func machine() report.Machine {
	m := report.Machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if f := strings.Fields(string(text)); len(f) > 2 {
			m.Load = strings.Join(f[:3], " ")
		}
	}
	return m
}

// close ends what is still running and removes what was written.
func (b *bench) close() error {
	var err error
	for _, p := range b.running {
		err = errors.Join(err, p.Stop())
	}
	b.running = nil
	if b.Keep {
		b.say("kept %s", b.work)
		return err
	}
	return errors.Join(err, os.RemoveAll(b.work))
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func (b *bench) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	b.say("note: %s", n)
	b.report.Notes = append(b.report.Notes, n)
}

// patience bounds the time a server takes to start.
const patience = 2 * time.Minute

func (b *bench) start(ctx context.Context, name string, program []string, args ...string) (*process.Process, error) {
	b.started++
	p, err := process.Start(ctx, process.Command{
		Name: name, Args: slices.Concat(program, args), Patience: patience,
		Log: filepath.Join(b.work, fmt.Sprintf("%s-%d.log", name, b.started)),
	})
	if err == nil {
		b.running = append(b.running, p)
	}
	return p, err
}

// stop ends a server that start began.
func (b *bench) stop(p *process.Process) error {
	for i, r := range b.running {
		if r == p {
			b.running = append(b.running[:i], b.running[i+1:]...)
			break
		}
	}
	return p.Stop()
}

func (b *bench) startNull(ctx context.Context) (*process.Process, error) {
	return b.start(ctx, "null", b.Null, "--size", fmt.Sprint(b.Size))
}

// startProduct starts the server on a data directory below the working one.
func (b *bench) startProduct(ctx context.Context, dir, accessLog string) (*process.Process, error) {
	file := filepath.Join(b.work, "zaqar-"+accessLog+".conf")
	text := "# as the product comes\n"
	if accessLog != "default" {
		text = fmt.Sprintf("[drivers:transport:wsgi]\naccess_log = %t\n", accessLog == "on")
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return b.start(ctx, "zaqar", b.Server, "--config-file", file,
		"--data-dir", filepath.Join(b.work, dir), "--bind", "127.0.0.1", "--port", "0")
}

// startInspected starts the product as part of this program.
func (b *bench) startInspected(ctx context.Context, dir, accessLog string) (*process.Process, error) {
	return b.start(ctx, "inspected", b.Inspected, "--data-dir", filepath.Join(b.work, dir), "--access-log", accessLog)
}

func target(p *process.Process, real bool) load.Target {
	return load.Target{Addr: p.Addr, Project: "bench", Real: real}
}

// queue makes a queue with a new name.
func (b *bench) queue(ctx context.Context, t load.Target, fill int) (*load.Queue, error) {
	b.started++
	q, err := load.Create(ctx, t, fmt.Sprintf("bench-%d", b.started), b.body)
	if err != nil {
		return nil, err
	}
	return q, b.fill(ctx, q, fill)
}

// fill posts n messages and tells about it when that takes a while.
func (b *bench) fill(ctx context.Context, q *load.Queue, n int) error {
	const step = 250_000
	next := step
	return q.Fill(ctx, n, func(done int) {
		if done >= next {
			b.say("filled %d of %d", done, n)
			next += step
		}
	})
}

// modes are the settings of the access log that are measured.
func (b *bench) modes() []string {
	if b.AccessLog == "both" {
		return []string{"off", "on"}
	}
	return []string{b.AccessLog}
}

// add appends a finished row and tells about it.
func (b *bench) add(r *report.Row) {
	r.Finish()
	b.report.Rows = append(b.report.Rows, r)
	b.say("%s: %.3g %s (%.3g to %.3g) %s", r.Name, r.Result.Median, r.Unit, r.Result.Min, r.Result.Max, r.Verdict())
}
