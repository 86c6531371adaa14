package packaging

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"zaqar/internal/need"
	"zaqar/test/e2e/daemon"
)

func TestMain(m *testing.M) { os.Exit(daemon.Main(m, false)) }

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "packaging", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUnit has systemd itself judge the unit: nothing in it is unknown, and it
// leaves little open.
func TestUnit(t *testing.T) {
	t.Parallel()
	program := need.Program(t, "systemd-analyze")
	unit := filepath.Join(t.TempDir(), "zaqar.service")
	text := strings.Replace(read(t, "zaqar.service"), "/usr/bin/zaqar", daemon.Shipped(t), 1)
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	const most = "20" // in tenths; 20 and more is not "OK" any longer
	out, err = exec.CommandContext(t.Context(), program, "security", "--offline=yes", "--no-pager", "--threshold="+most, unit).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestUnitPermitsWhatTheServerCalls compares the system calls of a working
// server with those that the unit permits.
func TestUnitPermitsWhatTheServerCalls(t *testing.T) {
	t.Parallel()
	analyze, strace := need.Program(t, "systemd-analyze"), need.Program(t, "strace")
	filters := regexp.MustCompile(`(?m)^SystemCallFilter=(.*)$`).FindAllStringSubmatch(read(t, "zaqar.service"), -1)
	if len(filters) != 1 || filters[0][1] != "@system-service" {
		t.Fatalf("this test knows one filter, @system-service, not %q", filters)
	}
	permitted := map[string]bool{}
	var group func(name string)
	group = func(name string) {
		out, err := exec.CommandContext(t.Context(), analyze, "syscall-filter", "--no-pager", name).Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for line := range strings.Lines(string(out)) {
			switch word := strings.TrimSpace(line); {
			case !strings.HasPrefix(line, " "), strings.HasPrefix(word, "#"), word == "":
			case strings.HasPrefix(word, "@"):
				group(word)
			default:
				permitted[word] = true
			}
		}
	}
	group("@system-service")
	group("@default") // systemd adds it by itself

	table := filepath.Join(t.TempDir(), "calls")
	d := daemon.Start(t, daemon.Options{Wrap: []string{strace, "-f", "-qq", "-o", table, "-e", "trace=all", "-e", "signal=none"}})
	c := d.Client()
	for range 50 {
		c.Post(t, "q", strings.Repeat("x", 10_000))
	}
	c.Do(t, "GET", "/v2/queues/q/messages?limit=20&echo=true", nil).Want(200)
	c.Do(t, "GET", "/v2/queues/none/messages?wait=1", nil).Want(200)
	c.Do(t, "POST", "/v2/queues/q/claims", "{}").Want(201)
	c.Do(t, "POST", "/v2/queues/q/purge", `{"resource_types": ["messages"]}`).Want(204)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", d.PID()))
	if err != nil {
		t.Fatal(err)
	}
	server, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(server, syscall.SIGTERM); err != nil { // strace hands no signals on
		t.Fatal(err)
	}
	if err := d.Wait(t); err != nil {
		t.Errorf("the end: %v", err)
	}

	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\d+ +([a-z_0-9]+)\(`).FindAllStringSubmatch(string(text), -1) {
		seen[m[1]] = true
	}
	if !seen["fdatasync"] || !seen["accept4"] {
		t.Fatalf("strace saw %d calls, and not those of a server that stores", len(seen))
	}
	for call := range seen {
		if !permitted[call] {
			t.Errorf("the server calls %s, which the unit forbids", call)
		}
	}
}
