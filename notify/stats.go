package notify

import (
	"sync/atomic"
	"time"

	"zaqar/internal/histogram"
	"zaqar/messaging/delivery"
)

// counters count what was done.
type counters struct {
	delivered, retried, givenUp atomic.Int64
	spilled, buried, disabled   atomic.Int64
	lots, filtered              atomic.Int64
	open                        atomic.Int64
	latency                     *histogram.Histogram
}

func (c *counters) init() { c.latency = histogram.New(histogram.Durations()) }

func (c *counters) attempt(o delivery.Outcome, took time.Duration) {
	c.outcome(o)
	c.latency.Observe(int64(took))
}

func (c *counters) outcome(o delivery.Outcome) {
	switch o {
	case delivery.Delivered:
		c.delivered.Add(1)
	case delivery.Retried:
		c.retried.Add(1)
	default:
		c.givenUp.Add(1)
	}
}

// Stats is what a Notifier has done and does.
type Stats struct {
	// Attempts by what became of them. Deliveries given up without another
	// attempt, because they were too old, are among GivenUp.
	Delivered, Retried, GivenUp int64
	Latency                     histogram.Snapshot // of attempts, nanoseconds
	Spilled                     int64              // deliveries stored in a backlog without an attempt
	DeadLetters                 int64              // deliveries stored as dead letters
	Disabled                    int64              // subscriptions disabled
	Filtered                    int64              // messages that filters kept from subscriptions
	Lots                        int64              // claims of outboxes and backlogs that had something

	InFlight, InFlightSlow int // deliveries being attempted; of them to slow subscribers
	Waiting                int // deliveries in memory, those in flight included
	WaitingBytes           int // of the messages in memory
	Lanes                  int // subscriptions kept in mind
	Breakers               int // subscribers left alone because they do not answer
}

// Stats returns what was done since the start.
func (n *Notifier) Stats() Stats {
	c := &n.counters
	n.mu.Lock()
	defer n.mu.Unlock()
	return Stats{
		Delivered: c.delivered.Load(), Retried: c.retried.Load(), GivenUp: c.givenUp.Load(), Latency: c.latency.Snapshot(),
		Spilled: c.spilled.Load(), DeadLetters: c.buried.Load(), Disabled: c.disabled.Load(),
		Filtered: c.filtered.Load(), Lots: c.lots.Load(),
		InFlight: n.sends + n.stuck.slow + n.stuck.others, InFlightSlow: n.slow, Waiting: n.load.jobs, WaitingBytes: n.load.bytes,
		Lanes: n.lanes, Breakers: int(c.open.Load()),
	}
}
