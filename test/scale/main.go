package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	binary        string        // of the server; empty: built here
	dir           string        // where data directories are made
	queues        int           // how many queues
	waiters       int           // how many clients wait
	streams       bool          // they wait on streams of HTTP/2, under TLS
	subscriptions int           // of the topic that is fanned out
	pending       int           // deliveries that wait
	many          int           // subscriptions to many queues
	idle          time.Duration // how long to watch a server that has nothing to do
	rounds        int           // how often each comparison is made
	duration      time.Duration // of one measurement
	only          string        // part of the names of the rows wanted
	access        bool          // leave the access log on
	profiles      string        // directory that gets profiles; may be empty
	addr          string        // with role: of the server
	role          string        // the part of a helper process
	conns         int           // with role: connections
	batch         int           // with role: messages of a post
	size          int           // with role: bytes of a body
	how           string        // with role: list or claim
	from          string        // with role: the address to connect from
}

// scenarios returns what can be run, by name.
func scenarios() map[string]func(context.Context, *bench) error {
	return map[string]func(context.Context, *bench) error{
		"busy":           busy,
		"deliveries":     deliveries,
		"queues":         queues,
		"fairness":       fairness,
		"waiters":        waiters,
		"waiters-inside": waitersInside,
	}
}

// roles returns what helper processes do, by name.
func roles() map[string]func(context.Context, options, io.Writer) error {
	return map[string]func(context.Context, options, io.Writer) error{
		"noise":    noise,
		"receiver": receiverRole,
		"sink":     sink,
		"streams":  streamsRole,
		"waiters":  waitersRole,
	}
}

func main() {
	var o options
	f := flag.NewFlagSet("scale", flag.ExitOnError)
	f.StringVar(&o.binary, "binary", os.Getenv("ZAQAR_BINARY"), "the server `program`; built if empty")
	f.StringVar(&o.dir, "dir", os.TempDir(), "make data directories in this `directory`")
	f.IntVar(&o.queues, "queues", 100_000, "idle queues")
	f.IntVar(&o.waiters, "waiters", 50_000, "clients that wait")
	f.BoolVar(&o.streams, "http2", false, "clients wait over HTTP/2 under TLS, many on a connection")
	f.IntVar(&o.subscriptions, "subscriptions", 1000, "subscriptions of the topic that is fanned out")
	f.IntVar(&o.pending, "pending", 1_000_000, "deliveries that wait")
	f.IntVar(&o.many, "many", 100_000, "subscriptions to many queues")
	f.DurationVar(&o.idle, "idle", 3*time.Minute, "how long to watch a server with them that has nothing to do")
	f.IntVar(&o.rounds, "rounds", 5, "pairs of each comparison")
	f.DurationVar(&o.duration, "duration", 3*time.Second, "of each half of a pair")
	f.StringVar(&o.only, "only", "", "only the rows whose names contain this `text`")
	f.BoolVar(&o.access, "access-log", true, "the server logs requests")
	f.StringVar(&o.profiles, "profiles", "", "write profiles into this `directory`")
	f.StringVar(&o.role, "role", "", "be a helper process; for this program itself")
	f.StringVar(&o.addr, "addr", "", "with -role: the server")
	f.IntVar(&o.conns, "conns", 64, "with -role: connections")
	f.IntVar(&o.batch, "batch", 10, "with -role: messages of a post")
	f.IntVar(&o.size, "size", 1024, "with -role: bytes of a body")
	f.StringVar(&o.how, "how", "list", "with -role: list or claim")
	f.StringVar(&o.from, "from", "", "with -role: the address to connect from")
	f.Usage = func() { usage(f) }
	_ = f.Parse(os.Args[1:]) // exits on an error
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, f.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// usage lists what can be run, and the flags.
func usage(f *flag.FlagSet) {
	fmt.Fprintf(f.Output(), `Measure the server with much of something, and print JSON. Each scenario starts
the program on a store of its own.

  go run ./test/scale [flags] SCENARIO

Scenarios:
  busy            a busy queue beside -queues idle ones
  deliveries      posts to -subscriptions subscribers; -pending deliveries that wait
  fairness        single posts of a tenant beside another one at full speed
  queues          many queues: made, kept in memory and on disk, listed
  waiters         posts beside -waiters clients that wait; waking them, stopping
  waiters-inside  -waiters connections that wait inside one process

Examples:
  go run ./test/scale -queues 100000 -rounds 12 -duration 700ms busy
  go run ./test/scale -waiters 17500 -rounds 12 waiters
  go run ./test/scale -queues 1000000 -only never queues

Flags:
`)
	f.PrintDefaults()
}

func run(ctx context.Context, o options, args []string, out io.Writer) error {
	if o.role != "" {
		part := roles()[o.role]
		if part == nil {
			return fmt.Errorf("there is no role %q", o.role)
		}
		return part(ctx, o, out)
	}
	if len(args) != 1 || scenarios()[args[0]] == nil {
		return errors.New("one scenario is needed, after the flags: " + strings.Join(slices.Sorted(maps.Keys(scenarios())), ", "))
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	err = errors.Join(scenarios()[args[0]](ctx, b), b.close())
	if err == nil && len(b.figures) == 0 {
		err = fmt.Errorf("-only %q: no row of %s has such a name", o.only, args[0])
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return errors.Join(err, e.Encode(b.report(args[0])))
}

// report is what a run prints.
type report struct {
	Scenario string         `json:"scenario"`
	Begun    time.Time      `json:"begun"`
	Machine  string         `json:"machine"`
	CPUs     int            `json:"cpus"`
	Settings map[string]any `json:"settings"`
	Figures  []figure       `json:"figures"`
}

// figure is one number.
type figure struct {
	Name  string   `json:"name"`
	Value number   `json:"value"`
	Unit  string   `json:"unit"`
	Each  []number `json:"each,omitempty"` // of the rounds Value is the median of
}

// number is one that may not have been measured: a ratio to nothing. JSON has
// null for it.
type number float64

// measured reports whether it is a number.
func (n number) measured() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if !n.measured() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func (b *bench) report(scenario string) report {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return report{
		Scenario: scenario, Begun: b.begun, CPUs: runtime.NumCPU(),
		Machine:  strings.Join([]string{runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, strings.TrimSpace(string(release))}, " "),
		Settings: b.settings, Figures: b.figures,
	}
}

// tell adds a figure and shows it.
func (b *bench) tell(name, unit string, value float64) {
	b.add(figure{Name: name, Unit: unit, Value: number(value)})
}

// median adds the median of the rounds.
func (b *bench) median(name, unit string, each []float64) {
	f := figure{Name: name, Unit: unit}
	for _, x := range each {
		f.Each = append(f.Each, number(x))
	}
	f.Value = middle(f.Each)
	b.add(f)
}

func (b *bench) add(f figure) {
	b.figures = append(b.figures, f)
	b.say("%-60s %10.4g %s", f.Name, f.Value, f.Unit)
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// middle returns the median of those that were measured, if there are any.
func middle(each []number) number {
	s := slices.DeleteFunc(slices.Clone(each), func(n number) bool { return !n.measured() })
	slices.Sort(s)
	switch n := len(s); {
	case n == 0:
		return number(math.NaN())
	case n%2 == 0:
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
