package notify

import (
	"container/heap"
	"time"
)

// alarm is an instant at which something of the notifier has work to do. It is
// in the heap of alarms while it is set.
type alarm struct {
	at    time.Time
	index int    // in the heap, from 1; 0: it is not set
	ring  func() // called with the notifier's lock held
}

// alarms is a heap of all that are set: one timer serves them all.
type alarms []*alarm

func (h alarms) Len() int           { return len(h) }
func (h alarms) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h alarms) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

// Push implements heap.Interface.
func (h *alarms) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.index = len(*h)
}

// Pop implements heap.Interface.
func (h *alarms) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.index = 0
	return a
}

// setAlarm has the alarm ring at the instant, or earlier if it does so anyway.
// The caller holds n.mu.
func (n *Notifier) setAlarm(a *alarm, at time.Time) {
	switch {
	case a.index == 0:
		a.at = at
		heap.Push(&n.alarms, a)
	case at.Before(a.at):
		a.at = at
		heap.Fix(&n.alarms, a.index-1)
	default:
		return
	}
	if a.index == 1 {
		n.nudge(n.alarmed)
	}
}

// stopAlarm calls it off. The caller holds n.mu.
func (n *Notifier) stopAlarm(a *alarm) {
	if a.index > 0 {
		heap.Remove(&n.alarms, a.index-1)
	}
}

// watchAlarms rings alarms until stop is closed.
func (n *Notifier) watchAlarms(stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(n.ringDue())
		select {
		case <-timer.C:
		case <-n.alarmed:
		case <-stop:
			return
		}
	}
}

// idle is how long the timer is set when there is no alarm.
const idle = time.Hour

// ringDue rings what is due and returns how long the next takes.
func (n *Notifier) ringDue() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	for len(n.alarms) > 0 {
		next := n.alarms[0]
		if wait := next.at.Sub(now); wait > 0 {
			return min(wait, idle)
		}
		heap.Pop(&n.alarms)
		next.ring()
	}
	return idle
}

// nudge wakes whoever waits on a channel of capacity one.
func (n *Notifier) nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
