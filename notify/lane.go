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
	slow    bool // its subscriber took long lately
	far     bool // he took too long to cost mostly processor time
	used    time.Time
	fed     *lot // it was given of last

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
	items     []*item
	continues bool // comes after all that is in the lane
	slow      bool // was counted among the slow
	host      *host
}

// The breaker opens after so many failures in a row, for so long at first and at
// most.
const (
	breakAfter = 20
	firstPause = 5 * time.Second
	lastPause  = 2 * time.Minute
)

// slowAfter is how long a subscriber may take before he is slow.
const slowAfter = time.Second

// laneFor returns the lane of a subscription as it was read; nil if no sender
// serves it. The caller holds n.mu.
func (n *Notifier) laneFor(s *source, sub *messaging.Subscription) *lane {
	l := s.lanes[sub.ID]
	if l == nil {
		l = &lane{target: target{s.ref, sub.ID}, source: s}
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
		n.leaveHost(l)
		l.host = n.join(hostOf(u))
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
		h = &host{name: name}
		n.hosts[name] = h
	}
	h.lanes++
	return h
}

func (n *Notifier) leaveHost(l *lane) {
	if l.host == nil {
		return
	}
	if l.host.lanes--; l.host.lanes == 0 && l.host.sends == 0 {
		delete(n.hosts, l.host.name)
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
	if l.slow {
		most = room / 16
	}
	return !l.behind && !n.held(l) && l.waiting.len() < most && (!n.load.tight || n.isModest(l))
}

// isModest reports whether a lane's host and project have so little in memory
// that it is not for them to make room. The caller holds n.mu.
func (n *Notifier) isModest(l *lane) bool {
	return l.host.jobs < modest && l.source.account.jobs < modest
}

// held reports whether nothing is to be sent for now. The caller holds n.mu.
func (n *Notifier) held(l *lane) bool {
	return l.open || !l.until.IsZero() && n.now().Before(l.until)
}

// fallBehind makes what comes for the lane queue behind its backlog. The caller
// holds n.mu.
func (n *Notifier) fallBehind(l *lane) {
	if !l.behind {
		l.behind = true
		n.counters.behind.Add(1)
	}
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
// more than a few wait.
func (n *Notifier) startable(l *lane) bool {
	w := l.waiting.len()
	if w == 0 {
		return false
	}
	most := min(n.config.PerSubscription, 1+w/4)
	switch {
	case l.open:
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

// startSends starts deliveries for what is ready. The caller holds n.mu.
func (n *Notifier) startSends() {
	for n.running && n.sends < n.config.InFlight {
		j := n.nextJob()
		if j == nil {
			return
		}
		n.workers.Go(func() { n.deliverAll(j) })
	}
}

// deliverAll carries out a job and then others, as long as some are ready.
func (n *Notifier) deliverAll(j *job) {
	for j != nil {
		n.deliver(j)
		n.mu.Lock()
		n.finish(j)
		j = nil
		if n.running && n.sends < n.config.InFlight {
			j = n.nextJob()
		}
		n.start()
		n.mu.Unlock()
	}
}

// nextJob takes the next job that may begin. The caller holds n.mu.
func (n *Notifier) nextJob() *job {
	for n.ready.len() > 0 {
		l := n.ready.pop()
		if n.park(l) {
			n.passOn(l)
			continue
		}
		l.queued = false
		j := n.take(l)
		l.active++
		j.host = l.host
		j.host.sends++
		l.source.account.sends++
		n.sends++
		if j.slow = l.slow; j.slow {
			n.slow++
		}
		if !l.far {
			n.beganNear(len(j.items))
		}
		n.makeReady(l)
		return j
	}
	return nil
}

// park reports whether a lane that is ready cannot begin a job, and has it wait
// for what it lacks. The caller holds n.mu.
func (n *Notifier) park(l *lane) bool {
	switch {
	case !n.startable(l):
		l.queued = false
	case l.source.account.sends >= n.perProject():
		l.source.account.waiting.push(l)
	case l.host.sends >= n.config.PerHost:
		l.host.waiting.push(l)
	case l.slow && n.slow >= n.mostSlow():
		n.waitSlow.push(l)
	case !l.far && !n.mayNear():
		n.waitNear(l)
	default:
		return false
	}
	return true
}

// passOn lets others have the places for the sake of which a lane may have been
// made ready, and which it does not take. The caller holds n.mu.
func (n *Notifier) passOn(l *lane) {
	if l.source.account.sends < n.perProject() {
		n.unpark(&l.source.account.waiting)
	}
	if l.host.sends < n.config.PerHost {
		n.unpark(&l.host.waiting)
	}
	if n.slow < n.mostSlow() {
		n.unpark(&n.waitSlow)
	}
}

// mostSlow is how many deliveries to slow subscribers may be in flight.
func (n *Notifier) mostSlow() int { return max(n.config.InFlight/2, 1) }

// finish gives the places of a job back. The caller holds n.mu.
func (n *Notifier) finish(j *job) {
	l := j.lane
	l.active--
	n.sends--
	if j.slow {
		n.slow--
		n.unpark(&n.waitSlow)
	}
	l.source.account.sends--
	n.unpark(&l.source.account.waiting)
	j.host.sends--
	n.unpark(&j.host.waiting)
	if j.host.lanes == 0 && j.host.sends == 0 {
		for j.host.waiting.len() > 0 {
			n.unpark(&j.host.waiting) // they have gone to other hosts
		}
		delete(n.hosts, j.host.name)
	}
	n.makeReady(l)
	n.relieve(l)
	if n.load.tight && n.load.jobs < maxJobs/2 && n.load.bytes < maxBytes/2 {
		n.load.tight = false
	}
	if n.lanes > keptLanes && n.isIdle(l) {
		n.forgetLane(l)
	}
}

// unpark makes the next lane ready that waits for a place.
func (n *Notifier) unpark(waiting *fifo[*lane]) {
	if waiting.len() > 0 {
		l := waiting.pop()
		n.ready.push(l.source.ref.Project, l)
	}
}

// keptLanes is how many lanes are kept though they have nothing to do.
const keptLanes = 10_000

// isIdle reports whether nothing is lost if the lane is forgotten.
func (n *Notifier) isIdle(l *lane) bool {
	return l.active == 0 && l.waiting.len() == 0 && !l.queued && len(l.pending) == 0 && !l.writing &&
		!l.draining && l.lot == nil && l.alarm.index == 0 && !l.behind && l.fails == 0
}

// forgetLane lets go of a lane. The caller holds n.mu.
func (n *Notifier) forgetLane(l *lane) {
	n.stopAlarm(&l.alarm)
	if l.source.lanes[l.id] == l {
		delete(l.source.lanes, l.id)
		n.leaveHost(l)
		n.lanes--
	}
}
