package notify

import (
	"context"
	"errors"
	"net/url"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// deliver carries out a job: its messages in their order, each once, or as many as
// it comes to.
func (n *Notifier) deliver(j *job) {
	for i, it := range j.items {
		if i > 0 && n.yield(j, i) {
			return
		}
		switch a := n.begin(j, j.lane, it); {
		case len(j.with) > 0:
			n.attemptTogether(j, it, a)
		case a != nil:
			n.attempt(a)
		}
	}
}

// attemptTogether makes the deliveries of a message to all lanes of a job. The
// attempt at the first is begun, or nil.
func (n *Notifier) attemptTogether(j *job, it *item, first *attempt) {
	var list []*attempt
	if first != nil {
		list = append(list, first)
	}
	for _, l := range j.with {
		if a := n.begin(j, l, it); a != nil {
			list = append(list, a)
		}
	}
	if len(list) == 0 {
		return
	}
	ds, ends := make([]*Delivery, len(list)), make([]func(Receipt, *Failure), len(list))
	ctx := n.sending
	for i := len(list) - 1; i >= 0; i-- { // what they have in common belongs to the first
		ds[i] = list[i].delivery()
		ctx, ends[i] = n.span(ds[i])
	}
	errs := list[0].sender.(GroupSender).SendAll(ctx, ds)
	ended := n.now()
	for i, err := range errs {
		f := failureOf(err)
		ends[i](Receipt{}, f)
		n.judge(list[i], Receipt{}, f, ended)
	}
}

// attempt is one try to deliver a message.
type attempt struct {
	lane    *lane
	item    *item
	number  int // 1 is the first
	begun   time.Time
	sub     *messaging.Subscription
	options *delivery.Options
	url     *url.URL
	sender  Sender
	socket  bool
}

// begin decides whether a message of a job is attempted; nil if not, and then
// it is seen to.
func (n *Notifier) begin(j *job, l *lane, it *item) *attempt {
	n.mu.Lock()
	defer n.mu.Unlock()
	now, e := n.now(), &it.envelope
	j.begun = now
	switch {
	case l.gone:
		n.done(it)
		return nil
	case e.Kind != delivery.Notification && e.Index < l.sub.Moves: // it is for an earlier subscriber
		n.done(it)
		return nil
	case e.Kind != delivery.Notification && e.Index > l.sub.Moves: // it is for one not heard of yet
		n.keep(l, it, e.Attempts)
		return nil
	case !n.wants(l, e.Kind) && l.disabled:
		n.bury(l, it, &Failure{What: "The subscription is disabled."})
		return nil
	case !n.wants(l, e.Kind):
		n.done(it)
		return nil
	case it.lot.lane != nil && n.overdue(e, now): // the time nobody came to the outbox is not the subscriber's
		l.stale = true
		n.counters.outcome(delivery.GivenUp)
		n.bury(l, it, &Failure{Status: e.Status, What: late(e)})
		return nil
	case len(j.with) > 0 && l.sender != j.sender: // his subscriber is one of another kind by now
		n.keep(l, it, e.Attempts)
		return nil
	case !n.running && it.lot.lane != nil:
		return nil // it is in the backlog, and free when the lease is given back
	case !n.running, n.held(l) && it.lot.lane == nil, now.Before(l.until):
		n.keep(l, it, e.Attempts)
		return nil
	}
	l.stale = false
	return &attempt{lane: l, item: it, number: e.Attempts + 1, begun: now, sub: l.sub, options: l.options, url: l.url, sender: l.sender, socket: l.socket}
}

// overdue reports whether a delivery has been tried for long enough. Of one that
// was not tried yet, as far as is known, the time before the start does not count:
// nobody may have been there to try.
func (n *Notifier) overdue(e *delivery.Envelope, now time.Time) bool {
	begun := e.First
	if begun.IsZero() {
		begun = e.Posted
	}
	if away := n.started.Sub(begun); away > 0 && (e.First.IsZero() || e.Attempts == 0) {
		begun = begun.Add(min(away, longestOutage))
	}
	return !now.Before(begun.Add(n.config.Lifetime))
}

func late(e *delivery.Envelope) string {
	if e.Error != "" {
		return e.Error
	}
	return "It could not be delivered in time."
}

// attempt makes it, and does what its outcome asks for.
func (n *Notifier) attempt(a *attempt) {
	d := a.delivery()
	ctx, end := n.span(d)
	receipt, err := a.sender.Send(ctx, d)
	f := failureOf(err)
	end(receipt, f)
	n.judge(a, receipt, f, n.now())
}

// span begins the span of an attempt, if its message is followed.
func (n *Notifier) span(d *Delivery) (ctx context.Context, end func(Receipt, *Failure)) {
	if n.follow == nil || d.Trace == "" {
		return n.sending, noSpan
	}
	return n.follow(n.sending, d)
}

func noSpan(Receipt, *Failure) {}

func (a *attempt) delivery() *Delivery {
	e := &a.item.envelope
	return &Delivery{
		Subscription: a.sub, Options: a.options, Kind: e.Kind, Message: e.Message, Document: a.item.document(a.sub.Source.Name),
		Posted: e.Posted, Attempt: a.number, Trace: e.Note.Trace,
		Subscriber: a.url, Body: a.item.body, TTL: e.TTL, Hops: e.Note.Hops, Origin: e.Note.Origin, Socket: a.socket,
	}
}

// failureOf returns an error of a Sender as a Failure.
func failureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	if f := (*Failure)(nil); errors.As(err, &f) {
		return f
	}
	return &Failure{What: "The delivery failed.", Err: err}
}

