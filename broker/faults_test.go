package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/storage"
)

// failing is a use case that meets a failing store.
type failing struct {
	name string
	// do runs it on the queue of the messages 0, 1 and 2, which have the ids;
	// the claim holds the first.
	do     func(w *world, ids []messaging.MessageID, claim messaging.ClaimID) error
	calls  int    // to the store, if none fails
	left   string // messages left whatever failed; "*" to leave that to other tests
	silent int    // the call whose failure is only logged
}

var failings = []failing{
	{"ListQueues", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		_, err := w.ListQueues(w.ctx(), w.who, broker.ListQueues{Count: true})
		return err
	}, 2, "0 1 2", 0},
	{"CreateQueue", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		_, err := w.CreateQueue(w.ctx(), w.who, queue("new"), nil)
		return err
	}, 1, "0 1 2", 0},
	{"ShowQueue", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		_, err := w.ShowQueue(w.ctx(), w.who, q)
		return err
	}, 1, "0 1 2", 0},
	{"PatchQueue", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		_, err := w.PatchQueue(w.ctx(), w.who, q, ops("add x 1"))
		return err
	}, 1, "0 1 2", 0},
	{"DeleteQueue", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		return w.DeleteQueue(w.ctx(), w.who, q)
	}, 3, "*", 0},
	{"QueueStats", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		_, _, err := w.QueueStats(w.ctx(), w.who, q)
		return err
	}, 1, "0 1 2", 0},
	{"PurgeQueue", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		return w.PurgeQueue(w.ctx(), w.who, q, broker.Purge{Messages: true, Subscriptions: true})
	}, 2, "*", 0},
	{"BeginPost", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		_, err := w.BeginPost(w.ctx(), w.who, q)
		return err
	}, 1, "0 1 2", 0},
	{"PostMessages", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		_, err := w.PostMessages(w.ctx(), w.who, queue("new"), []broker.Post{{Body: []byte("1")}})
		return err
	}, 4, "0 1 2", 4},
	{"ListMessages", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		_, err := w.ListMessages(w.ctx(), w.who, q, everything())
		return err
	}, 2, "0 1 2", 0},
	{"GetMessages", func(w *world, ids []messaging.MessageID, _ messaging.ClaimID) error {
		_, err := w.GetMessages(w.ctx(), w.who, q, ids)
		return err
	}, 1, "0 1 2", 0},
	{"DeleteMessage", func(w *world, ids []messaging.MessageID, claim messaging.ClaimID) error {
		return w.DeleteMessage(w.ctx(), w.who, q, ids[0], claim)
	}, 1, "0 1 2", 0},
	{"DeleteMessage with a malformed claim", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		return w.DeleteMessage(w.ctx(), w.who, q, "gone", "a/b")
	}, 1, "0 1 2", 0},
	{"DeleteMessages", func(w *world, ids []messaging.MessageID, _ messaging.ClaimID) error {
		return w.DeleteMessages(w.ctx(), w.who, q, ids, nil)
	}, 1, "0 1 2", 0},
	{"PopMessages", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		_, err := w.PopMessages(w.ctx(), w.who, q, 3)
		return err
	}, 2, "0 1 2", 0},
	{"CreateClaim", func(w *world, _ []messaging.MessageID, _ messaging.ClaimID) error {
		_, err := w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{})
		return err
	}, 2, "0 1 2", 0},
	{"CreateClaim that moves dead letters", func(w *world, _ []messaging.MessageID, claim messaging.ClaimID) error {
		if err := w.store.Purge(w.ctx(), q); err != nil {
			return err
		}
		if _, err := w.store.Release(w.ctx(), q, claim); err != nil {
			return err
		}
		_, err := w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{})
		return err
	}, 7, "*", 6},
	{"ShowClaim", func(w *world, _ []messaging.MessageID, claim messaging.ClaimID) error {
		_, err := w.ShowClaim(w.ctx(), w.who, q, claim)
		return err
	}, 1, "0 1 2", 0},
	{"UpdateClaim", func(w *world, _ []messaging.MessageID, claim messaging.ClaimID) error {
		return w.UpdateClaim(w.ctx(), w.who, q, claim, broker.UpdateClaim{})
	}, 1, "0 1 2", 0},
	{"ReleaseClaim", func(w *world, _ []messaging.MessageID, claim messaging.ClaimID) error {
		return w.ReleaseClaim(w.ctx(), w.who, q, claim)
	}, 1, "0 1 2", 0},
}

