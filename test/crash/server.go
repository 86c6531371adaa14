package crash

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// program is the server's binary with the files it runs on.
type program struct {
	bin    string
	dir    string // data
	config string // a file
}

// server is one running process.
type server struct {
	cmd    *exec.Cmd
	out    *output
	exited chan struct{} // closed when it has ended
	base   string        // URL
	took   time.Duration // from start to listening
}

// startTime bounds how long a start may take, recovery included.
const startTime = 30 * time.Second

// launch starts a process, without waiting for it to listen.
func (p program) launch() (*server, error) {
	s := &server{out: &output{address: make(chan string, 1)}, exited: make(chan struct{})}
	s.cmd = exec.Command(p.bin, "server", "--config-file", p.config, "--data-dir", p.dir, "--bind", "127.0.0.1", "--port", "0")
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	return s, nil
}

// start starts a process and waits until it listens.
func (p program) start() (*server, error) {
	begun := time.Now()
	s, err := p.launch()
	if err != nil {
		return nil, err
	}
	select {
	case s.base = <-s.out.address:
		s.took = time.Since(begun)
		return s, nil
	case <-s.exited:
		err = fmt.Errorf("the server ended before it listened: %v", s.cmd.ProcessState)
	case <-time.After(startTime):
		s.kill()
		err = fmt.Errorf("the server does not listen after %v", startTime)
	}
	return nil, fmt.Errorf("%w\n%s", err, s.out)
}

// kill ends the process at once.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// stop asks the process to end, and reports whether it did so cleanly.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.exited:
	case <-time.After(startTime):
		s.kill()
		return fmt.Errorf("the server did not stop within %v\n%s", startTime, s.out)
	}
	if !s.cmd.ProcessState.Success() {
		return fmt.Errorf("the server stopped with %v\n%s", s.cmd.ProcessState, s.out)
	}
	return nil
}

// alive reports whether the process still runs.
func (s *server) alive() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// output keeps the last of what a server prints, and finds the address in it.
type output struct {
	address chan string // capacity 1

	mu    sync.Mutex
	text  bytes.Buffer
	found bool
}

var listening = regexp.MustCompile(`msg"?[=:]"?listening\b.*?(http://127\.0\.0\.1:\d+)["\s]`)

const outputKept = 256 << 10

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if !o.found {
		if m := listening.FindSubmatch(o.text.Bytes()); m != nil {
			o.found = true
			o.address <- string(m[1])
		}
	} else if drop := o.text.Len() - outputKept; drop > 0 {
		o.text.Next(drop)
	}
	return len(p), nil
}

func (o *output) contains(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.text.Bytes(), []byte(text))
}

// String returns the end of what was printed.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(o.text.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

// build makes the program in dir, with the toolchain that runs the test.
func build(dir string, flags ...string) (program, error) {
	p := program{bin: dir + "/zaqar", dir: dir + "/data", config: dir + "/zaqar.conf"}
	if err := os.WriteFile(p.config, []byte("[drivers:transport:wsgi]\naccess_log = false\n"), 0o600); err != nil {
		return p, err
	}
	args := append([]string{"build", "-o", p.bin}, flags...)
	out, err := exec.Command("go", append(args, "zaqar/cmd/zaqar")...).CombinedOutput()
	if err != nil {
		return p, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return p, nil
}
