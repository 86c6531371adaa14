package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// quick runs a benchmark that is as short as the machine is quick.
func quick(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	args = append(args, "--rounds", "1", "--warmup", "10ms", "--duration")
	for _, duration := range []string{"150ms", "2s", "20s"} {
		code, stdout, stderr = zaqar(t, append(args, duration)...)
		if !strings.Contains(stderr, "nothing was answered within") {
			break
		}
	}
	return code, stdout, stderr
}

// keysOf lists the paths of all members of a JSON document, elements of arrays
// as one.
func keysOf(v any, path string, to map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			keysOf(member, strings.TrimPrefix(path+"."+name, "."), to)
		}
	case []any:
		for _, element := range v {
			keysOf(element, path+"[]", to)
		}
	default:
		to[path] = true
	}
}

// benchKeys is what scripts may rely on; docs/benchmark.md describes it.
const benchKeys = `begun
machine.cpus machine.go machine.load machine.system
rows[].name rows[].pairs[].ratio rows[].result.max rows[].result.median rows[].result.min rows[].result.q1 rows[].result.q3 rows[].what
settings.against settings.batch settings.client_procs settings.connections settings.duration settings.rate settings.rounds
settings.server_url settings.size settings.warmup version`

// sideKeys are those of a sample that every server has.
const sideKeys = "client_cpu max messages of p50 p50_of.post p95 p99 p99_of.post rate requests seconds"

