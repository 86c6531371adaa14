package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"zaqar/storage"

	"zaqar/auth/policy"
	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// trustee is a notifier that makes a trust for every subscriber that brings
// none, and counts those that are left.
type trustee struct {
	made    int
	trusts  map[string]bool
	log     []string
	refuse  error // of Admit
	confirm error // of Confirm
	full    error // of MayAsk
}

func (n *trustee) Check(context.Context, *messaging.Subscription) error { return n.refuse }

func (n *trustee) Admit(_ context.Context, _ messaging.Caller, sub *messaging.Subscription) error {
	if n.refuse != nil {
		return n.refuse
	}
	if o, _ := delivery.ParseOptions(sub.Options); o.TrustID == "" {
		n.made++
		id := fmt.Sprint("t", n.made)
		n.trusts[id] = true
		sub.Options = fmt.Appendf(nil, `{"trust_id":%q}`, id)
	}
	return nil
}

func (n *trustee) MayAsk(*messaging.Subscription) error { return n.full }

func (n *trustee) Confirm(_ context.Context, sub messaging.Subscription, kind delivery.Kind, _ time.Time) error {
	n.log = append(n.log, fmt.Sprint(kind, " ", sub.Subscriber))
	return n.confirm
}

func (n *trustee) Forget(_ context.Context, sub messaging.Subscription) {
	o, _ := delivery.ParseOptions(sub.Options)
	delete(n.trusts, o.TrustID)
	if sub.ID != "" {
		n.log = append(n.log, "forget "+sub.Subscriber)
	}
}

func (n *trustee) Resume(_ context.Context, sub messaging.Subscription) {
	n.log = append(n.log, "resume "+sub.Subscriber)
}

func (n *trustee) Record(context.Context, messaging.QueueRef, messaging.SubscriptionID) {
	n.log = append(n.log, "record")
}

func (n *trustee) Replay(context.Context, messaging.Subscription, delivery.Replay) (int, error) {
	return 3, n.refuse
}

// notified is a world with a notifier, on a store that can fail.
func notified(t *testing.T, edits ...func(*broker.Config)) (*world, *trustee, *faulty) {
	t.Helper()
	w := newWorld(t)
	n, store := &trustee{trusts: map[string]bool{}}, &faulty{Store: w.store}
	b, err := broker.New(config(edits...), broker.Parts{Control: store, Data: store, Policy: policy.Default(), Notifier: n,
		Now: w.clock.now, Log: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	w.Broker = b
	return w, n, store
}

var (
	_ broker.Notifier = (*trustee)(nil)
	_ storage.Data    = (*faulty)(nil)
)
