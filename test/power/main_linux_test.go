package power

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"zaqar/internal/need"
	"zaqar/test/e2e/daemon"
)

// inside says that the process has a mount namespace of its own, made by root
// or by another user.
const (
	inside = "ZAQAR_POWER_NAMESPACE"
	root   = "root"
	user   = "user"
)

// TestMain runs the tests in another process with a mount namespace of its own:
// its mounts, and loop devices on them, end with it. Root is enough for that, or
// the right to make user namespaces.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(daemon.Main(m, false))
	}
	runtime.LockOSThread() // Pdeathsig is about the thread
	c := exec.Command(os.Args[0], os.Args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	who := root
	if os.Getuid() != 0 {
		who = user
		c.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	c.Env = append(os.Environ(), inside+"="+who)
	signals := make(chan os.Signal, 8)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as nohup has it
			signal.Notify(signals, s)
		}
	}
	if c.Start() != nil {
		signal.Stop(signals)
		os.Exit(daemon.Main(m, false)) // skips what needs it
	}
	go func() {
		for s := range signals {
			_ = c.Process.Signal(s)
		}
	}()
	// The mounts are to outlive the process that serves them: if they ended with
	// it, the kernel would wait for it to take what an ext4 has to write.
	mounts, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", c.Process.Pid))
	if err == nil {
		defer mounts.Close()
	}
	var e *exec.ExitError
	if err := c.Wait(); errors.As(err, &e) {
		os.Exit(max(1, e.ExitCode()))
	} else if err != nil {
		panic(err)
	}
}

// needMounts ends the test where nothing can be mounted.
func needMounts(t testing.TB) {
	t.Helper()
	if os.Getenv(inside) == "" {
		need.Missing(t, "the right to make a mount namespace")
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		need.Missing(t, "/dev/fuse ("+err.Error()+")")
	}
	f.Close()
}

// needExt4 ends the test where no ext4 can be mounted from an image.
func needExt4(t testing.TB) {
	t.Helper()
	need.Program(t, "mkfs.ext4")
	need.Program(t, "mount")
	f, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil || os.Getenv(inside) != root {
		need.Missing(t, "the right to use loop devices")
	}
	f.Close()
	if b, err := os.ReadFile("/proc/filesystems"); err != nil || !strings.Contains(string(b), "\text4\n") {
		need.Missing(t, "ext4 in the kernel")
	}
}
