package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"zaqar/storage"
	"zaqar/storage/storagetest"
)

// asProgram makes the test binary behave as the program itself.
const asProgram = "ZAQAR_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

const configuration = `[DEFAULT]
admin_mode = True
[drivers]
message_store = capped
[drivers:message_store:capped]
uri = capped:?messages=3
[drivers:transport:wsgi]
port = 0
[storage]
message_pipeline = example.words,zaqar.notification.notifier
strict_pipelines = True
`

// program is a running server, and what it has logged when it ends.
type program struct {
	url  string
	stop func() (log string)
}

func command(t *testing.T, configuration string, args ...string) *exec.Cmd {
	t.Helper()
	file := filepath.Join(t.TempDir(), "zaqar.conf")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, append(args, "--config-file", file)...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{asProgram + "=1", "HOME=" + t.TempDir(), "ZAQAR_CONFIG_DIRS=", "GOCOVERDIR=" + t.TempDir()}
	return cmd
}

func start(t *testing.T) program {
	t.Helper()
	cmd := command(t, configuration, "server")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	lines := bufio.NewScanner(io.TeeReader(out, &log))
	address := regexp.MustCompile(`address=(http://[^ ]+)`)
	for lines.Scan() {
		if found := address.FindStringSubmatch(lines.Text()); found != nil && strings.Contains(lines.Text(), "listening") {
			return program{found[1], func() string {
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
				for lines.Scan() { // to the end, also into log
				}
				if err := cmd.Wait(); err != nil {
					t.Error(err)
				}
				return log.String()
			}}
		}
	}
	_ = cmd.Wait()
	t.Fatalf("it did not start:\n%s", log.String())
	return program{}
}

func (p program) post(t *testing.T, body string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/v2/queues/q/messages", strings.NewReader(`{"messages":[{"body":`+body+`}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Client-ID", "3381af92-2b9e-11e3-b191-71861300734c")
	r.Header.Set("X-Project-ID", "p")
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(all)
}

// The program is a server whose stage refuses words and whose store fills up.
func TestProgram(t *testing.T) {
	p := start(t)
	for _, c := range []struct {
		body string
		want int
		says string
	}{
		{`"plain"`, 201, ""},
		{`{"deep": ["is classified"]}`, 403, "may not be posted"},
		{`"plain"`, 201, ""},
		{`"classified"`, 403, "may not be posted"},
		{`"plain"`, 201, ""},
		{`"one more"`, 503, "full"},
	} {
		if status, text := p.post(t, c.body); status != c.want || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %s, want %d and %q", c.body, status, text, c.want, c.says)
		}
	}
	log := p.stop()
	if !strings.Contains(log, "refused=2") || strings.Contains(log, "refused=3") || !strings.Contains(log, "project=p") {
		t.Errorf("the stage counted otherwise:\n%s", log)
	}
}

// The commands know what the program adds.
func TestCommands(t *testing.T) {
	if out, err := command(t, configuration, "config", "check").CombinedOutput(); err != nil || !strings.Contains(string(out), "0 errors, 0 warnings") {
		t.Errorf("%v\n%s", err, out)
	}
	for name, bad := range map[string]string{
		"a stage":  strings.Replace(configuration, "example.words", "example.wrods", 1),
		"a number": strings.Replace(configuration, "messages=3", "messages=x", 1),
		"a scheme": strings.Replace(configuration, "capped:?", "redis:?", 1),
	} {
		if out, err := command(t, bad, "server").CombinedOutput(); err == nil {
			t.Errorf("%s that is wrong: it started\n%s", name, out)
		}
	}
}

// The store keeps the promises of every store.
func TestStore(t *testing.T) {
	storagetest.Run(t, storagetest.Harness{Open: func(t testing.TB, env storage.Env) storagetest.Store {
		s, err := openCapped("capped:?messages=100000", env)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}})
}

// What docs/extending.md shows is this code.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/extending.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range []string{"main.go", "words.go", "capped.go", "custom_test.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	blocks := regexp.MustCompile("(?s)```(?:go|ini)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 5 {
		t.Fatalf("%d blocks of code", len(blocks))
	}
	for _, b := range blocks {
		if !strings.Contains(source.String(), b[1]) {
			t.Errorf("this is not in the example:\n%s", b[1])
		}
	}
}
