package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"zaqar/bench/workers"
)

func TestLongOptions(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-pp 2 -pw 10", "--producer_processes 2 --producer_workers 10"},
		{"-cp=1 -cw=3", "--consumer_processes=1 --consumer_workers=3"},
		{"-op 1 -ow 0", "--observer_processes 1 --observer_workers 0"},
		{"-cno 5 -lno=6 -qno 7", "--messages_per_claim 5 --messages_per_list=6 --num_queues 7"},
		{"-api 2", "--api_version 2"},
		{"-t 5 -s http://h -q pp -m cp", "-t 5 -s http://h -q pp -m cp"},
		{"--producer_workers 3 --pp", "--producer_workers 3 --pp"},
		{"pp -- -pp", "pp -- -pp"},
		{"-ppp -p", "-ppp -p"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := strings.Join(longOptions(strings.Fields(tt.args)), " "); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.args, got, tt.want)
		}
	}
}

// TestWorkersOptions gives every option in every spelling.
func TestWorkersOptions(t *testing.T) {
	long := "--producer_processes 2 --producer_workers 3 --consumer_processes 4 --consumer_workers 5 --observer_processes 6 --observer_workers 7 " +
		"--messages_per_claim 8 --messages_per_list 9 --time 10 --server_url http://h --queue_prefix q --num_queues 11 --messages_path m --api_version 2 " +
		"--skip_queue_reset --nodebug --batch 12 --rate 13.5 --wait 14 --check_time 15"
	short := "-pp 2 -pw 3 -cp 4 -cw 5 -op 6 -ow 7 -cno 8 -lno 9 -t10s -s http://h -q q -qno=11 -m m -api=2 --skip-queue-reset --debug=true --nodebug --batch=12 --rate=13.5 --wait=14s --check-time=15s"
	var all []*workersOptions
	for _, args := range []string{long, short, strings.ReplaceAll(long, "_", "-")} {
		flags := pflag.NewFlagSet("workers", pflag.ContinueOnError)
		o := workersFlags(flags)
		if err := flags.Parse(longOptions(strings.Fields(args))); err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		all = append(all, o)
	}
	want := workersOptions{Options: workers.Defaults(), time: seconds(10e9), wait: seconds(14e9), check: seconds(15e9), messages: "m", api: "2", debug: true, nodebug: true}
	w := &want.Options
	w.Producers, w.Consumers, w.Observers = workers.Group{Processes: 2, Workers: 3}, workers.Group{Processes: 4, Workers: 5}, workers.Group{Processes: 6, Workers: 7}
	w.PerClaim, w.PerList, w.Queues, w.Batch, w.Rate = 8, 9, 11, 12, 13.5
	w.Server, w.Prefix, w.SkipReset = "http://h", "q", true
	for _, o := range all {
		o.Messages, w.Messages = workers.Messages{}, workers.Messages{}
		if d := cmp.Diff(want, *o, cmp.AllowUnexported(workersOptions{}, workers.Messages{})); d != "" {
			t.Error(d)
		}
	}
}

func TestWorkersDefaults(t *testing.T) {
	flags := pflag.NewFlagSet("workers", pflag.ContinueOnError)
	o := workersFlags(flags)
	want := map[string]string{
		"producer_processes": "1", "producer_workers": "10", "consumer_processes": "1", "consumer_workers": "0",
		"observer_processes": "1", "observer_workers": "5", "messages_per_claim": "5", "messages_per_list": "5",
		"time": "5", "server_url": "http://localhost:8888", "queue_prefix": "ogre-test-queue", "num_queues": "4",
		"messages_path": "", "api_version": "2", "skip_queue_reset": "false", "debug": "true", "nodebug": "false",
		"batch": "1", "rate": "0", "wait": "0", "check_time": "900", "json": "",
	}
	for name, value := range want {
		f := flags.Lookup(name)
		if f == nil || f.DefValue != value {
			t.Errorf("--%s: %+v, want the default %q", name, f, value)
		}
	}
	docs, err := os.ReadFile("../docs/benchmark.md")
	if err != nil {
		t.Fatal(err)
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(string(docs), "`--"+f.Name+"`") {
			t.Errorf("docs/benchmark.md does not tell of --%s", f.Name)
		}
	})
	if o.Project != "my-lovely-benchmark" {
		t.Errorf("project %q", o.Project)
	}
}

