package packaging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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

// TestImage does what the Dockerfile does: it builds from what .dockerignore
// leaves, and runs the result with nothing around it, as the user of the image.
func TestImage(t *testing.T) {
	t.Parallel()
	file := read(t, "Dockerfile")
	source, root := t.TempDir(), t.TempDir()
	copyContext(t, source)
	step := regexp.MustCompile(`CGO_ENABLED=0 GOOS=\$TARGETOS GOARCH=\$TARGETARCH \\\n +(go build .*)`).FindStringSubmatch(file)
	if step == nil {
		t.Fatal("no build step in the Dockerfile")
	}
	build := exec.CommandContext(t.Context(), "sh", "-ec", strings.ReplaceAll(step[1], "/image/", root+"/"))
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "VERSION=7.6.5-image", "GOFLAGS=-mod=readonly")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const user = 65532
	if !strings.Contains(file, "\nUSER 65532:65532\n") || !strings.Contains(file, "chown -R 65532:65532 /image/var/lib/zaqar") {
		t.Fatal("the Dockerfile has another user")
	}
	data := filepath.Join(root, "var/lib/zaqar")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir, mode := range map[string]fs.FileMode{data: 0o750, root: 0o755, filepath.Dir(root): 0o755} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 {
		if err := os.Chown(data, user, user); err != nil {
			t.Fatal(err)
		}
	}
	var env []string
	for _, m := range regexp.MustCompile(`(OS_[A-Z_]+)=(\S+)`).FindAllStringSubmatch(file, -1) {
		env = append(env, m[1]+"="+m[2])
	}
	if len(env) != 2 {
		t.Fatalf("the environment of the image: %q", env)
	}
	env = append(env, "OS_DRIVERS_TRANSPORT_WSGI__PORT=18887")
	inside := func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "/usr/bin/zaqar", args...)
		cmd.Dir, cmd.Env = "/", env
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user, NoSetGroups: true}, Pdeathsig: syscall.SIGKILL}
		if os.Getuid() != 0 { // who may change the root directory in a namespace only
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getgid(), Size: 1}}
		}
		return cmd
	}
	if err := inside(t.Context(), "--version").Run(); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		need.Missing(t, "the right to change the root directory, of root or in a user namespace")
	}
	if out, err := inside(t.Context(), "server", "--version").CombinedOutput(); err != nil || !strings.Contains(string(out), "7.6.5-image") {
		t.Errorf("version: %v %s", err, out)
	}
	server := inside(context.WithoutCancel(t.Context()), command(t, file, `(?m)^CMD (\[.*\])$`)...)
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	check := command(t, file, `(?m)^HEALTHCHECK .* CMD (\[.*\])$`)
	if check[0] != "/usr/bin/zaqar" {
		t.Fatalf("the health check runs %q", check)
	}
	last := ""
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last health check said:\n%s\nthe server said:\n%s", last, log.String())
		}
	})
	healthy := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		out, err := inside(ctx, check[1:]...).CombinedOutput()
		last = string(out)
		return err == nil
	}
	daemon.Eventually(t, "the container is healthy", healthy)
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
	if healthy() {
		t.Error("a container without a server is healthy")
	}
}

// command reads the JSON form of a command.
func command(t *testing.T, file, pattern string) []string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(file)
	var words []string
	if m == nil || json.Unmarshal([]byte(m[1]), &words) != nil || len(words) == 0 {
		t.Fatalf("no %s in the Dockerfile", pattern)
	}
	return words
}

// copyContext copies the files that Docker would send.
func copyContext(t *testing.T, to string) {
	t.Helper()
	const top = "../.."
	text, err := os.ReadFile(filepath.Join(top, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	ignored := func(path string) bool {
		for pattern := range strings.Lines(string(text)) {
			if pattern = strings.TrimSpace(pattern); pattern == "" || pattern[0] == '#' {
				continue
			}
			if ok, _ := filepath.Match(pattern, path); ok {
				return true
			}
		}
		return false
	}
	err = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(top, path)
		switch {
		case name == ".":
			return nil
		case ignored(name) && e.IsDir():
			return fs.SkipDir
		case ignored(name), !e.IsDir() && !e.Type().IsRegular():
			return nil
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
