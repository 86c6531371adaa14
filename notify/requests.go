package notify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/storage"
)

// Registrar is what a Sender may be as well: one that needs something of others
// for each subscription, which it gets when the subscription is made.
type Registrar interface {
	// Register gets it and notes it in the subscription's options. An error has
	// a kind, and means that nothing was left behind.
	Register(ctx context.Context, who messaging.Caller, sub *messaging.Subscription) error
	// Unregister gives it back.
	Unregister(ctx context.Context, sub *messaging.Subscription) error
}

// Check says whether a subscription could be served: nil, or Invalid with a
// sentence for the client.
func (n *Notifier) Check(ctx context.Context, sub *messaging.Subscription) error {
	_, err := n.check(ctx, sub)
	return err
}

// Admit is Check for a subscription that is about to be stored: what its Sender
// needs of others it gets now and notes in the options, in the name of who. It
// is given back by Forget.
func (n *Notifier) Admit(ctx context.Context, who messaging.Caller, sub *messaging.Subscription) error {
	sender, err := n.check(ctx, sub)
	if err != nil {
		return err
	}
	if r, ok := sender.(Registrar); ok {
		return r.Register(ctx, who, sub)
	}
	return nil
}

// check returns who serves a subscription.
func (n *Notifier) check(ctx context.Context, sub *messaging.Subscription) (Sender, error) {
	u, err := url.Parse(sub.Subscriber)
	if err != nil || u.Scheme == "" {
		return nil, messaging.E(messaging.Invalid, "subscriber must be a URI.")
	}
	sender := n.senders[strings.ToLower(u.Scheme)]
	if sender == nil {
		return nil, messaging.E(messaging.Invalid, "subscriber must not be a URI of the scheme "+messaging.Quoted(u.Scheme)+": this server does not serve it.")
	}
	o, err := delivery.ParseOptions(sub.Options)
	if err != nil {
		return nil, err
	}
	if err := sender.Check(ctx, u, o); err != nil {
		return nil, err
	}
	if i, ok := sender.(Inspector); ok {
		if err := i.Inspect(ctx, sub, u); err != nil {
			return nil, err
		}
	}
	return sender, nil
}

// Confirm stores a document for the subscriber that asks for confirmation, or
// tells of the end of the subscription, and is valid until expires. It is
// attempted like a message. Who was written to several times in the last minutes is left
// alone: Exceeded.
func (n *Notifier) Confirm(ctx context.Context, sub messaging.Subscription, kind delivery.Kind, expires time.Time) error {
	if n.agreed(&sub) {
		return nil
	}
	if err := n.asked.take(&sub, n.now()); err != nil {
		return err
	}
	text, err := n.render(ctx, &sub, kind, expires)
	if err != nil {
		return err
	}
	now := n.now()
	e := delivery.Envelope{Kind: kind, Index: sub.Moves, Message: messaging.MessageID(strings.ToLower(rand.Text())), Posted: now, First: now, Body: text}
	return n.put(ctx, &sub, []messaging.Draft{{TTL: n.backlogTTL(), Body: e.Append(nil)}})
}

// MayAsk says whether Confirm could be called for the subscription now, as far as
// its project is concerned: nil, or Exceeded.
func (n *Notifier) MayAsk(sub *messaging.Subscription) error {
	if n.agreed(sub) {
		return nil
	}
	return n.asked.room(sub.Source.Project, n.now())
}

// agreed reports whether the subscriber needs no confirmation by its kind.
func (n *Notifier) agreed(sub *messaging.Subscription) bool {
	u, err := url.Parse(sub.Subscriber)
	if err != nil {
		return false
	}
	_, agreed := n.senders[strings.ToLower(u.Scheme)].(Agreed)
	return agreed
}

func (n *Notifier) backlogTTL() int64 {
	return int64((longestOutage + n.config.Lifetime + slack) / time.Second)
}

// put appends to the backlog of a subscription, and has it looked at.
func (n *Notifier) put(ctx context.Context, sub *messaging.Subscription, drafts []messaging.Draft) error {
	_, err := n.data.Append(ctx, sub.Source.In(messaging.Backlog(sub.ID)), poster, drafts, storage.AppendOptions{})
	if err == nil {
		n.lookFor(sub.Source, sub)
	}
	return err
}

// Forget lets go of all that belongs to a subscription that was removed. Without
// an ID that is only what its options name.
func (n *Notifier) Forget(ctx context.Context, sub messaging.Subscription) {
	if u, err := url.Parse(sub.Subscriber); err == nil {
		if r, ok := n.senders[strings.ToLower(u.Scheme)].(Registrar); ok {
			if err := r.Unregister(ctx, &sub); err != nil {
				n.log.Warn("what a subscription was granted could not be given back", "project", sub.Source.Project, "subscription", sub.ID, "error", err)
			}
		}
	}
	if sub.ID == "" {
		return
	}
	n.mu.Lock()
	if s := n.sources[sub.Source]; s != nil && s.lanes[sub.ID] != nil {
		s.lanes[sub.ID].gone = true
	}
	n.mu.Unlock()
	for _, p := range []messaging.Part{messaging.Backlog(sub.ID), messaging.Failed(sub.ID)} {
		if err := n.data.Drop(ctx, sub.Source.In(p)); err != nil {
			n.log.Warn("what waits for a subscription that is gone is removed later", "project", sub.Source.Project, "subscription", sub.ID, "error", err)
		}
	}
}