func TestArguments(t *testing.T) {
	for _, tt := range []struct{ args, want []string }{
		{nil, nil},
		{[]string{"zaqar"}, []string{}},
		{[]string{"/usr/bin/zaqar", "server"}, []string{"server"}},
		{[]string{"/usr/bin/zaqar-bench", "-pp", "2"}, []string{"bench", "workers", "-pp", "2"}},
		{[]string{"./zaqar-bench-2"}, []string{}},
	} {
		if got := arguments(tt.args); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.args, got, tt.want)
		}
	}
}

// short makes a run short.
var short = []string{"-t", "0.3", "-pw", "4", "-ow", "2"}

func TestBenchWorkers(t *testing.T) {
	s := serverWith(t)
	json1 := filepath.Join(t.TempDir(), "report.json")
	code, out, errs := zaqar(t, slices.Concat([]string{"bench", "workers", "-s", s.url, "-cw", "3", "--json", json1}, short)...)
	if code != exitOK || !strings.Contains(out, "lost 0, duplicated 0") || !strings.Contains(out, "post to claim") {
		t.Fatalf("%d\n%s\n%s", code, out, errs)
	}
	file, err := os.ReadFile(json1)
	if err != nil {
		t.Fatal(err)
	}
	r := report(t, string(file))
	m := r.Messages
	if m.Posted == 0 || m.Deleted+m.Left != m.Posted || r.Consumer.Processed != int64(m.Deleted) || r.Observer.Successful == 0 {
		t.Errorf("%s", file)
	}
	// A second run deletes what the first has left; without, it is foreign.
	for _, tt := range []struct {
		args    []string
		foreign int
	}{{[]string{"--skip_queue_reset", "-pw", "0", "--nodebug"}, m.Left}, {[]string{"--json", "-"}, 0}} {
		code, out, errs := zaqar(t, slices.Concat([]string{"bench", "workers", "-s", s.url}, short, tt.args)...)
		if code != exitOK || errs != "" || strings.Count(out, "\n") != 1 {
			t.Fatalf("%d\n%s\n%s", code, out, errs)
		}
		if r := report(t, out); r.Messages.Foreign != tt.foreign {
			t.Errorf("%d foreign messages, want %d", r.Messages.Foreign, tt.foreign)
		}
	}
}

func report(t *testing.T, text string) (r workers.Report) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return r
}

