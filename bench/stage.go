package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"zaqar/bench/load"
	"zaqar/bench/process"
	"zaqar/bench/report"
)

// stage is where a benchmark takes place: the servers that it has started, the
// queues that it has made, and what it tells.
type stage struct {
	programs Programs
	work     string // holds everything that is written; made when it is needed
	dir      string // where that is made
	keep     bool   // keep queues and what is written
	prefix   string // of the names of queues
	project  string
	headers  []string
	timeout  time.Duration
	body     []byte
	warmup   time.Duration
	duration time.Duration

	*progress
	report  *report.Report
	running []*process.Process
	made    []made
	started int    // counts servers and queues, to give them names
	round   string // that is measured, for people
}

// made is queues that are to be deleted.
type made struct {
	*load.Queues
	on *side
}

// side is a server that is measured.
type side struct {
	name   string
	target load.Target
	pids   []int            // of its processes, as far as they are known
	own    *process.Process // nil: somebody else's
	waits  *bool            // whether it honours wait; nil: not yet asked
}

// usage adds up what the processes of the server have used.
func (s *side) usage() process.Usage {
	var u process.Usage
	for _, pid := range s.pids {
		u = u.Plus(process.UsageOf(pid))
	}
	return u
}

// gone reports why a server of one's own has ended by itself.
func (s *side) gone(err error) error {
	if err == nil || s.own == nil {
		return err
	}
	if end := s.own.Ended(); end != nil {
		return fmt.Errorf("%w\n%w", err, end)
	}
	return err
}

// newReport begins a report.
func newReport(version string, settings map[string]any) *report.Report {
	return &report.Report{Version: version, Begun: time.Now(), Machine: machine(), Settings: settings}
}

// rounds calls do with the number of each of n rounds.
func (s *stage) rounds(n int, do func(round int) error) error {
	defer func() { s.round = "" }()
	for i := range n {
		if n > 1 {
			s.round = fmt.Sprintf(", round %d of %d", i+1, n)
		}
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}

func machine() report.Machine {
	m := report.Machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if f := strings.Fields(string(text)); len(f) > 2 {
			m.Load = strings.Join(f[:3], " ")
		}
	}
	return m
}

// modest makes the client take little of the machine, and that evenly.
func modest(procs int) {
	runtime.GOMAXPROCS(procs)
	debug.SetGCPercent(800)
}

// space returns the directory of the benchmark.
func (s *stage) space() (string, error) {
	if s.work != "" {
		return s.work, nil
	}
	var err error
	if s.work, err = os.MkdirTemp(s.dir, "zaqar-bench-"); err == nil && inMemory(s.work) {
		s.note("%s is in memory: what servers write there reaches no disk; --dir names another place", s.dir)
	}
	return s.work, err
}

// cleanTime bounds the deletion of queues when a benchmark ends early.
const cleanTime = 30 * time.Second

// close deletes the queues that are still there, ends what is still running and
// removes what was written.
func (s *stage) close(ctx context.Context) error {
	err := s.dropAll(ctx)
	for _, p := range s.running {
		err = errors.Join(err, p.Stop())
	}
	s.running = nil
	switch {
	case s.work == "":
	case s.keep:
		s.say("kept %s", s.work)
	default:
		err = errors.Join(err, os.RemoveAll(s.work))
	}
	return err
}

// dropAll deletes the queues on servers that outlive the benchmark.
func (s *stage) dropAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	var err error
	for _, m := range s.made {
		switch {
		case m.on.own != nil:
		case s.keep:
			s.say("kept the queues %s* on %s", m.Name(), m.on.name)
		default:
			if e := m.Drop(ctx); e != nil {
				err = errors.Join(err, fmt.Errorf("the queues %s* on %s were not deleted: %w", m.Name(), m.on.name, e))
			}
		}
	}
	s.made = nil
	return err
}

// note tells about something that belongs into the report.
func (s *stage) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if slices.Contains(s.report.Notes, n) {
		return
	}
	s.say("note: %s", n)
	s.report.Notes = append(s.report.Notes, n)
}

// patience bounds the time a server takes to start.
const patience = 2 * time.Minute

func (s *stage) start(ctx context.Context, name string, program []string, args ...string) (*side, error) {
	work, err := s.space()
	if err != nil {
		return nil, err
	}
	s.started++
	p, err := process.Start(ctx, process.Command{
		Name: name, Args: slices.Concat(program, args), Patience: patience,
		Log: filepath.Join(work, fmt.Sprintf("%s-%d.log", name, s.started)),
	})
	if err != nil {
		return nil, err
	}
	s.running = append(s.running, p)
	t := s.target()
	t.Addr = p.Addr
	return &side{name: name, target: t, pids: []int{p.Pid()}, own: p}, nil
}

// target returns what all targets have in common.
func (s *stage) target() load.Target {
	return load.Target{Project: s.project, Headers: s.headers, Timeout: s.timeout, Real: true}
}

// stop ends a server that start began.
func (s *stage) stop(on *side) error {
	s.running = slices.DeleteFunc(s.running, func(p *process.Process) bool { return p == on.own })
	return on.own.Stop()
}

func (s *stage) startNull(ctx context.Context) (*side, error) {
	on, err := s.start(ctx, "null", s.programs.Null, "--size", fmt.Sprint(len(s.body)))
	if err != nil {
		return nil, err
	}
	on.target.Real = false
	return on, nil
}

