// Package contrib holds what is in contrib/ against the real program: every
// metric and label that the dashboard and the alerts name is in a scrape, and
// Prometheus' own tool finds the alerts well made.
package contrib

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"zaqar/internal/certtest"
	"zaqar/internal/need"
	"zaqar/internal/testhttp"
	"zaqar/test/e2e/daemon"
)

func TestMain(m *testing.M) { os.Exit(daemon.Main(m, false)) }

var (
	dashboard = filepath.Join("..", "..", "contrib", "grafana", "zaqar.json")
	alerts    = filepath.Join("..", "..", "contrib", "prometheus")
)

// scraped starts a server, uses it and returns its metrics.
func scraped(t *testing.T, config string, use func(*daemon.Daemon)) string {
	t.Helper()
	d := daemon.Start(t, daemon.Options{Config: "[metrics]\nenabled = True\nport = 0\n" + config})
	use(d)
	_, text := testhttp.Get(t, d.Await(t, "metrics", 1).Text("address")+"/metrics")
	return text
}

// TestMetricsAreWellFormed has Prometheus look at a scrape.
func TestMetricsAreWellFormed(t *testing.T) {
	tool := need.Program(t, "promtool")
	text := scraped(t, "backlog = queue\n", func(d *daemon.Daemon) { d.Client().Post(t, "q", "one") })
	cmd := exec.CommandContext(t.Context(), tool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// offered returns the labels of all metrics that servers have, of histograms
// also those of their parts.
func offered(t *testing.T) map[string][]string {
	t.Helper()
	queues := scraped(t, "backlog = queue\n[DEFAULT]\nadmin_mode = True\n", func(d *daemon.Daemon) {
		c := d.Client()
		c.Do(t, "PUT", "/v2/queues/q", map[string]any{"_max_claim_count": 1, "_dead_letter_queue": "dead"}).Want(201)
		c.Post(t, "q", "one")
		c.Do(t, "GET", "/v2/queues/q/messages?echo=true&wait=1", nil).Want(200)
		c.Do(t, "GET", "/v2/health", nil).Want(403)
	})
	projects := scraped(t, "backlog = project\n", func(d *daemon.Daemon) { d.Client().Post(t, "q", "one") })
	cert, key := certtest.NewAuthority(t).Issue(t, "zaqar").Write(t, t.TempDir())
	guarded := scraped(t, "[ssl]\ncert_file = "+cert+"\nkey_file = "+key+"\n[DEFAULT]\nauth_strategy = keystone\n[keystone_authtoken]\nauth_url = http://127.0.0.1:1/v3\n"+
		"username = zaqar\npassword = x\nuser_domain_name = Default\n[quota]\nenabled = True\n", func(*daemon.Daemon) {})
	all := map[string][]string{"up": {"job", "instance"}}
	sample := regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? `)
	label := regexp.MustCompile(`([a-z_]+)="(?:[^"\\]|\\.)*"`)
	for _, m := range sample.FindAllStringSubmatch(queues+projects+guarded, -1) {
		labels := []string{"job", "instance"}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			labels = append(labels, l[1])
		}
		all[m[1]] = labels
	}
	return all
}

// expressions returns what the dashboard and the alerts ask Prometheus.
func expressions(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var board any
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	found := texts(board, "expr")
	if len(found) < 50 {
		t.Fatalf("only %d expressions in the dashboard", len(found))
	}
	rules, err := os.ReadFile(filepath.Join(alerts, "zaqar.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	expr := regexp.MustCompile(`(?m)^ +expr: (\|\n(?:          +.*\n)+|.*\n)`)
	n := len(found)
	for _, m := range expr.FindAllStringSubmatch(string(rules), -1) {
		found = append(found, m[1])
	}
	if names := strings.Count(string(rules), "- alert:"); len(found)-n != names {
		t.Fatalf("%d expressions of %d alerts", len(found)-n, names)
	}
	return found
}

// texts collects the strings under a key, wherever it stands.
func texts(v any, key string) (found []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			found = append(found, texts(e, key)...)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if s, ok := v[k].(string); ok && k == key {
				found = append(found, s)
			}
			found = append(found, texts(v[k], key)...)
		}
	}
	return found
}

// TestMetricsExist looks for each metric and label that is named.
func TestMetricsExist(t *testing.T) {
	metrics := offered(t)
	name := regexp.MustCompile(`\b((?:zaqar|process|go)_[a-z_]+|up)\b(?:\{([^}]*)\})?`)
	matcher := regexp.MustCompile(`([a-z_]+)(?:=|!)`)
	by := regexp.MustCompile(`\bby \(([^)]*)\)`)
	used := map[string]bool{}
	for _, e := range expressions(t) {
		var named, wanted []string
		for _, m := range name.FindAllStringSubmatch(e, -1) {
			used[m[1]] = true
			labels, ok := metrics[m[1]]
			if !ok {
				t.Errorf("no server has %s, which is in %s", m[1], strings.TrimSpace(e))
			}
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s has no label %s, which is in %s", m[1], l[1], strings.TrimSpace(e))
				}
			}
			named = append(named, labels...)
		}
		for _, m := range by.FindAllStringSubmatch(e, -1) {
			wanted = append(wanted, strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' })...)
		}
		for _, l := range wanted {
			if !slices.Contains(named, l) {
				t.Errorf("nothing has the label %s in %s", l, strings.TrimSpace(e))
			}
		}
		if len(named) == 0 {
			t.Errorf("no metric in %s", e)
		}
	}
	if len(used) < 40 {
		t.Errorf("only %d metrics are used", len(used))
	}
}

// TestAlerts has Prometheus check the rules, and what they say to some courses
// of events.
func TestAlerts(t *testing.T) {
	tool := need.Program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "zaqar.rules.yml"}, {"test", "rules", "zaqar.test.yml"}} {
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Dir = alerts
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
