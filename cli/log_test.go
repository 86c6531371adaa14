package cli

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestTheReaderOfTheLogGoesAway closes both ends of the log, as a crashed
// supervisor does.
func TestTheReaderOfTheLogGoesAway(t *testing.T) {
	cmd := program(t, "server", "--port", "0", "--data-dir", t.TempDir(), "--debug")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	s := &server{Cmd: cmd}
	for scan := bufio.NewScanner(out); s.url == "" && scan.Scan(); {
		if m := regexp.MustCompile(`msg=listening address=(\S+)`).FindStringSubmatch(scan.Text()); m != nil {
			s.url = m[1]
		}
	}
	_, _ = out.Close(), errs.Close()
	s.signal(t, syscall.SIGUSR2) // makes it write to both
	s.signal(t, syscall.SIGHUP)
	for range 3 {
		if status, body := s.do(t, "POST", "/v2/queues/q/messages", `{"messages":[{"body":1}]}`); status != http.StatusCreated {
			t.Errorf("post: %d %s", status, body)
		}
	}
	s.signal(t, syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

func TestHangupReopensTheLog(t *testing.T) {
	dir := t.TempDir()
	logs := filepath.Join(dir, "z.log")
	s := &server{Cmd: program(t, "server", "--port", "0", "--data-dir", t.TempDir(), "--log-file", logs)}
	// With a log file, standard output stays empty: read the file instead.
	if err := syscall.Mkfifo(logs, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Process.Kill(); _ = s.Wait() }()
	old, err := os.Open(logs)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	lines := bufio.NewScanner(old)
	awaitLine(t, lines, "msg=listening")
	if err := os.Rename(logs, logs+".1"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(logs, 0o600); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGHUP)
	fresh, err := os.Open(logs) // waits for the writer
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	awaitLine(t, bufio.NewScanner(fresh), "configuration reloaded")
	if lines.Scan() {
		t.Errorf("the old file still gets %q", lines.Text())
	}
}

// TestAuditLog has the records go to a file of their own, which is reopened.
func TestAuditLog(t *testing.T) {
	records := filepath.Join(t.TempDir(), "audit.log")
	s := serverWith(t, "--config-file", file(t, "[audit]\nenabled = True\nfile = "+records+"\n"))
	create := func(queue string) {
		t.Helper()
		if status, body := s.do(t, "PUT", "/v2/queues/"+queue, ""); status != http.StatusCreated {
			t.Fatalf("put: %d %s", status, body)
		}
	}
	create("one")
	if err := os.Rename(records, records+".1"); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGHUP)
	s.await(t, `msg="configuration reloaded"`)
	create("two")
	s.signal(t, syscall.SIGTERM)
	if code := s.exit(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for name, queue := range map[string]string{records + ".1": "one", records: "two"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var record map[string]any
		if err := json.Unmarshal(text, &record); err != nil || record["queue"] != queue || record["action"] != "queues:create" {
			t.Errorf("%s holds %s: %v", name, text, err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if code, _, stderr := zaqar(t, "server", "--config-file", file(t, "[audit]\nenabled = True\nfile = /nonexistent/audit\n")); code != exitFailure || !strings.Contains(stderr, "audit log") {
		t.Errorf("a file that cannot be written: %d %s", code, stderr)
	}
}

// TestFullDiskOfLogs has the audit log find no room, which the log tells, then
// the log itself.
func TestFullDiskOfLogs(t *testing.T) {
	s := serverWith(t, "--config-file", file(t, "[audit]\nenabled = True\nfile = /dev/full\n"))
	s.do(t, "PUT", "/v2/queues/one", "")
	s.await(t, `msg="the audit log cannot be written; records are lost" file=/dev/full`)
	conf := file(t, "[DEFAULT]\nlog_file = /dev/full\n")
	// A server that does not start: its store would be in a file.
	if code, _, stderr := zaqar(t, "server", "--config-file", conf, "--data-dir", conf); code != exitFailure || !strings.Contains(stderr, "zaqar: the log cannot be written") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func awaitLine(t *testing.T, s *bufio.Scanner, text string) {
	t.Helper()
	for s.Scan() {
		if strings.Contains(s.Text(), text) {
			return
		}
	}
	t.Fatalf("no %q: %v", text, s.Err())
}
