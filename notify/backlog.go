package notify

import (
	"context"
	"errors"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/storage"
)

// write is something about a delivery that is to be stored before the delivery
// ends.
type write struct {
	item     *item
	envelope delivery.Envelope
	delay    time.Duration
	part     messaging.Part // where to
	queue    string         // or to this queue, as a dead letter
}

// keep stores a delivery that was not attempted now, with the number of attempts
// made. The caller holds n.mu.
func (n *Notifier) keep(l *lane, it *item, attempts int) {
	w := &write{item: it, envelope: it.envelope, part: messaging.Backlog(l.id)}
	w.envelope.Attempts = attempts
	n.counters.spilled.Add(1)
	n.store(l, w)
}

// retry stores a delivery that failed. The caller holds n.mu.
func (n *Notifier) retry(a *attempt, f *Failure, delay time.Duration) {
	w := &write{item: a.item, envelope: a.item.envelope, delay: delay, part: messaging.Backlog(a.lane.id)}
	e := &w.envelope
	e.Attempts, e.Status, e.Error = a.number, f.Status, f.What
	if e.First.IsZero() {
		e.First = a.begun
	}
	n.store(a.lane, w)
}

// bury gives a delivery up: it goes to the dead letters. The caller holds n.mu.
func (n *Notifier) bury(l *lane, it *item, f *Failure) {
	n.counters.buried.Add(1)
	if it.envelope.Kind != delivery.Notification {
		n.done(it) // nobody would read it
		return
	}
	w := &write{item: it, envelope: it.envelope, part: messaging.Failed(l.id), queue: l.options.DeadLetterQueue}
	w.envelope.Status, w.envelope.Error = f.Status, f.What
	w.envelope.Attempts++
	n.store(l, w)
}

// spill stores a whole job in the backlog. The caller holds n.mu.
func (n *Notifier) spill(j *job) {
	for _, it := range j.items {
		n.keep(j.lane, it, it.envelope.Attempts)
		for _, l := range j.with {
			n.keep(l, it, it.envelope.Attempts)
		}
	}
	for _, l := range j.with {
		l.joined--
	}
}

// spillAll spills what waits in lanes and did not come from a backlog: what did
// is there. The caller holds n.mu.
func (n *Notifier) spillAll() {
	for _, s := range n.sources {
		for _, l := range s.lanes {
			for l.waiting.len() > 0 {
				j := n.take(l)
				if lot := j.items[0].lot; lot.lane == nil && (s.fanning == nil || s.fanning.lot != lot) {
					n.spill(j)
				}
			}
		}
	}
}

// store has something stored. The caller holds n.mu.
func (n *Notifier) store(l *lane, w *write) {
	l.pending = append(l.pending, w)
	n.load.writes++
	l.source.account.writes++
	n.startWriting(l)
}

func (n *Notifier) startWriting(l *lane) {
	if len(l.pending) > 0 && !l.writing {
		l.writing = true
		n.writes.turns.push(l.source.ref.Project, l)
		if n.running {
			n.start()
		}
	}
}

// atOnce is how many writes of a lane are made together, and of how many bytes.
const (
	atOnce      = 100
	atOnceBytes = 4 << 20
)

// write stores what is pending of a lane.
func (n *Notifier) write(l *lane) {
	n.mu.Lock()
	batch := firstWrites(l.pending)
	n.mu.Unlock()
	err := n.storeBatch(n.working, l, batch)
	n.mu.Lock()
	defer n.mu.Unlock()
	l.writing = false
	if err != nil {
		n.writeFailed(l, err)
		return
	}
	l.failing = false
	l.pending = l.pending[len(batch):]
	if len(l.pending) == 0 {
		l.pending = nil
	}
	now := n.now()
	for _, w := range batch {
		n.load.writes--
		l.source.account.writes--
		n.done(w.item)
		if w.part == messaging.Backlog(l.id) {
			n.setAlarm(&l.alarm, latest(now.Add(w.delay), l.until))
		}
	}
	n.startWriting(l)
	n.makeReady(l)
	n.start()
}

