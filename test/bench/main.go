// Command bench measures a Zaqar server over HTTP beside a null sink, a
// server of the same kind that stores nothing, and prints how the two compare.
//
// Everything is measured in pairs, one right after the other, and the median
// of the pairs' ratios is the result, because a ratio holds on a machine that
// others use as well, while a rate does not. Every answer is checked and every
// message accounted for; a mistake ends the benchmark.
//
// Packages: load (what clients do, and the account), rawhttp (the client),
// nullsink, process (servers and what they use), report (table and JSON).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

const usage = `Usage: go run ./test/bench [flags]

Builds the server, starts it on an empty data directory beside a null sink,
and measures both in turns. It takes several minutes; -run and -duration make
it shorter.

  go run ./test/bench                                  everything but 10 M
  go run ./test/bench -run 'post-1-|list' -rounds 3
  go run ./test/bench -run post-1-c64 -access-log both -json result.json
  go run ./test/bench -run list -profile /tmp/profiles

Rows:
%s
Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch args := os.Args[1:]; {
	case len(args) > 0 && args[0] == "null":
		err = serveNull(ctx, args[1:])
	case len(args) > 0 && args[0] == "serve":
		err = serveProduct(ctx, args[1:])
	default:
		err = run(ctx, args, os.Stdout, os.Stderr)
	}
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options is what the flags say.
type options struct {
	run       *regexp.Regexp
	rounds    int
	duration  time.Duration
	warmup    time.Duration
	server    string
	dir       string
	accessLog string
	size      int
	backlog   int
	deep      bool
	json      string
	profile   string
	keep      bool
	procs     int
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	pattern := f.String("run", "", "measure only the rows whose name matches this `regexp`")
	f.IntVar(&o.rounds, "rounds", 5, "pairs of each row; 0: only -profile")
	f.DurationVar(&o.duration, "duration", 3*time.Second, "measured time of each half of a pair")
	f.DurationVar(&o.warmup, "warmup", 500*time.Millisecond, "time before that")
	f.StringVar(&o.server, "server", "", "the zaqar `program` to measure (default: built from this source)")
	f.StringVar(&o.dir, "dir", os.TempDir(), "make data directories in this `directory`, on the disk to be measured")
	f.StringVar(&o.accessLog, "access-log", "default", "default (the product's), on, off or both (each row twice)")
	f.IntVar(&o.size, "size", 1024, "size of message bodies in `bytes`")
	f.IntVar(&o.backlog, "backlog", 1_000_000, "`messages` of the long backlog")
	f.BoolVar(&o.deep, "deep", false, "also measure a backlog of ten times that")
	f.StringVar(&o.json, "json", "", "write the report to this `file` too")
	f.StringVar(&o.profile, "profile", "", "also write CPU profiles of the server into this `directory`")
	f.BoolVar(&o.keep, "keep", false, "keep data directories and logs")
	f.IntVar(&o.procs, "client-procs", 1, "GOMAXPROCS of the client")
	f.Usage = func() {
		fmt.Fprintf(stderr, usage, rowList())
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.run, err = regexp.Compile(*pattern); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.rounds < 1 && o.profile == "" || o.duration <= 0 || o.warmup < 0 || o.size < 64 || o.backlog < 1 || o.procs < 1:
		return o, errors.New("-rounds, -duration, -warmup, -size (64 or more), -backlog and -client-procs must make sense")
	case !strings.Contains(" default on off both ", " "+o.accessLog+" "):
		return o, fmt.Errorf("-access-log=%s: must be default, on, off or both", o.accessLog)
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	// The client is to take little of the machine, and that evenly.
	runtime.GOMAXPROCS(o.procs)
	debug.SetGCPercent(800)
	b, err := newBench(ctx, o, stderr)
	if err != nil {
		return err
	}
	err = errors.Join(b.measure(ctx), b.close())
	if len(b.report.Rows) > 0 {
		err = errors.Join(err, b.report.WriteTable(stdout))
	}
	if err != nil || o.json == "" {
		return err
	}
	file, err := os.Create(o.json)
	if err != nil {
		return err
	}
	return errors.Join(b.report.WriteJSON(file), file.Close())
}