// judge does what the outcome of an attempt asks for.
func (n *Notifier) judge(a *attempt, receipt Receipt, f *Failure, ended time.Time) {
	var wait time.Duration
	again := false
	if f != nil && f.Verdict != Disable && (f.Verdict != GiveUp || a.number > 1) {
		wait, again = n.wait(a)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now, took := n.now(), ended.Sub(a.begun)
	cut := f != nil && n.sending.Err() != nil // it failed because the notifier stops
	made := delivery.Attempt{At: a.begun, Took: took, Kind: a.item.envelope.Kind, Message: a.item.envelope.Message, Number: a.number}
	l := a.lane
	switch {
	case f == nil:
		made.Outcome, made.Status = delivery.Delivered, receipt.Status
		n.succeeded(l, took)
		n.done(a.item)
	case cut:
		n.keep(l, a.item, a.number)
		return
	default:
		made.Status, made.Error = f.Status, f.What
		n.log.Debug("an attempt to deliver failed", append(l.attrs(), "attempt", a.number, "error", f)...)
		n.failed(a, f, took, now)
		made.Outcome = n.afterFailure(a, f, wait, again, now)
	}
	n.counters.attempt(made.Outcome, took)
	n.note(l.target, made)
}

// wait asks the retry policy how long to wait before the next attempt; false if
// there is to be none.
func (n *Notifier) wait(a *attempt) (time.Duration, bool) {
	var ofQueue *delivery.RetryPolicy
	if a.item.envelope.Kind == delivery.Notification {
		q, err := n.queues.Queue(n.working, a.lane.target.source)
		if err == nil {
			ofQueue = delivery.QueuePolicy(q.Metadata)
		} else if !errors.Is(err, messaging.NotFound) {
			n.log.Warn("the retry policy of a queue cannot be read", "project", a.lane.target.source.Project, "queue", a.lane.target.source.Name, "error", err)
		}
	}
	return delivery.ChooseRetryPolicy(a.options.RetryPolicy, ofQueue).Wait(a.number + 1)
}

// afterFailure stores what failed with its next wait, or gives it up. The
// caller holds n.mu.
func (n *Notifier) afterFailure(a *attempt, f *Failure, wait time.Duration, again bool, now time.Time) delivery.Outcome {
	first := a.item.envelope.First
	if first.IsZero() {
		first = a.begun
	}
	again = again && now.Add(wait).Before(first.Add(n.config.Lifetime))
	if f.Verdict == Disable && a.sub.Moves == a.lane.sub.Moves { // else it is about an earlier subscriber
		n.disable(a.lane, f.What)
	}
	if !again {
		n.bury(a.lane, a.item, f)
		return delivery.GivenUp
	}
	n.retry(a, f, max(wait, min(f.After, longestHold)))
	return delivery.Retried
}

// longestHold is how long a subscriber can ask to be left alone.
const longestHold = time.Hour

// succeeded is what a delivery means for the lane. The caller holds n.mu.
func (n *Notifier) succeeded(l *lane, took time.Duration) {
	l.fails, l.pause, l.until = 0, 0, time.Time{}
	l.tookLong(took)
	if l.open {
		l.open = false
		n.counters.open.Add(-1)
		n.log.Info("a subscriber answers again", l.attrs()...)
	}
}

// failed is what a failure means for the lane. The caller holds n.mu.
func (n *Notifier) failed(a *attempt, f *Failure, took time.Duration, now time.Time) {
	l := a.lane
	l.fails++
	l.tookLong(took)
	if f.After > 0 {
		n.hold(l, now.Add(min(f.After, longestHold)))
	}
	if l.fails < breakAfter || f.Verdict == GiveUp && a.number == 1 || now.Before(l.until) {
		return
	}
	l.pause = min(max(2*l.pause, firstPause), lastPause)
	if !l.open {
		l.open = true
		n.counters.open.Add(1)
		n.log.Warn("a subscriber does not answer and is left alone for some time", append(l.attrs(), "failures", l.fails, "error", f)...)
	}
	n.hold(l, now.Add(l.pause))
}

// hold keeps the lane from sending for some time: what waits goes to the
// backlog. The caller holds n.mu.
func (n *Notifier) hold(l *lane, until time.Time) {
	if until.After(l.until) {
		l.until = until
	}
	l.behind = true
	for l.waiting.len() > 0 {
		n.spill(n.take(l))
	}
}

// attrs name the lane in logs, without its subscriber: URIs hold secrets.
func (l *lane) attrs() []any {
	return []any{"project", l.target.source.Project, "queue", l.target.source.Name, "topic", l.target.source.Topic, "subscription", l.id}
}

// done ends a delivery that needs nothing more. The caller holds n.mu.
func (n *Notifier) done(it *item) {
	n.load.jobs--
	n.endJob(it)
}
