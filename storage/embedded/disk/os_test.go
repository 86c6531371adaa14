package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The test binary is also the other process that some tests need.
func TestMain(m *testing.M) {
	name := os.Getenv("DISK_TEST_FILE")
	switch os.Getenv("DISK_TEST_DO") {
	case "lock":
		if _, err := OS().Lock(name); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin) // until killed
	case "allocate":
		fmt.Println(allocateOverLimit(name))
	default:
		os.Exit(m.Run())
	}
}

// another returns a command that does one of the things of TestMain.
func another(do, name string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DISK_TEST_DO="+do, "DISK_TEST_FILE="+name)
	return cmd
}

func TestLockAcrossProcesses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	other := func() (*exec.Cmd, string) {
		cmd := another("lock", name)
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1000)
		n, _ := out.Read(buf)
		return cmd, strings.TrimSpace(string(buf[:n]))
	}

	l, err := OS().Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	loser, said := other()
	_ = loser.Wait()
	if want := fmt.Sprintf("process %d", os.Getpid()); !strings.Contains(said, want) {
		t.Errorf("the other process said %q, want %q in it", said, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	winner, said := other()
	if said != "locked" {
		t.Fatalf("the other process said %q", said)
	}
	_, err = OS().Lock(name)
	if want := fmt.Sprintf("process %d", winner.Process.Pid); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %v by %s", err, ErrLocked, want)
	}
	_ = winner.Process.Kill()
	_ = winner.Wait()
	l, err = OS().Lock(name)
	if err != nil {
		t.Fatalf("the lock outlives its process: %v", err)
	}
	_ = l.Close()
}

func TestFillTakesSpaceAndKeepsContent(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 1<<20 + 17
	if err := f.Truncate(size - 100); err != nil { // a hole
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("text"), 300<<10); err != nil {
		t.Fatal(err)
	}
	if err := fill(f, 0, size); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Sys().(*syscall.Stat_t).Blocks * 512; info.Size() != size || got < size {
		t.Errorf("size %d with %d bytes on disk, want %d", info.Size(), got, size)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if got := strings.Trim(string(b), "\x00"); got != "text" || string(b[300<<10:][:4]) != "text" {
		t.Errorf("content changed")
	}
}

func TestFull(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer f.Close()
	n, err := (&osFile{f}).WriteAt([]byte("x"), 0)
	if n != 0 || !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("WriteAt = %d, %v; want %v and ENOSPC", n, err, ErrFull)
	}
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		if err := classify(&os.PathError{Op: "write", Path: "x", Err: e}); !errors.Is(err, ErrFull) || !errors.Is(err, e) {
			t.Errorf("%v became %v", e, err)
		}
	}
	if err := classify(syscall.EIO); errors.Is(err, ErrFull) {
		t.Error("EIO means full")
	}
}

func TestFailedAllocateKeepsTheSize(t *testing.T) {
	said, err := another("allocate", filepath.Join(t.TempDir(), "f")).CombinedOutput()
	if got := strings.TrimSpace(string(said)); err != nil || got != "5 true" {
		t.Errorf("size and failure %q, %v; want 5 true", got, err)
	}
}

// allocateOverLimit has the process's limit of file sizes stop an Allocate
// half way, and returns the size afterwards and whether there was an error.
func allocateOverLimit(name string) (int64, bool) {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 20 << 20, Max: 20 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	f, err := OS().Create(name)
	if err != nil {
		panic(err)
	}
	if _, err := f.WriteAt([]byte("hello"), 0); err != nil {
		panic(err)
	}
	err = f.Allocate(0, 64<<20)
	size, _ := f.Size()
	return size, err != nil
}

func TestInterruptedCallsAreRepeated(t *testing.T) {
	left := 3
	err := repeat(func() error {
		if left--; left > 0 {
			return syscall.EINTR
		}
		return syscall.EIO
	})
	if left != 0 || err != syscall.EIO {
		t.Errorf("error %v with %d calls left", err, left)
	}
}
