package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"zaqar/bench"
	"zaqar/bench/workers"
	"zaqar/config"
)

// messagesFile is the name of the file of messages that is looked for in the
// directories of configuration.
const messagesFile = "zaqar-benchmark-messages.json"

// benchWorkersCommand is the older program zaqar-bench, with its options.
func (prog Program) benchWorkersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "workers",
		Short: "Let producers, consumers and observers work on a server (zaqar-bench)",
		Long: `Let producers post, consumers claim and delete, and observers list, each over a
connection of its own and on a queue chosen at random for every request. The
options and the JSON are those of the Python server's zaqar-bench, and more.

Every answer is checked. In the end the queues are listed, and every message
must be accounted for: one that is lost, duplicated, reordered, never posted,
back after its deletion, skipped or altered is reported, and the exit code is 1,
as it is after a request that failed. A message may expire.

The queues are named PREFIX-0, PREFIX-1 and so on. They are deleted first and
left behind afterwards. With --skip_queue_reset they keep what they have;
consumers take that too, and what others have posted is counted apart.

Without --messages_path, ` + messagesFile + ` is looked for where
configuration is; without that one small message is posted. It is an array:

  [{"weight": 0.8, "doc": {"ttl": 60, "body": {"any": "JSON"}}}, …]

OS_AUTH_STRATEGY=keystone takes tokens of the identity service that the usual
OS_* variables name, or OS_CLOUD and clouds.yaml. Otherwise there are none, and
the project is my-lovely-benchmark.`,
		Example: `  zaqar bench workers
  zaqar bench workers -s http://zaqar.example.com:8888 -pp 2 -pw 20 -cw 10 -t 60
  zaqar bench workers --rate 500 --batch 10 -cw 20 --wait 5 --nodebug | jq .consumer.end_to_end_ms
  zaqar-bench -cp 1 -cw 10 -cno 10`,
		// The older program's short options have several letters, so that the
		// command line is read below.
		Args:               cobra.ArbitraryArgs,
		DisableFlagParsing: true,
	}
	o := workersFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := cmd.Flags().Parse(longOptions(args)); err != nil {
			return err
		}
		if help, err := cmd.Flags().GetBool("help"); help || err != nil {
			return cmd.Help()
		}
		if rest := cmd.Flags().Args(); len(rest) > 0 {
			return fmt.Errorf("unexpected argument %q", rest[0])
		}
		ctx, stop := interruptible(cmd.Context())
		defer stop()
		return o.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// shortOptions are the older program's options of several letters.
func shortOptions() map[string]string {
	return map[string]string{
		"pp": "producer_processes", "pw": "producer_workers",
		"cp": "consumer_processes", "cw": "consumer_workers",
		"op": "observer_processes", "ow": "observer_workers",
		"cno": "messages_per_claim", "lno": "messages_per_list",
		"qno": "num_queues", "api": "api_version",
	}
}

// longOptions replaces short options of several letters, which would be read
// as several options of one letter each.
func longOptions(args []string) []string {
	args = slices.Clone(args)
	names := shortOptions()
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, value, assigned := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if long, ok := names[name]; ok && strings.HasPrefix(arg, "-") {
			args[i] = "--" + long
			if assigned {
				args[i] += "=" + value
			}
		}
	}
	return args
}

// workersOptions is what the command line says.
type workersOptions struct {
	workers.Options
	time, wait     seconds
	check          seconds
	messages, api  string
	json           string
	debug, nodebug bool
}

