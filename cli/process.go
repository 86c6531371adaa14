package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"zaqar/app"
	"zaqar/config"
	"zaqar/observe"
)

// process is a running server with what signals act on.
type process struct {
	program Program
	src     config.Sources
	log     *observe.Log
	audit   *observe.Log // nil: there is none of its own
	stderr  io.Writer
	config  atomic.Pointer[config.Config] // in force
	app     atomic.Pointer[app.App]       // nil until it is built

	stopping time.Time // since when; only the goroutine that handles signals uses it
}

func newProcess(prog Program, src config.Sources, c *config.Config, log *observe.Log, stderr io.Writer) *process {
	p := &process{program: prog, src: src, log: log, stderr: stderr}
	p.config.Store(c)
	return p
}

// handleSignals makes the context end with the first signal to stop, and
// serves the other signals until stop is called. A server outlives whoever
// reads its log: SIGPIPE is ignored from then on.
func (p *process) handleSignals(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range signals {
			p.handle(s, cancel)
		}
	}()
	return ctx, func() {
		// The process ends in a moment, and with the exit code that it has earned.
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR2)
		signal.Stop(signals)
		close(signals)
		<-done
		cancel()
	}
}

func (p *process) handle(s os.Signal, cancel func()) {
	switch s {
	case syscall.SIGHUP:
		p.reload()
	case syscall.SIGUSR2:
		p.report()
	default:
		p.stop(s, cancel)
	}
}

// echo is how long repeated signals are taken for one: timeout(1) and some
// supervisors signal both the process and its group.
const echo = time.Second

// stop begins an orderly end, or ends the process if that is under way.
func (p *process) stop(s os.Signal, cancel func()) {
	switch {
	case p.stopping.IsZero():
		p.stopping = time.Now()
		cancel() // first: a log that nobody takes must not hold up the end
		p.log.Info("signal received", "signal", s.String())
		p.tell(stopping)
	case time.Since(p.stopping) > echo:
		p.log.Error("ended by a second signal; requests in flight are lost", "signal", s.String())
		if p.audit != nil {
			_ = p.audit.Close()
		}
		_ = p.log.Close() // writes the access records that wait
		os.Exit(exitFailure)
	}
}

// reload reopens the log and takes what can change from a configuration
// without mistakes.
func (p *process) reload() {
	if err := p.log.Reopen(); err != nil {
		p.log.Error("the log file could not be reopened; the old one stays in use", "error", err)
	}
	if p.audit != nil {
		if err := p.audit.Reopen(); err != nil {
			p.log.Error("the audit log could not be reopened; the old file stays in use", "error", err)
		}
	}
	a := p.app.Load()
	if a == nil {
		return // it reads what is new, as it has not started yet
	}
	p.reloading()
	defer p.tell(serving)
	next, report := config.Load(p.src)
	p.warn(report.Warnings())
	if errs := report.Errors(); len(errs) > 0 {
		for _, f := range errs {
			p.log.Error("configuration: "+f.Text, "section", f.Section, "key", f.Key, "at", f.Origin.String())
		}
		p.log.Error("the configuration was not reloaded; the old one stays in force")
		return
	}
	if err := a.Reload(next.Options); err != nil {
		p.log.Error("the configuration was not reloaded; the old one stays in force", "error", err)
		return
	}
	p.log.SetLevel(next.Log.Level)
	old := p.config.Load()
	for _, c := range next.Changes(old) {
		if c.Live {
			p.log.Info("option changed", "section", c.Section, "key", c.Key, "from", c.From, "to", c.To)
		} else {
			p.log.Warn("option changed in the configuration; a restart puts it in force",
				"section", c.Section, "key", c.Key, "from", c.From, "to", c.To)
		}
	}
	p.config.Store(old.Adopt(next))
	p.log.Info("configuration reloaded", "files", next.Files)
}

func (p *process) report() {
	a := p.app.Load()
	if a == nil {
		p.log.Warn("no report: the server has not started yet")
		return
	}
	if err := a.Report(p.stderr); err != nil {
		p.log.Error("the report could not be written", "error", err)
	}
}