// TestEveryStoreFailureIsReported lets each call that a use case makes fail in
// turn. The kind must be right, the text must not be the store's, and what the
// failure leaves must be all or nothing.
func TestEveryStoreFailureIsReported(t *testing.T) {
	for _, tt := range failings {
		_, store, err := tt.run(t, func(int) error { return nil })
		wantKind(t, err, "", "%s on a sound store", tt.name)
		wantEqual(t, tt.name+": calls to the store", len(store.calls), tt.calls)
		for n := 1; n <= tt.calls; n++ {
			tt.fails(t, n, errBroken, messaging.Internal)
			tt.fails(t, n, messaging.E(messaging.Unavailable, "The store is full."), messaging.Unavailable)
			tt.fails(t, n, fmt.Errorf("wrapped: %w", messaging.Unavailable), messaging.Unavailable)
			tt.fails(t, n, context.Canceled, messaging.Unavailable)
		}
	}
}

// run runs the use case on a store whose n-th call gives fail(n).
func (f failing) run(t *testing.T, fail func(n int) error) (*world, *faulty, error) {
	w := newWorld(t)
	w.create(q, `{"_max_claim_count":1,"_dead_letter_queue":"d","team":"a"}`)
	ids := w.post(q, "0", "1", "2")
	claim := w.claim(q, 1).Claim.ID
	store := &faulty{Store: w.store}
	w.Broker = w.brokerOn(store, store, broker.Defaults())
	store.fail = func(string) error { return fail(len(store.calls)) }
	err := f.do(w, ids, claim)
	store.fail = nil
	return w, store, err
}

// fails lets the n-th call fail and checks what that gives and leaves.
func (f failing) fails(t *testing.T, n int, cause error, kind messaging.Kind) {
	t.Helper()
	w, store, err := f.run(t, func(i int) error {
		if i == n {
			return cause
		}
		return nil
	})
	if n == f.silent {
		kind = ""
	}
	wantKind(t, err, kind, "%s, call %d (%v) fails with %v", f.name, n, store.calls, cause)
	if err != nil && strings.Contains(clientText(err), "fire") {
		t.Errorf("%s, call %d: the client sees %q", f.name, n, clientText(err))
	}
	if f.left != "*" {
		wantEqual(t, fmt.Sprintf("%s, call %d fails: messages left", f.name, n), w.list(q, everything()), f.left)
	}
	show, _ := w.ShowQueue(w.ctx(), w.who, q)
	if strings.Contains(string(show.JSON()), `"x"`) {
		t.Errorf("%s, call %d fails: metadata is now %s", f.name, n, show.JSON())
	}
}

// clientText is what the client sees.
func clientText(err error) string {
	var e *messaging.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return e.What
}

func TestDeleteQueueCanBeRepeatedAfterAFailure(t *testing.T) {
	for n := 1; n <= 3; n++ {
		w := newWorld(t)
		w.post(q, "1", "2")
		store := &faulty{Store: w.store}
		w.Broker = w.brokerOn(store, store, broker.Defaults())
		store.fail = func(string) error {
			if len(store.calls) == n {
				return errBroken
			}
			return nil
		}
		wantKind(t, w.DeleteQueue(w.ctx(), w.who, q), messaging.Internal, "call %d fails", n)
		store.fail = nil
		left, err := w.store.Scan(w.ctx(), q, storage.Scan{Limit: 10})
		if err != nil || len(left) > 0 && w.names(false) == "" {
			t.Errorf("call %d fails: the queue is gone, but %d messages are there (%v)", n, len(left), err)
		}
		wantKind(t, w.DeleteQueue(w.ctx(), w.who, q), "", "deletion repeated")
		wantEqual(t, "messages", w.list(q, everything()), "")
		wantEqual(t, "queues", w.names(false), "")
	}
}
