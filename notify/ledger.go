package notify

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// record is what happened to a subscription and is not written into it yet.
type record struct {
	state  delivery.State
	since  time.Time // of the first that is not written
	reason string    // why it is to be disabled, empty if it is not
	told   time.Time // when that was said
}

func (r *record) disables() bool { return r != nil && r.reason != "" }

// What happened is written at the earliest after ledgerDelay, so many at a time
// and so many a second: what is lost by a crash is that and no more, unless more
// subscriptions than that are busy.
const (
	ledgerDelay  = 5 * time.Second
	ledgerAtOnce = 8
	ledgerRate   = 200
)

// note keeps an attempt for the ledger; of very many subscriptions only the last.
// The caller holds n.mu.
func (n *Notifier) note(t target, a delivery.Attempt) {
	s := &n.recordOf(t).state
	if len(n.records) > keptLanes {
		s.Log = nil
	}
	s.Note(a)
}

func (n *Notifier) recordOf(t target) *record {
	r := n.records[t]
	if r == nil {
		r = &record{since: n.now()}
		n.records[t] = r
		n.recorded.push(t)
	}
	return r
}

// disable ends the deliveries of a subscription for good. The caller holds n.mu.
func (n *Notifier) disable(l *lane, reason string) {
	if l.disabled {
		return
	}
	l.disabled = true
	r := n.recordOf(l.target)
	r.reason, r.told = reason, n.now()
	n.nudge(n.dirty)
}

// keepLedger writes what happened until stop is closed.
func (n *Notifier) keepLedger(stop <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.flushLedger(n.working, false)
		case <-n.dirty:
			n.flushLedger(n.working, false)
		case <-stop:
			return
		}
	}
}

// flushLedger writes what is old enough or disables, or everything.
func (n *Notifier) flushLedger(ctx context.Context, all bool) {
	due := n.dueRecords(all)
	var busy sync.WaitGroup
	places := make(chan struct{}, ledgerAtOnce)
	for t, r := range due {
		places <- struct{}{}
		busy.Go(func() {
			n.writeRecord(ctx, t, r)
			<-places
		})
	}
	busy.Wait()
}

func (n *Notifier) dueRecords(all bool) map[target]*record {
	n.mu.Lock()
	defer n.mu.Unlock()
	due := map[target]*record{}
	old := n.now().Add(-ledgerDelay)
	for n.recorded.len() > 0 && (all || len(due) < ledgerRate) {
		t := n.recorded.first()
		r := n.records[t]
		if r != nil && !all && r.since.After(old) {
			break
		}
		n.recorded.pop()
		if r != nil {
			due[t] = r
			delete(n.records, t)
		}
	}
	for t, r := range n.records {
		if r.disables() {
			due[t] = r
			delete(n.records, t) // it stays among the recorded, which is no harm
		}
	}
	return due
}

// Record writes at once what happened to a subscription, for whoever looks at it.
func (n *Notifier) Record(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) {
	t := target{q, id}
	n.mu.Lock()
	r := n.records[t]
	delete(n.records, t) // it stays among the recorded, which is no harm
	n.mu.Unlock()
	if r != nil {
		n.writeRecord(ctx, t, r)
	}
}

// writeRecord writes what happened into the subscription.
func (n *Notifier) writeRecord(ctx context.Context, t target, r *record) {
	now := n.now()
	var disabled bool
	sub, err := n.data.AmendSubscription(ctx, t.source, t.id, func(sub *messaging.Subscription) error {
		s := delivery.ReadState(sub.State)
		was := !s.Disabled.IsZero()
		s.Merge(&r.state)
		reason := r.reason
		if r.told.Before(s.Resumed) {
			reason = "" // that was before
		}
		if after := n.config.DisableAfter; reason == "" && after > 0 && !s.Failing.IsZero() && now.Sub(s.Failing) >= after {
			reason = "Nothing could be delivered for " + after.String() + "."
		}
		if disabled = !was && reason != ""; disabled {
			s.Disabled, s.Reason = now, reason
		}
		sub.State = s.Append(nil)
		return nil
	})
	switch {
	case errors.Is(err, messaging.NotFound):
	case err != nil:
		n.log.Warn("what was delivered cannot be recorded", "project", t.source.Project, "queue", t.source.Name, "subscription", t.id, "error", err)
		n.putBack(t, r)
	case disabled:
		n.tellDisabled(ctx, &sub)
	}
}

// putBack keeps a record that could not be written.
func (n *Notifier) putBack(t target, r *record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.recordOf(t)
	r.state.Merge(&now.state)
	now.state, now.since = r.state, n.now()
	if r.reason != "" {
		now.reason, now.told = r.reason, r.told
	}
}

// tellDisabled tells the owner, and has what waits for the subscriber given up.
func (n *Notifier) tellDisabled(ctx context.Context, sub *messaging.Subscription) {
	s := delivery.ReadState(sub.State)
	n.counters.disabled.Add(1)
	n.log.Warn("a subscription is disabled", "project", sub.Source.Project, "queue", sub.Source.Name, "topic", sub.Source.Topic,
		"subscription", sub.ID, "reason", s.Reason)
	n.mu.Lock()
	if l := n.laneFor(n.sourceOf(sub.Source), sub); l != nil {
		n.look(l)
	}
	n.mu.Unlock()
	body, err := json.Marshal(disabledEvent{
		Event: "SubscriptionDisabled", Subscription: sub.ID, Source: sub.Source.Name, Topic: sub.Source.Topic,
		Since: s.Disabled.UTC().Format(time.RFC3339), Reason: s.Reason,
	})
	if err != nil {
		return
	}
	options, _ := delivery.ParseOptions(sub.Options)
	to := messaging.QueueRef{Project: sub.Source.Project, Name: options.DeadLetterQueue}
	if to.Name == "" {
		to.Name = n.config.EventQueue
	}
	if to.Name == "" {
		return
	}
	if err := n.post(ctx, to, Post{Body: body, TTL: int64(failedLifetime / time.Second), Note: delivery.Note{Hops: 1}}); err != nil {
		n.log.Warn("the owner of a subscription cannot be told that it is disabled", "project", to.Project, "target", to.Name, "error", err)
	}
}

// disabledEvent is what the owner of a subscription gets when it is disabled.
type disabledEvent struct {
	Event        string                   `json:"event"`
	Subscription messaging.SubscriptionID `json:"subscription_id"`
	Source       string                   `json:"source"`
	Topic        bool                     `json:"topic"`
	Since        string                   `json:"since"`
	Reason       string                   `json:"reason"`
}
