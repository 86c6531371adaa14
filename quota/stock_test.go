package quota_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/quota"
	"zaqar/storage"
)

func TestMessagesAndBytes(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitMessages: 10, messaging.LimitMessageBytes: 85})
	w.must(w.post(w.Guard, 4))
	w.must(w.post(w.Guard, 4))
	err := w.post(w.Guard, 1) // 90 bytes
	w.wants(err, messaging.OverQuota)
	if text := err.Error(); !strings.Contains(text, "85 bytes") || !strings.Contains(text, "has 80") {
		t.Errorf("bytes are refused with %q", text)
	}
	w.must(w.Reconfigure(quota.Config{Defaults: messaging.Limits{messaging.LimitMessages: 10}}))
	w.must(w.post(w.Guard, 2))
	err = w.post(w.Guard, 1)
	w.wants(err, messaging.OverQuota)
	if text := err.Error(); !strings.Contains(text, "10 messages and has 10") {
		t.Errorf("messages are refused with %q", text)
	}
	w.wants(w.post(w.Guard, 11), messaging.OverQuota)
	w.clock.advance(time.Minute) // they expire
	w.must(w.post(w.Guard, 10))
	got := w.Stats().Refused
	if got[messaging.LimitMessages] != 2 || got[messaging.LimitMessageBytes] != 1 {
		t.Errorf("counted %v", got)
	}
}

// Many at a time get what there is room for, no more and no less.
func TestExactAtOnce(t *testing.T) {
	for _, limit := range []int64{1, 7, 100} {
		w := newWorld(t, messaging.Limits{messaging.LimitMessages: limit})
		var stored, refused atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for range 20 {
					switch err := w.post(w.Guard, 1); {
					case err == nil:
						stored.Add(1)
					case errors.Is(err, messaging.OverQuota):
						refused.Add(1)
					default:
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if stored.Load() != limit || w.stored() != limit || refused.Load() != 320-limit {
			t.Errorf("limit %d: %d posts succeeded, %d were refused, %d are stored", limit, stored.Load(), refused.Load(), w.stored())
		}
	}
}

// With consumers and producers at the limit nothing is overshot, and nothing
// is refused for ever.
func TestExactWhileDeleting(t *testing.T) {
	const limit = 10
	w := newWorld(t, messaging.Limits{messaging.LimitMessages: limit})
	var posted, popped, over atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if w.post(w.Guard, 3) == nil {
					posted.Add(3)
				}
				s, err := w.store.Stored(context.Background(), p)
				if err != nil || s.Messages > limit {
					over.Add(1)
				}
				list, err := w.store.Pop(context.Background(), q, storage.Take{Limit: 2})
				if err != nil {
					t.Error(err)
				}
				popped.Add(int64(len(list)))
			}
		})
	}
	all.Wait()
	if over.Load() > 0 {
		t.Errorf("the limit was passed %d times", over.Load())
	}
	if posted.Load()-popped.Load() != w.stored() || popped.Load() < 1000 {
		t.Errorf("%d posted, %d taken, %d left", posted.Load(), popped.Load(), w.stored())
	}
}

// What is under way decides: who would pass the limit only with it waits.
func TestWaitsForWhatIsUnderWay(t *testing.T) {
	for _, stores := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, messaging.Limits{messaging.LimitMessages: 1})
			first, err := w.HoldMessages(t.Context(), p, 1, 1)
			w.must(err)
			var second error
			var decided atomic.Bool
			go func() {
				second = w.post(w.Guard, 1)
				decided.Store(true)
			}()
			synctest.Wait()
			if decided.Load() {
				t.Fatalf("decided before the first has: %v", second)
			}
			if stores {
				_, err := w.store.Append(t.Context(), q, "", []messaging.Draft{{TTL: 60, Body: []byte("1")}}, storage.AppendOptions{})
				w.must(err)
			}
			first.Done()
			synctest.Wait()
			if !decided.Load() || errors.Is(second, messaging.OverQuota) != stores || w.stored() != 1 {
				t.Errorf("the first stores: %v; the second: decided %v, %v; %d stored", stores, decided.Load(), second, w.stored())
			}
		})
	}
}

// Of two nodes each can give out what the other one does, for a second.
func TestTwoNodes(t *testing.T) {
	l := messaging.Limits{messaging.LimitMessages: 10}
	w := newWorld(t, l)
	other := w.another(w.store, quota.Config{Defaults: l})
	w.must(w.post(w.Guard, 1))
	w.must(w.post(other, 1))
	for i := range 30 {
		if i%2 == 0 {
			_ = w.post(w.Guard, 1)
		} else {
			_ = w.post(other, 1)
		}
	}
	if n := w.stored(); n < 10 || n > 10+10-1 {
		t.Errorf("%d stored by two nodes with a limit of 10", n)
	}
	// After a second each knows of the other.
	w.clock.advance(time.Second)
	w.wants(w.post(w.Guard, 1), messaging.OverQuota)
	w.wants(w.post(other, 1), messaging.OverQuota)
}

func TestQueuesTopicsSubscriptions(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitQueues: 2, messaging.LimitTopics: 1, messaging.LimitSubscriptions: 1})
	make1 := func(ref messaging.QueueRef) error {
		hold, err := w.HoldQueue(t.Context(), ref)
		if err == nil {
			defer hold.Done()
			_, err = w.store.CreateQueue(t.Context(), ref, nil)
		}
		return err
	}
	w.must(make1(messaging.QueueRef{Project: p, Name: "a"}))
	w.must(make1(messaging.QueueRef{Project: p, Name: "b"}))
	w.wants(make1(messaging.QueueRef{Project: p, Name: "c"}), messaging.OverQuota)
	w.must(make1(messaging.QueueRef{Project: p, Name: "a", Topic: true}))
	w.wants(make1(messaging.QueueRef{Project: p, Name: "b", Topic: true}), messaging.OverQuota)
	w.must(make1(messaging.QueueRef{Project: "other", Name: "c"}))
	w.must(w.store.DeleteQueue(t.Context(), messaging.QueueRef{Project: p, Name: "a"}))
	w.must(make1(messaging.QueueRef{Project: p, Name: "c"}))

	hold, err := w.HoldSubscription(t.Context(), p)
	w.must(err)
	_, _, err = w.store.Subscribe(t.Context(), messaging.Subscription{Source: q, Subscriber: "http://a", TTL: 60})
	w.must(err)
	hold.Done()
	_, err = w.HoldSubscription(t.Context(), p)
	w.wants(err, messaging.OverQuota)
	u, err := w.Usage(t.Context(), p)
	w.must(err)
	if d := cmp.Diff(quota.Usage{Queues: 2, Topics: 1, Subscriptions: 1}, u); d != "" {
		t.Error(d)
	}
	w.clock.advance(time.Minute)
	hold, err = w.HoldSubscription(t.Context(), p)
	w.must(err)
	hold.Done()
}
