package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFirstRun(t *testing.T) {
	cmd := program(t, "server", "--port", "0")
	home := t.TempDir()
	cmd.Env = append(cmd.Env, "HOME="+home, "XDG_DATA_HOME="+home+"/data")
	if os.Getuid() == 0 {
		// Root's default is a directory of the machine.
		cmd.Args = append(cmd.Args, "--data-dir", home+"/data/zaqar")
	}
	s := &server{Cmd: cmd}
	s.lines, s.errs = nil, nil
	s.start(t)
	if _, err := os.Stat(home + "/data/zaqar"); err != nil {
		t.Errorf("the data directory: %v", err)
	}
	if !strings.HasPrefix(s.url, "http://127.0.0.1:") {
		t.Errorf("listens on %s", s.url)
	}
	if status, _ := s.do(t, "GET", "/v2/health", ""); status == http.StatusNotFound {
		t.Error("the private endpoints are off")
	}
	if status, body := s.do(t, "POST", "/v2/queues/q/messages", `{"messages":[{"body":1}]}`); status != http.StatusCreated {
		t.Errorf("post: %d %s", status, body)
	}
}

func TestFirstLinesNameWhatMatters(t *testing.T) {
	dir := t.TempDir()
	s := &server{Cmd: program(t, "server", "--port", "0", "--data-dir", dir)}
	s.lines, s.errs = make(chan string, 100), new(lockedBuffer)
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Process.Kill(); _ = s.Wait() }()
	var first strings.Builder
	for scan := bufio.NewScanner(out); scan.Scan(); {
		first.WriteString(scan.Text() + "\n")
		if strings.Contains(scan.Text(), "msg=listening") {
			break
		}
	}
	for _, want := range []string{"no configuration file", "driver=embedded", "dir=" + dir, "authentication=none", "admin_mode=true", "version="} {
		if !strings.Contains(first.String(), want) {
			t.Errorf("no %q in\n%s", want, first.String())
		}
	}
	if n := strings.Count(first.String(), "\n"); n > 5 {
		t.Errorf("%d lines", n)
	}
}

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

func TestStopSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			s := serverWith(t)
			if status, _ := s.do(t, "PUT", "/v2/queues/q", ""); status != http.StatusCreated {
				t.Fatalf("put: %d", status)
			}
			s.signal(t, sig)
			s.signal(t, sig) // as timeout(1) does
			s.await(t, "msg=stopped")
			if code := s.exit(t); code != exitOK {
				t.Errorf("exit code %d\n%s", code, s.errs)
			}
		})
	}
}

// TestSecondSignalEndsAtOnce keeps a request in flight, which a first signal
// waits for.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	s := serverWith(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /v2/queues/q/messages HTTP/1.1\r\nHost: x\r\nX-Project-ID: p\r\n"+
		"Client-ID: 3381af92-2b9e-11e3-b191-71861300734c\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	answer := bufio.NewReader(conn)
	// The server asks for the body once it has begun to serve the request.
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("no go-ahead: %q, %v", line, err)
	}
	s.signal(t, syscall.SIGTERM)
	s.await(t, "msg=stopping")
	// Signals soon after the first one are taken for its echo.
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	told := false
	for open := true; open; {
		var line string
		select {
		case <-again.C:
			_ = s.Process.Signal(syscall.SIGTERM)
		case line, open = <-s.lines:
			told = told || strings.Contains(line, "ended by a second signal")
		}
	}
	if code := s.exit(t); code != exitFailure || !told {
		t.Errorf("exit code %d, told %v", code, told)
	}
}

