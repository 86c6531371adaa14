package observe

import (
	"io"
	"sync"
	"time"
)

// How long access records may wait for company, how many bytes of them, and
// how many bytes wait at all when nobody takes them.
const (
	latest   = 100 * time.Millisecond
	most     = 32 << 10
	capacity = 4 << 20
)

// late writes what may wait in lots: a system call per request is a seventh of
// what a request costs. What may not wait goes out at once, behind what was
// waiting, so lines keep their order.
//
// A goroutine of its own writes, outside the lock, for as long as something
// waits; loggers only leave their lines. So a reader of the log that stalls
// holds up no request. Beyond the capacity lines are dropped, and counted.
type late struct {
	w       io.Writer
	dropped func(n int) []byte // the line that tells of n lines dropped
	trouble func(error)        // see Config.Trouble; may be nil

	// Of who writes, one at a time.
	failing bool // the last write failed
	torn    bool // and left a piece of a line behind

	mu      sync.Mutex // guards everything below
	waiting []byte
	spare   []byte
	lost    int
	idle    chan struct{} // closed when writing ends; nil while nobody writes
	stuck   bool          // writing takes longer than patience
	timer   *time.Timer   // set while something waits for company
}

// patience is how long a line that may not wait is waited for.
const patience = time.Second

// Write takes a line that goes out at once, and returns when it has, or when
// that takes too long.
func (l *late) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(p)
	l.start()
	l.settle()
	return len(p), nil
}

// wait keeps a line for a moment.
func (l *late) wait(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(p)
	switch {
	case len(l.waiting) >= most:
		l.start()
	case l.timer == nil:
		l.timer = time.AfterFunc(latest, l.expired)
	}
	return len(p), nil
}

func (l *late) keep(p []byte) {
	if len(l.waiting)+len(p) > capacity {
		l.lost++
		return
	}
	l.waiting = append(l.waiting, p...)
}

func (l *late) expired() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start()
}

// start has somebody write, unless somebody does. The caller holds the lock.
func (l *late) start() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.idle == nil && len(l.waiting) > 0 {
		l.idle = make(chan struct{})
		go l.drain()
	}
}

// drain writes until nothing waits.
func (l *late) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) > 0 || l.lost > 0 {
		if l.lost > 0 {
			l.waiting = append(l.waiting, l.dropped(l.lost)...)
		}
		lines := l.waiting
		l.waiting, l.lost = l.spare[:0], 0
		l.mu.Unlock()
		l.write(lines)
		l.mu.Lock()
		l.spare = lines
	}
	close(l.idle)
	l.idle, l.stuck = nil, false
}

// write writes lines, and tells when that begins to fail or works again.
func (l *late) write(lines []byte) {
	if l.torn {
		lines = append([]byte{'\n'}, lines...) // what comes is no part of that line
	}
	n, err := l.w.Write(lines)
	l.torn = err != nil && (n > 0 && lines[n-1] != '\n' || n == 0 && l.torn)
	if failing := err != nil; failing != l.failing {
		l.failing = failing
		if l.trouble != nil {
			l.trouble(err)
		}
	}
}

// settle waits until nobody writes, unless that takes too long or is known to.
// The caller holds the lock.
func (l *late) settle() {
	if l.idle == nil || l.stuck {
		return
	}
	idle := l.idle
	late := time.NewTimer(patience)
	defer late.Stop()
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-idle:
	case <-late.C:
		l.mu.Lock()
		l.stuck = l.idle == idle
		l.mu.Unlock()
	}
}

// Close writes what was waiting. The writer stays usable.
func (l *late) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start()
	l.settle()
	return nil
}

// waiter is the side of late for what may wait.
type waiter struct{ *late }

// Write implements io.Writer. What it takes may be written later.
func (w waiter) Write(p []byte) (int, error) { return w.wait(p) }
