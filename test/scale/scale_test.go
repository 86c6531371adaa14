package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary the program itself when it is a helper.
func TestMain(m *testing.M) {
	if os.Getenv(asHelper) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// measure runs a scenario with small numbers. Its errors are wrong answers and
// wrong counts; what it measures is checked by the caller, bytes only.
func measure(t *testing.T, scenario string, o options) map[string]float64 {
	t.Helper()
	o.binary, o.dir, o.rounds, o.duration = os.Getenv("ZAQAR_BINARY"), t.TempDir(), 1, 100*time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	b, err := newBench(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	b.progress = io.Discard
	err = scenarios()[scenario](ctx, b)
	if cerr := b.close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	found := map[string]float64{}
	for _, f := range b.figures {
		found[f.Name] = float64(f.Value)
		t.Logf("%-70s %12.4g %s", f.Name, f.Value, f.Unit)
	}
	return found
}

// less fails the test unless there is such a figure and it is below a bound.
func less(t *testing.T, found map[string]float64, name string, bound float64) {
	t.Helper()
	if got, ok := found[name]; !ok || got <= 0 || got >= bound {
		t.Errorf("%s is %g, want less than %g", name, got, bound)
	}
}

func TestDeliveries(t *testing.T) {
	found := measure(t, "deliveries", options{subscriptions: 50, pending: 20_000, many: 5000})
	for _, name := range []string{"fan-out: deliveries to 50 subscriptions", "posts: 1 message, 16 clients, rate beside 10 subscriptions",
		"many: 5000 subscriptions, a post until all 10 of its queue have it", "many: 5000 subscriptions, a post until all 50 of its queue have it"} {
		if found[name] <= 0 {
			t.Errorf("%s is %g", name, found[name])
		}
	}
}

func TestWaiters(t *testing.T) {
	for name, streams := range map[string]bool{"connections": false, "streams": true} {
		t.Run(name, func(t *testing.T) {
			found := measure(t, "waiters", options{waiters: 1000, streams: streams})
			less(t, found, "waiters: memory for each", 40<<10)
			if found["waiters: listers woken by one message"] != 500 {
				t.Error("not all listers were woken")
			}
		})
	}
}

func TestMemoryOfWaiters(t *testing.T) {
	found := measure(t, "waiters-inside", options{waiters: 2000})
	if !detector {
		less(t, found, "inside, in handlers: live heap for each", 20<<10)
		less(t, found, "inside, in handlers: stacks for each", 12<<10)
		less(t, found, "inside, parked: live heap for each", 6<<10)
		less(t, found, "inside, parked: stacks for each", 6<<10)
		// What little is on the stack of such a request fits 2 KB, or it would
		// have 8 instead of 4.
		less(t, found, "inside, on streams: stacks for each", 5<<10)
	}
}

// TestMemoryOfWaitersAtFirst looks at stacks before they are shrunk: on its way
// to where it waits, a request must not outgrow 8 KB. The rest is the goroutine
// that watches for the client's going away.
func TestMemoryOfWaitersAtFirst(t *testing.T) {
	if detector {
		t.Skip("the race detector has larger frames")
	}
	in, err := startInside(t.TempDir(), inHandlers)
	if err != nil {
		t.Fatal(err)
	}
	const n = 500
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before := weigh()
	var conns []net.Conn
	for i := range n {
		c := in.connect()
		conns = append(conns, c)
		if _, err := c.Write(waitRequest("inside", i, i%2 == 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.await(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if each := measured().less(before, n).stacks; each > 13<<10 {
		t.Errorf("%.0f bytes of stacks for each", each)
	}
	for _, c := range conns {
		c.Close()
	}
	if err := errors.Join(in.await(t.Context(), 0), in.stop()); err != nil {
		t.Error(err)
	}
}

func TestMemoryOfQueues(t *testing.T) {
	found := measure(t, "queues", options{queues: 20_000})
	if !detector {
		less(t, found, "queues never used: live heap for each", 800)
		less(t, found, "queues never used: live heap for each, opened", 800)
		less(t, found, "queues used once: live heap for each", 2000)
		less(t, found, "queues used once: live heap for each, opened", 1500)
	}
}

func TestBusyQueue(t *testing.T) {
	measure(t, "busy", options{queues: 5000})
}

func TestFairness(t *testing.T) {
	measure(t, "fairness", options{only: "1 connections beside 64 connections posting 1 of"})
}

func TestMiddle(t *testing.T) {
	nan, inf := number(math.NaN()), number(math.Inf(1))
	for _, c := range []struct {
		each []number
		want number
	}{{[]number{3}, 3}, {[]number{5, 1, 2}, 2}, {[]number{4, 1, 3, 2}, 2.5}, {[]number{nan, 4, inf, 1, 2}, 2}} {
		before := fmt.Sprint(c.each)
		if got := middle(c.each); got != c.want || fmt.Sprint(c.each) != before {
			t.Errorf("the median of %v is %g, want %g", before, got, c.want)
		}
	}
	for _, each := range [][]number{nil, {nan, inf}} {
		if got := middle(each); got.measured() {
			t.Errorf("the median of %v is %g", each, got)
		}
	}
}

// The loud client yields to everybody else.
func TestLoudClientComesBehind(t *testing.T) {
	if behind() == nil || runtime.GOOS != "linux" {
		t.Skip("needs nice, and Linux to see what it does")
	}
	b := &bench{}
	h, err := b.helpBehind(behind(), "sink")
	if err != nil {
		t.Fatal(err)
	}
	defer h.stop()
	var addr string
	if _, err := fmt.Fscanln(h.out, &addr); err != nil {
		t.Fatal(err)
	}
	// The kernel gives 20 less the nice value.
	if got, err := syscall.Getpriority(syscall.PRIO_PROCESS, h.cmd.Process.Pid); err != nil || got != 1 {
		t.Errorf("priority %d, %v", got, err)
	}
}

// A machine so busy that nothing was done in a round has a report nevertheless.
func TestReportWithoutNumbers(t *testing.T) {
	b := &bench{progress: io.Discard}
	none := 0.0
	b.median("ratio", "", []float64{none / none, 1 / none, 2})
	b.tell("alone", "µs", 1/none)
	text, err := json.Marshal(b.report("busy").Figures)
	if want := `[{"name":"ratio","value":2,"unit":"","each":[null,null,2]},{"name":"alone","value":null,"unit":"µs"}]`; err != nil || string(text) != want {
		t.Errorf("%v, %s\nwant %s", err, text, want)
	}
}

func TestWrongScenarios(t *testing.T) {
	for _, args := range [][]string{nil, {"nothing"}, {"busy", "queues"}} {
		if err := run(t.Context(), options{}, args, io.Discard); err == nil || !strings.Contains(err.Error(), "fairness") {
			t.Errorf("%q: %v", args, err)
		}
	}
	nothing := options{binary: os.Getenv("ZAQAR_BINARY"), dir: t.TempDir(), only: "nothing"}
	if err := run(t.Context(), nothing, []string{"queues"}, io.Discard); err == nil || !strings.Contains(err.Error(), `-only "nothing"`) {
		t.Errorf("no row wanted: %v", err)
	}
	if err := run(t.Context(), options{role: "nobody"}, nil, io.Discard); err == nil {
		t.Error("a role that does not exist is played")
	}
}

// A limit of files that does not suffice is said before anything is started.
func TestEnoughFiles(t *testing.T) {
	if err := enoughFiles(1); err != nil {
		t.Error(err)
	}
	if err := enoughFiles(1 << 40); err == nil || !strings.Contains(err.Error(), "ulimit") {
		t.Errorf("a million million connections: %v", err)
	}
}

func TestUsageNamesTheScenarios(t *testing.T) {
	var out strings.Builder
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	f.SetOutput(&out)
	usage(f)
	for name := range scenarios() {
		if !strings.Contains(out.String(), "\n  "+name+" ") {
			t.Errorf("no %s in\n%s", name, &out)
		}
	}
}