func TestHangupReloads(t *testing.T) {
	conf := file(t, "[transport]\nmax_messages_post_size = 1000\n[DEFAULT]\nuse_stderr = False\n")
	s := serverWith(t, "--config-file", conf)
	big := `{"messages":[{"body":"` + strings.Repeat("x", 500) + `"}]}`
	if status, body := s.do(t, "POST", "/v2/queues/q/messages", big); status != http.StatusCreated {
		t.Fatalf("post: %d %s", status, body)
	}

	change := func(text string) {
		t.Helper()
		if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s.signal(t, syscall.SIGHUP)
	}
	change("[transport]\nmax_messages_post_size = 100\n[drivers:transport:wsgi]\nheader_timeout = 7\n[DEFAULT]\ndebug = True\n")
	s.await(t, `msg="option changed" section=DEFAULT key=debug from=False to=True`)
	if line := s.await(t, "key=header_timeout"); !strings.Contains(line, "a restart puts it in force") || !strings.Contains(line, "from=10 to=7") {
		t.Error(line)
	}
	s.await(t, "key=max_messages_post_size from=1000 to=100")
	s.await(t, `msg="configuration reloaded"`)
	if status, _ := s.do(t, "POST", "/v2/queues/q/messages", big); status != http.StatusBadRequest {
		t.Errorf("over the new limit: %d", status)
	}

	change("[transport]\nmax_messages_post_size = few\nmax_message_ttl = none\n")
	s.await(t, "zaqar.conf:2")
	s.await(t, "zaqar.conf:3")
	s.await(t, "the old one stays in force")
	if status, _ := s.do(t, "POST", "/v2/queues/q/messages", big); status != http.StatusBadRequest {
		t.Errorf("after the refused reload: %d", status)
	}

	// The report shows what is in force, not what the file says.
	s.signal(t, syscall.SIGUSR2)
	s.signal(t, syscall.SIGTERM)
	if code := s.exit(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	report := s.errs.String()
	for _, want := range []string{"max_messages_post_size = 100\n", "header_timeout = 10\n", "=== goroutines", "=== end of report"} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in the report:\n%.3000s", want, report)
		}
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

func TestOneStoreOneProcess(t *testing.T) {
	dir := t.TempDir()
	serverWith(t, "--data-dir", dir)
	code, stdout, _ := zaqar(t, "server", "--port", "0", "--data-dir", dir)
	if code != exitFailure || !strings.Contains(stdout, "the server did not start") || !strings.Contains(stdout, dir) {
		t.Errorf("a second process on the same directory: exit code %d\n%s", code, stdout)
	}
}

func TestStartErrorsAreTold(t *testing.T) {
	s := serverWith(t)
	port := s.url[strings.LastIndex(s.url, ":")+1:]
	code, stdout, _ := zaqar(t, "server", "--data-dir", t.TempDir(), "--port", port)
	if code != exitFailure || !strings.Contains(stdout, "address already in use") {
		t.Errorf("a port in use: %d\n%s", code, stdout)
	}
	logs := filepath.Join(t.TempDir(), "z.log")
	code, _, stderr := zaqar(t, "server", "--data-dir", t.TempDir(), "--port", port, "--log-file", logs)
	if code != exitFailure || !strings.Contains(stderr, "address already in use") {
		t.Errorf("a port in use, with a log file: %d\n%s", code, stderr)
	}
	code, _, stderr = zaqar(t, "server", "--log-dir", "/nonexistent")
	if code != exitFailure || !strings.Contains(stderr, "/nonexistent") {
		t.Errorf("a log directory that is not there: %d\n%s", code, stderr)
	}
}

func TestBadConfigurationStartsNothing(t *testing.T) {
	conf := file(t, "[DEFAULT]\ndebug = loud\nauth_strategy = keystone\n[transport]\nmessage_encryption_key = AES256\n")
	code, stdout, stderr := zaqar(t, "server", "--config-file", conf)
	if code != exitFailure || stdout != "" {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
	for _, want := range []string{"zaqar.conf:2: error: [DEFAULT] debug: ", "zaqar.conf:3: error: ", "zaqar.conf:5: error: ", "3 errors in the configuration; nothing was started"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string // on the stream that fits the code
	}{
		{nil, exitOK, "zaqar server"},
		{[]string{"--help"}, exitOK, "Available Commands"},
		{[]string{"server", "--help"}, exitOK, "--config-file file"},
		{[]string{"version"}, exitOK, "zaqar "},
		{[]string{"--version"}, exitOK, "zaqar "},
		{[]string{"server", "--version"}, exitOK, "zaqar "},
		{[]string{"serve"}, exitUsage, `unknown command "serve" of "zaqar"; did you mean "server"?`},
		{[]string{"frobnicate"}, exitUsage, `"zaqar --help" lists`},
		{[]string{"config"}, exitOK, "sample"},
		{[]string{"server", "now"}, exitUsage, `unknown command "now"`},
		{[]string{"server", "--prot", "1"}, exitUsage, "unknown flag: --prot"},
		{[]string{"server", "--port"}, exitUsage, "needs an argument"},
		{[]string{"server", "--config-file="}, exitUsage, "the path is empty"},
		{[]string{"config", "chekc"}, exitUsage, `unknown command "chekc" of "zaqar config"; did you mean "check"?`},
		{[]string{"config", "sample", "x"}, exitUsage, `unknown command "x"`},
		{[]string{"server", "--port", "x"}, exitFailure, "flag --port: error: [drivers:transport:wsgi] port"},
		{[]string{"server", "--config-file", "/nonexistent"}, exitFailure, "/nonexistent: error: cannot be read: no such file"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, stdout, stderr := zaqar(t, c.args...)
			said := stderr
			if c.code == exitOK {
				said = stdout
			}
			if code != c.code || !strings.Contains(said, c.says) {
				t.Errorf("exit code %d, stdout:\n%s\nstderr:\n%s", code, stdout, stderr)
			}
		})
	}
}

func TestFlagsSetOptions(t *testing.T) {
	args := []string{
		"--bind", "192.0.2.1", "--port=1", "--data-dir", "/d", "--admin_mode", "-d",
		"--log-dir", "/l", "--log_file", "f", "--use-json", "--use-syslog=false",
	}
	code, stdout, stderr := zaqar(t, append([]string{"config", "show"}, args...)...)
	if code != exitOK {
		t.Fatalf("%d %s", code, stderr)
	}
	for _, want := range []string{"# from flag --bind\nbind = 192.0.2.1\n", "port = 1\n", "data_dir = /d\n", "# from flag --admin-mode\nadmin_mode = True\n",
		"debug = True\n", "log_dir = /l\n", "log_file = f\n", "use_json = True\n", "use_syslog = False\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

func TestDaemonFlagIsAccepted(t *testing.T) {
	s := serverWith(t, "--daemon")
	s.signal(t, syscall.SIGTERM)
	if code := s.exit(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	code, stdout, _ := zaqar(t, "config", "check", "--daemon")
	if code != exitOK || !strings.Contains(stdout, "flag --daemon: warning: [DEFAULT] daemon: is ignored: a service supervisor does this") {
		t.Errorf("%d\n%s", code, stdout)
	}
}

func TestConfigCheck(t *testing.T) {
	good, odd, bad := file(t, "[DEFAULT]\ndebug = True\n"), file(t, "[DEFAULT]\nworkers = 3\n"), file(t, "[DEFAULT]\nworkers = 3\ndebug = 3\n")
	for _, c := range []struct {
		file string
		code int
		says []string
	}{
		{good, exitOK, []string{"read " + good, "0 errors, 0 warnings"}},
		{odd, exitOK, []string{odd + ":2: warning: [DEFAULT] workers: no such key", "0 errors, 1 warning\n"}},
		{bad, exitFailure, []string{bad + ":3: error: [DEFAULT] debug: \"3\" is not allowed; allowed is true", "1 error, 1 warning\n"}},
	} {
		code, stdout, stderr := zaqar(t, "config", "check", "--config-file", c.file)
		if code != c.code || stderr != "" {
			t.Errorf("exit code %d, stderr %q", code, stderr)
		}
		for _, want := range c.says {
			if !strings.Contains(stdout, want) {
				t.Errorf("no %q in\n%s", want, stdout)
			}
		}
	}

	code, stdout, _ := zaqar(t, "config", "check", "--json", "--config-file", bad)
	var got struct {
		Files            []string
		Errors, Warnings int
		Findings         []map[string]any
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitFailure {
		t.Fatalf("%d, %v: %s", code, err, stdout)
	}
	want := map[string]any{
		"severity": "error", "file": bad, "line": 3.0, "section": "DEFAULT", "key": "debug",
		"text": `"3" is not allowed; allowed is true, 1, on, yes or false, 0, off, no`,
	}
	if got.Errors != 1 || got.Warnings != 1 || len(got.Findings) != 2 || !cmp.Equal(got.Files, []string{bad}) {
		t.Fatalf("%+v", got)
	}
	if d := cmp.Diff(want, got.Findings[1]); d != "" {
		t.Error(d)
	}
	if _, stdout, _ := zaqar(t, "config", "check", "--json", "--config-file", good); !strings.Contains(stdout, `"findings": []`) {
		t.Errorf("without findings:\n%s", stdout)
	}
}

func TestConfigSampleIsAConfiguration(t *testing.T) {
	code, stdout, _ := zaqar(t, "config", "sample")
	if code != exitOK {
		t.Fatal(code)
	}
	if code, stdout, _ := zaqar(t, "config", "check", "--config-file", file(t, stdout)); code != exitOK || !strings.Contains(stdout, "0 errors, 0 warnings") {
		t.Errorf("%d\n%s", code, stdout)
	}
}

func TestConfigShow(t *testing.T) {
	conf := file(t, "[transport]\nmessage_encryption_key = a secret of many letters\nmax_wait = 3\n")
	code, stdout, _ := zaqar(t, "config", "show", "--config-file", conf)
	if code != exitOK || strings.Contains(stdout, "many letters") || !strings.Contains(stdout, fmt.Sprintf("# from %s:3\nmax_wait = 3\n", conf)) {
		t.Errorf("%d\n%s", code, stdout)
	}
	_, stdout, _ = zaqar(t, "config", "show", "--json", "--config-file", conf)
	var got struct {
		Sections map[string]map[string]struct {
			Value  string
			Origin struct {
				File string
				Line int
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if v := got.Sections["transport"]["max_wait"]; v.Value != "3" || v.Origin.File != conf || v.Origin.Line != 3 {
		t.Errorf("%+v", v)
	}
	if v := got.Sections["transport"]["message_encryption_key"].Value; v != "***" {
		t.Errorf("secret shown as %q", v)
	}
	if code, _, stderr := zaqar(t, "config", "show", "--port", "x"); code != exitFailure || !strings.Contains(stderr, "1 error in the configuration") {
		t.Errorf("%d %s", code, stderr)
	}
}
