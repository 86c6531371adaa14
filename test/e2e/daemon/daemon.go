// Package daemon runs the real program for tests, as its operators do: with a
// configuration file, flags and signals, observed through its log.
//
// A program that is started is ended and waited for when its test ends. One
// that does not stop cleanly, or that reports a data race, fails the test.
package daemon

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"zaqar/internal/testproc"
	"zaqar/internal/testwait"
)

// Patience is how long a test waits for what takes milliseconds, before it
// takes the server for hung.
const Patience = testwait.Patience

// Options say how a program is started. The zero value is a server on a fresh
// data directory.
type Options struct {
	Binary string   // path; "" is what Binary returns
	Dir    string   // data directory; "" is a temporary one
	Config string   // text of the configuration file
	Args   []string // further flags of zaqar server
	// LogFile gets the log instead of the daemon, so that there is nothing to
	// Await; "" is none.
	LogFile string
	// Wrap is put before the command line: a shell that sets limits, say. It
	// ends by executing its arguments, so that signals reach the program.
	Wrap []string
}

// Daemon is a running program.
type Daemon struct {
	URL  string // of the API, without a slash at the end
	Addr string // host:port
	Dir  string // data directory

	cmd    *exec.Cmd
	config string // path of the configuration file
	log    *logbook
	stderr *lockedBuffer
	exited chan struct{}
	err    error // of the process, once exited is closed
	stop   sync.Once
}

// Start runs a server and returns once it listens.
func Start(t testing.TB, o Options) *Daemon {
	t.Helper()
	d := Launch(t, o)
	if o.LogFile != "" {
		testwait.Until(t, "the server listens", func() bool {
			text, _ := os.ReadFile(o.LogFile)
			_, _ = d.log.Write(text[min(d.log.size(), len(text)):])
			r, _ := d.log.nth("listening", 1)
			return r != nil || !d.Running()
		})
	}
	record, ok := d.log.wait("listening", 1, d.exited)
	if !ok {
		t.Fatalf("the server did not start: %v\n%s%s", d.Wait(t), d.log.tail(20), d.stderr.String())
	}
	d.URL = record.Text("address")
	d.Addr = strings.TrimPrefix(d.URL, "http://")
	return d
}

// Launch runs a server and returns at once. It need not come to listen.
func Launch(t testing.TB, o Options) *Daemon {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "data")
	}
	if o.Binary == "" {
		o.Binary = Binary(t)
	}
	d := &Daemon{Dir: o.Dir, log: newLogbook(), stderr: new(lockedBuffer), exited: make(chan struct{})}
	home := t.TempDir()
	d.config = filepath.Join(home, "zaqar.conf")
	d.Configure(t, o.Config)

	line := append(o.Wrap, o.Binary, "server", "--config-file", d.config, "--config-dir", t.TempDir(),
		"--data-dir", o.Dir, "--port", "0", "--use-json")
	line = append(line, o.Args...)
	if o.LogFile != "" {
		line = append(line, "--log-file", o.LogFile)
	}
	d.cmd = exec.Command(line[0], line[1:]...)
	d.cmd.Env = []string{"HOME=" + home, "ZAQAR_CONFIG_DIRS=", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.stderr
	d.cmd.SysProcAttr = testproc.Child()
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.exited)
	}()
	t.Cleanup(func() {
		d.Stop(t)
		if t.Failed() {
			t.Logf("the end of the server's log, without requests:\n%s%s", d.log.tail(20), d.stderr.String())
		}
	})
	return d
}

// Configure replaces the text of the configuration file, which SIGHUP makes
// the server read.
func (d *Daemon) Configure(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// PID is the id of the process.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// Signal sends a signal.
func (d *Daemon) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Errorf("signal %v: %v", s, err)
	}
}

// Stop ends the server with SIGTERM and fails the test unless it ends cleanly.
// One that has ended or was stopped before is left alone.
func (d *Daemon) Stop(t testing.TB) {
	t.Helper()
	d.stop.Do(func() {
		if !d.Running() {
			return
		}
		d.Signal(t, syscall.SIGTERM)
		if err := d.Wait(t); err != nil {
			t.Errorf("the server ended with %v after SIGTERM", err)
		}
	})
}

// Kill ends the server with SIGKILL.
func (d *Daemon) Kill(t testing.TB) {
	t.Helper()
	d.Signal(t, syscall.SIGKILL)
	_ = d.Wait(t) // it was killed, so there is an error
}

// Running reports whether the process is there.
func (d *Daemon) Running() bool {
	select {
	case <-d.exited:
		return false
	default:
		return true
	}
}

// Wait waits for the process to end and returns its error, nil for exit code
// 0. One that does not end is killed, which fails the test.
func (d *Daemon) Wait(t testing.TB) error {
	t.Helper()
	select {
	case <-d.exited:
	case <-time.After(Patience):
		t.Errorf("the server does not end; it is killed")
		_ = d.cmd.Process.Signal(syscall.SIGQUIT) // prints all stacks
		select {
		case <-d.exited:
		case <-time.After(10 * time.Second):
			_ = d.cmd.Process.Kill()
			<-d.exited
		}
	}
	return d.err
}

// Stderr is what was written to standard error so far.
func (d *Daemon) Stderr() string { return d.stderr.String() }

// Await waits for the n-th log record with that message, counted from 1 at
// the start of the server, and fails the test if the process ends before.
func (d *Daemon) Await(t testing.TB, message string, n int) Record {
	t.Helper()
	record, ok := d.log.wait(message, n, d.exited)
	if !ok {
		t.Fatalf("the server did not log %q for the %d. time", message, n)
	}
	return record
}

// Logged reports whether a text stands somewhere in the log so far.
func (d *Daemon) Logged(text string) bool { return d.log.holds(text) }

// Records returns what was logged so far with that message.
func (d *Daemon) Records(message string) []Record { return d.log.all(message) }

// asleep is a goroutine that watches a connection on which a request waits for
// a message, in a report of the server.
var asleep = regexp.MustCompile(`(?m)^zaqar/api/conn\.\(\*Conn\)\.hear\(`)

// AwaitWaiters waits until n requests wait for messages on their connections.
func (d *Daemon) AwaitWaiters(t testing.TB, n int) {
	t.Helper()
	testwait.Until(t, fmt.Sprintf("%d requests wait for messages", n), func() bool {
		return len(asleep.FindAllString(d.Report(t), -1)) == n
	})
}

// Report makes the server write a report on itself and returns it.
func (d *Daemon) Report(t testing.TB) string {
	t.Helper()
	const end = "=== end of report\n"
	before := d.stderr.String()
	d.Signal(t, syscall.SIGUSR2)
	deadline := time.Now().Add(Patience)
	for time.Now().Before(deadline) && d.Running() {
		more := d.stderr.changed()
		if all := d.stderr.String(); strings.Count(all, end) > strings.Count(before, end) {
			return all[len(before):]
		}
		select {
		case <-more:
		case <-d.exited:
		case <-time.After(time.Until(deadline)):
		}
	}
	t.Fatal("the server wrote no report")
	return ""
}

// lockedBuffer is a buffer that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{} // closed at the next write; nil while nobody asked
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
	return b.buf.Write(p)
}

// changed returns what is closed at the next write.
func (b *lockedBuffer) changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.more == nil {
		b.more = make(chan struct{})
	}
	return b.more
}

// String returns all that was written.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