// startProduct starts the server on a data directory below the working one.
func (s *stage) startProduct(ctx context.Context, dir, accessLog string) (*side, error) {
	work, err := s.space()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(work, "zaqar-"+accessLog+".conf")
	text := "# as the product comes\n"
	if accessLog != "default" {
		text = fmt.Sprintf("[drivers:transport:wsgi]\naccess_log = %t\n", accessLog == "on")
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return s.start(ctx, "zaqar", s.programs.Server, "--config-file", file,
		"--data-dir", filepath.Join(work, dir), "--bind", "127.0.0.1", "--port", "0")
}

// queues makes queues with a new name.
func (s *stage) queues(ctx context.Context, on *side, spec load.Spec) (*load.Queues, error) {
	s.started++
	spec.Name, spec.Body = fmt.Sprintf("%s-%d", s.prefix, s.started), s.body
	defer s.during(fmt.Sprintf("making %d queues on %s", max(1, spec.Count), on.name), nil)()
	q, err := load.Create(ctx, on.target, spec)
	if err != nil {
		return nil, on.gone(err)
	}
	s.made = append(s.made, made{q, on})
	return q, nil
}

// drop deletes queues that are not needed any more.
func (s *stage) drop(ctx context.Context, q *load.Queues) error {
	if s.keep {
		return nil
	}
	defer s.during("deleting queues", nil)()
	if err := q.Drop(ctx); err != nil {
		return err
	}
	s.made = slices.DeleteFunc(s.made, func(m made) bool { return m.Queues == q })
	return nil
}

// fill posts n messages, or as many as limit leaves time for if that is not 0.
func (s *stage) fill(ctx context.Context, on *side, q *load.Queues, n int, limit time.Duration) error {
	begun, done := time.Now(), 0
	defer s.during(fmt.Sprintf("filling %s messages on %s", size(n), on.name), func() string { return size(done) })()
	return on.gone(q.Fill(ctx, n, func(so int) bool {
		done = so
		return limit == 0 || time.Since(begun) < limit
	}))
}

// audit accounts for the messages of queues.
func (s *stage) audit(ctx context.Context, on *side, q *load.Queues, r *load.Result) (*load.Account, error) {
	defer s.during("accounting for the messages on "+on.name, nil)()
	var from, to time.Time
	if r != nil {
		from, to = r.From, r.To
	}
	a, err := q.Audit(ctx, from, to)
	if q.Blind() {
		s.note("%s cannot list claimed messages: one that is back after its deletion may go unseen", on.name)
	}
	if a != nil && err != nil {
		s.report.Findings = &a.Findings
	}
	return a, on.gone(err)
}

// measure runs a scenario on queues and notes what server and client used.
func (s *stage) measure(ctx context.Context, on *side, q *load.Queues, p load.Plan) (report.Sample, *load.Result, error) {
	var server, client []process.Usage
	p.Warmup, p.Duration, p.Live = s.warmup, s.duration, &s.live
	p.Mark = func() { server, client = append(server, on.usage()), append(client, process.Self()) }
	end := s.during(p.Scenario.Name+" on "+on.name+s.round, s.rate())
	result, err := load.Run(ctx, q, p)
	end()
	if err != nil {
		return report.Sample{}, nil, fmt.Errorf("%s: %w", on.name, on.gone(err))
	}
	if result.Exhausted {
		s.note("%s: all messages were consumed after %s on %s", p.Scenario.Name, result.Elapsed.Round(10*time.Millisecond), on.name)
	}
	sample := sampleOf(on.name, result)
	sample.ServerCPU = (server[1].CPU - server[0].CPU).Seconds()
	sample.ClientCPU = (client[1].CPU - client[0].CPU).Seconds()
	sample.Resident, sample.Written = server[1].Resident, server[1].Written-server[0].Written
	return sample, result, nil
}

// sampleOf is what load has measured, for the report.
func sampleOf(name string, r *load.Result) report.Sample {
	s := report.Sample{
		Of: name, Seconds: r.Elapsed.Seconds(), Requests: r.Requests, Messages: r.Messages, Rate: r.Rate(),
		P50: r.Latency.Quantile(0.5).Seconds(), P95: r.Latency.Quantile(0.95).Seconds(),
		P99: r.Latency.Quantile(0.99).Seconds(), Max: r.Latency.Max().Seconds(),
		P50Of: map[string]float64{}, P99Of: map[string]float64{},
		Received: r.Received, Redials: r.Redials, Behind: r.Behind,
	}
	for _, op := range load.Ops() {
		if h := &r.Of[op]; h.Count() > 0 {
			s.P50Of[op.String()] = h.Quantile(0.5).Seconds()
			s.P99Of[op.String()] = h.Quantile(0.99).Seconds()
		}
	}
	return s
}

// ErrTooShort is a sample in which nothing was answered.
var ErrTooShort = errors.New("nothing was answered within the duration")

// nothing returns an error if a sample holds nothing.
func (s *stage) nothing(on *side, m report.Sample) error {
	if m.Rate > 0 {
		return nil
	}
	return fmt.Errorf("%w of %s on %s", ErrTooShort, s.duration, on.name)
}

// add appends a finished row and tells about it.
func (s *stage) add(r *report.Row) {
	r.Finish()
	s.report.Rows = append(s.report.Rows, r)
	s.say("%s: %s", r.Name, r.Summary())
}