// workersFlags adds the options and returns what collects them.
func workersFlags(f *pflag.FlagSet) *workersOptions {
	o := &workersOptions{Options: workers.Defaults()}
	o.time, o.check = seconds(o.Duration), seconds(o.CheckTime)
	group := func(g *workers.Group, name, short, what string) {
		f.IntVar(&g.Processes, name+"_processes", g.Processes, "`number` of processes of "+name+"s (-"+short+"p)")
		f.IntVar(&g.Workers, name+"_workers", g.Workers, "`number` of workers of each, which "+what+" (-"+short+"w)")
	}
	group(&o.Producers, "producer", "p", "post")
	group(&o.Consumers, "consumer", "c", "claim and delete; 0 is none")
	group(&o.Observers, "observer", "o", "list")
	f.IntVar(&o.PerClaim, "messages_per_claim", o.PerClaim, "claim at most so `many` at once (-cno)")
	f.IntVar(&o.PerList, "messages_per_list", o.PerList, "list at most so `many` at once (-lno)")
	f.VarP(&o.time, "time", "t", "work for so long: seconds, or 90s, 5m")
	f.StringVarP(&o.Server, "server_url", "s", o.Server, "`URL` of the server, without /v2")
	f.StringVarP(&o.Prefix, "queue_prefix", "q", o.Prefix, "`beginning` of the queues' names")
	f.IntVar(&o.Queues, "num_queues", o.Queues, "`number` of queues (-qno)")
	f.StringVarP(&o.messages, "messages_path", "m", "", "`file` with the messages to post")
	f.StringVar(&o.api, "api_version", "2", "`version` of the API: 2 (-api)")
	f.BoolVar(&o.SkipReset, "skip_queue_reset", false, "do not delete the queues first")
	f.BoolVar(&o.debug, "debug", true, "tell the progress, and report for people")
	f.BoolVar(&o.nodebug, "nodebug", false, "report as one line of JSON")
	f.IntVar(&o.Batch, "batch", o.Batch, "post so `many` messages at once")
	f.Float64Var(&o.Rate, "rate", 0, "make so `many` posts a second instead of as many as possible; latency then counts from when a post was due")
	f.Var(&o.wait, "wait", "let claims wait so long for messages")
	f.Var(&o.check, "check_time", "give up the lists at the end after so long")
	f.StringVar(&o.json, "json", "", "write the report to this `file`, too, as JSON; \"-\": to standard output, instead of the one for people")
	f.SortFlags = false
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "-", "_"))
	})
	return o
}

// seconds is a time given in seconds or as a duration.
type seconds time.Duration

// String implements pflag.Value: the number of seconds.
func (s *seconds) String() string {
	return strconv.FormatFloat(time.Duration(*s).Seconds(), 'g', -1, 64)
}

// Type implements pflag.Value.
func (s *seconds) Type() string { return "seconds" }

// Set implements pflag.Value. A number without a unit is seconds.
func (s *seconds) Set(text string) error {
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > -1e9 && n < 1e9 {
		*s = seconds(n * float64(time.Second))
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("must be a number of seconds, or a duration such as 90s or 5m")
	}
	*s = seconds(d)
	return nil
}

// run carries the benchmark out and reports.
func (o *workersOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	if o.api != "2" {
		return fmt.Errorf("--api_version %s: only version 2 of the API is supported", o.api)
	}
	o.Duration, o.Wait, o.CheckTime = time.Duration(o.time), time.Duration(o.wait), time.Duration(o.check)
	if o.json == "-" {
		o.json, o.nodebug = "", true
	}
	debug := o.debug && !o.nodebug
	if debug {
		o.Progress = func(p workers.Progress) { fmt.Fprintln(stderr, progressLine(p)) }
	}
	if err := o.readMessages(config.System().Search); err != nil {
		return failureError{err}
	}
	if err := o.Check(); err != nil {
		return err
	}
	if err := bench.Writable(o.json); err != nil {
		return failureError{err}
	}
	if err := o.authenticate(ctx); err != nil {
		return failureError{err}
	}
	report, err := workers.Run(ctx, o.Options)
	if report != nil {
		if wrong := o.write(report, debug, stdout); wrong != nil {
			return failureError{errors.Join(err, wrong)}
		}
	}
	switch {
	case err != nil:
		return failureError{err}
	case report.Err() == nil:
		return nil
	case debug:
		return reportedError{report.Err()}
	}
	return failureError{report.Err()}
}

// readMessages reads the file that was named, or the first one found.
func (o *workersOptions) readMessages(search []string) error {
	path := o.messages
	if path == "" {
		for _, dir := range search {
			if found := filepath.Join(dir, messagesFile); exists(found) {
				path = found
				break
			}
		}
	}
	if path == "" {
		return nil
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if o.Messages, err = workers.ParseMessages(file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// write writes the report to where it was asked for.
func (o *workersOptions) write(r *workers.Report, debug bool, stdout io.Writer) error {
	if o.json != "" {
		file, err := os.Create(o.json)
		if err != nil {
			return err
		}
		if err := errors.Join(r.WriteJSON(file), file.Close()); err != nil {
			return err
		}
	}
	if debug {
		return r.WriteText(stdout)
	}
	return r.WriteJSON(stdout)
}

func progressLine(p workers.Progress) string {
	if p.Checking {
		return fmt.Sprintf("%4.0f s  checking: %d messages listed", p.Elapsed.Seconds(), p.Checked)
	}
	return fmt.Sprintf("%4.0f s  %d posts, %d claims, %d deletes, %d lists, %d failed",
		p.Elapsed.Seconds(), p.Posts, p.Claims, p.Deletes, p.Lists, p.Failed)
}
