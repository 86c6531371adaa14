package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/bench"
	"zaqar/bench/load"
	"zaqar/bench/report"
)

// brief are options for a short run against a server.
func brief(url string, scenarios ...string) bench.RunOptions {
	o := bench.DefaultRun()
	o.ServerURL, o.Scenarios = url, scenarios
	o.Rounds, o.Duration, o.Warmup, o.Connections = 1, 30*time.Millisecond, time.Millisecond, 4
	o.Size, o.Fill, o.Depths, o.Queues, o.JSON, o.Procs = 100, 200, []int{100, 200}, 20, "-", 4
	return o
}

// run runs a benchmark and returns its report. On a busy machine it takes as
// long as is needed.
func run(t *testing.T, o bench.RunOptions) (report.Report, error) {
	t.Helper()
	for {
		r, err := once(t, o)
		if !errors.Is(err, bench.ErrTooShort) {
			return r, err
		}
		o.Duration *= 2
	}
}

func once(t *testing.T, o bench.RunOptions) (report.Report, error) {
	t.Helper()
	var out, progress bytes.Buffer
	err := bench.Run(t.Context(), o, &out, &progress)
	var r report.Report
	if out.Len() > 0 {
		if e := json.Unmarshal(out.Bytes(), &r); e != nil {
			t.Fatalf("%v in %s", e, &out)
		}
	}
	return r, err
}

var everything = []string{
	"post-1", "post-10", "list-10", "claim-10", "claim-10-bulk", "cycle", "mixed", "backlog", "many-queues", "fan-in", "fan-out",
}

func TestHonestServerPasses(t *testing.T) {
	f := new(fake)
	r, err := run(t, brief(f.start(t), everything...))
	if err != nil {
		t.Fatal(err)
	}
	if want := len(everything) + 1; len(r.Rows) != want || r.Error != "" { // backlog has two depths
		t.Errorf("%d rows, want %d; error %q", len(r.Rows), want, r.Error)
	}
	for _, row := range r.Rows {
		if len(row.Samples) != 1 || row.Result.Median <= 0 {
			t.Errorf("%s: %d samples, %v", row.Name, len(row.Samples), row.Result)
		}
		if a := row.Samples[0].Account; a == nil || a.Posted == 0 || a.Posted != a.Deleted+a.Left {
			t.Errorf("%s: the account is %+v", row.Name, a)
		}
		if d := row.Samples[0].Delivery; d != nil && !strings.HasPrefix(row.Name, "fan") {
			t.Errorf("%s: delivery %+v", row.Name, d)
		}
	}
	if len(f.queues) > 0 {
		t.Errorf("%d queues were left", len(f.queues))
	}
}

// The samples of backlog share a queue, and the last has the account of all.
func TestAccountOfSharedQueues(t *testing.T) {
	o := brief(new(fake).start(t), "backlog")
	o.Against, o.Rounds, o.Depths = new(fake).start(t), 2, []int{100}
	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	first, last := r.Rows[0].Pairs[0], r.Rows[0].Pairs[1]
	for _, s := range [][2]report.Sample{{first.This, last.This}, {first.Other, last.Other}} {
		messages := int(s[0].Messages + s[1].Messages) // posted or claimed
		if a := s[1].Account; s[0].Account != nil || a == nil || a.Posted-100+a.Claimed < messages || a.Posted != a.Deleted+a.Left {
			t.Errorf("%d messages, accounts %+v and %+v", messages, s[0].Account, a)
		}
	}
}

func TestDelivery(t *testing.T) {
	for _, scenario := range []string{"fan-in", "fan-out"} {
		for duration := 50 * time.Millisecond; ; duration *= 4 {
			o := brief(new(fake).start(t), scenario)
			o.Duration = duration
			r, err := run(t, o)
			if err != nil {
				t.Fatal(err)
			}
			s := r.Rows[0].Samples[0]
			if s.Delivery == nil && duration < time.Minute {
				continue // the machine is busy: what was received had been posted before
			}
			if d := s.Delivery; s.Received == 0 || d.Count == 0 || d.P50 <= 0 || d.Max < d.P99 || d.P99 < d.P50 {
				t.Errorf("%s: %d received, delivery %+v", scenario, s.Received, d)
			}
			break
		}
	}
}

