package notify

import (
	"context"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// walkEvery is how often all that may have work is looked at: what other servers
// took and did not finish, and what was not heard of.
const walkEvery = time.Minute

// forgetAfter is how long a lane is kept that has nothing to do.
const forgetAfter = time.Minute

// walk looks at all sources, at once and then regularly, until stop is closed.
func (n *Notifier) walk(ctx context.Context, stop <-chan struct{}) {
	tick := time.NewTicker(walkEvery)
	defer tick.Stop()
	var strays time.Time // when they are looked for again
	for {
		if err := n.walkOnce(ctx); err != nil && ctx.Err() == nil {
			n.log.Error("cannot tell which queues have subscribers", "error", err)
		}
		if now := n.now(); !now.Before(strays) {
			strays = now.Add(strayEvery)
			if err := n.findStrays(ctx); err != nil && ctx.Err() == nil {
				n.log.Warn("what waits for subscriptions that are gone stays for now", "error", err)
				strays = now
			}
		}
		n.tidy()
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

func (n *Notifier) walkOnce(ctx context.Context) error {
	var after messaging.QueueRef
	for {
		page, err := n.data.Sources(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for _, q := range page {
			n.Wake(q)
			if err := n.findBacklogs(ctx, q); err != nil && ctx.Err() == nil { // others have nothing to do with it
				n.log.Error("cannot tell which subscriptions have a backlog", "project", q.Project, "queue", q.Name, "topic", q.Topic, "error", err)
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[len(page)-1]
	}
}

// findBacklogs has the backlogs of a source looked at that nobody looks at.
func (n *Notifier) findBacklogs(ctx context.Context, q messaging.QueueRef) error {
	var after messaging.SubscriptionID
	for {
		page, err := n.data.Subscriptions(ctx, q, after, pageSize)
		if err != nil {
			return err
		}
		for i := range page {
			if n.watched(q, page[i].ID) {
				continue
			}
			found, err := n.data.Scan(ctx, q.In(messaging.Backlog(page[i].ID)), storage.Scan{Limit: 1, Claimed: true, Delayed: true})
			if err != nil {
				return err
			}
			if len(found) > 0 {
				n.lookFor(q, &page[i])
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[len(page)-1].ID
	}
}

// watched reports whether the lane of a subscription knows when to look at its
// backlog.
func (n *Notifier) watched(q messaging.QueueRef, id messaging.SubscriptionID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sources[q]
	if s == nil || s.lanes[id] == nil {
		return false
	}
	l := s.lanes[id]
	return l.alarm.index > 0 || l.draining || l.lot != nil
}

func (n *Notifier) lookFor(q messaging.QueueRef, sub *messaging.Subscription) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.laneFor(n.sourceOf(q), sub); l != nil {
		l.behind = true
		n.look(l)
	}
}

// tidy forgets lanes and sources that have had nothing to do for some time.
func (n *Notifier) tidy() {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.now().Add(-forgetAfter)
	for q, s := range n.sources {
		for _, l := range s.lanes {
			if l.used.Before(old) && (n.isIdle(l) || n.isForlorn(l)) {
				n.closeBreaker(l)
				n.forgetLane(l)
			}
		}
		if len(s.lanes) == 0 && !s.queued && !s.busy && s.lots == 0 && s.fanning == nil && s.alarm.index == 0 && s.patience.index == 0 {
			delete(n.sources, q)
			if s.account.sources--; s.account.sources == 0 {
				delete(n.accounts, q.Project)
			}
		}
	}
}

// isForlorn reports whether a lane only remembers failures of long ago.
func (n *Notifier) isForlorn(l *lane) bool {
	fails, behind, late := l.fails, l.behind, l.late
	l.fails, l.behind, l.late = 0, false, 0
	idle := n.isIdle(l)
	l.fails, l.behind, l.late = fails, behind, late
	return idle && l.used.Before(n.now().Add(-10*forgetAfter))
}
