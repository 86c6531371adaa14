package cli

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"zaqar/internal/testlog"
	"zaqar/internal/testwait"
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
	s.lines, s.errs = make(chan string, 100), new(testlog.Buffer)
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
	// Two signals at once may come the other way round.
	testwait.Until(t, "the report is there", func() bool { return strings.Contains(s.errs.String(), "=== end of report") })
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
