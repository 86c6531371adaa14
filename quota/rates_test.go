package quota_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/quota"
)

func TestRequestRate(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitRequests: 10, messaging.LimitRequestBurst: 3})
	for i := range 3 {
		if wait := w.enter(p, 1); wait != 0 {
			t.Fatalf("request %d waits %v", i, wait)
		}
	}
	if wait := w.enter(p, 1); wait != 100*time.Millisecond {
		t.Errorf("beyond the burst: wait %v", wait)
	}
	if wait := w.enter("other", 1); wait != 0 {
		t.Errorf("another project waits %v", wait)
	}
	w.clock.advance(100*time.Millisecond - 1)
	if w.enter(p, 1) != 1 {
		t.Error("let in too early")
	}
	w.clock.advance(1)
	if w.enter(p, 1) != 0 || w.enter(p, 1) == 0 {
		t.Error("after 100 ms there is not exactly one more")
	}
	w.clock.advance(time.Hour)
	for range 3 {
		w.enter(p, 1)
	}
	if w.enter(p, 1) == 0 {
		t.Error("a pause is worth more than the burst")
	}
}

// Over any time the rate is kept to the burst, whatever the rhythm.
func TestRequestRateOverTime(t *testing.T) {
	for _, rate := range []int64{1, 7, 1000, 33_333} {
		w := newWorld(t, messaging.Limits{messaging.LimitRequests: rate})
		passed := int64(0)
		const steps = 5_000
		step := 10 * time.Second / steps
		for range steps {
			w.clock.advance(step)
			for w.enter(p, 0) == 0 {
				passed++
			}
		}
		if most := rate * 11; passed > most || passed < most*999/1000-1 {
			t.Errorf("at %d/s %d passed in 10 s after a burst of a second", rate, passed)
		}
	}
}

func TestRequestsAtOnce(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitRequests: 100})
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 50 {
				if v, err := w.Enter(context.Background(), p); err == nil {
					passed.Add(1)
					v.Leave(0)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d of 800 passed, want 100", passed.Load())
	}
	if n := w.Stats().Refused[messaging.LimitRequests]; n != 700 {
		t.Errorf("%d counted as refused, want 700", n)
	}
}

func TestByteRate(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitByteRate: 1000, messaging.LimitByteBurst: 5000})
	if w.enter(p, 4999) != 0 || w.enter(p, 10_001) != 0 {
		t.Fatal("refused though something was left")
	}
	if wait := w.enter(p, 0); wait < 10*time.Second || wait > 10*time.Second+time.Millisecond {
		t.Errorf("10,000 bytes in debt: wait %v", wait)
	}
	w.clock.advance(10*time.Second + time.Millisecond)
	if w.enter(p, 100_000) != 0 {
		t.Error("refused though the debt is paid")
	}
	// A reload that changes nothing forgives nothing.
	w.must(w.Reconfigure(quota.Config{Defaults: messaging.Limits{messaging.LimitByteRate: 1000, messaging.LimitByteBurst: 5000}}))
	if wait := w.enter(p, 0); wait < 90*time.Second {
		t.Errorf("after a reload without a change: wait %v", wait)
	}
	// An administrator need not wait for debts under the old limit.
	w.must(w.Reconfigure(quota.Config{Defaults: messaging.Limits{messaging.LimitByteRate: 2000}}))
	if w.enter(p, 0) != 0 {
		t.Error("an old debt outlives a new limit")
	}
	if n := w.Stats().Refused[messaging.LimitByteRate]; n != 2 {
		t.Errorf("%d refusals counted", n)
	}
}

// The numbers may be as large as they are allowed to be.
func TestExtremeRates(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitRequests: messaging.MaxLimit, messaging.LimitByteRate: 1, messaging.LimitByteBurst: messaging.MaxLimit})
	for range 10 {
		if w.enter(p, 1<<20) != 0 {
			t.Fatal("refused")
		}
	}
	w = newWorld(t, messaging.Limits{messaging.LimitByteRate: 1})
	for range 3 {
		w.enter(p, 1<<62)
	}
	if wait := w.enter(p, 0); wait < 24*365*time.Hour {
		t.Errorf("2^62 bytes at one a second: wait %v", wait)
	}
}

// A clock that is set back neither blocks nor panics for longer than it was set
// back.
func TestClockSetBack(t *testing.T) {
	w := newWorld(t, messaging.Limits{messaging.LimitRequests: 1})
	w.clock.advance(time.Hour)
	w.enter(p, 0)
	w.clock.advance(-2 * time.Hour)
	_ = w.enter(p, 0)
	w.clock.advance(2*time.Hour + time.Second)
	if w.enter(p, 0) != 0 {
		t.Error("still refused when the clock is back where it was")
	}
}
