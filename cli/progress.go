package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"zaqar/app"
)

// progress tells people how far long work is: on a terminal in one line that
// changes, elsewhere in a line every few seconds. Work that is soon done is not
// spoken of.
type progress struct {
	w        io.Writer
	terminal bool
	every    time.Duration
	next     time.Time
	shown    int // characters of the line that changes
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, terminal: terminal(w), every: 5 * time.Second}
	if p.terminal {
		p.every = 200 * time.Millisecond
	}
	p.next = time.Now().Add(max(p.every, time.Second))
	return p
}

func terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// tell is called often.
func (p *progress) tell(now app.StoreProgress) {
	if time.Now().Before(p.next) {
		return
	}
	p.next = time.Now().Add(p.every)
	line := fmt.Sprintf("%s: %s", now.Step, size(now.Done))
	if now.Total > 0 {
		line = fmt.Sprintf("%s: %s of %s, %d %%", now.Step, size(now.Done), size(now.Total), 100*now.Done/now.Total)
	}
	if !p.terminal {
		fmt.Fprintln(p.w, line)
		return
	}
	fmt.Fprint(p.w, "\r"+line+strings.Repeat(" ", max(0, p.shown-len(line))))
	p.shown = len(line)
}

// end removes the line that changes.
func (p *progress) end() {
	if p.shown > 0 {
		fmt.Fprint(p.w, "\r"+strings.Repeat(" ", p.shown)+"\r")
	}
}

// size writes bytes for people.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return count(int(n), "byte")
	}
	value, unit := float64(n)/1024, 0
	for value >= 1023.95 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}
