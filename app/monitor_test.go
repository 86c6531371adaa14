package app_test

import (
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/app"
	"zaqar/auth/keystone"
	"zaqar/internal/certtest"
	"zaqar/internal/testhttp"
)

// watched are the options of a server with metrics.
func watched(t *testing.T) app.Options {
	t.Helper()
	o := options(t)
	o.Monitor.Enabled, o.Monitor.Port = true, 0
	return o
}

// look asks the metrics listener.
func (r running) look(t *testing.T, path string) (int, string) {
	t.Helper()
	return testhttp.Get(t, "http://"+r.MonitorAddr()+path)
}

// has checks the lines of a scrape.
func has(t *testing.T, scrape string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if !strings.Contains("\n"+scrape, "\n"+want+"\n") {
			name, _, _ := strings.Cut(want, "{")
			var like []string
			for line := range strings.Lines(scrape) {
				if strings.HasPrefix(line, strings.Fields(name)[0]) {
					like = append(like, strings.TrimSpace(line))
				}
			}
			t.Errorf("no %s, but %v", want, like)
		}
	}
}

func TestMetrics(t *testing.T) {
	o := watched(t)
	o.Monitor.Backlog, o.Monitor.MaxSeries = app.BacklogQueue, 1
	r := start(t, o)
	for _, path := range []string{messages, messages, "/v2/queues/other/messages"} {
		if status, _, body := r.do(t, "POST", path, oneMessage); status != http.StatusCreated {
			t.Fatalf("post: %d %s", status, body)
		}
	}
	r.do(t, "POST", "/v2/queues/q/claims?limit=1", "{}")
	r.do(t, "GET", messages+"?wait=5&echo=true", "")
	r.do(t, "GET", "/nowhere", "")
	_, scrape := r.look(t, "/metrics")
	has(t, scrape,
		`zaqar_ready 1`,
		`zaqar_http_requests_total{method="POST",route="/v2/queues/{queue_name}/messages",status="201"} 3`,
		`zaqar_http_requests_total{method="GET",route="unknown",status="404"} 1`,
		`zaqar_http_request_duration_seconds_count{method="POST",route="/v2/queues/{queue_name}/messages"} 3`,
		`zaqar_http_wait_duration_seconds_count{method="GET",route="/v2/queues/{queue_name}/messages"} 1`,
		`zaqar_http_request_body_bytes_total{method="POST",route="/v2/queues/{queue_name}/messages"} 93`,
		`zaqar_messages_posted_total 3`,
		`zaqar_messages_posted_bytes_total 21`,
		`zaqar_messages_claimed_total 1`,
		`zaqar_backlog_messages 3`,
		`zaqar_backlog_claimed_messages 1`,
		`zaqar_backlog_left_out 1`,
		`zaqar_queue_messages{kind="queue",project="p",queue="q"} 2`,
		`zaqar_queue_claimed_messages{kind="queue",project="p",queue="q"} 1`,
		`zaqar_store_full 0`,
		`zaqar_store_failed 0`,
		`zaqar_store_queues 2`,
	)
	if strings.Contains(scrape, `queue="other"`) {
		t.Error("more series than allowed")
	}
	if !strings.Contains(scrape, "zaqar_store_commit_operations_count ") || strings.Contains(scrape, "zaqar_store_commit_operations_count 0") {
		t.Error("commits are not counted")
	}
	if !strings.Contains(scrape, "\ngo_goroutines ") || !strings.Contains(scrape, "\nprocess_open_fds ") {
		t.Error("no metrics of the runtime")
	}
}

func TestBacklogByProject(t *testing.T) {
	o := watched(t)
	o.Monitor.Backlog = app.BacklogProject
	r := start(t, o)
	r.do(t, "POST", messages, oneMessage)
	r.do(t, "POST", "/v2/queues/other/messages", oneMessage)
	_, scrape := r.look(t, "/metrics")
	has(t, scrape, `zaqar_project_messages{project="p"} 2`, `zaqar_project_claimed_messages{project="p"} 0`, `zaqar_backlog_left_out 0`)
	if strings.Contains(scrape, "zaqar_queue_messages{") {
		t.Error("queues have metrics though only projects should")
	}
}