func TestLiarsAreFound(t *testing.T) {
	tests := []struct {
		lie      lie
		scenario string
		want     string
	}{
		{loses, "post-1", "1 lost (0"},
		{loses, "claim-10", "1 lost (0"},
		{loses, "many-queues", "1 lost ("},
		{loses, "fan-in", "1 lost (0"},
		{loses, "fan-out", "missed by a reader (0"},
		{losesClaimed, "claim-10-bulk", "1 lost (0"},
		{losesClaimed, "cycle", "1 lost (0"},
		{listsTwice, "post-10", "1 duplicate (0"},
		{listsTwice, "fan-out", "1 duplicate (0"},
		{sameID, "post-1", "2 duplicate (0"},
		{makesUp, "claim-10", "never posted (made-up"},
		{makesUp, "cycle", "never posted (made-up"},
		{handsOutTwice, "claim-10-bulk", "1 claimed twice (0"},
		{handsOutTwice, "claim-10", "1 deleted twice (0"},
		{handsOutTwice, "fan-in", "1 deleted twice (0"},
		{keeps, "claim-10", "1 back after deletion (0"},
		{keeps, "mixed", "1 back after deletion (0"},
		{newestFirst, "claim-10", "out of order (0"},
		{newestFirst, "mixed", "out of order (0"},
		{swaps, "post-10", "1 out of order (0"},
		{swaps, "fan-out", "out of order (0"},
		{alters, "post-1", "the answer to GET /v2/queues/zaqar-bench-"},
		{alters, "cycle", "/claims?limit=1: a message does not have the body that was posted"},
		{withholds, "mixed", "1 are listed that cannot be claimed"},
		{isGenerous, "claim-10", "was answered with 11 messages"},
		{handsNothing, "claim-10", "was answered with 0 messages"},
	}
	for _, tt := range tests {
		t.Run(string(tt.lie)+"/"+tt.scenario, func(t *testing.T) {
			t.Parallel()
			f := &fake{lie: tt.lie}
			r, err := run(t, brief(f.start(t), tt.scenario))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if !f.told {
				t.Error("the lie was not told")
			}
			answers := []lie{alters, isGenerous, handsNothing, withholds} // are found out by one answer, or by none
			if !slices.Contains(answers, tt.lie) && (!errors.Is(err, load.ErrFindings) || r.Findings == nil) {
				t.Errorf("findings %v, error %v", r.Findings, err)
			}
			if r.Error == "" || len(f.queues) > 0 {
				t.Errorf("error in the report: %q; queues left: %d", r.Error, len(f.queues))
			}
		})
	}
}

func TestOddServersPass(t *testing.T) {
	tests := []struct {
		name string
		fake *fake
		note string
	}{
		{"ignores wait", &fake{ignorant: true}, "ignores wait"},
		{"cannot list what is claimed", &fake{blind: true}, "cannot list claimed"},
		{"closes connections", &fake{forgetful: true}, "closes connections"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := run(t, brief(tt.fake.start(t), "cycle", "fan-in", "fan-out"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(r.Notes, "\n"), tt.note) {
				t.Errorf("notes %q, want %q", r.Notes, tt.note)
			}
		})
	}
}

