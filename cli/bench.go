package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/spf13/cobra"

	"zaqar/bench"
)

func (prog Program) benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a server over HTTP, and account for every message",
		Long: `Measure a server over HTTP. Every answer is checked and every message accounted
for: one that is lost, handed out twice, never posted, back after its deletion
or out of order fails the benchmark.`,
		Example: `  zaqar bench run post-1 list-10 claim-10-bulk --against null
  zaqar bench run cycle --server-url https://zaqar.example.org:8888 --connections 64
  zaqar bench targets`,
		Args: subcommand,
		RunE: printHelp,
	}
	cmd.AddCommand(prog.benchRunCommand(), prog.benchTargetsCommand(), prog.benchNullCommand(), prog.benchServeCommand(), prog.benchWorkersCommand())
	return cmd
}

func (prog Program) benchTargetsCommand() *cobra.Command {
	o := bench.DefaultTargets()
	cmd := &cobra.Command{
		Use:   "targets",
		Short: "Compare this server with its targets",
		Long: `Start this server on an empty data directory beside a null sink, a server of
the same kind that stores nothing, and measure both in turns. Each row is
compared with its floor and its aim. It takes several minutes; --run and
--duration make it shorter.

Rows:
` + bench.TargetList(),
		Example: `  zaqar bench targets
  zaqar bench targets --run 'post-1-|list' --rounds 3
  zaqar bench targets --run post-1-c64 --access-log both --json result.json
  zaqar bench targets --run list --profile /tmp/profiles`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	run := f.String("run", "", "measure only the rows whose name matches this `regexp`")
	f.IntVar(&o.Rounds, "rounds", o.Rounds, "pairs of each row; 0: only --profile")
	f.DurationVar(&o.Duration, "duration", o.Duration, "measured time of each half of a pair")
	f.DurationVar(&o.Warmup, "warmup", o.Warmup, "time before that")
	f.StringVar(&o.Dir, "dir", o.Dir, "make data directories in this `directory`, on the disk to be measured")
	f.StringVar(&o.AccessLog, "access-log", o.AccessLog, "default (the product's), on, off or both (each row twice)")
	f.IntVar(&o.Size, "size", o.Size, "size of message bodies in `bytes`")
	f.IntVar(&o.Backlog, "backlog", o.Backlog, "`messages` of the long backlog")
	f.BoolVar(&o.Deep, "deep", false, "also measure a backlog of ten times that")
	f.StringVar(&o.JSON, "json", "", "write the report to this `file` too; \"-\": to standard output, instead of the table")
	f.StringVar(&o.Profile, "profile", "", "also write CPU profiles of the server into this `directory`")
	f.BoolVar(&o.Keep, "keep", false, "keep data directories and logs")
	f.BoolVarP(&o.Quiet, "quiet", "q", false, "tell nothing of the progress")
	f.IntVar(&o.Procs, "client-procs", o.Procs, "processors that the client may use")
	program := f.String("program", "", "measure this `program` instead of the running one")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if o.Rows, err = regexp.Compile(*run); err != nil {
			return fmt.Errorf("--run: %w", err)
		}
		if err := o.Check(); err != nil {
			return err
		}
		if o.Programs, err = prog.benchPrograms(*program); err != nil {
			return failureError{err}
		}
		ctx, stop := interruptible(cmd.Context())
		defer stop()
		if err := bench.Targets(ctx, o, cmd.OutOrStdout(), cmd.ErrOrStderr()); err != nil {
			return failureError{err}
		}
		return nil
	}
	return cmd
}

// interruptible returns a context that ends with the first signal to stop; the
// second ends the program. The end of the terminal is one, unless the program
// was started to outlive it. The shell and the system may both tell of that, so
// it is never the second.
func interruptible(ctx context.Context) (_ context.Context, stop func()) {
	if !signal.Ignored(syscall.SIGHUP) {
		ctx, _ = signal.NotifyContext(ctx, syscall.SIGHUP) // until the program ends
	}
	ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// benchPrograms says how a benchmark starts this program in its several roles.
// server, if not empty, is another one to measure.
func (prog Program) benchPrograms(server string) (bench.Programs, error) {
	self, err := os.Executable()
	if err != nil {
		return bench.Programs{}, err
	}
	if server == "" {
		server = self
	}
	return bench.Programs{
		Version:   prog.version(),
		Server:    []string{server, "server"},
		Inspected: []string{server, "bench", "serve"},
		Null:      []string{self, "bench", "null"},
	}, nil
}