// TestZaqarBench calls the program by the older name, and interrupts it.
func TestZaqarBench(t *testing.T) {
	s := serverWith(t)
	cmd := program(t)
	link := filepath.Join(cmd.Dir, "zaqar-bench")
	if err := os.Symlink(cmd.Path, link); err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args = link, []string{link, "-s", s.url, "-t", "60", "-pw", "1", "-ow", "0"}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	// The first line of progress comes when it works.
	if _, err := io.ReadFull(stderr, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, stderr)
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "was interrupted") || !strings.Contains(out.String(), "lost 0") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestBenchWorkersFails(t *testing.T) {
	bad := func(text string) string { return file(t, text) }
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == "POST":
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"resources": ["/v2/queues/q-0/messages/1"]}`)
		case r.URL.Path == "/v2/ping" || r.Method == "DELETE":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = io.WriteString(w, `{"messages": [], "links": []}`)
		}
	}))
	defer liar.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	tests := []struct {
		name string
		args []string
		code int
		want string // on standard error, or output
	}{
		{"a lying server", []string{"-s", liar.URL, "-q", "q", "-qno", "1", "-t", "0.1"}, exitFailure, "1 lost (q-0/1)"},
		{"a lying server, JSON", []string{"-s", liar.URL, "-q", "q", "-qno", "1", "-t", "0.1", "--nodebug"}, exitFailure, "1 lost (q-0/1)"},
		{"nobody there", []string{"-s", gone.URL}, exitFailure, "connection refused"},
		{"api", []string{"-api", "1.1"}, exitUsage, "--api_version 1.1: only version 2"},
		{"no workers", []string{"-pw", "0", "-ow", "0"}, exitUsage, "nothing to do"},
		{"negative", []string{"-pw", "-1"}, exitUsage, "must be 0 to"},
		{"no time", []string{"-t", "0"}, exitUsage, "the time must be positive"},
		{"prefix", []string{"-q", "a/b"}, exitUsage, "queue prefix"},
		{"URL", []string{"-s", "localhost:8888"}, exitUsage, "URL"},
		{"wait", []string{"--wait", "1.5"}, exitUsage, "whole seconds"},
		{"no file", []string{"-m", "/does/not/exist"}, exitFailure, "/does/not/exist"},
		{"no place for the report, before anything is asked", []string{"-s", gone.URL, "--json", "/does/not/exist"}, exitFailure, "/does/not/exist"},
		{"an address", []string{"-s", "127.0.0.1:8888"}, exitUsage, "such as http://127.0.0.1:8888"},
		{"weights", []string{"-m", bad(`[{"weight": 0.5, "doc": {"ttl": 60, "body": 1}}]`)}, exitFailure, "the weights sum to 0.5"},
		{"word", []string{"now"}, exitUsage, `unexpected argument "now"`},
		{"unknown", []string{"--producers", "3"}, exitUsage, "unknown flag"},
		{"not a number", []string{"-pp", "many"}, exitUsage, "producer_processes"},
		{"not a time", []string{"-t", "soon"}, exitUsage, "a number of seconds"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := zaqar(t, append([]string{"bench", "workers"}, tt.args...)...)
			if code != tt.code || !strings.Contains(out+errs, tt.want) {
				t.Errorf("exit code %d, want %d and %q\n%s\n%s", code, tt.code, tt.want, out, errs)
			}
		})
	}
}

func TestBenchWorkersFindsMessages(t *testing.T) {
	s := serverWith(t)
	cmd := program(t, slices.Concat([]string{"bench", "workers", "-s", s.url}, short)...)
	cmd.Env = append(cmd.Env, "ZAQAR_CONFIG_DIRS="+cmd.Dir)
	text := `[{"weight": 1, "doc": {"ttl": 77, "body": {"found": true}}}]`
	if err := os.WriteFile(filepath.Join(cmd.Dir, messagesFile), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/v2/queues/ogre-test-queue-0/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Client-ID", "3381af92-2b9e-11e3-b191-71861300734c")
	req.Header.Set("X-Project-ID", "my-lovely-benchmark")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"ttl":77`) || !strings.Contains(string(body), `"found":true`) {
		t.Errorf("%v %s", err, body)
	}
}

func TestBenchWorkersHelp(t *testing.T) {
	for _, args := range [][]string{{"bench", "workers", "--help"}, {"bench", "workers", "-h"}, {"help", "bench", "workers"}} {
		code, out, errs := zaqar(t, args...)
		if code != exitOK || errs != "" {
			t.Errorf("%q: %d %s", args, code, errs)
		}
		for _, want := range []string{"-pp", "-pw", "-cp", "-cw", "-op", "-ow", "-cno", "-lno", "-qno", "-api", "--skip_queue_reset", "OS_AUTH_STRATEGY", "Examples:"} {
			if !strings.Contains(out, want) {
				t.Errorf("%q: no %q in\n%s", args, want, out)
			}
		}
	}
}

