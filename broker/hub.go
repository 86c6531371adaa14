package broker

import (
	"container/list"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"zaqar/messaging"
)

// hub knows who waits for messages of which queue, and wakes them.
//
// Two sorts wait. Listers all wake at every event, though not all at once: they
// are called in troops, the next when all of the one before have got up. So a
// message for which thousands wait does not put thousands in front of everybody
// else. Claimers take messages away from each other, so an event of n messages
// wakes n of them at most, those that have waited longest.
//
// No wake-up is lost. Who waits takes a seat first and looks into the store
// then; before going to sleep the seat compares its view of the lobby's events
// with the current one, and looks again if there was one. Whoever changes the
// store reports the event afterwards. And a claimer that was woken but leaves
// without having looked (its client is gone, the store failed) passes the
// wake-up on.
//
// Messages that become available as time passes (a delay ends, a claim
// expires) are nobody's act. A lobby therefore has one timer, set to the
// earliest such instant: asked of the store once, when the first waiter comes
// and whenever the timer has fired, and brought forward by every event that
// makes an earlier one. How many messages the instant sets free is not known,
// so the timer wakes one claimer, and a claimer so woken that takes all it may
// wakes the next.
//
// A queue nobody waits for has no lobby, and a seat no goroutine: a Waiter may
// sleep without one.
type hub struct {
	due dueFunc
	now func() time.Time
	log *slog.Logger

	seated  atomic.Int64 // over all lobbies: lets events of idle queues skip the lock
	closing context.Context
	end     context.CancelFunc
	firing  sync.WaitGroup // timers at work

	mu      sync.Mutex // guards everything below, lobbies and seats included
	lobbies map[messaging.QueueRef]*lobby
	closed  bool
}

// dueFunc is storage.Messages.Due.
type dueFunc func(context.Context, messaging.QueueRef) (time.Time, bool, error)

// lobby is where those who wait for one queue sit.
type lobby struct {
	queue  messaging.QueueRef
	seats  int
	events uint64    // how often messages may have become available
	asleep list.List // *seat of claimers, the one to wake next in front
	dozing list.List // *seat of listers, those that know of the fewest events in front
	called int       // listers that were woken and have not got up yet

	timed bool      // the store was asked for the first instant
	at    time.Time // when timer fires; zero if it is not set
	timer *time.Timer
	turn  int // counts settings of the timer: an outdated one does nothing
}

// seat is the place of one waiting claimer or lister.
type seat struct {
	hub     *hub
	lobby   *lobby
	claimer bool

	wake  func()        // of the one who sleeps, until it was called; must not block
	place *list.Element // among the sleepers, if asleep
	slept bool
	woken bool   // was woken and, if a claimer, has not looked yet, else not got up
	more  bool   // of a claimer: woken for an unknown number of messages
	knows uint64 // of a lister: events when it went to sleep
}

// troop is how many listers are called together.
const troop = 64

// dueTimeout bounds a question to the store that no request waits for, and
// dueRetry is the pause after one that failed.
const (
	dueTimeout = 30 * time.Second
	dueRetry   = time.Second
)

func newHub(due dueFunc, now func() time.Time, log *slog.Logger) *hub {
	h := &hub{due: due, now: now, log: log, lobbies: map[messaging.QueueRef]*lobby{}}
	h.closing, h.end = context.WithCancel(context.Background())
	return h
}

// close ends all waits, and waits for the timers at work.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	h.end()
	for _, l := range h.lobbies {
		l.stop()
		for _, sleepers := range []*list.List{&l.asleep, &l.dozing} {
			for e := sleepers.Front(); e != nil; e = e.Next() {
				e.Value.(*seat).call()
			}
		}
	}
	h.mu.Unlock()
	h.firing.Wait()
}

// take gives a seat; nil if the hub is closed.
func (h *hub) take(q messaging.QueueRef, claimer bool) *seat {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	l := h.lobbies[q]
	if l == nil {
		l = &lobby{queue: q}
		h.lobbies[q] = l
	}
	l.seats++
	h.seated.Add(1)
	return &seat{hub: h, lobby: l, claimer: claimer}
}

// leave gives the seat up, and with the last one the lobby. A wake-up that was
// not used goes to the next.
func (s *seat) leave() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	l := s.lobby
	s.getUp()
	if s.claimer && s.woken {
		l.wakeNext(s.more)
	}
	l.seats--
	s.hub.seated.Add(-1)
	if l.seats == 0 {
		l.stop()
		delete(s.hub.lobbies, l.queue)
	}
}

// getUp takes the seat from among the sleepers.
func (s *seat) getUp() {
	l := s.lobby
	switch {
	case s.claimer:
		s.leaveList(&l.asleep)
	case s.woken:
		s.woken = false
		if l.called--; l.called == 0 {
			l.callNext()
		}
	default:
		s.leaveList(&l.dozing)
	}
}

func (s *seat) leaveList(sleepers *list.List) {
	if s.place != nil {
		sleepers.Remove(s.place)
		s.place = nil
	}
}

