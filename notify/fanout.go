package notify

import (
	"bytes"
	"context"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// source is a queue or topic that has, or had, subscriptions.
type source struct {
	ref     messaging.QueueRef
	account *account
	lanes   map[messaging.SubscriptionID]*lane
	alarm   alarm // when its outbox is to be looked at again

	queued, busy, again bool // among those to be fanned out; being so; and woken meanwhile
	// congested says that all lanes that keep up have enough to do: the rest
	// waits in the outbox until one has not.
	congested bool
	// patience rings when lanes that run dry have waited long enough for those
	// that are full: who is full by then falls behind.
	patience alarm
	size     int // of an entry, on average, in bytes
	lots     int // that are open

	fanning *fanning // a lot that not all subscriptions were offered
}

// fanning is a lot on its way to the lanes.
type fanning struct {
	lot    *lot
	posts  []*post
	bytes  int                      // of the messages
	after  messaging.SubscriptionID // the last one that was offered it
	page   int                      // how many are read at once: no more than fit in a turn
	hungry bool                     // a lane that took a job had little to do
}

// Wake says that something was put into the outbox of the queue or topic. It
// returns at once.
func (n *Notifier) Wake(q messaging.QueueRef) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wake(n.sourceOf(q.Whole()))
}

func (n *Notifier) sourceOf(q messaging.QueueRef) *source {
	s := n.sources[q]
	if s == nil {
		s = &source{ref: q, lanes: map[messaging.SubscriptionID]*lane{}, size: lotBytes / 8}
		s.alarm.ring = func() { n.wake(s) }
		s.patience.ring = func() { n.feed(s) }
		if s.account = n.accounts[q.Project]; s.account == nil {
			s.account = new(account)
			n.accounts[q.Project] = s.account
		}
		s.account.sources++
		n.sources[q] = s
	}
	return s
}

// wake has the source's outbox looked at. The caller holds n.mu.
func (n *Notifier) wake(s *source) {
	switch {
	case s.busy:
		s.again = true
	case !s.queued && !s.congested:
		s.queued = true
		n.fans.turns.push(s.ref.Project, s)
		n.start()
	}
}

// fan takes one step with a source: it claims a lot, or offers one to a page of
// subscriptions.
func (n *Notifier) fan(s *source) {
	n.mu.Lock()
	s.queued = false
	if n.isCrowded(s.account) {
		n.setAlarm(&s.alarm, n.now().Add(fullPatience))
		n.mu.Unlock()
		return
	}
	s.busy, s.again = true, false
	n.mu.Unlock()
	more, err := n.step(n.working, s)
	n.mu.Lock()
	defer n.mu.Unlock()
	s.busy = false
	switch {
	case err != nil:
		n.log.Error("messages cannot be brought to subscribers", "project", s.ref.Project, "queue", s.ref.Name, "topic", s.ref.Topic, "error", err)
		n.setAlarm(&s.alarm, n.now().Add(storeRetry))
	case more || s.again:
		n.wake(s)
	}
}

// storeRetry is the pause after the store has failed.
const storeRetry = time.Second

