package notify

import (
	"bytes"
	"net/url"
	"strings"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// lane is the way to one subscription.
type lane struct {
	target
	source *source
	host   *host
	// What the subscription says, as it was read last. Each is replaced, never
	// changed.
	sub     *messaging.Subscription // without its State
	options *delivery.Options
	url     *url.URL
	sender  Sender

	waiting fifo[*job]
	active  int  // deliveries in flight
	queued  bool // among the ready, or those that wait for a place
	parked  bool // among those that wait for a place of slow ones
	woken   bool // for such a place
	late    int  // attempts in a row that took long; inDoubt at first
	stuck   int  // attempts in flight that have taken long
	far     bool // he took too long to cost mostly processor time
	used    time.Time
	fed     *lot // it was given of last
	joined  int  // jobs that are being made for it, and those of others that are for it, too

	gone     bool // the subscription is
	disabled bool
	socket   bool          // it ends with a connection
	agreed   bool          // it needs no confirmation
	fails    int           // attempts in a row that failed
	until    time.Time     // nothing is sent before
	pause    time.Duration // the last one of the breaker
	open     bool          // the breaker: one attempt at a time, to see

	behind   bool  // what comes has to queue behind the backlog
	alarm    alarm // when the backlog is to be looked at
	draining bool  // it is, or soon
	again    bool  // it is to be looked at once more
	lot      *lot  // what was claimed of it
	stale    bool  // what was claimed last was too old

	pending []*write // to be stored
	writing bool     // which is being done, or soon
	failing bool     // the last write failed
}

// job is messages of one post for one subscription, or for several that can be
// delivered to together.
type job struct {
	lane      *lane
	with      []*lane // others; the places taken are those of the first
	sender    Sender  // of all of those
	items     []*item
	continues bool      // comes after all that is in the lane
	slow      bool      // was counted among the slow
	since     time.Time // when it was begun
	begun     time.Time // its attempt in flight
	late      bool      // that one takes long
	stuck     bool      // and gave its place back
	host      *host
}

// The breaker opens after so many failures in a row, for so long at first and at
// most.
const (
	breakAfter = 20
	firstPause = 5 * time.Second
	lastPause  = 2 * time.Minute
)

// slowAfter is how long an attempt may take before it takes long.
const slowAfter = time.Second

// inDoubt is of a subscriber nothing is known of, or that took long once. That can
// happen to anybody, and who is slow waits long for a place when many are.
const inDoubt = 1

// slow reports whether the subscriber takes long: now, or so far.
func (l *lane) slow() bool { return l.stuck > 0 || l.late > inDoubt }

// tookLong remembers how long an attempt took.
func (l *lane) tookLong(took time.Duration) {
	l.far = took >= near
	if l.late++; took < slowAfter {
		l.late = 0
	}
}

// laneFor returns the lane of a subscription as it was read; nil if no sender
// serves it. The caller holds n.mu.
func (n *Notifier) laneFor(s *source, sub *messaging.Subscription) *lane {
	l := s.lanes[sub.ID]
	if l == nil {
		l = &lane{target: target{s.ref, sub.ID}, source: s, late: inDoubt}
		l.alarm.ring = func() { n.look(l) }
	}
	if l.sub == nil || !sameOptions(l.sub, sub) {
		u, err := url.Parse(sub.Subscriber)
		if err != nil {
			return nil
		}
		sender := n.senders[strings.ToLower(u.Scheme)]
		if sender == nil {
			return nil
		}
		l.url, l.sender = u, sender
		l.options, _ = delivery.ParseOptions(sub.Options) // what does not fit has no effect
		old := l.host
		l.host = n.join(hostOf(u))
		n.leave(old)
		l.sub = nil
	}
	if l.sub == nil || l.sub.Moves != sub.Moves || l.sub.Confirmed != sub.Confirmed || l.sub.TTL != sub.TTL || !l.sub.Expires.Equal(sub.Expires) || !bytes.Equal(l.sub.Secrets, sub.Secrets) {
		kept := *sub
		kept.State = nil
		l.sub = &kept
	}
	if s.lanes[sub.ID] == nil {
		s.lanes[sub.ID] = l
		n.lanes++
	}
	l.used = n.now()
	_, agreed := l.sender.(Agreed)
	l.socket = delivery.IsSocket(sub.State)
	l.agreed = agreed || l.socket
	l.disabled = delivery.IsDisabled(sub.State) || n.records[l.target].disables()
	return l
}

func (n *Notifier) join(name string) *host {
	h := n.hosts[name]
	if h == nil {
		h = &host{name: name, of: map[messaging.Project]int{}}
		n.hosts[name] = h
	}
	h.lanes++
	return h
}

// leave is called when a lane is at a host no more. It may have been woken for a
// place there. The caller holds n.mu.
func (n *Notifier) leave(h *host) {
	if h == nil {
		return
	}
	h.lanes--
	n.unparkAt(h)
	n.closeHost(h)
}

// closeHost lets go of a host where nobody is. The caller holds n.mu.
func (n *Notifier) closeHost(h *host) {
	if h.lanes > 0 || h.sends > 0 {
		return
	}
	for h.waiting.len() > 0 {
		n.unparkAt(h) // they have gone to other hosts
	}
	if n.hosts[h.name] == h {
		delete(n.hosts, h.name)
	}
}

// wants reports whether the subscription is to get documents of the kind. The
// caller holds n.mu.
func (n *Notifier) wants(l *lane, kind delivery.Kind) bool {
	switch {
	case kind != delivery.Notification:
		return true
	case l.disabled:
		return false
	}
	return !n.config.RequireConfirmation || l.sub.Confirmed || l.agreed
}

// takes reports whether a job may wait in the lane. The caller holds n.mu.
func (n *Notifier) takes(l *lane) bool {
	most := room
	if l.slow() {
		most = slowRoom
	}
	return !l.behind && !n.held(l) && l.waiting.len() < most && (!n.load.tight || n.isModest(l))
}

// isModest reports whether a lane may have more although too much is in memory:
// its host and project have little of it, or it has nothing and was not slow.
// The caller holds n.mu.
func (n *Notifier) isModest(l *lane) bool {
	if n.load.jobs >= 2*maxJobs || n.load.bytes >= 2*maxBytes && l.source.account.bytes >= modestBytes {
		return false
	}
	return l.host.jobs < modest && l.source.account.jobs < modest || n.load.jobs < maxJobs*11/10 && l.waiting.len() == 0 && !l.slow()
}

// held reports whether nothing is to be sent for now. The caller holds n.mu.
func (n *Notifier) held(l *lane) bool {
	return l.open || !l.until.IsZero() && n.now().Before(l.until)
}

// enqueue puts a job into its lane. The caller holds n.mu.
func (n *Notifier) enqueue(j *job) {
	l := j.lane
	j.host = l.host
	l.waiting.push(j)
	l.host.jobs += len(j.items)
	l.source.account.jobs += len(j.items)
	n.makeReady(l)
}

// take takes the first job out of a lane; there must be one. The caller holds
// n.mu.
func (n *Notifier) take(l *lane) *job {
	j := l.waiting.pop()
	j.host.jobs -= len(j.items)
	l.source.account.jobs -= len(j.items)
	return j
}

// startable reports whether a job of the lane may begin: one at a time, unless
// more than a few wait and more is known of the subscriber.
func (n *Notifier) startable(l *lane) bool {
	w := l.waiting.len()
	if w == 0 || len(l.pending) >= room { // what became of others is stored first
		return false
	}
	most := min(n.config.PerSubscription, 1+w/4)
	switch {
	case l.open, l.late == inDoubt:
		most = 1
	case l.behind && most > 1:
		most = n.config.PerSubscription // who catches up does so as fast as he may
	}
	return l.active < most && (l.active == 0 || !l.waiting.first().continues)
}

// makeReady puts the lane among the ready, if it is. The caller holds n.mu.
func (n *Notifier) makeReady(l *lane) {
	if !l.queued && n.startable(l) {
		l.queued = true
		n.ready.push(l.source.ref.Project, l)
	}
}

// shed stores what waits in a lane that is slow, but for a few, if its project
// has much in memory. The caller holds n.mu.
func (n *Notifier) shed(l *lane) {
	if !n.load.full() && l.source.account.jobs < projectJobs {
		return
	}
	for i := range l.waiting.len() {
		if j := n.take(l); i < slowRoom || j.items[0].lot.lane != nil {
			n.enqueue(j)
		} else {
			l.behind = true
			n.spill(j)
		}
	}
}

// keptLanes is how many lanes are kept though they have nothing to do.
const keptLanes = 10_000

// isIdle reports whether nothing is lost if the lane is forgotten.
func (n *Notifier) isIdle(l *lane) bool {
	return l.active == 0 && l.joined == 0 && l.waiting.len() == 0 && !l.queued && len(l.pending) == 0 && !l.writing &&
		!l.draining && l.lot == nil && l.alarm.index == 0 && !l.behind && l.fails == 0 && !l.slow()
}

// forgetLane lets go of a lane. The caller holds n.mu.
func (n *Notifier) forgetLane(l *lane) {
	n.stopAlarm(&l.alarm)
	if l.source.lanes[l.id] == l {
		delete(l.source.lanes, l.id)
		n.leave(l.host)
		n.lanes--
	}
}
