package broker_test

import (
	"context"
	"strings"
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/storage"
)

const allSteps = "create_queue post_messages claim_messages list_messages delete_messages delete_claim bulk_delete_messages delete_queue"

func stepNames(h broker.Health) (names, failed string) {
	for _, s := range h.Steps {
		names += s.Name + " "
		if !s.Succeeded {
			failed += s.Name + " "
		}
	}
	return strings.TrimSpace(names), strings.TrimSpace(failed)
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	w.post(q, "1", "2", "3")
	w.post(topic("t"), "4")
	if err := w.store.Drop(w.ctx(), queue("x")); err != nil {
		t.Fatal(err)
	}
	w.claim(q, 2)
	h, err := w.Health(w.ctx(), w.who)
	if err != nil {
		t.Fatal(err)
	}
	names, failed := stepNames(h)
	wantEqual(t, "steps", names, allSteps)
	wantEqual(t, "failed", failed, "")
	wantEqual(t, "reachable", h.StorageReachable, true)
	wantEqual(t, "free and claimed", []int{h.Free, h.Claimed}, []int{2, 2})
	for _, s := range h.Steps {
		if s.Ref != "" || s.Seconds < 0 {
			t.Errorf("step %+v", s)
		}
	}
}

func TestHealthOfAFailingStore(t *testing.T) {
	for _, tt := range []struct {
		method string // which fails
		want   string // steps done
		failed string
	}{
		{"CreateQueue", "create_queue", "create_queue"},
		{"Append", "create_queue post_messages delete_queue", "post_messages"},
		{"Claim", "create_queue post_messages claim_messages list_messages bulk_delete_messages delete_queue", "claim_messages"},
		{"Scan", allSteps, "list_messages"},
		{"Remove", allSteps, "delete_messages bulk_delete_messages"},
		{"Release", allSteps, "delete_claim"},
		{"DeleteQueue", allSteps, "delete_queue"},
		{"Drop", allSteps, "delete_queue"},
	} {
		w := newWorld(t)
		store := &faulty{Store: w.store}
		w.Broker = w.brokerOn(store, store, broker.Defaults())
		var probed messaging.QueueRef
		fails := 2 // so that the clean-up succeeds
		store.fail = func(method string) error {
			if method == tt.method && fails > 0 {
				if tt.method == "DeleteQueue" || tt.method == "Drop" {
					fails = 0
				}
				return errBroken
			}
			return nil
		}
		h, err := w.Health(w.ctx(), w.who)
		if err != nil || !h.StorageReachable {
			t.Errorf("%s fails: reachable %v, %v", tt.method, h.StorageReachable, err)
			continue
		}
		names, failed := stepNames(h)
		wantEqual(t, tt.method+" fails: steps", names, tt.want)
		wantEqual(t, tt.method+" fails: failed", failed, tt.failed)
		for _, s := range h.Steps {
			if (s.Ref != "") == s.Succeeded {
				t.Errorf("%s fails: step %+v", tt.method, s)
			}
			if s.Ref != "" && !strings.Contains(w.log.String(), s.Ref) {
				t.Errorf("%s fails: the log does not name %s", tt.method, s.Ref)
			}
		}
		total, _, err := w.store.Volume(w.ctx())
		if err != nil || total != 0 {
			t.Errorf("%s fails: %d messages are left (%v) in %v", tt.method, total, err, probed)
		}
	}
}

func TestHealthWithoutStore(t *testing.T) {
	w := newWorld(t)
	store := &faulty{Store: w.store}
	w.Broker = w.brokerOn(store, store, broker.Defaults())
	store.fail = func(string) error { return messaging.E(messaging.Unavailable, "The store is away.") }
	h, err := w.Health(w.ctx(), w.who)
	wantKind(t, err, "", "health")
	wantEqual(t, "health", h, broker.Health{})
	wantKind(t, w.Ping(w.ctx(), w.who), messaging.Unavailable, "ping")

	store.fail = func(method string) error {
		if method == "Volume" {
			return errBroken
		}
		return nil
	}
	_, err = w.Health(w.ctx(), w.who)
	wantKind(t, err, messaging.Internal, "health of a store that cannot count")
	wantKind(t, w.Ping(w.ctx(), w.who), "", "ping")
}

// TestHealthCleansUpAfterItsCaller cancels the request in the middle.
func TestHealthCleansUpAfterItsCaller(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(w.ctx())
	store := &faulty{Store: w.store}
	var probed messaging.QueueRef
	w.Broker = w.brokerOn(store, appendSpy{store, &probed}, broker.Defaults())
	store.after = func(method string) {
		if method == "Append" {
			cancel()
		}
	}
	if _, err := w.Health(ctx, w.who); err == nil {
		t.Error("a cancelled request tells the volume")
	}
	if total, _, _ := w.store.Volume(w.ctx()); total != 0 {
		t.Errorf("%d messages are left", total)
	}
	if n, err := w.store.CountQueues(w.ctx(), probed.Project, false); n != 0 || err != nil || probed.Project == "" {
		t.Errorf("%d queues are left in %q (%v)", n, probed.Project, err)
	}
}

// appendSpy notes the queue of the last Append.
type appendSpy struct {
	*faulty
	queue *messaging.QueueRef
}

func (s appendSpy) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	*s.queue = q
	return s.faulty.Append(ctx, q, by, drafts, o)
}

func TestPingAsksBothStores(t *testing.T) {
	for _, down := range []string{"control", "data"} {
		w := newWorld(t)
		control, data := &faulty{Store: w.store}, &faulty{Store: w.store}
		w.Broker = w.brokerOn(control, data, broker.Defaults())
		wantKind(t, w.Ping(w.ctx(), w.who), "", "both up")
		broken := func(string) error { return messaging.E(messaging.Unavailable, "Away.") }
		if down == "control" {
			control.fail = broken
		} else {
			data.fail = broken
		}
		wantKind(t, w.Ping(w.ctx(), w.who), messaging.Unavailable, "%s down", down)
	}
}