func TestServersThatFail(t *testing.T) {
	tests := []struct {
		name string
		fake *fake
		want string
	}{
		{"another API", &fake{notThere: true}, "no Zaqar API of version 2"},
		{"wants a token", &fake{token: "secret"}, "OS_TOKEN"},
		{"not ready", &fake{failsAfter: 1}, "answered with 503 Service Unavailable: not now"},
		{"fails meanwhile", &fake{failsAfter: 100}, "answered with 503"},
		{"dies at once", &fake{diesAfter: 1}, "the connection failed"},
		{"dies meanwhile", &fake{diesAfter: 100}, "the connection failed"},
		{"hangs at once", &fake{hangsAfter: 1}, "not answered within 100ms"},
		{"hangs meanwhile", &fake{hangsAfter: 100}, "not answered within 100ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := brief(tt.fake.start(t), "cycle")
			o.Duration = time.Minute
			if tt.fake.hangsAfter > 0 {
				o.Timeout = 100 * time.Millisecond
			}
			r, err := run(t, o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if r.Error == "" {
				t.Error("the report does not say so")
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	if _, err := run(t, brief(url, "post-1")); err == nil || !strings.Contains(err.Error(), "no connection to "+url) {
		t.Errorf("got %v", err)
	}
}

func TestRequestsCarryWhatWasAskedFor(t *testing.T) {
	f := &fake{token: "secret"}
	o := brief(f.start(t), "post-1")
	o.Token, o.Project, o.Headers = "secret", "tenant", []string{"X-Trace: on"}
	if _, err := run(t, o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"X-Auth-Token: secret", "X-Project-Id: tenant", "X-Trace: on"} {
		if !f.seen[want] {
			t.Errorf("no header %q in %v", want, f.seen)
		}
	}
}

// A header that is given replaces what would be sent else: a server of a name
// of its own behind an address, another token than that of the environment.
func TestHeadersReplaceOthers(t *testing.T) {
	f := &fake{token: "mine"}
	o := brief(f.start(t), "post-1")
	o.Token, o.Headers = "of the environment", []string{"x-auth-token: mine", "User-Agent: me", "X-PROJECT-ID: tenant"}
	if _, err := run(t, o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"User-Agent: me", "X-Project-Id: tenant"} {
		if !f.seen[want] {
			t.Errorf("no header %q in %v", want, f.seen)
		}
	}
	if f.repeated != "" {
		t.Errorf("%s came twice", f.repeated)
	}
}

func TestPairs(t *testing.T) {
	this, other := new(fake), new(fake)
	o := brief(this.start(t), "post-1", "backlog")
	o.Against, o.Rounds = other.start(t), 3
	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if len(row.Pairs) != 3 || row.Result.Median <= 0 {
			t.Errorf("%s: %d pairs, %+v", row.Name, len(row.Pairs), row.Result)
		}
		for _, p := range row.Pairs {
			if "http://"+p.This.Of != o.ServerURL || "http://"+p.Other.Of != o.Against || p.Ratio != p.This.Rate/p.Other.Rate {
				t.Errorf("%s: pair %+v", row.Name, p)
			}
		}
	}
	if len(this.queues)+len(other.queues) > 0 {
		t.Errorf("queues left: %d and %d", len(this.queues), len(other.queues))
	}
}

func TestInterrupt(t *testing.T) {
	for _, keep := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := &fake{busy: cancel}
		o := brief(f.start(t), "post-1")
		o.Duration, o.Keep = time.Hour, keep
		var out, progress bytes.Buffer
		err := bench.Run(ctx, o, &out, &progress)
		if err == nil || err.Error() != "interrupted" {
			t.Errorf("got %v", err)
		}
		if left := len(f.queues); (left == 1) != keep {
			t.Errorf("keep %t: %d queues are left", keep, left)
		}
		if keep && !strings.Contains(progress.String(), "kept the queues zaqar-bench-") {
			t.Errorf("told %q", &progress)
		}
	}
}

func TestRate(t *testing.T) {
	f := new(fake)
	o := brief(f.start(t), "post-1")
	o.Rate, o.Duration = 1000, 200*time.Millisecond
	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	// No more than asked for, the connections' first steps included.
	if s := r.Rows[0].Samples[0]; float64(s.Requests) > s.Seconds*o.Rate+10 {
		t.Errorf("%d requests in %v s", s.Requests, s.Seconds)
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(o *bench.RunOptions)
		want   string
	}{
		{"no scenario", func(o *bench.RunOptions) { o.Scenarios = nil }, "fan-out"},
		{"unknown scenario", func(o *bench.RunOptions) { o.Scenarios = []string{"dance"} }, `unknown scenario "dance"`},
		{"number of another", func(o *bench.RunOptions) { o.Scenarios = []string{"dance-10"} }, `unknown scenario "dance-10"`},
		{"zero", func(o *bench.RunOptions) { o.Scenarios = []string{"post-0"} }, `unknown scenario "post-0"`},
		{"URL", func(o *bench.RunOptions) { o.ServerURL = "localhost:8888" }, "http://"},
		{"address", func(o *bench.RunOptions) { o.Against = "127.0.0.1:8888" }, "such as http://127.0.0.1:8888"},
		{"URL with a query", func(o *bench.RunOptions) { o.ServerURL = "http://x/?y" }, "not the URL of a server"},
		{"against what", func(o *bench.RunOptions) { o.Against = "nil" }, "http://"},
		{"header", func(o *bench.RunOptions) { o.Headers = []string{"no colon"} }, "not a header"},
		{"header with a line", func(o *bench.RunOptions) { o.Headers = []string{"a: b\r\nc: d"} }, "not a header"},
		{"header of its own", func(o *bench.RunOptions) { o.Headers = []string{"content-LENGTH: 5"} }, "gives this header itself"},
		{"nothing to list", func(o *bench.RunOptions) { o.Scenarios, o.Fill = []string{"list"}, 0 }, "nothing to list"},
		{"more than there is memory for", func(o *bench.RunOptions) { o.Scenarios, o.Batch = []string{"mixed"}, 1<<30 }, "must not take more"},
		{"a body too large", func(o *bench.RunOptions) { o.Size = 1 << 30 }, "must not take more"},
		{"fill", func(o *bench.RunOptions) { o.Fill = -2 }, "less than no messages"},
		{"project with a line", func(o *bench.RunOptions) { o.Project = "a\r\nb: c" }, "not a header"},
		{"token with a line", func(o *bench.RunOptions) { o.Token = "a\nb" }, "not a header"},
		{"waiting at the null sink", func(o *bench.RunOptions) { o.Scenarios, o.Against = []string{"fan-in"}, bench.AgainstNull }, "null sink"},
		{"page of the null sink", func(o *bench.RunOptions) { o.Scenarios, o.Against = []string{"list-21"}, bench.AgainstNull }, "null sink"},
		{"post to the null sink", func(o *bench.RunOptions) { o.Scenarios, o.Against = []string{"post-251"}, bench.AgainstNull }, "null sink"},
		{"rounds", func(o *bench.RunOptions) { o.Rounds = 0 }, "positive"},
		{"duration", func(o *bench.RunOptions) { o.Duration = 0 }, "positive"},
		{"size", func(o *bench.RunOptions) { o.Size = 63 }, "64 bytes"},
		{"depth", func(o *bench.RunOptions) { o.Depths = []int{0} }, "depth"},
		{"rate", func(o *bench.RunOptions) { o.Rate = -1 }, "rate"},
		{"no rate at all", func(o *bench.RunOptions) { o.Rate = math.NaN() }, "rate"},
		{"endless rate", func(o *bench.RunOptions) { o.Rate = math.Inf(1) }, "rate"},
		{"prefix", func(o *bench.RunOptions) { o.Prefix = "a/b" }, "prefix"},
		{"process of what", func(o *bench.RunOptions) { o.AgainstPids = []int{1} }, "process ids"},
		{"process of a server of its own", func(o *bench.RunOptions) { o.ServerURL, o.Pids = "", []int{1} }, "process ids"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := brief("http://127.0.0.1:1", "post-1")
			if err := o.Check(); err != nil {
				t.Fatal(err)
			}
			tt.change(&o)
			if err := o.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestUsageOfAProcess(t *testing.T) {
	f := new(fake)
	o := brief(f.start(t), "post-1")
	o.Pids = []int{os.Getpid()}
	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/self/status"); err == nil && r.Rows[0].Samples[0].Resident == 0 {
		t.Errorf("nothing is known of the server: %+v", r.Rows[0].Samples[0])
	}
}
