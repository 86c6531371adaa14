package broker_test

import (
	"errors"
	"strings"
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// A subscription stands, whether or not the subscriber could be asked.
func TestConfirmationsThatCannotBeSent(t *testing.T) {
	w, n, _ := notified(t, func(c *broker.Config) { c.RequireConfirmation = true })
	n.confirm = messaging.Wrap(messaging.Unavailable, "No.", errors.New("full"))
	id := w.subscribe(q, hook)
	wantKind(t, w.ConfirmSubscription(w.ctx(), w.who, q, id, true), "", "confirm")
	wantKind(t, w.ConfirmSubscription(w.ctx(), w.who, q, id, false), "", "take it back")
	wantEqual(t, "told", n.log, []string{"SubscriptionConfirmation " + hook, "resume " + hook, "UnsubscribeConfirmation " + hook})
	if got := strings.Count(w.log.String(), "cannot be told about confirmation"); got != 2 || !strings.Contains(w.log.String(), "full") {
		t.Errorf("%d records: %s", got, w.log)
	}
}

// Without confirmations nobody is asked, and confirming is as possible.
func TestConfirmationsThatAreNotRequired(t *testing.T) {
	w, n, _ := notified(t)
	id := w.subscribe(q, hook)
	w.subscribe(q, hook)
	wantKind(t, w.ConfirmSubscription(w.ctx(), w.who, q, id, false), "", "take it back")
	wantKind(t, w.ConfirmSubscription(w.ctx(), w.who, q, id, true), "", "confirm")
	wantEqual(t, "told", n.log, []string{"resume " + hook})
}

// Whoever may get nothing any more cannot be confirmed, but can leave.
func TestConfirmationsOfTheRefused(t *testing.T) {
	w, n, _ := notified(t)
	id := w.subscribe(q, hook)
	n.refuse = messaging.E(messaging.Invalid, "No.")
	wantKind(t, w.ConfirmSubscription(w.ctx(), w.who, q, id, true), messaging.Invalid, "confirm")
	sub, _, err := w.ShowSubscription(w.ctx(), w.who, q, id)
	if err != nil || sub.Confirmed {
		t.Errorf("%+v, %v", sub, err)
	}
	wantKind(t, w.ConfirmSubscription(w.ctx(), w.who, q, id, false), "", "take it back")
	wantKind(t, w.ConfirmSubscription(w.ctx(), w.who, q, "nope", true), messaging.NotFound, "unknown")
	wantEqual(t, "told", n.log, []string(nil))
}

// What would have too many asked is refused before anything is stored, and
// everything else goes on.
func TestTooManyConfirmations(t *testing.T) {
	w, n, _ := notified(t, func(c *broker.Config) { c.RequireConfirmation = true })
	id := w.subscribe(q, hook)
	n.full, n.log = messaging.E(messaging.Exceeded, "Enough."), nil
	create := func(q messaging.QueueRef, subscriber string) error {
		_, err := w.CreateSubscription(w.ctx(), w.who, q, broker.CreateSubscription{Subscriber: subscriber})
		return err
	}
	wantKind(t, create(queue("new"), "http://new.example/"), messaging.Exceeded, "another one")
	wantEqual(t, "queues", w.names(false), q.Name)
	wantKind(t, create(q, hook), messaging.Exceeded, "once more")
	other := "http://new.example/"
	wantKind(t, w.UpdateSubscription(w.ctx(), w.who, q, id, broker.UpdateSubscription{Subscriber: &other}), messaging.Exceeded, "another subscriber")
	wantEqual(t, "subscriber", w.subscription(q, id).Subscriber, hook)
	wantEqual(t, "told", len(n.log), 0)
	same, ttl := hook, int64(600)
	wantKind(t, w.UpdateSubscription(w.ctx(), w.who, q, id, broker.UpdateSubscription{Subscriber: &same, TTL: &ttl}), "", "the same subscriber")
	wantKind(t, w.ConfirmSubscription(w.ctx(), w.who, q, id, true), "", "confirm")

	w, n, _ = notified(t) // nobody is asked
	n.full = messaging.E(messaging.Exceeded, "Enough.")
	w.subscribe(q, hook)
}

// A subscriber that is put back while somebody else changes it is asked anew:
// what it was sent before is of no use.
func TestConfirmationsOfConcurrentChanges(t *testing.T) {
	w, n, store := notified(t, func(c *broker.Config) { c.RequireConfirmation = true })
	id := w.subscribe(q, hook)
	to := func(subscriber string) error {
		return w.UpdateSubscription(w.ctx(), w.who, q, id, broker.UpdateSubscription{Subscriber: &subscriber})
	}
	n.log = nil
	store.fail = func(method string) error {
		if method == "AmendSubscription" {
			store.fail = nil
			return to("http://other.example/")
		}
		return nil
	}
	wantKind(t, to(hook), "", "put back")
	wantEqual(t, "changes", w.subscription(q, id).Moves, 2)
	wantEqual(t, "told", n.log, []string{
		"SubscriptionConfirmation http://other.example/", "resume http://other.example/", "SubscriptionConfirmation " + hook, "resume " + hook})
}

// Whoever is put in place of a WebSocket, which need not confirm, has to.
func TestConfirmationsAfterAWebSocket(t *testing.T) {
	w, _, _ := notified(t, func(c *broker.Config) { c.RequireConfirmation = true })
	id := w.subscribe(q, hook)
	_, err := w.store.AmendSubscription(w.ctx(), q, id, func(sub *messaging.Subscription) error {
		sub.State = (&delivery.State{Socket: true, Delivered: 7}).Append(nil)
		return nil
	})
	wantKind(t, err, "", "amend")
	for _, c := range []struct {
		subscriber string
		socket     bool
	}{{hook, true}, {"http://other.example/", false}} {
		wantKind(t, w.UpdateSubscription(w.ctx(), w.who, q, id, broker.UpdateSubscription{Subscriber: &c.subscriber}), "", "update")
		s := delivery.ReadState(w.subscription(q, id).State)
		wantEqual(t, c.subscriber, s, delivery.State{Socket: c.socket, Delivered: 7})
	}
}
