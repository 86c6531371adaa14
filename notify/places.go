package notify

import "zaqar/messaging"

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
		j.host.begin(l.source.ref.Project)
		n.unparkAt(j.host) // when one ends, more than one may begin
		l.source.account.sends++
		n.sends++
		if j.slow = l.slow(); j.slow {
			n.slow++
			l.source.account.slow++
		} else {
			n.needsNone(l)
		}
		l.woken = false
		if !l.far {
			n.beganNear(len(j.items))
		}
		j.since = n.now()
		j.begun = j.since
		n.flights[j] = true
		if n.unstick.index == 0 {
			n.setAlarm(&n.unstick, j.begun.Add(slowAfter))
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
		n.needsNone(l)
	case l.source.account.sends >= n.perProject():
		l.source.account.waiting.push(l)
	case !n.mayAt(l.host, l.source.ref.Project):
		l.host.waiting.push(l.source.ref.Project, l)
	case l.slow() && l.source.account.slow >= n.slowPerProject():
		l.parked = true
		l.source.account.waitSlow.push(l)
	case l.slow() && n.slow >= n.mostSlow():
		l.parked = true
		n.waitSlow.push(l.source.ref.Project, l)
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
	n.unparkAt(l.host)
	if n.slow < n.mostSlow() {
		n.unparkSlow(l.source.account)
	}
}

// mostSlow is how many deliveries to slow subscribers may be in flight.
func (n *Notifier) mostSlow() int { return max(n.config.InFlight/2, 1) }

// slowPerProject is how many of them may be of one project.
func (n *Notifier) slowPerProject() int { return max(n.mostSlow()*3/4, 1) }

// finish gives the places of a job back. The caller holds n.mu.
func (n *Notifier) finish(j *job) {
	l := j.lane
	l.active--
	for _, other := range j.with {
		other.joined--
	}
	delete(n.flights, j)
	if j.late {
		l.stuck--
	}
	if j.stuck {
		*n.stuck.of(j)--
		*l.source.account.stuck.of(j)--
	} else {
		n.freePlace(j)
	}
	n.rejoin(l)
	j.host.end(l.source.ref.Project)
	n.unparkAt(j.host)
	n.closeHost(j.host)
	n.makeReady(l)
	n.relieve(l)
	if n.load.tight && n.load.jobs < maxJobs/2 && n.load.bytes < maxBytes/2 {
		n.load.tight = false
	}
	if n.lanes > keptLanes && n.isIdle(l) {
		n.forgetLane(l)
	}
}

// freePlace gives back the place that a job has. The caller holds n.mu.
func (n *Notifier) freePlace(j *job) {
	n.sends--
	j.lane.source.account.sends--
	n.unpark(&j.lane.source.account.waiting)
	if j.slow {
		n.slow--
		j.lane.source.account.slow--
		n.unparkSlow(j.lane.source.account)
	}
}

// freePlaces has attempts that take long give their places back: many receivers
// that hang would keep all places until their time is over. The caller holds
// n.mu.
func (n *Notifier) freePlaces() {
	old := n.now().Add(-slowAfter)
	for j := range n.flights {
		if j.stuck || j.begun.After(old) {
			continue
		}
		if !j.late {
			j.late = true
			n.becameSlow(j.lane)
		}
		if n.mayStick(j) {
			n.freePlace(j)
			j.stuck = true
			*n.stuck.of(j)++
			*j.lane.source.account.stuck.of(j)++
		}
	}
	if len(n.flights) > 0 {
		n.setAlarm(&n.unstick, n.now().Add(slowAfter/4))
	}
	n.start()
}

// becameSlow is called when an attempt in flight has taken long. The caller holds
// n.mu.
func (n *Notifier) becameSlow(l *lane) {
	l.stuck++
	n.shed(l)
	if l.source.congested { // on his account, perhaps
		n.awaitFull(l.source)
	}
}

// mayAt reports whether a project may have one more delivery to the host in flight:
// with that it has three at most for each place that it leaves free, or no other. So
// one that is alone there has three quarters, several have less each as they become
// more, and the next finds a place, unless they are very many. The caller holds n.mu.
func (n *Notifier) mayAt(h *host, p messaging.Project) bool {
	free := n.config.PerHost - h.sends - 1
	return free >= 0 && (h.of[p] == 0 || h.of[p] < 3*free)
}

