package broker

import (
	"sync"
	"time"

	"zaqar/messaging"
)

// arrivals remembers where messages were forwarded to. Queues that subscribe to
// each other would multiply a message at every step otherwise, and twenty of
// them make thousands of millions of it in eight. It is memory of some
// minutes, and bounded: how many queues a message may pass is bounded besides.
type arrivals struct {
	mu          sync.Mutex
	now, before map[arrival]struct{}
	since       time.Time // when now was begun
}

// arrival is that of what has the origin (delivery.Note).
type arrival struct {
	origin string
	at     messaging.QueueRef
}

const (
	arrivalsTime = 5 * time.Minute // it is remembered for as long, or up to twice that
	mostArrivals = 1 << 15         // and so many, or up to twice that
)

// first reports whether nothing of this origin came there lately, and notes that
// now something has.
func (a *arrivals) first(origin string, at messaging.QueueRef, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if age := now.Sub(a.since); a.now == nil || len(a.now) >= mostArrivals || age >= arrivalsTime || age < 0 {
		if age >= 2*arrivalsTime {
			a.now = nil
		}
		a.before, a.now, a.since = a.now, map[arrival]struct{}{}, now
	}
	key := arrival{origin, at}
	if _, known := a.now[key]; known {
		return false
	}
	if _, known := a.before[key]; known {
		return false
	}
	a.now[key] = struct{}{}
	return true
}

// not takes back that something came there.
func (a *arrivals) not(origin string, at messaging.QueueRef) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.now, arrival{origin, at})
	delete(a.before, arrival{origin, at})
}
