package cli

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"zaqar/bench"
)

func (prog Program) benchRunCommand() *cobra.Command {
	o := bench.DefaultRun()
	cmd := &cobra.Command{
		Use:   "run SCENARIO...",
		Short: "Measure a server, alone or beside another one",
		Long: `Measure a server with the scenarios named. Without --server-url that is a server
of this program, started on an empty data directory. With --against it is
compared: both are measured in turns, and the result is the median of the
ratios of each two samples made one after the other, which holds on a machine
that others use as well.

Every answer is checked and every message accounted for: one that is lost,
handed out twice, never posted, deleted twice, back after its deletion or out of
order fails the benchmark with exit code 1, and its id is told. The queues are
new and are deleted afterwards.

Scenarios; a number after the name is N, as in post-10 and claim-10-bulk:
` + bench.ScenarioList(),
		Example: `  zaqar bench run post-1 post-10 list-10 claim-10 claim-10-bulk --against null
  zaqar bench run cycle mixed --server-url http://127.0.0.1:8888 --pid 4711
  zaqar bench run post-1 --server-url http://127.0.0.1:8888 --against http://127.0.0.1:8889 --rounds 7
  zaqar bench run backlog --depth 10000,1000000 --json result.json
  zaqar bench run many-queues --queues 100000
  zaqar bench run fan-in fan-out --rate 500 --connections 64
  OS_TOKEN=$(openstack token issue -f value -c id) zaqar bench run cycle --server-url https://zaqar.example.org:8888`,
		Args: cobra.ArbitraryArgs,
	}
	benchRunFlags(cmd.Flags(), &o)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.Scenarios = args
		if o.Token == "" {
			o.Token = os.Getenv("OS_TOKEN")
		}
		for i, h := range o.Headers {
			var err error
			if o.Headers[i], err = bench.ParseHeader(h); err != nil {
				return err
			}
		}
		if err := o.Check(); err != nil {
			return err
		}
		var err error
		if o.Programs, err = prog.benchPrograms(""); err != nil {
			return failureError{err}
		}
		ctx, stop := interruptible(cmd.Context())
		defer stop()
		if err := bench.Run(ctx, o, cmd.OutOrStdout(), cmd.ErrOrStderr()); err != nil {
			return failureError{err}
		}
		return nil
	}
	return cmd
}

func benchRunFlags(f *pflag.FlagSet, o *bench.RunOptions) {
	f.SortFlags = false
	f.StringVarP(&o.ServerURL, "server-url", "s", "", "measure the server at this `URL` (default: one started for this)")
	f.StringVar(&o.Against, "against", "", "compare with \"null\", a server that stores nothing, or with the server at this `URL`")
	f.IntSliceVar(&o.Pids, "pid", nil, "the `process` of the server, to tell what it uses; repeatable")
	f.IntSliceVar(&o.AgainstPids, "against-pid", nil, "the `process` of the server at --against; repeatable")
	f.IntVarP(&o.Rounds, "rounds", "r", o.Rounds, "samples, or pairs, of each scenario")
	f.DurationVarP(&o.Duration, "duration", "d", o.Duration, "measured time of each sample")
	f.DurationVar(&o.Warmup, "warmup", o.Warmup, "time before that")
	f.IntVarP(&o.Connections, "connections", "c", o.Connections, "keep-alive connections")
	f.Float64Var(&o.Rate, "rate", 0, "begin this many `steps` (posts, lists, claims with their deletes) a second; late ones count from when they were due (default: as many as the server takes)")
	f.IntVar(&o.Size, "size", o.Size, "size of message bodies in `bytes`")
	f.IntVarP(&o.Batch, "batch", "n", 0, "`messages` in one request (default: the scenario's)")
	f.IntVar(&o.Fill, "fill", -1, "`messages` that a queue begins with (default: the scenario's)")
	f.IntSliceVar(&o.Depths, "depth", o.Depths, "`messages` that wait in scenario backlog")
	f.IntVar(&o.Queues, "queues", o.Queues, "queues of scenario many-queues")
	f.DurationVar(&o.Timeout, "timeout", o.Timeout, "fail when an answer takes longer")
	f.StringVar(&o.Project, "project", o.Project, "X-Project-ID")
	f.StringVar(&o.Token, "token", "", "X-Auth-Token (default: OS_TOKEN of the environment)")
	f.StringArrayVarP(&o.Headers, "header", "H", nil, "send this `\"Name: value\"`, instead of a header of that name; repeatable")
	f.StringVar(&o.Prefix, "queue-prefix", o.Prefix, "names of queues begin with this")
	f.StringVar(&o.Dir, "dir", o.Dir, "keep the data of a server started for this in this `directory`, on the disk to be measured")
	f.StringVar(&o.JSON, "json", "", "write the report to this `file` too; \"-\": to standard output, instead of the table")
	f.BoolVar(&o.Keep, "keep", false, "keep queues, data directories and logs")
	f.BoolVarP(&o.Quiet, "quiet", "q", false, "tell nothing of the progress")
	f.IntVar(&o.Procs, "client-procs", o.Procs, "processors that the client may use")
	f.Lookup("fill").DefValue = "0" // help shows no default: -1 only stands for it
}