// begin counts a delivery to the host.
func (h *host) begin(p messaging.Project) {
	h.sends++
	h.of[p]++
}

// end counts it no more.
func (h *host) end(p messaging.Project) {
	h.sends--
	if h.of[p]--; h.of[p] == 0 {
		delete(h.of, p)
	}
}

// yield reports whether a job that has had its place for long leaves it to others
// that wait, before its i-th item. The rest comes next in its lane.
func (n *Notifier) yield(j *job, i int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := j.lane
	some := n.ready.len() > 0 || l.source.account.waiting.len() > 0 || j.host.waiting.len() > 0 || j.slow && n.waitSlow.len() > 0
	if !some || !n.running || n.now().Sub(j.since) < slowAfter {
		return false
	}
	rest := &job{lane: l, with: j.with, sender: j.sender, items: j.items[i:], continues: j.continues, host: l.host}
	l.waiting.unpop(rest)
	for _, other := range rest.with {
		other.joined++
	}
	rest.host.jobs += len(rest.items)
	l.source.account.jobs += len(rest.items)
	return true
}

// stuck counts attempts that gave their places back: of lanes that were slow
// before, and of others.
type stuck struct{ slow, others int }

func (s *stuck) of(j *job) *int {
	if j.slow {
		return &s.slow
	}
	return &s.others
}

// mayStick reports whether an attempt may go on without a place: a quarter of
// those that may are for slow lanes, and three quarters of all for one project. The
// caller holds n.mu.
func (n *Notifier) mayStick(j *job) bool {
	most := n.config.Stuck * 3 / 4
	if j.slow {
		most = n.config.Stuck / 4
	}
	return *n.stuck.of(j) < most && *j.lane.source.account.stuck.of(j) < most*3/4
}

// unpark makes the next lane ready that waits for a place.
func (n *Notifier) unpark(waiting *fifo[*lane]) {
	if waiting.len() > 0 {
		l := waiting.pop()
		n.ready.push(l.source.ref.Project, l)
	}
}

// unparkAt makes the next lane ready that waits for a place at the host and may have
// one. Those that have gone to others are, too, and leave the place to the next. The
// caller holds n.mu.
func (n *Notifier) unparkAt(h *host) {
	for h.sends < n.config.PerHost {
		l, ok := h.waiting.popIf(func(p messaging.Project) bool { return n.mayAt(h, p) })
		if !ok {
			return
		}
		n.ready.push(l.source.ref.Project, l)
		if l.host == h {
			return
		}
	}
}

// rejoin makes a lane ready that waits for a place of slow ones and is not slow any
// more. What is left of it there is passed over. The caller holds n.mu.
func (n *Notifier) rejoin(l *lane) {
	if l.parked && !l.slow() {
		l.parked = false
		n.ready.push(l.source.ref.Project, l)
	}
}

// unparkSlow makes slow lanes ready that wait for a place: the next of the project,
// if it has fewer than it may, and the next of all. Those that are slow no more are,
// too, and leave the place to the next. The caller holds n.mu.
func (n *Notifier) unparkSlow(a *account) {
	for a.waitSlow.len() > 0 && a.slow < n.slowPerProject() && !n.wakeSlow(a.waitSlow.pop()) {
	}
	for n.waitSlow.len() > 0 && !n.wakeSlow(n.waitSlow.pop()) {
	}
}

// needsNone has a place of slow ones for which a lane was woken, and which it does not
// need any more, go to the next. The caller holds n.mu.
func (n *Notifier) needsNone(l *lane) {
	if l.woken {
		l.woken = false
		n.unparkSlow(l.source.account)
	}
}

// wakeSlow makes a lane ready that waits for a place of slow ones, if it does still,
// and reports whether it needs it.
func (n *Notifier) wakeSlow(l *lane) bool {
	if !l.parked {
		return false
	}
	l.parked = false
	n.ready.push(l.source.ref.Project, l)
	l.woken = l.slow()
	return l.woken
}
