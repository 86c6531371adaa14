package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"zaqar/bench/process"
)

// bench is one run of a scenario.
type bench struct {
	options
	work     string // holds everything that is written
	begun    time.Time
	progress io.Writer
	settings map[string]any
	figures  []figure
	servers  []*server
	helpers  []*helper
	n        int    // counts servers
	more     string // of the configuration of servers
}

func newBench(ctx context.Context, o options) (*bench, error) {
	work, err := os.MkdirTemp(o.dir, "zaqar-scale-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, work: work, begun: time.Now(), progress: os.Stderr, settings: map[string]any{}}
	if b.binary == "" {
		b.binary = filepath.Join(work, "zaqar")
		build := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "zaqar/cmd/zaqar")
		if text, err := build.CombinedOutput(); err != nil {
			return nil, errors.Join(fmt.Errorf("building the server: %w\n%s", err, text), os.RemoveAll(work))
		}
	}
	return b, nil
}

// close stops what runs and removes what was written.
func (b *bench) close() error {
	var errs []error
	for _, h := range b.helpers {
		errs = append(errs, h.stop())
	}
	for _, s := range b.servers {
		errs = append(errs, s.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(b.work))...)
}

// server is the real program.
type server struct {
	*process.Process
	dir string // of its data
}

// start starts a server on a data directory, a fresh one if dir is empty.
func (b *bench) start(ctx context.Context, dir string) (*server, error) {
	b.n++
	name := filepath.Join(b.work, fmt.Sprintf("server%d", b.n))
	if dir == "" {
		dir = name + ".data"
	}
	config := fmt.Sprintf("[DEFAULT]\naccess_log = %t\n[transport]\nmax_wait = 3600\n", b.access) + b.more
	if b.streams {
		more, err := certificate(name + ".pem")
		if err != nil {
			return nil, err
		}
		config += more
	}
	if err := os.WriteFile(name+".conf", []byte(config), 0o600); err != nil {
		return nil, err
	}
	p, err := process.Start(ctx, process.Command{
		Name: "the server", Log: name + ".log", Patience: 5 * time.Minute,
		Args: []string{b.binary, "server", "--config-file", name + ".conf", "--data-dir", dir, "--bind", "127.0.0.1", "--port", "0"},
	})
	if err != nil {
		return nil, err
	}
	if b.streams {
		p.Addr = secure + p.Addr
	}
	s := &server{p, dir}
	b.servers = append(b.servers, s)
	return s, nil
}

// stop stops a server before the end of the run.
func (b *bench) stop(s *server) error {
	for i, other := range b.servers {
		if other == s {
			b.servers = append(b.servers[:i], b.servers[i+1:]...)
			break
		}
	}
	return s.Stop()
}

// helper is this program in another part.
type helper struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
}

// help starts a helper, which ends when its standard input does.
func (b *bench) help(role string, args ...string) (*helper, error) {
	return b.helpBehind(nil, role, args...)
}

// helpBehind starts a helper by another program, which takes its command line.
func (b *bench) helpBehind(by []string, role string, args ...string) (*helper, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	line := slices.Concat(by, []string{exe, "-role", role}, args)
	h := &helper{cmd: exec.Command(line[0], line[1:]...)}
	h.cmd.Env = append(os.Environ(), asHelper+"=1")
	h.cmd.Stderr = os.Stderr
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if h.out, err = h.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	b.helpers = append(b.helpers, h)
	return h, nil
}

// asHelper makes a test binary behave as the program.
const asHelper = "ZAQAR_SCALE_HELPER"

// stop ends the helper; a second time it does nothing.
func (h *helper) stop() error {
	if h.cmd.ProcessState != nil {
		return nil
	}
	_ = h.in.Close()
	return h.cmd.Wait()
}

// untilInputEnds returns a context that ends with standard input.
func untilInputEnds(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx
}
