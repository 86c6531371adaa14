// Package bench measures Zaqar servers over HTTP, beside a server of the same
// kind that stores nothing, and says how the two compare.
//
// Everything is measured in pairs, one right after the other, and the median
// of the pairs' ratios is the result, because a ratio holds on a machine that
// others use as well, while a rate does not. Every answer is checked and every
// message accounted for; a mistake ends the benchmark.
//
// Packages: load (what clients do, and the account), rawhttp (the client),
// nullsink, process (servers and what they use), report (table and JSON), and
// workers (the load and the report of the original's benchmark).
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"
)

// Programs says how to start the servers that a benchmark needs, each with
// arguments that are added. All must print the URL they listen on.
type Programs struct {
	Version string // for the report
	// Server is the product: --config-file, --data-dir, --bind and --port follow.
	Server []string
	// Inspected is the product with a second listener, see Inspect:
	// --data-dir and --access-log follow.
	Inspected []string
	// Null is the null sink: --size follows.
	Null []string
}

// TargetOptions says what Targets measures and how.
type TargetOptions struct {
	Programs  Programs
	Rows      *regexp.Regexp // names of what is measured
	Rounds    int            // pairs of each row; 0: only Profile
	Duration  time.Duration  // measured time of each half of a pair
	Warmup    time.Duration  // before that
	Dir       string         // data directories are made here
	AccessLog string         // default, on, off or both
	Size      int            // bytes of a message body
	Backlog   int            // messages of the long backlog
	Deep      bool           // also ten times that
	JSON      string         // file that gets the report, too
	Profile   string         // directory that gets CPU profiles of the server
	Keep      bool           // keep data directories and logs
	Quiet     bool           // tell nothing of the progress
	Procs     int            // GOMAXPROCS of the client
}

// DefaultTargets returns the usual options, without programs.
func DefaultTargets() TargetOptions {
	return TargetOptions{
		Rows: regexp.MustCompile(""), Rounds: 5, Duration: 3 * time.Second, Warmup: 500 * time.Millisecond,
		Dir: os.TempDir(), AccessLog: "default", Size: 1024, Backlog: 1_000_000, Procs: 1,
	}
}

// Check returns what is wrong with the options.
func (o *TargetOptions) Check() error {
	switch {
	case o.Rounds < 0 || o.Rounds == 0 && o.Profile == "":
		return errors.New("rounds must be positive")
	case o.Duration <= 0 || o.Warmup < 0:
		return errors.New("the duration must be positive, and the warm-up not negative")
	case o.Size < minSize:
		return fmt.Errorf("bodies must have %d bytes or more", minSize)
	case o.Backlog < 1 || o.Procs < 1:
		return errors.New("the backlog and the processors of the client must be positive")
	case !slices.Contains([]string{"default", "on", "off", "both"}, o.AccessLog):
		return fmt.Errorf("access log %q: must be default, on, off or both", o.AccessLog)
	case !slices.ContainsFunc(o.names(o.Deep), o.Rows.MatchString):
		return fmt.Errorf("no row matches %q; rows about %s messages need --deep, the others are:\n%s", o.Rows, size(10*o.Backlog), TargetList())
	}
	return nil
}

// names returns the names of all rows.
func (o *TargetOptions) names(deep bool) []string {
	names := []string{startRow.Name, idleRow.Name, syncRow.Name, amplification}
	for _, r := range httpRows() {
		names = append(names, r.Name)
	}
	for _, d := range depthRows() {
		names = append(names, d.name+size(o.Backlog))
		if deep {
			names = append(names, d.name+size(10*o.Backlog))
		}
	}
	return names
}

// minSize is the least size of a body in bytes.
const minSize = 64

// Targets measures a server of this program beside the null sink, row by row,
// and writes a table of the rows with the targets that they are to reach.
func Targets(ctx context.Context, o TargetOptions, stdout, stderr io.Writer) error {
	if err := o.Check(); err != nil {
		return err
	}
	if err := Writable(o.JSON); err != nil {
		return err
	}
	modest(o.Procs)
	b := newTargets(o, stderr)
	err := b.measureAll(ctx)
	return b.finish(ctx, err, o.JSON, stdout)
}
