package conn

import (
	"sync"
	"sync/atomic"
	"time"
)

// lounge is where reads of a single byte wait before they begin.
//
// net/http begins such a read whenever a handler has the whole request, to
// learn whether the client goes away, and calls it off with a deadline in the
// past when the handler is done. Nearly always that is soon, and nothing came.
// So these reads begin only when they have waited for a while; one called off
// before costs no system call and no timer.
type lounge struct {
	mu          sync.Mutex // guards everything, seats included
	first, last *seat
	visit       int  // counts visits
	open        bool // a visit is due
}

// pause is the time between two visits: a read begins at the second one that
// finds it waiting.
const pause = 50 * time.Millisecond

// seat is the place of a connection in the lounge.
type seat struct {
	taken      atomic.Bool
	prev, next *seat
	since      int           // the last visit before it was taken
	up         chan struct{} // capacity 1: the read is to begin
}

// wait returns when the read is to begin. idle is asked once the seat is taken:
// false ends the wait at once.
func (l *lounge) wait(s *seat, idle func() bool) {
	l.mu.Lock()
	if s.taken.Load() { // by another read of the connection
		l.mu.Unlock()
		return
	}
	s.prev, s.next, s.since = l.last, nil, l.visit
	if l.last == nil {
		l.first = s
	} else {
		l.last.next = s
	}
	l.last = s
	s.taken.Store(true)
	if !l.open {
		l.open = true
		time.AfterFunc(pause, l.look)
	}
	l.mu.Unlock()
	if !idle() {
		l.call(s)
	}
	<-s.up
}

// call has the read begin that waits on the seat, if one does.
func (l *lounge) call(s *seat) {
	if !s.taken.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.taken.Load() {
		l.leave(s)
	}
}

// leave frees a seat that is taken.
func (l *lounge) leave(s *seat) {
	if s.prev == nil {
		l.first = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		l.last = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
	s.taken.Store(false)
	s.up <- struct{}{}
}

// look is a visit: those who waited at the last one already may begin.
func (l *lounge) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.first != nil && l.first.since < l.visit {
		l.leave(l.first)
	}
	l.visit++
	if l.open = l.first != nil; l.open {
		time.AfterFunc(pause, l.look)
	}
}
