package process_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"zaqar/bench/process"
)

// TestKilledParent kills the process that has started a server, which leaves it
// no time to stop the server itself.
func TestKilledParent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.CommandContext(t.Context(), self)
	parent.Env = append(os.Environ(), "BENCH_TEST_ROLE=parent", "TMPDIR="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var addr string
	_, err = fmt.Fscanln(out, &addr)
	defer parent.Wait()
	defer parent.Process.Kill()
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); os.IsTimeout(err) {
		t.Error("the server goes on")
	}
}

// TestThreadsEnd ends the thread from which a server was started.
func TestThreadsEnd(t *testing.T) {
	c := command(t, "serve")
	var p *process.Process
	var err error
	begin := func() int {
		done := make(chan int)
		go func() {
			runtime.LockOSThread()
			if syscall.Gettid() != os.Getpid() {
				p, err = process.Start(t.Context(), c)
			}
			done <- syscall.Gettid()
		}()
		return <-done
	}
	tid := begin()
	if tid == os.Getpid() { // the main thread, which does not end
		tid = begin()
	}
	if err != nil {
		t.Fatal(err)
	}
	task := fmt.Sprintf("/proc/self/task/%d", tid)
	for _, err := os.Stat(task); err == nil; _, err = os.Stat(task) {
		runtime.Gosched()
	}
	if end := p.Ended(); end != nil {
		t.Fatal(end)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
