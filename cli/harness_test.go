package cli

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"zaqar/internal/testhttp"
	"zaqar/internal/testlog"
)

// asProgram makes the test binary behave as the program itself.
const asProgram = "ZAQAR_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		Main(Program{})
	}
	os.Exit(m.Run())
}

// program prepares a run of the program, away from the user's files.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{asProgram + "=1", "HOME=" + t.TempDir(), "ZAQAR_CONFIG_DIRS=", "GOCOVERDIR=" + t.TempDir()}
	return cmd
}

// zaqar runs the program to its end.
func zaqar(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := program(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zaqar.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// server is a running program.
type server struct {
	*exec.Cmd
	url   string
	lines chan string // of its log, until it ends
	errs  *testlog.Buffer
}

// serverWith starts "zaqar server" on a free port and a store of its own.
func serverWith(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{Cmd: program(t, append([]string{"server", "--port", "0", "--data-dir", t.TempDir()}, args...)...)}
	s.start(t)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	s.lines, s.errs = make(chan string, 10_000), new(testlog.Buffer)
	s.Stderr = s.errs
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			s.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		_ = s.Process.Kill()
		for range s.lines { // until the reader is done
		}
		_ = s.Wait()
	})
	line := s.await(t, "msg=listening")
	s.url = regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(line)[1]
}

// await reads the log up to a line with the text.
func (s *server) await(t *testing.T, text string) string {
	t.Helper()
	var all []string
	for line := range s.lines {
		if strings.Contains(line, text) {
			return line
		}
		all = append(all, line)
	}
	t.Fatalf("no %q in the log:\n%s\n%s", text, strings.Join(all, "\n"), s.errs)
	return ""
}

func (s *server) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := s.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (s *server) exit(t *testing.T) int {
	t.Helper()
	for range s.lines { // the pipe has to be read before Wait
	}
	if err := s.Wait(); err != nil && s.ProcessState == nil {
		t.Fatal(err)
	}
	return s.ProcessState.ExitCode()
}

func (s *server) do(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	status, _, text := testhttp.Do(t, testhttp.Request(t, method, s.url+path, body))
	return status, text
}