func TestBenchAgainstNull(t *testing.T) {
	code, out, errs := quick(t, "bench", "run", "post-1", "--against", "null", "--json", "-", "--quiet")
	if code != exitOK || errs != "" {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	got := map[string]bool{}
	keysOf(doc, "", got)
	delete(got, "notes[]")  // temporary files may be in memory
	for name := range got { // what a system may not tell, or not have used in so short a time
		for _, loose := range []string{"server_cpu", "resident", "written", "by_work"} {
			if strings.HasSuffix(name, "."+loose) {
				delete(got, name)
			}
		}
	}
	want := map[string]bool{}
	for _, name := range strings.Fields(benchKeys) {
		want[name] = true
	}
	for _, name := range strings.Fields(sideKeys) {
		want["rows[].pairs[].this."+name] = true
		want["rows[].pairs[].other."+name] = true
	}
	for _, name := range []string{"posted", "claimed", "deleted", "left"} {
		want["rows[].pairs[].this.account."+name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names in the JSON, wanted - and got +:\n%s", diff)
	}
}

func TestBenchEveryScenario(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "result.json")
	code, out, errs := quick(t, "bench", "run", "post-10", "list", "claim", "claim-bulk", "cycle", "mixed", "backlog",
		"many-queues", "fan-in", "fan-out", "--depth", "50,500", "--queues", "50", "--fill", "5000", "--connections", "4",
		"--dir", dir, "--json", file)
	if code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	for _, want := range []string{"backlog of 50 ", "on 50 queues", "delivery", "scenario"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !strings.Contains(errs, "fan-out: ") || strings.Contains(errs, "\r") {
		t.Errorf("progress, not on a terminal: %q", errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Rows []struct {
			Name    string
			Samples []struct{ Account struct{ Posted int } }
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Rows) != 11 || doc.Rows[0].Name != "post-10" || doc.Rows[0].Samples[0].Account.Posted == 0 {
		t.Errorf("rows %+v", doc.Rows)
	}
	left, err := filepath.Glob(filepath.Join(dir, "zaqar-bench-*"))
	if err != nil || left != nil {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestBenchServerAtURL(t *testing.T) {
	s := serverWith(t)
	code, out, errs := quick(t, "bench", "run", "cycle", "--server-url", s.url, "--against", s.url, "--project", "p",
		"--pid", strconv.Itoa(s.Process.Pid), "--against-pid", strconv.Itoa(s.Process.Pid))
	if code != exitOK || !strings.Contains(out, strings.TrimPrefix(s.url, "http://")+" again") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	if status, body := s.do(t, "GET", "/v2/queues", ""); status != 200 || !strings.Contains(body, `"queues":[]`) {
		t.Errorf("queues are left: %d %s", status, body)
	}
}

// Queues of a benchmark that a person ends, or whose terminal is closed, are
// deleted, however often it is told of that. One that is to outlive its terminal
// goes on.
func TestBenchInterrupted(t *testing.T) {
	s := serverWith(t)
	for _, tt := range []struct {
		name    string
		signals []os.Signal
		nohup   bool
	}{
		{"interrupt", []os.Signal{os.Interrupt}, false},
		{"hangup", []os.Signal{syscall.SIGHUP}, false},
		{"hangup under nohup", []os.Signal{syscall.SIGHUP, os.Interrupt}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hangup := tt.signals[0] == syscall.SIGHUP && !tt.nohup
			if hangup && signal.Ignored(syscall.SIGHUP) {
				t.Skip("programs that this one starts outlive their terminal")
			}
			cmd := program(t, "bench", "run", "post-1", "--server-url", s.url, "--project", "p", "--duration", "1h")
			if tt.nohup {
				nohup, err := exec.LookPath("nohup")
				if err != nil {
					t.Skip(err)
				}
				cmd.Path, cmd.Args = nohup, append([]string{nohup}, cmd.Args...)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			posted := func() bool {
				_, body := s.do(t, "GET", "/v2/queues", "")
				return strings.Contains(body, "zaqar-bench-")
			}
			for !posted() {
				if t.Context().Err() != nil {
					t.Fatal("no queue was made")
				}
			}
			for _, signal := range tt.signals {
				if !posted() {
					t.Error("it ended too early")
				}
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
			}
			ended := make(chan struct{})
			if hangup {
				go func() {
					for again := time.NewTicker(time.Millisecond / 10); ; <-again.C {
						select {
						case <-ended:
							return
						default:
							_ = cmd.Process.Signal(syscall.SIGHUP) // it may have ended
						}
					}
				}()
			}
			err := cmd.Wait()
			close(ended)
			if cmd.ProcessState.ExitCode() != exitFailure {
				t.Errorf("ended with %v", err)
			}
			if posted() {
				t.Error("its queue is left")
			}
		})
	}
}

func TestBenchTargets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "targets.json")
	code, out, errs := quick(t, "bench", "targets", "--run", "^(start|idle|sync-c1|post-1-c16|.*-1k)$", "--backlog", "1000",
		"--dir", dir, "--json", file, "--quiet")
	if code != exitOK || errs != "" {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Rows []struct {
			Name, Verdict string
			Target        *struct{ Floor, Aim float64 }
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range doc.Rows {
		names = append(names, r.Name)
		if (r.Target == nil) != (r.Verdict == "") {
			t.Errorf("%s: target %v, verdict %q", r.Name, r.Target, r.Verdict)
		}
	}
	want := []string{"start", "idle", "sync-c1", "post-1-c16", "memory-1k", "memory-collected-1k", "restart-1k", "backlog-1k", "consumed-1k"}
	if !slices.Equal(names, want) {
		t.Errorf("rows %q, want %q", names, want)
	}
}

func TestBenchProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profiles")
	code, out, errs := zaqar(t, "bench", "targets", "--run", "^list-10-c16$", "--rounds", "0", "--duration", "100ms", "--profile", dir)
	if code != exitOK || !strings.Contains(errs, "allocations") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	if info, err := os.Stat(filepath.Join(dir, "list-10-c16-default.pprof")); err != nil || info.Size() == 0 {
		t.Errorf("no profile: %v", err)
	}
}

func TestBenchMistakes(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"bench run", exitUsage, "many-queues"},
		{"bench run dance", exitUsage, `unknown scenario "dance"`},
		{"bench run post-1 --against nil", exitUsage, "http://"},
		{"bench run post-1 --rounds 0", exitUsage, "positive"},
		{"bench run post-1 -H nonsense", exitUsage, "not a header"},
		{"bench targets --run (", exitUsage, "--run"},
		{"bench targets --run backlog-10M", exitUsage, "--deep"},
		{"bench targets --rounds 0", exitUsage, "rounds"},
		{"bench walk", exitUsage, "unknown command"},
		{"bench run post-1 --server-url http://127.0.0.1:1", exitFailure, "no connection to http://127.0.0.1:1"},
		{"bench run post-1 --server-url http://127.0.0.1:1 --pid 999999999", exitFailure, "process 999999999"},
		{"bench run post-1 --dir /nonexistent", exitFailure, "/nonexistent"},
		{"bench run post-1 --duration 1h --json /nonexistent/report", exitFailure, "/nonexistent/report"},
		{"bench targets --run list --duration 1h --json /nonexistent/report", exitFailure, "/nonexistent/report"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			code, out, errs := zaqar(t, strings.Fields(tt.args)...)
			if code != tt.code || !strings.Contains(errs, tt.want) {
				t.Errorf("exit code %d, want %d; %q not in %q%q", code, tt.code, tt.want, out, errs)
			}
		})
	}
}

func TestBenchHelp(t *testing.T) {
	for _, args := range []string{"bench", "bench run", "bench targets"} {
		code, out, _ := zaqar(t, append(strings.Fields(args), "--help")...)
		if code != exitOK || !strings.Contains(out, "Examples:\n  zaqar bench ") {
			t.Errorf("%s --help: %d\n%s", args, code, out)
		}
		for _, hidden := range []string{"\n  null", "\n  serve "} {
			if strings.Contains(out, hidden) {
				t.Errorf("%s --help shows %q", args, hidden)
			}
		}
	}
}