// Resume has a subscription that was changed or confirmed delivered to again, as
// if nothing had failed, and looks at its backlog.
func (n *Notifier) Resume(ctx context.Context, sub messaging.Subscription) {
	now, fails := n.now(), n.fails(sub)
	stored, err := n.data.AmendSubscription(ctx, sub.Source, sub.ID, func(sub *messaging.Subscription) error {
		s := delivery.ReadState(sub.State)
		if s.Disabled.IsZero() && s.Failing.IsZero() && !fails {
			return errUnchanged
		}
		s.Resume(now)
		sub.State = s.Append(nil)
		return nil
	})
	switch {
	case errors.Is(err, errUnchanged):
		stored = sub
	case err != nil:
		n.log.Warn("a subscription cannot be enabled again", "project", sub.Source.Project, "subscription", sub.ID, "error", err)
		return
	}
	n.mu.Lock()
	if r := n.records[target{sub.Source, sub.ID}]; r != nil {
		r.reason, r.state.Failing = "", time.Time{}
	}
	if l := n.laneFor(n.sourceOf(sub.Source), &stored); l != nil {
		n.closeBreaker(l)
		l.fails, l.pause, l.until, l.late = 0, 0, time.Time{}, inDoubt
		n.rejoin(l)
		n.look(l)
	}
	n.mu.Unlock()
}

// fails reports whether failures of a subscription may be on their way into it.
func (n *Notifier) fails(sub messaging.Subscription) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.sources[sub.Source]; s != nil && s.lanes[sub.ID] != nil {
		return s.lanes[sub.ID].disabled || s.lanes[sub.ID].fails > 0
	}
	return n.records[target{sub.Source, sub.ID}] != nil
}

var errUnchanged = errors.New("nothing changes")

// replayRoom is how many deliveries may wait for a subscription of which all
// are to be made again. Nobody counts them, and they would add up.
const replayRoom = 1000

// Replay has deliveries made once more, and returns how many. Conflict: many
// wait already.
func (n *Notifier) Replay(ctx context.Context, sub messaging.Subscription, what delivery.Replay) (int, error) {
	switch what.What {
	case delivery.AgainFailed:
		return n.replayFailed(ctx, &sub, what.Since)
	case delivery.AgainAll:
		t, err := n.data.Tally(ctx, sub.Source.In(messaging.Backlog(sub.ID)))
		switch {
		case err != nil:
			return 0, err
		case t.Total >= replayRoom:
			return 0, messaging.E(messaging.Conflict, fmt.Sprintf("%d deliveries of the subscription wait to be made. All can be made again when fewer than %d do.", t.Total, replayRoom))
		}
		return n.replayAll(ctx, &sub, what.Since)
	}
	return 0, messaging.E(messaging.Invalid, "what must be failed or all.")
}

// replayLot is how many deliveries are replayed at once.
const replayLot = 100

// replayFailed takes what was given up back into the backlog: first it is there,
// then it is removed here.
func (n *Notifier) replayFailed(ctx context.Context, sub *messaging.Subscription, since time.Time) (total int, err error) {
	part, begun := sub.Source.In(messaging.Failed(sub.ID)), n.now()
	var after messaging.Position
	for {
		found, err := n.data.Scan(ctx, part, storage.Scan{After: after, Limit: replayLot, Claimed: true, Delayed: true})
		if err != nil || len(found) == 0 || !found[0].Posted.Before(begun) { // it was given up again
			return total, err
		}
		after = found[len(found)-1].Position
		var drafts []messaging.Draft
		var ids []messaging.MessageID
		for _, m := range found {
			e, err := delivery.ReadEnvelope(m.Body)
			if err != nil || e.Posted.Before(since) {
				continue
			}
			e.Attempts, e.First, e.Status, e.Error = 0, n.now(), 0, ""
			drafts = append(drafts, messaging.Draft{TTL: n.backlogTTL(), Body: e.Append(nil), Key: m.Key, Checksum: m.Checksum})
			ids = append(ids, m.ID)
		}
		if len(drafts) == 0 {
			continue
		}
		if err := n.put(ctx, sub, drafts); err != nil {
			return total, err
		}
		total += len(drafts)
		if err := n.data.Remove(ctx, part, ids, storage.Hold{}); err != nil {
			return total, err
		}
	}
}

// replayAll puts messages that are still there into the backlog.
func (n *Notifier) replayAll(ctx context.Context, sub *messaging.Subscription, since time.Time) (total int, err error) {
	options, _ := delivery.ParseOptions(sub.Options)
	begun := n.now()
	var after messaging.Position
	for {
		found, err := n.data.Scan(ctx, sub.Source, storage.Scan{After: after, Limit: replayLot, Claimed: true, Delayed: true})
		if err != nil || len(found) == 0 || found[0].Posted.After(begun) { // it is delivered without that
			return total, err
		}
		after = found[len(found)-1].Position
		var drafts []messaging.Draft
		for _, m := range found {
			if m.Posted.Before(since) || !n.passes(sub, options, m) {
				continue
			}
			e := delivery.Envelope{Kind: delivery.Notification, Message: m.ID, TTL: m.TTL, Posted: m.Posted, First: n.now(), Body: m.Body}
			if !m.Available.IsZero() {
				e.Delay = int64(m.Available.Sub(m.Posted) / time.Second)
			}
			drafts = append(drafts, messaging.Draft{TTL: n.backlogTTL(), Body: e.Append(nil), Key: m.Key, Checksum: m.Checksum})
		}
		if len(drafts) == 0 {
			continue
		}
		if err := n.put(ctx, sub, drafts); err != nil {
			return total, err
		}
		total += len(drafts)
	}
}

// passes reports whether a stored message can be opened and passes the filter.
func (n *Notifier) passes(sub *messaging.Subscription, o *delivery.Options, m messaging.Message) bool {
	if err := n.open(sub.Source.Project, &m); err != nil {
		return false
	}
	return matches(o, m.Body)
}
