package packaging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"zaqar/internal/need"
	"zaqar/internal/testwait"
)

// image is what the Dockerfile makes, in a directory.
type image struct {
	file string // the Dockerfile
	root string
	env  []string
}

// user is that of the image.
const user = 65532

// buildImage carries out what the Dockerfile says, with what .dockerignore
// leaves of the sources.
func buildImage(t *testing.T) *image {
	t.Helper()
	i := &image{file: read(t, "Dockerfile"), root: t.TempDir()}
	source := t.TempDir()
	copyContext(t, source)
	step := regexp.MustCompile(`CGO_ENABLED=0 GOOS=\$TARGETOS GOARCH=\$TARGETARCH \\\n +(go build .*)`).FindStringSubmatch(i.file)
	if step == nil {
		t.Fatal("no build step in the Dockerfile")
	}
	build := exec.CommandContext(t.Context(), "sh", "-ec", strings.ReplaceAll(step[1], "/image/", i.root+"/"))
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "VERSION=7.6.5-image", "GOFLAGS=-mod=readonly")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	i.makeData(t)
	for _, m := range regexp.MustCompile(`(OS_[A-Z_]+)=(\S+)`).FindAllStringSubmatch(i.file, -1) {
		i.env = append(i.env, m[1]+"="+m[2])
	}
	if len(i.env) != 2 {
		t.Fatalf("the environment of the image: %q", i.env)
	}
	return i
}

// makeData makes the data directory, which is the user's.
func (i *image) makeData(t *testing.T) {
	t.Helper()
	if !strings.Contains(i.file, "\nUSER 65532:65532\n") || !strings.Contains(i.file, "chown -R 65532:65532 /image/var/lib/zaqar") {
		t.Fatal("the Dockerfile has another user")
	}
	data := filepath.Join(i.root, "var/lib/zaqar")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir, mode := range map[string]fs.FileMode{data: 0o750, i.root: 0o755, filepath.Dir(i.root): 0o755} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 {
		if err := os.Chown(data, user, user); err != nil {
			t.Fatal(err)
		}
	}
}

// inside is the program with nothing around it but the image, as its user.
func (i *image) inside(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/usr/bin/zaqar", args...)
	cmd.Dir, cmd.Env = "/", append(slices.Clip(i.env), "OS_DRIVERS_TRANSPORT_WSGI__PORT=18887")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: i.root, Credential: &syscall.Credential{Uid: user, Gid: user, NoSetGroups: true}, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 { // who may change the root directory in a namespace only
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// TestImage runs what the Dockerfile makes, and asks it as the health check does.
func TestImage(t *testing.T) {
	t.Parallel()
	i := buildImage(t)
	if err := i.inside(t.Context(), "--version").Run(); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		need.Missing(t, "the right to change the root directory, of root or in a user namespace")
	}
	if out, err := i.inside(t.Context(), "server", "--version").CombinedOutput(); err != nil || !strings.Contains(string(out), "7.6.5-image") {
		t.Errorf("version: %v %s", err, out)
	}
	server := i.inside(context.WithoutCancel(t.Context()), command(t, i.file, `(?m)^CMD (\[.*\])$`)...)
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	check := command(t, i.file, `(?m)^HEALTHCHECK .* CMD (\[.*\])$`)
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
		out, err := i.inside(ctx, check[1:]...).CombinedOutput()
		last = string(out)
		return err == nil
	}
	testwait.Until(t, "the container is healthy", healthy)
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
