package observe

import (
	"io"
	"sync"
	"time"
)

// How long access records may wait for company, and how many bytes of them.
const (
	latest = 100 * time.Millisecond
	most   = 32 << 10
)

// late writes what may wait in lots: a system call per request is a seventh of
// what a request costs. What may not wait goes out at once, behind what was
// waiting, so lines keep their order.
type late struct {
	mu      sync.Mutex // guards everything
	w       io.Writer
	waiting []byte
	timer   *time.Timer // set while something waits
}

// Write writes what was waiting, and p.
func (l *late) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.flush(); err != nil {
		return 0, err
	}
	return l.w.Write(p)
}

// wait keeps p for a moment.
func (l *late) wait(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, p...)
	switch {
	case len(l.waiting) >= most:
		return len(p), l.flush()
	case l.timer == nil:
		l.timer = time.AfterFunc(latest, func() { _ = l.Close() })
	}
	return len(p), nil
}

func (l *late) flush() error {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if len(l.waiting) == 0 {
		return nil
	}
	_, err := l.w.Write(l.waiting)
	l.waiting = l.waiting[:0]
	return err
}

// Close writes what was waiting. The writer stays usable.
func (l *late) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush()
}

// waiter is the side of late for what may wait.
type waiter struct{ *late }

func (w waiter) Write(p []byte) (int, error) { return w.wait(p) }
