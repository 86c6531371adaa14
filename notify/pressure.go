package notify

import (
	"runtime"
	"time"
)

// Deliveries give way to posts. Those to subscribers who are near, which is who
// answers quickly, cost processor time and hardly any waiting. When there are many
// posts and goroutines have to wait for a processor, fewer of them are begun in a
// second, and what is posted meanwhile waits in outboxes, on disk. Some are always
// begun. Deliveries to those who are far cost little and are left alone.

// near is how quickly a subscriber answers whose deliveries cost mostly
// processor time.
const near = 50 * time.Millisecond

// How long a goroutine may wait for a processor, how often that is looked at,
// and for how long ahead near deliveries may be begun.
const (
	pressureAllowed = 100 * time.Microsecond
	pressureEvery   = 50 * time.Millisecond
	paceAhead       = 4 * time.Millisecond
	manyPosts       = 20 // while it is not looked at
)

// pace bounds how many near deliveries are begun in a second.
type pace struct {
	rate    float64   // 0: there is no bound
	tokens  float64   // how many may be begun now
	at      time.Time // when tokens was right
	begun   int       // since the last adjustment
	waiting fifo[*lane]
	adjusts alarm // when the rate is looked at
	refills alarm // when some of those that wait may go on
}

// leastRate is how many near deliveries are begun in a second whatever else
// there is to do.
func leastRate() float64 { return 1000 * float64(runtime.GOMAXPROCS(0)) }

// boundless is a rate that is as good as none.
const boundless = 200_000

// mayNear reports whether a near delivery may begin. The caller holds n.mu.
func (n *Notifier) mayNear() bool {
	p := &n.pace
	if p.rate == 0 {
		return true
	}
	now := n.now()
	if gone := now.Sub(p.at); gone > 0 {
		p.tokens = min(p.tokens+gone.Seconds()*p.rate, max(p.rate*paceAhead.Seconds(), 1))
		p.at = now
	}
	return p.tokens >= 1
}

// waitNear parks a lane until a near delivery may begin. The caller holds n.mu.
func (n *Notifier) waitNear(l *lane) {
	n.pace.waiting.push(l)
	if n.pace.refills.index == 0 {
		n.setAlarm(&n.pace.refills, n.now().Add(time.Millisecond))
	}
}

// refill lets those go on that may. The caller holds n.mu.
func (n *Notifier) refill() {
	p := &n.pace
	for n.mayNear() && p.waiting.len() > 0 {
		n.unpark(&p.waiting)
		if n.startSends(); n.sends >= n.config.InFlight {
			break
		}
	}
	if p.waiting.len() > 0 && p.refills.index == 0 {
		n.setAlarm(&p.refills, n.now().Add(time.Millisecond))
	}
}

// beganNear counts near deliveries. The caller holds n.mu.
func (n *Notifier) beganNear(deliveries int) {
	if n.pressure == nil {
		return
	}
	p := &n.pace
	p.begun += deliveries
	if p.rate > 0 {
		p.tokens -= float64(deliveries)
	}
	if p.adjusts.index == 0 {
		n.setAlarm(&p.adjusts, n.now().Add(pressureEvery))
	}
}

// adjust changes the bound. The caller holds n.mu.
func (n *Notifier) adjust() {
	p := &n.pace
	begun := p.begun
	p.begun = 0
	many := n.posts.Swap(0) >= manyPosts
	switch high := many && n.pressure() > pressureAllowed; {
	case high && p.rate == 0:
		p.rate, p.tokens, p.at = max(float64(begun)/pressureEvery.Seconds()*0.7, leastRate()), 0, n.now()
	case high:
		p.rate = max(p.rate*0.7, leastRate())
	case !many:
		p.rate = 0
	case p.rate > 0:
		if p.rate *= 1.25; p.rate > boundless {
			p.rate = 0
		}
	}
	if begun > 0 || p.waiting.len() > 0 || p.rate > 0 {
		n.setAlarm(&p.adjusts, n.now().Add(pressureEvery))
	}
	n.refill()
}