// watch begins a look into the store and returns what sleep wants to know.
func (s *seat) watch() (events uint64) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.getUp()
	return s.lobby.events
}

// looked ends a successful look, which used up the wake-up. all says that the
// claimer took as much as it may, so that there may be more.
func (s *seat) looked(all bool) {
	if !s.claimer {
		return
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.woken && s.more && all {
		s.lobby.wakeNext(true)
	}
	s.woken, s.more = false, false
}

// sleep has wake called at the next event since watch, which may have happened
// already, or when the hub closes. wake must not block nor use the hub.
func (s *seat) sleep(events uint64, wake func()) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	l := s.lobby
	s.wake = wake
	switch {
	case l.events != events || s.hub.closed:
		s.call()
	case !s.claimer:
		s.knows = events
		s.place = l.dozing.PushBack(s)
	case s.slept:
		s.place = l.asleep.PushFront(s)
	default:
		s.place, s.slept = l.asleep.PushBack(s), true
	}
}

// sleepOn has another function called at the event that sleep waits for; at
// once if it has happened.
func (s *seat) sleepOn(wake func()) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.wake = wake
	if s.place == nil || s.hub.closed {
		s.call()
	}
}

// call calls the one who sleeps, once.
func (s *seat) call() {
	if wake := s.wake; wake != nil {
		s.wake = nil
		wake()
	}
}

// wakeNext wakes the claimer that is next, if one sleeps.
func (l *lobby) wakeNext(more bool) {
	front := l.asleep.Front()
	if front == nil {
		return
	}
	s := front.Value.(*seat)
	s.getUp()
	s.woken, s.more = true, more
	s.call()
}

// callNext wakes the next listers that do not know of the latest event.
func (l *lobby) callNext() {
	for front := l.dozing.Front(); front != nil && l.called < troop; front = l.dozing.Front() {
		s := front.Value.(*seat)
		if s.knows == l.events {
			return
		}
		s.leaveList(&l.dozing)
		s.woken = true
		l.called++
		s.call()
	}
}

// event says that messages may have become available: it wakes all listers and
// up to n claimers.
func (l *lobby) event(n int, more bool) {
	l.events++
	if l.called == 0 {
		l.callNext()
	}
	for ; n > 0 && l.asleep.Len() > 0; n-- {
		l.wakeNext(more)
	}
}

// in runs do on the lobby of the queue, if it has one.
func (h *hub) in(q messaging.QueueRef, do func(*lobby)) {
	if h.seated.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.lobbies[q]; l != nil && !h.closed {
		do(l)
	}
}

// arrived reports n messages that became available, and perhaps others that
// only listers may see.
func (h *hub) arrived(q messaging.QueueRef, n int) {
	h.in(q, func(l *lobby) { l.event(n, false) })
}

// stir reports that an unknown number of messages may have become available.
func (h *hub) stir(q messaging.QueueRef) {
	h.in(q, func(l *lobby) { l.event(1, true) })
}

// stirAll stirs every queue.
func (h *hub) stirAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lobbies {
		l.event(1, true)
	}
}

// expect reports that messages will become available at the instant.
func (h *hub) expect(q messaging.QueueRef, at time.Time) {
	h.in(q, func(l *lobby) { h.set(l, at) })
}

// set makes the timer fire at the instant, unless it fires earlier anyway.
func (h *hub) set(l *lobby, at time.Time) {
	if h.closed || l.seats == 0 || !l.at.IsZero() && !at.Before(l.at) {
		return
	}
	l.stop()
	l.at = at
	turn := l.turn
	l.timer = time.AfterFunc(max(at.Sub(h.now()), time.Millisecond), func() { h.fire(l, turn) })
}

// stop calls the timer off.
func (l *lobby) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer, l.at = nil, time.Time{}
	l.turn++
}

// fire is what the timer does: it sets the timer to the next instant and then
// reports the one that has come. In the other order an instant between the
// two would be missed.
func (h *hub) fire(l *lobby, turn int) {
	h.mu.Lock()
	if h.closed || l.turn != turn {
		h.mu.Unlock()
		return
	}
	l.stop()
	h.firing.Add(1)
	h.mu.Unlock()
	defer h.firing.Done()

	ctx, cancel := context.WithTimeout(h.closing, dueTimeout)
	defer cancel()
	if err := h.ask(ctx, l); err != nil && h.closing.Err() == nil {
		h.log.Error("cannot tell when messages become available", "error", err)
		h.expect(l.queue, h.now().Add(dueRetry))
	}
	h.stir(l.queue)
}

// ask sets the timer to the earliest instant the store knows.
func (h *hub) ask(ctx context.Context, l *lobby) error {
	at, some, err := h.due(ctx, l.queue)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	l.timed = true
	if some {
		h.set(l, at)
	}
	return nil
}

// prepare makes sure that the lobby's timer was set once.
func (s *seat) prepare(ctx context.Context) error {
	s.hub.mu.Lock()
	timed := s.lobby.timed
	s.hub.mu.Unlock()
	if timed {
		return nil
	}
	return s.hub.ask(ctx, s.lobby)
}
