package broker_test

import (
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
)

// What the notifier has not written yet is written for whoever looks.
func TestDeliveriesAreRecordedFirst(t *testing.T) {
	w, n, store := notified(t)
	id := w.subscribe(q, hook)
	store.calls = nil
	store.after = func(method string) { n.log = append(n.log, method) }
	if _, err := w.ShowDeliveries(w.ctx(), w.who, q, id); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "first calls", n.log[:2], []string{"record", "Subscription"})
}

func TestDeliveryStateOfABrokenStore(t *testing.T) {
	w := newWorld(t)
	id := w.subscribe(q, hook)
	_, err := w.store.AmendSubscription(w.ctx(), q, id, func(sub *messaging.Subscription) error {
		sub.State, sub.Secrets = []byte("nonsense"), []byte("nonsense")
		return nil
	})
	wantKind(t, err, "", "amend")
	d, err := w.ShowDeliveries(w.ctx(), w.who, q, id)
	wantKind(t, err, "", "deliveries")
	wantEqual(t, "state", d, broker.Deliveries{})
	_, err = w.ShowSecrets(w.ctx(), w.who, q, id)
	wantKind(t, err, messaging.Internal, "secrets")
	_, err = w.RotateSecret(w.ctx(), w.who, q, id)
	wantKind(t, err, messaging.Internal, "rotation")
}