// keystone is an identity service that gives numbered tokens.
func keystone(t *testing.T) (url string, issued *atomic.Int64, asked chan string) {
	issued, asked = new(atomic.Int64), make(chan string, 100)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v3", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"version": {"id": "v3.14", "status": "stable"}}`)
	})
	mux.HandleFunc("POST /v3/auth/tokens", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- string(body)
		w.Header().Set("X-Subject-Token", "token-"+string(rune('0'+issued.Add(1))))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"token": {"expires_at": "2999-01-01T00:00:00.000000Z", "project": {"id": "project-id", "name": "p"}, "catalog": []}}`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/v3", issued, asked
}

// TestBenchWorkersWithKeystone has a server that ends the first token's life.
func TestBenchWorkersWithKeystone(t *testing.T) {
	tests := []struct {
		name string
		env  []string
		file string // clouds.yaml
		want []string
	}{
		{"password", []string{"OS_AUTH_URL=URL", "OS_USERNAME=u", "OS_PASSWORD=s", "OS_USER_DOMAIN_NAME=ud", "OS_PROJECT_NAME=p", "OS_PROJECT_DOMAIN_NAME=pd"}, "",
			[]string{`"password":"s"`, `"ud"`, `"pd"`, `"methods":["password"]`}},
		{"application credential", []string{"OS_AUTH_URL=URL", "OS_APPLICATION_CREDENTIAL_ID=ac", "OS_APPLICATION_CREDENTIAL_SECRET=s"}, "",
			[]string{`"methods":["application_credential"]`, `"ac"`, `"s"`}},
		{"clouds.yaml", []string{"OS_CLOUD=mine", "OS_CLIENT_CONFIG_FILE=FILE"},
			"clouds:\n  mine:\n    auth: {auth_url: URL, username: u, password: s, user_domain_id: ud, project_id: p}\n",
			[]string{`"password":"s"`, `"ud"`, `"methods":["password"]`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, issued, asked := keystone(t)
			behind := serverWith(t)
			var requests atomic.Int64
			zaqarWithTokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				want := "token-1"
				if requests.Add(1) > 6 {
					want = "token-2"
				}
				if r.Header.Get("X-Auth-Token") != want || r.Header.Get("X-Project-ID") != "project-id" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				pass(t, behind.url, w, r)
			}))
			defer zaqarWithTokens.Close()
			cmd := program(t, slices.Concat([]string{"bench", "workers", "--nodebug", "-s", zaqarWithTokens.URL, "-cw", "2"}, short)...)
			cloud := file(t, strings.ReplaceAll(tt.file, "URL", url))
			cmd.Env = append(cmd.Env, "OS_AUTH_STRATEGY=keystone")
			for _, v := range tt.env {
				cmd.Env = append(cmd.Env, strings.NewReplacer("=URL", "="+url, "=FILE", "="+cloud).Replace(v))
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if r := report(t, string(out)); r.Messages.Posted == 0 || len(r.Failures) > 0 {
				t.Errorf("%s", out)
			}
			if n := issued.Load(); n != 2 {
				t.Errorf("%d tokens", n)
			}
			first := <-asked
			for _, want := range tt.want {
				if !strings.Contains(first, want) {
					t.Errorf("no %s in %s", want, first)
				}
			}
		})
	}
}

// pass makes the same request of another server.
func pass(t *testing.T, to string, w http.ResponseWriter, r *http.Request) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, to+r.URL.RequestURI(), r.Body)
	if err != nil {
		t.Error(err)
		return
	}
	out.Header = r.Header
	in, err := http.DefaultClient.Do(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer in.Body.Close()
	w.WriteHeader(in.StatusCode)
	_, _ = io.Copy(w, in.Body)
}

func TestBenchWorkersWithoutIdentity(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, tt := range []struct{ env, want string }{
		{"OS_AUTH_STRATEGY=other", `OS_AUTH_STRATEGY is "other"`},
		{"OS_AUTH_STRATEGY=keystone", "neither OS_CLOUD nor OS_AUTH_URL is set"},
		{"OS_AUTH_STRATEGY=keystone OS_CLOUD=none OS_CLIENT_CONFIG_FILE=/does/not/exist", "clouds file not found"},
		{"OS_AUTH_STRATEGY=keystone OS_AUTH_URL=" + gone.URL + "/v3 OS_USERNAME=u OS_PASSWORD=p OS_USER_DOMAIN_ID=d", "no token from the identity service"},
	} {
		cmd := program(t, "bench", "workers")
		cmd.Env = append(cmd.Env, strings.Fields(tt.env)...)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != exitFailure || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: %v\n%s", tt.env, err, out)
		}
	}
}
