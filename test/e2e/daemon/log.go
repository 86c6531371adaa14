package daemon

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"
)

// Record is a line of the server's log.
type Record map[string]any

// Text returns an attribute that is a string, or "".
func (r Record) Text(key string) string {
	s, _ := r[key].(string)
	return s
}

// Number returns an attribute that is a number, or 0.
func (r Record) Number(key string) float64 {
	n, _ := r[key].(float64)
	return n
}

// logbook takes in the log of a server, one JSON object a line, and lets tests
// wait for records.
type logbook struct {
	mu      sync.Mutex
	bytes   int // written so far
	partial []byte
	lines   []string
	records []Record
	more    chan struct{} // closed and replaced with every write
}

func newLogbook() *logbook { return &logbook{more: make(chan struct{})} }

// Write implements io.Writer. It takes the log in pieces of any size.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes += len(p)
	l.partial = append(l.partial, p...)
	for {
		line, rest, whole := bytes.Cut(l.partial, []byte("\n"))
		if !whole {
			break
		}
		l.lines = append(l.lines, string(line))
		var r Record
		if json.Unmarshal(line, &r) == nil {
			l.records = append(l.records, r)
		}
		l.partial = rest
	}
	close(l.more)
	l.more = make(chan struct{})
	return len(p), nil
}

func (l *logbook) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// nth returns the n-th record with that message, and what is closed when
// there is more.
func (l *logbook) nth(message string, n int) (Record, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if r.Text("msg") == message {
			if n--; n == 0 {
				return r, nil
			}
		}
	}
	return nil, l.more
}

// wait waits for the n-th record with that message, until the process has
// ended or patience has.
func (l *logbook) wait(message string, n int, ended <-chan struct{}) (Record, bool) {
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		r, more := l.nth(message, n)
		if r != nil {
			return r, true
		}
		select {
		case <-more:
		case <-ended:
			r, _ := l.nth(message, n)
			return r, r != nil
		case <-late.C:
			return nil, false
		}
	}
}

func (l *logbook) all(message string) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []Record
	for _, r := range l.records {
		if r.Text("msg") == message {
			found = append(found, r)
		}
	}
	return found
}

// holds reports whether some line holds the text.
func (l *logbook) holds(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.lines, func(line string) bool { return strings.Contains(line, text) })
}

// tail returns the last n lines that are not about requests.
func (l *logbook) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var kept []string
	for _, line := range slices.Backward(l.lines) {
		if !strings.Contains(line, `"msg":"request"`) && len(kept) < n {
			kept = append(kept, line+"\n")
		}
	}
	slices.Reverse(kept)
	return strings.Join(kept, "")
}
