// Package process starts servers as processes of their own, waits for their
// first answer, measures and stops them.
//
// It promises to end only what it started, by process id, politely first. On
// Linux what it started also ends when this process is killed.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"sync/atomic"
	"time"
)

// Process is a running server.
type Process struct {
	Name string
	Addr string        // host:port, as its log names it
	Took time.Duration // from the start to the first answer

	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed at the end
	err   error         // of Wait, after the end
	told  atomic.Bool   // an error has said how it ended
}

// Command says how to start a server. It must log the URL it listens on.
type Command struct {
	Name string   // for messages
	Args []string // the program first
	Env  []string // added to the environment
	Log  string   // the file that gets its output
	// Patience bounds the time to the first answer.
	Patience time.Duration
}

var listening = regexp.MustCompile(`https?://([0-9.]+:[0-9]+|\[[0-9a-f:]+\]:[0-9]+)`)

// Start starts a server and waits until it has answered a request.
func Start(ctx context.Context, c Command) (*Process, error) {
	log, err := os.Create(c.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &Process{Name: c.Name, log: c.Log, ended: make(chan struct{})}
	p.cmd = exec.Command(c.Args[0], c.Args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), c.Env...)
	begun := time.Now()
	if err := p.run(); err != nil {
		return nil, err
	}
	if err := p.await(ctx, begun.Add(c.Patience)); err != nil {
		err = fmt.Errorf("%s did not start: %w\n%s", c.Name, err, p.tail())
		p.told.Store(true)
		return nil, errors.Join(err, p.Stop())
	}
	p.Took = time.Since(begun)
	return p, nil
}

// run starts the program and waits for its end in the background, both on one
// thread of its own: the program ends with the thread that started it, and
// others may go at any time.
func (p *Process) run() error {
	endWithParent(p.cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.ended)
		}
	}()
	return <-started
}

// await looks for the address and asks there until it is answered.
func (p *Process) await(ctx context.Context, deadline time.Time) error {
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for {
		if p.Addr == "" {
			p.Addr = p.address()
		}
		if p.Addr != "" && answers(p.Addr) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.ended:
			return errors.Join(errors.New("it ended by itself"), p.err)
		case now := <-tick.C:
			if now.After(deadline) {
				return errors.New("it did not answer in time")
			}
		}
	}
}

func (p *Process) address() string {
	addr, err := p.Logged(listening)
	if err != nil {
		return ""
	}
	return addr
}

// answers reports whether a server answers at the address.
func answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	if c.SetDeadline(time.Now().Add(10*time.Second)) != nil {
		return false
	}
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: " + addr + "\r\nConnection: close\r\n\r\n")); err != nil {
		return false
	}
	first := make([]byte, len("HTTP/1.1"))
	n, _ := c.Read(first)
	return bytes.HasPrefix(first[:n], []byte("HTTP/1."))
}

// tail returns the last of what the server logged.
func (p *Process) tail() []byte {
	text, _ := os.ReadFile(p.log)
	return text[max(0, len(text)-2000):]
}

// Logged returns the first group of a pattern in what the server has logged.
func (p *Process) Logged(pattern *regexp.Regexp) (string, error) {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return "", err
	}
	m := pattern.FindSubmatch(text)
	if len(m) < 2 {
		return "", fmt.Errorf("%s has not logged %s", p.Name, pattern)
	}
	return string(m[1]), nil
}

// Pid returns the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// stopTime is how long a server may take to stop when asked to.
const stopTime = time.Minute

// Stop ends the server and waits for its end. The error says how it has ended,
// unless another one has said so.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-p.ended:
		if p.err == nil || p.told.Load() {
			return nil
		}
		return fmt.Errorf("%s: %w\n%s", p.Name, p.err, p.tail())
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not stop within %s and was ended", p.Name, stopTime)
	}
}

// Ended says how the server has ended and what it logged last; it returns nil
// while it runs. What it could have logged last takes a moment to arrive.
func (p *Process) Ended() error {
	timer := time.NewTimer(time.Second / 10)
	defer timer.Stop()
	select {
	case <-p.ended:
		p.told.Store(true)
		return fmt.Errorf("%s has ended (%s); it logged last:\n%s", p.Name, p.cmd.ProcessState, p.tail())
	case <-timer.C:
		return nil
	}
}
