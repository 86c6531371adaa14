package notify

import (
	"errors"
	"sync"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// renewLeases keeps the leases of open lots until stop is closed.
func (n *Notifier) renewLeases(stop <-chan struct{}) {
	tick := time.NewTicker(n.config.Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.renewDue()
		case <-stop:
			return
		}
	}
}

// renewDue renews those of which half is over.
func (n *Notifier) renewDue() {
	soon := n.now().Add(n.config.Lease / 2)
	n.mu.Lock()
	var due []*lot
	for l := range n.lots {
		if !l.until.After(soon) {
			due = append(due, l)
		}
	}
	n.mu.Unlock()
	manyAtOnce(due, n.renew)
}

// manyAtOnce calls f for each of the list, many at once, so that the commits of a
// store are few.
func manyAtOnce[T any](list []T, f func(T)) {
	places := make(chan struct{}, atOnceInStore)
	var busy sync.WaitGroup
	for _, x := range list {
		places <- struct{}{}
		busy.Go(func() {
			f(x)
			<-places
		})
	}
	busy.Wait()
}

// atOnceInStore is how many lots are renewed or given back at once, or parts
// looked at.
const atOnceInStore = 64

func (n *Notifier) renew(l *lot) {
	begun := n.now()
	err := n.data.Renew(n.working, l.part, l.claim, n.terms(1))
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err == nil:
		l.until = begun.Add(n.config.Lease)
	case errors.Is(err, messaging.NotFound):
		// All of it was removed, or others have it now: it may be
		// delivered twice.
		delete(n.lots, l)
	default:
		n.log.Warn("the lease of deliveries cannot be renewed", "project", l.part.Project, "queue", l.part.Name, "error", err)
	}
}

// gone are entries to be removed, by part.
type gone map[messaging.QueueRef]*removal

// removal is what is to be removed from a part.
type removal struct {
	part  messaging.QueueRef
	items []*item
	alarm alarm
}

// mostRemoved is how many entries are removed at once.
const mostRemoved = 500

// discard has an entry removed. The caller holds n.mu.
func (n *Notifier) discard(it *item) {
	r := n.gone[it.lot.part]
	if r == nil {
		r = &removal{part: it.lot.part}
		r.alarm.ring = func() { n.removals.turns.push(r.part.Project, r); n.start() }
		n.gone[it.lot.part] = r
		n.removals.turns.push(r.part.Project, r)
		begin(n, &n.removals, always)
	}
	r.items = append(r.items, it)
}

// remove removes what has gathered.
func (n *Notifier) remove(r *removal) {
	n.mu.Lock()
	batch := r.items[:min(len(r.items), mostRemoved)]
	n.mu.Unlock()
	ids := make([]messaging.MessageID, len(batch))
	for i, it := range batch {
		ids[i] = it.entry
	}
	err := n.data.Remove(n.working, r.part, ids, storage.Hold{})
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.log.Error("deliveries that were made cannot be removed", "project", r.part.Project, "queue", r.part.Name, "error", err)
		if n.running {
			n.setAlarm(&r.alarm, n.now().Add(storeRetry))
		}
		return
	}
	r.items = r.items[len(batch):]
	for _, it := range batch {
		l := it.lot
		if l.entries--; l.entries == 0 {
			n.closeLot(l)
		}
	}
	if len(r.items) == 0 {
		delete(n.gone, r.part)
		return
	}
	n.removals.turns.push(r.part.Project, r)
}

// closeLot is called when nothing is left of a lot. The caller holds n.mu.
func (n *Notifier) closeLot(l *lot) {
	delete(n.lots, l)
	l.source.lots--
}