// writeFailed has it tried again. What cannot be stored stays under its lease
// until it can. The caller holds n.mu.
func (n *Notifier) writeFailed(l *lane, err error) {
	if !l.failing {
		n.log.Error("what could not be delivered cannot be stored either, and is kept in memory", append(l.attrs(), "error", err)...)
		l.failing = true
	}
	if n.running {
		n.setAlarm(&l.alarm, n.now().Add(storeRetry))
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// firstWrites returns the first that go to the same place.
func firstWrites(pending []*write) []*write {
	bytes := 0
	for i, w := range pending {
		bytes += len(w.envelope.Body)
		if i == atOnce || i > 0 && (w.part != pending[0].part || w.queue != pending[0].queue || bytes > atOnceBytes) {
			return pending[:i]
		}
		if w.queue != "" {
			return pending[:i+1]
		}
	}
	return pending
}

func (n *Notifier) storeBatch(ctx context.Context, l *lane, batch []*write) error {
	n.mu.Lock()
	gone := l.gone
	n.mu.Unlock()
	if gone {
		return nil
	}
	first := batch[0]
	if first.queue != "" {
		to := messaging.QueueRef{Project: l.source.ref.Project, Name: first.queue}
		note := first.envelope.Note
		note.Hops++
		err := n.post(ctx, to, Post{Body: first.item.body, TTL: int64(failedLifetime / time.Second), Note: note})
		if err == nil || errors.Is(err, messaging.Unavailable) || errors.Is(err, messaging.Internal) {
			return err
		}
		n.log.Warn("a dead letter is kept with its subscription because its queue does not take it", append(l.attrs(), "target", first.queue, "error", err)...)
	}
	lives := failedLifetime
	if first.part == messaging.Backlog(l.id) {
		lives = longestOutage + n.config.Lifetime + slack
	}
	drafts := make([]messaging.Draft, len(batch))
	for i, w := range batch {
		drafts[i] = messaging.Draft{
			TTL: int64((lives + w.delay) / time.Second), Delay: int64((w.delay + time.Second - 1) / time.Second),
			Body: w.envelope.Append(nil), Key: w.item.key, Checksum: w.item.sum,
		}
	}
	_, err := n.data.Append(ctx, l.source.ref.In(first.part), poster, drafts, storage.AppendOptions{})
	return err
}

// slack is how long a delivery that is too old is kept for the notifier to give
// it up.
const slack = 2 * 24 * time.Hour

// poster is who puts messages into backlogs.
const poster = messaging.ClientID("zaqar-notifier")

// look has the backlog of a lane looked at, and what is pending stored. The
// caller holds n.mu.
func (n *Notifier) look(l *lane) {
	n.startWriting(l)
	switch {
	case l.draining || l.lot != nil:
		l.again = true
	default:
		l.draining, l.again = true, false
		n.drains.turns.push(l.source.ref.Project, l)
		n.start()
	}
}

// drained is called when all that was claimed of a backlog has ended. The caller
// holds n.mu.
func (n *Notifier) drained(l *lane) {
	l.lot = nil
	n.look(l)
}

// drain claims from the backlog of a lane what can be delivered now.
func (n *Notifier) drain(l *lane) {
	limit, ok := n.share(l)
	if !ok {
		return
	}
	err := n.claimBacklog(n.working, l, limit)
	n.mu.Lock()
	defer n.mu.Unlock()
	l.draining = false
	if err != nil {
		n.log.Error("the backlog of a subscription cannot be read", append(l.attrs(), "error", err)...)
		n.setAlarm(&l.alarm, n.now().Add(storeRetry))
		return
	}
	if l.again && l.lot == nil {
		n.look(l)
	}
	n.start()
}

// share returns how much of its backlog a lane may claim; false if nothing for
// now.
func (n *Notifier) share(l *lane) (limit int, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l.again = false
	switch now := n.now(); {
	case now.Before(l.until):
		l.draining = false
		n.setAlarm(&l.alarm, l.until)
		return 0, false
	case n.isCrowded(l.source.account), !n.isModest(l) && (n.load.full() || l.host.jobs >= hostJobs || l.source.account.jobs >= projectJobs):
		l.draining = false
		n.setAlarm(&l.alarm, now.Add(storeRetry))
		return 0, false
	case l.open && !l.stale:
		return 1, true
	case l.slow(), l.late == inDoubt: // what is taken counts as attempted if the server dies
		return min(n.config.PerSubscription, l.source.most()), true
	}
	return l.source.most(), true
}

func (n *Notifier) claimBacklog(ctx context.Context, l *lane, limit int) error {
	sub, err := n.data.Subscription(ctx, l.source.ref, l.id)
	if errors.Is(err, messaging.NotFound) {
		return n.drop(ctx, l)
	}
	if err != nil {
		return err
	}
	part := l.source.ref.In(messaging.Backlog(l.id))
	lease, err := n.data.Claim(ctx, part, n.terms(limit))
	if err != nil {
		return err
	}
	if len(lease.Messages) == 0 {
		return n.caughtUp(ctx, l, part)
	}
	lot := &lot{part: part, claim: lease.Claim.ID, until: lease.Claim.Expires, source: l.source, lane: l}
	var jobs []*job
	var items []*item
	for i := range lease.Messages {
		it := n.readBacklog(l, lot, &lease.Messages[i])
		if it == nil {
			continue
		}
		items = append(items, it)
		if last := len(jobs) - 1; last >= 0 && together(jobs[last].items, it) {
			jobs[last].items = append(jobs[last].items, it)
		} else {
			jobs = append(jobs, &job{lane: l, items: []*item{it}})
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.laneFor(l.source, &sub) == nil {
		l.options, l.disabled = new(delivery.Options), true // there is no way to it any more
	}
	n.admit(lot, items)
	l.source.sized(lease.Messages)
	if lot.open == 0 {
		n.setAlarm(&l.alarm, lot.until)
		l.again = true // others may be behind those that stay
		return nil
	}
	l.lot = lot
	n.load.jobs += len(items)
	for _, j := range jobs {
		n.enqueue(j)
	}
	return nil
}

// together reports whether an item continues the post of those before.
func together(items []*item, it *item) bool {
	e, last := &it.envelope, &items[len(items)-1].envelope
	return e.Index == last.Index+1 && e.Posted.Equal(last.Posted) && e.Attempts == last.Attempts && e.Kind == last.Kind
}

// readBacklog makes an item of an entry; nil if it has to stay where it is.
func (n *Notifier) readBacklog(l *lane, lot *lot, m *messaging.Message) *item {
	e, err := delivery.ReadEnvelope(m.Body)
	if err != nil {
		n.log.Error("an entry of a backlog cannot be read and is left out", append(l.attrs(), "entry", m.ID, "error", err)...)
		return nil
	}
	it := &item{lot: lot, entry: m.ID, key: m.Key, sum: m.Checksum, jobs: 1, envelope: e}
	it.envelope.Attempts += m.Claims - 1
	if !n.unseal(l.source.ref.Project, it) {
		return nil
	}
	return it
}

// caughtUp is called when nothing in the backlog is due.
func (n *Notifier) caughtUp(ctx context.Context, l *lane, part messaging.QueueRef) error {
	at, some, err := n.data.Due(ctx, part)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(l.pending) == 0 {
		if l.behind && l.source.congested {
			n.awaitFull(l.source) // what comes next may be for him
		}
		l.behind = false
	}
	if some {
		n.setAlarm(&l.alarm, latest(at, l.until))
	} else if !l.behind && len(l.pending) == 0 {
		n.closeBreaker(l)
	}
	return nil
}

// closeBreaker gives a subscriber with an empty backlog another chance: there
// is nothing else to see with whether he answers. The caller holds n.mu.
func (n *Notifier) closeBreaker(l *lane) {
	if l.open {
		l.open, l.fails = false, breakAfter-1
		n.counters.open.Add(-1)
	}
}

// drop lets go of what waits for a subscription that is gone.
func (n *Notifier) drop(ctx context.Context, l *lane) error {
	for _, p := range []messaging.Part{messaging.Backlog(l.id), messaging.Failed(l.id)} {
		if err := n.data.Drop(ctx, l.source.ref.In(p)); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l.gone, l.behind = true, false
	n.closeBreaker(l)
	n.forgetLane(l)
	n.startWriting(l) // what is pending ends with that
	return nil
}
