package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"zaqar/app"
	"zaqar/config"
	"zaqar/observe"
)

func (prog Program) serverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run the server",
		Long: `Run the server until SIGTERM or SIGINT. It then finishes requests in flight;
a second signal, a second or more later, ends it at once.

SIGHUP reopens log files and re-reads the configuration. SIGUSR2 writes a
report on the process to standard error.`,
		Example: `  zaqar server
  zaqar server --data-dir /srv/zaqar --bind 192.0.2.7
  zaqar server --config-file /etc/zaqar/zaqar.conf --debug`,
		Args:    cobra.NoArgs,
		Version: prog.version(),
	}
	cmd.SetVersionTemplate("zaqar {{.Version}}\n")
	src := prog.sources(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return prog.serve(cmd.Context(), *src, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// serve runs a server until a signal ends it.
func (prog Program) serve(ctx context.Context, src config.Sources, stdout, stderr io.Writer) error {
	c, report := config.Load(src)
	if errs := report.Errors(); len(errs) > 0 {
		fmt.Fprint(stderr, report)
		return failureError{fmt.Errorf("%s in the configuration; nothing was started", count(len(errs), "error"))}
	}
	c.Log.Stdout = stdout
	c.Log.Trouble = func(err error) {
		if err != nil {
			fmt.Fprintf(stderr, "zaqar: the log cannot be written, records are lost: %v\n", err)
		}
	}
	log, err := observe.Open(c.Log)
	if err != nil {
		return failureError{err}
	}
	defer func() { _ = log.Close() }()
	audit, err := openAudit(c, log.Logger)
	if err != nil {
		return failureError{err}
	}
	if audit != nil {
		defer func() { _ = audit.Close() }()
	}
	p := newProcess(prog, src, c, log, stderr)
	p.audit = audit
	ctx, stop := p.handleSignals(ctx)
	defer stop()
	p.announce(report)
	return p.run(ctx)
}

// openAudit opens the audit log, if there is one beside the log, which tells
// when that cannot be written.
func openAudit(c *config.Config, log *slog.Logger) (*observe.Log, error) {
	if !c.Options.Audit || c.Audit.File == "" {
		return nil, nil
	}
	c.Audit.Trouble = func(err error) {
		if err != nil {
			log.Error("the audit log cannot be written; records are lost", "file", c.Audit.File, "error", err)
			return
		}
		log.Info("the audit log is written again", "file", c.Audit.File)
	}
	l, err := observe.Open(c.Audit)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return l, nil
}

// run serves until ctx ends.
func (p *process) run(ctx context.Context) error {
	begun := time.Now()
	c := p.config.Load()
	defer c.Runtime.Apply()()
	o := c.Options
	o.Extensions = p.program.Extensions
	o.Version, o.Log, o.Access = p.program.version(), p.log.Logger, p.log.Access
	if p.audit != nil {
		o.AuditLog = p.audit.Logger
	}
	o.Effective = func() string { return p.config.Load().Masked() }
	a, err := app.New(ctx, o)
	if errors.Is(err, context.Canceled) {
		p.log.Info("stopped before it had started")
		return nil
	}
	if err != nil {
		p.log.Error("the server did not start", "error", err)
		return p.failed(err)
	}
	p.app.Store(a)
	p.tell(serving)
	p.log.Debug("built", "took", time.Since(begun))
	if err := a.Run(ctx); err != nil {
		p.log.Error("the server did not stop cleanly", "error", err)
		return p.failed(err)
	}
	return nil
}

// failed turns a logged error into an exit code. If the log does not go to
// the terminal, the user is told as well.
func (p *process) failed(err error) error {
	c := p.config.Load().Log
	if c.File == "" && !c.Syslog {
		return reportedError{err}
	}
	return failureError{err}
}

// announce logs what the configuration came from and what is odd about it.
func (p *process) announce(report config.Report) {
	files := p.config.Load().Files
	if len(files) == 0 {
		p.log.Info("no configuration file: using defaults, the environment and flags")
	} else {
		p.log.Info("configuration read", "files", files)
	}
	p.warn(report.Warnings())
}

func (p *process) warn(warnings config.Report) {
	for _, f := range warnings {
		p.log.Warn("configuration: "+f.Text, "section", f.Section, "key", f.Key, "at", f.Origin.String())
	}
}

// count says "1 error", "2 errors".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