// TestHealth follows a server through its life.
func TestHealth(t *testing.T) {
	o := watched(t)
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r := running{App: a}
	ready := func(r running) (int, app.Readiness) {
		t.Helper()
		status, text := r.look(t, "/readyz")
		var got app.Readiness
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		return status, got
	}
	status, got := ready(r)
	if status != http.StatusServiceUnavailable || got.Ready || got.Phase != "starting" {
		t.Errorf("before it runs: %d %+v", status, got)
	}
	if status, text := r.look(t, "/healthz"); status != http.StatusOK || text != "ok\n" {
		t.Errorf("healthz: %d %s", status, text)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}

	r = start(t, o)
	r.do(t, "GET", "/", "") // it serves
	status, got = ready(r)
	if d := cmp.Diff(app.Readiness{Ready: true, Phase: "serving", Checks: map[string]string{"store": "ok"}}, got); status != http.StatusOK || d != "" {
		t.Errorf("while it serves: %d %s", status, d)
	}
}

// TestNotReadyWhileItStops keeps a request in flight.
func TestNotReadyWhileItStops(t *testing.T) {
	r := start(t, watched(t))
	_, finish := slowPost(t, r.Addr())
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	waitRefused(t, r.Addr())
	status, text := r.look(t, "/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(text, `"phase":"stopping"`) {
		t.Errorf("while it stops: %d %s", status, text)
	}
	if status, _ := r.look(t, "/healthz"); status != http.StatusOK {
		t.Errorf("while it stops it is not alive: %d", status)
	}
	if _, err := finish(); err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", r.MonitorAddr()); err == nil {
		t.Error("after the stop, metrics are still served")
	}
}

func TestProfilesAreOffUnlessAskedFor(t *testing.T) {
	for _, on := range []bool{false, true} {
		o := watched(t)
		o.Monitor.Profiles = on
		r := start(t, o)
		status, _ := r.look(t, "/debug/pprof/goroutine?debug=1")
		if on != (status == http.StatusOK) {
			t.Errorf("profiles on: %v, status %d", on, status)
		}
		if status, _ := r.look(t, "/debug/pprof/cmdline"); status == http.StatusOK {
			t.Error("the command line is told")
		}
	}
}

func TestNoMetricsUnlessAskedFor(t *testing.T) {
	if addr := start(t, options(t)).MonitorAddr(); addr != "" {
		t.Errorf("metrics at %s", addr)
	}
	o := watched(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o.Monitor.Port = int64(taken.Addr().(*net.TCPAddr).Port)
	if _, err := app.New(t.Context(), o); err == nil || !strings.Contains(err.Error(), "metrics") {
		t.Errorf("on a port in use: %v", err)
	}
}

var update = flag.Bool("update", false, "write the table of metrics in docs/observability.md")

// TestEveryMetricIsDocumented holds docs/observability.md against what there is.
func TestEveryMetricIsDocumented(t *testing.T) {
	const head, tail = "| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n", "\nBeside these are"
	file := filepath.Join("..", "docs", "observability.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), head)
	documented, after, ended := strings.Cut(rest, tail)
	if !found || !ended {
		t.Fatal("docs/observability.md has no table of metrics")
	}
	o := watched(t)
	o.Quotas.Enabled = true
	o.Identity.Strategy = "keystone"
	o.Identity.Keystone.AuthURL = "http://127.0.0.1:1/v3"
	o.Identity.Keystone.Login = keystone.Login{UserID: "zaqar", Password: "secret"}
	o.HTTP.TLS.Cert, o.HTTP.TLS.Key = certtest.NewAuthority(t).Issue(t, "zaqar").Write(t, t.TempDir())
	r := start(t, o)
	var table strings.Builder
	for _, f := range r.Metrics() {
		labels := "–"
		if len(f.Labels) > 0 {
			labels = "`" + strings.Join(f.Labels, "`, `") + "`"
		}
		table.WriteString("| `" + f.Name + "` | " + string(f.Type) + " | " + labels + " | " + f.Help + " |\n")
	}
	if len(r.Metrics()) < 30 {
		t.Errorf("only %d metrics", len(r.Metrics()))
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+head+table.String()+tail+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(table.String(), documented); d != "" {
		t.Errorf("make docs brings docs/observability.md up to date: %s", d)
	}
}
