package bench

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// progress tells people how far the benchmark is: on a terminal in one line
// that changes, elsewhere in a line now and then.
type progress struct {
	w        io.Writer
	quiet    bool
	terminal bool

	live atomic.Int64 // requests answered

	mu    sync.Mutex
	shown int // characters of the line that changes
}

func newProgress(w io.Writer, quiet bool) *progress {
	return &progress{w: w, quiet: quiet, terminal: terminal(w)}
}

func terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// say writes a line that stays.
func (p *progress) say(format string, args ...any) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write("")
	fmt.Fprintf(p.w, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// write replaces the line that changes. p.mu is held.
func (p *progress) write(line string) {
	if p.shown == 0 && line == "" {
		return
	}
	n := utf8.RuneCountInString(line)
	fmt.Fprint(p.w, "\r"+line+strings.Repeat(" ", max(0, p.shown-n)))
	p.shown = n
	if n == 0 {
		fmt.Fprint(p.w, "\r")
	}
}

// often and seldom are how long one waits to hear of the same work again, on a
// terminal and elsewhere.
const (
	often  = 250 * time.Millisecond
	seldom = 10 * time.Second
)

// during tells about work that takes a while until the function that it
// returns is called. what describes how far it is, or is nil.
func (p *progress) during(label string, what func() string) (end func()) {
	if p.quiet {
		return func() {}
	}
	every := seldom
	if p.terminal {
		every = often
	}
	stop, done := make(chan struct{}), make(chan struct{})
	begun := time.Now()
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case now := <-tick.C:
				p.tell(fmt.Sprintf("%s, %s%s", label, now.Sub(begun).Round(time.Second), called(what)))
			}
		}
	}()
	return func() {
		close(stop)
		<-done
		p.mu.Lock()
		defer p.mu.Unlock()
		p.write("")
	}
}

func called(what func() string) string {
	if what == nil {
		return ""
	}
	return ", " + what()
}

func (p *progress) tell(line string) {
	if !p.terminal {
		p.say("%s", line)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write(line)
}

// rate returns what describes requests a second since the last call.
func (p *progress) rate() func() string {
	last, at := p.live.Load(), time.Now()
	return func() string {
		n, now := p.live.Load(), time.Now()
		per := float64(n-last) / now.Sub(at).Seconds()
		last, at = n, now
		return fmt.Sprintf("%.0f requests/s", per)
	}
}
