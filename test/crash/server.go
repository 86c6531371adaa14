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

	"zaqar/internal/testproc"
)

// Program is the server's binary with the files it runs on.
type Program struct {
	Dir string // data

	bin    string
	config string // a file
}

// Server is one running process.
type Server struct {
	cmd    *exec.Cmd
	out    *output
	exited chan struct{} // closed when it has ended
	base   string        // URL
	took   time.Duration // from start to listening
}

// startTime bounds how long a start may take, recovery included.
const startTime = 30 * time.Second

// launch starts a process, without waiting for it to listen.
func (p Program) launch() (*Server, error) {
	s := &Server{out: &output{address: make(chan string, 1)}, exited: make(chan struct{})}
	s.cmd = exec.Command(p.bin, "server", "--config-file", p.config, "--data-dir", p.Dir, "--bind", "127.0.0.1", "--port", "0")
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.SysProcAttr = testproc.Child()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	return s, nil
}

// Start starts a process and waits until it listens.
func (p Program) Start() (*Server, error) {
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
		s.Kill()
		err = fmt.Errorf("the server does not listen after %v", startTime)
	}
	return nil, fmt.Errorf("%w\n%s", err, s.out)
}

// Kill ends the process at once.
func (s *Server) Kill() {
	s.Shoot()
	<-s.exited
}

// Shoot sends the process SIGKILL. It runs no further code of its own, but may
// still be held by system calls.
func (s *Server) Shoot() { _ = s.cmd.Process.Kill() }

// Exited is closed when the process has ended.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Stop asks the process to end, and reports whether it did so cleanly.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.exited:
	case <-time.After(startTime):
		s.Kill()
		return fmt.Errorf("the server did not stop within %v\n%s", startTime, s.out)
	}
	if !s.cmd.ProcessState.Success() {
		return fmt.Errorf("the server stopped with %v\n%s", s.cmd.ProcessState, s.out)
	}
	return nil
}

// early is an error if the process has ended by itself.
func (s *Server) early() error {
	select {
	case <-s.exited:
		return fmt.Errorf("the server ended by itself: %v\n%s", s.cmd.ProcessState, s.out)
	default:
		return nil
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
func build(dir string, flags ...string) (Program, error) {
	bin := dir + "/zaqar"
	args := append([]string{"build", "-o", bin}, flags...)
	out, err := exec.Command("go", append(args, "zaqar/cmd/zaqar")...).CombinedOutput()
	if err != nil {
		return Program{}, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return NewProgram(bin, dir)
}

// NewProgram returns the binary with a configuration file that it puts into
// dir, where its data directory is, too.
func NewProgram(bin, dir string) (Program, error) {
	p := Program{bin: bin, Dir: dir + "/data", config: dir + "/zaqar.conf"}
	return p, os.WriteFile(p.config, []byte("[drivers:transport:wsgi]\naccess_log = false\n"), 0o600)
}

// Output returns the end of what the server printed.
func (s *Server) Output() string { return s.out.String() }