func (n *Notifier) step(ctx context.Context, s *source) (more bool, err error) {
	if s.fanning == nil {
		some, err := n.claimLot(ctx, s)
		if err != nil {
			return false, err
		}
		switch {
		case s.fanning == nil && some:
			return true, nil // others may be behind those that stay
		case s.fanning == nil:
			return false, n.expectLater(ctx, s)
		}
	}
	f := s.fanning
	page, err := n.data.Subscriptions(ctx, s.ref, f.after, f.page)
	if err != nil {
		return false, err
	}
	some := n.offer(s, f, page)
	if some == f.page || some < len(page) {
		f.after, f.page = page[some-1].ID, some
		return true, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s.fanning = nil
	for _, p := range f.posts {
		for _, it := range p.items {
			n.endJob(it)
		}
	}
	switch {
	case !f.hungry && !n.hungry(s, f):
		s.congested = true
		if n.hasOthers(s, f) {
			n.awaitFull(s)
		}
	case !n.fits(s):
		n.awaitFull(s)
	}
	return !s.congested, nil
}

// fullPatience is how long lanes that run dry wait for those that are full.
const fullPatience = 100 * time.Millisecond

// fits reports whether a lot fits into all lanes that keep up. The caller holds
// n.mu.
func (n *Notifier) fits(s *source) bool {
	for _, l := range s.lanes {
		if !l.behind && !l.slow() && l.waiting.len() > room-lotSize {
			return false
		}
	}
	return true
}

// awaitFull gives lanes that are full some time to catch up with the others. The
// caller holds n.mu.
func (n *Notifier) awaitFull(s *source) {
	s.congested = true
	n.setAlarm(&s.patience, n.now().Add(fullPatience))
}

// feed has a source that was congested fanned out again. The caller holds n.mu.
func (n *Notifier) feed(s *source) {
	n.stopAlarm(&s.patience)
	if s.congested {
		s.congested = false
		n.wake(s)
	}
}

// relieve looks whether a source is congested still, when a job of one of its
// lanes has ended. The caller holds n.mu.
func (n *Notifier) relieve(l *lane) {
	s, waits := l.source, l.waiting.len()
	switch waited := s.patience.index > 0; {
	case !s.congested:
	case waited && waits == room-lotSize, !waited && waits <= hungryBelow:
		if n.fits(s) {
			n.feed(s)
		} else {
			n.awaitFull(s)
		}
	}
}

// hungry reports whether a lane that was given of the lot and keeps up has
// little to do by now. The caller holds n.mu.
func (n *Notifier) hungry(s *source, f *fanning) bool {
	busy := false
	for _, l := range s.lanes {
		if l.fed != f.lot || l.behind || l.slow() {
			continue
		}
		if l.waiting.len() <= hungryBelow {
			return true
		}
		busy = true
	}
	return !busy
}

// hasOthers reports whether there are lanes that keep up and were given nothing of
// the lot: what comes next may be for them. The caller holds n.mu.
func (n *Notifier) hasOthers(s *source, f *fanning) bool {
	for _, l := range s.lanes {
		if l.fed != f.lot && !l.behind && !l.gone && n.wants(l, delivery.Notification) {
			return true
		}
	}
	return false
}

// hungryBelow is with how many waiting jobs a lane should get more.
const hungryBelow = room / 4

// expectLater sets the alarm to when a lease ends: that of a server that died,
// or one of our own, which does no harm.
func (n *Notifier) expectLater(ctx context.Context, s *source) error {
	at, some, err := n.data.Due(ctx, s.ref.In(messaging.Outbox))
	if err == nil && some {
		n.mu.Lock()
		n.setAlarm(&s.alarm, at)
		n.mu.Unlock()
	}
	return err
}

// filteredInTurn is how many bytes filters look at in one turn of a source, about.
// Then it is the turn of others.
const filteredInTurn = 4 << 20

// madeInTurn is how many jobs are made in one turn of a source, about. Those that
// are carried out together stay together.
const madeInTurn = 1000

// offer makes jobs for a page of subscriptions, and returns how many it came to
// before the turn was over: at least one, if there are any.
func (n *Notifier) offer(s *source, f *fanning, page []messaging.Subscription) int {
	type offered struct {
		lane    *lane
		options *delivery.Options
	}
	lanes := make([]offered, 0, len(page))
	filtered, made, some := 0, 0, 0
	n.mu.Lock()
	for ; some < len(page) && filtered < filteredInTurn && made < madeInTurn; some++ {
		l := n.laneFor(s, &page[some])
		if l == nil {
			continue
		}
		if !n.wants(l, delivery.Notification) {
			if n.lanes > keptLanes && n.isIdle(l) {
				n.forgetLane(l)
			}
			continue
		}
		l.joined++
		lanes = append(lanes, offered{l, l.options})
		if l.options.Filter != nil {
			filtered += f.bytes
		}
		if _, together := l.sender.(GroupSender); !together {
			made += f.lot.entries
		}
	}
	n.mu.Unlock()
	jobs := make([]*job, 0, len(lanes)*len(f.posts))
	for _, o := range lanes {
		for _, p := range f.posts {
			if items := n.wanted(o.options, p.items); len(items) > 0 {
				jobs = append(jobs, &job{lane: o.lane, items: items, continues: p.continues})
			}
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	groups := map[*item]*job{} // jobs that others can join, by the first item
	for _, j := range jobs {
		for _, it := range j.items {
			it.jobs++
		}
		n.load.jobs += len(j.items)
		l := j.lane
		if !n.takes(l) {
			l.behind = true
			n.spill(j)
			continue
		}
		l.fed = f.lot
		f.hungry = f.hungry || l.waiting.len() <= hungryBelow
		if !joins(groups, j) {
			n.enqueue(j)
		}
	}
	for _, o := range lanes {
		o.lane.joined--
		if n.lanes > keptLanes && n.isIdle(o.lane) {
			n.forgetLane(o.lane)
		}
	}
	n.start()
	return some
}

// joins reports whether a job was made part of another one that brings the same
// messages and can be carried out with it. No job of the page has begun yet.
func joins(groups map[*item]*job, j *job) bool {
	if _, together := j.lane.sender.(GroupSender); !together {
		return false
	}
	g := groups[j.items[0]]
	if g == nil || len(g.items) != len(j.items) || g.lane.sender != j.lane.sender {
		groups[j.items[0]] = j
		return false
	}
	g.with, g.sender = append(g.with, j.lane), g.lane.sender
	j.lane.joined++
	return true
}

// wanted returns those of the items that pass the filter in the options.
func (n *Notifier) wanted(o *delivery.Options, items []*item) []*item {
	missed := 0
	var some []*item
	for i, it := range items {
		switch {
		case !matches(o, it.body):
			if missed == 0 {
				some = append(some, items[:i]...)
			}
			missed++
		case missed > 0:
			some = append(some, it)
		}
	}
	if missed == 0 {
		return items
	}
	n.counters.filtered.Add(int64(missed))
	return some
}

// matches reports whether a message passes the filter in the options.
func matches(o *delivery.Options, body []byte) bool {
	return o.Filter == nil || o.Filter.Match(body)
}

// sameOptions reports whether a subscription asks for the same as before.
func sameOptions(a, b *messaging.Subscription) bool {
	return a.Subscriber == b.Subscriber && bytes.Equal(a.Options, b.Options)
}
