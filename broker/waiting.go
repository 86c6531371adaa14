package broker

import (
	"context"
	"time"

	"zaqar/messaging"
	"zaqar/quota"
)

// finding is what one look into the store brought.
type finding struct {
	some bool // what was waited for is there
	all  bool // as much as was asked for, so there may be more
}

// Waiter is the place of a request that waits outside of the broker. The zero
// value takes no place yet.
//
// A use case that gets a Waiter waits for Patience at most. If Waits says so
// afterwards, its empty answer is not the last word: the caller keeps the
// Waiter, has itself called by Notify or after the time that is Left, and
// repeats the use case. Who does not come back calls Leave.
type Waiter struct {
	Patience time.Duration

	seat  *seat
	hold  quota.Hold
	until time.Time
	left  time.Duration
}

// Waits reports whether the wait is not over.
func (w *Waiter) Waits() bool { return w.seat != nil }

// Left is after what time the use case is to be repeated at the latest.
func (w *Waiter) Left() time.Duration { return w.left }

// Notify has call called, once, when something may have come; at once, if it
// already has. call must not block nor use the broker.
func (w *Waiter) Notify(call func()) { w.seat.sleepOn(call) }

// Leave gives the place up. A message that the place was called for is the
// next one's.
func (w *Waiter) Leave() {
	if w.seat != nil {
		w.seat.leave()
		w.hold.Done()
		w.seat = nil
	}
}

// await looks until something is found, for at most the given seconds. With 0
// it looks once. After the wait it looks a last time, because another node may
// have changed the store. What is found is kept by look itself; finding
// nothing is no error, and an error of look ends the wait. When ctx ends, the
// wait does at once. Without a Waiter the whole wait is here.
func (b *Broker) await(ctx context.Context, q messaging.QueueRef, claimer bool, seconds int64, w *Waiter, look func() (finding, error)) error {
	here := w == nil
	if here {
		w = new(Waiter)
	}
	if !w.Waits() {
		if found, err := look(); err != nil || found.some || seconds == 0 {
			return err
		}
		hold, err := b.quotas.HoldWait(ctx, q.Project)
		if err != nil {
			return err
		}
		w.until = b.now().Add(time.Duration(seconds) * time.Second)
		w.seat, w.hold = b.waiters.take(q, claimer), hold
		if w.seat == nil {
			hold.Done()
			return nil
		}
		if err := w.seat.prepare(ctx); err != nil {
			w.Leave()
			return fault(err)
		}
	}
	over, err := b.watch(ctx, w, here, look)
	if over || err != nil {
		w.Leave()
	} else {
		w.left = w.until.Sub(b.now())
	}
	return err
}

// watch looks, sleeps and looks again, until the wait is over or the caller's
// patience ends.
func (b *Broker) watch(ctx context.Context, w *Waiter, here bool, look func() (finding, error)) (over bool, err error) {
	left := w.until.Sub(b.now())
	patience := left
	if !here {
		patience = min(left, w.Patience)
	}
	end := time.NewTimer(patience)
	defer end.Stop()
	called := make(chan struct{}, 1)
	wake := func() {
		select {
		case called <- struct{}{}:
		default:
		}
	}
	for last := left <= 0; ; {
		v := w.seat.watch()
		found, err := look()
		if err != nil {
			return true, err
		}
		w.seat.looked(found.all)
		if found.some || last {
			return true, nil
		}
		select {
		case <-called: // of a wake-up that came when the seat had got up
		default:
		}
		w.seat.sleep(v, wake)
		select {
		case <-called:
		case <-end.C:
			if patience < left {
				return b.waiters.closing.Err() != nil, nil
			}
			last = true
		case <-b.waiters.closing.Done():
			return true, nil
		case <-ctx.Done():
			return true, fault(ctx.Err())
		}
	}
}

// Waiting returns how many requests wait for messages now.
func (b *Broker) Waiting() int { return int(b.waiters.seated.Load()) }

// checkWait refuses waits longer than configured, when they begin.
func (s *setup) checkWait(seconds int64, w *Waiter) error {
	if w != nil && w.Waits() {
		return nil
	}
	return ranged("wait", seconds, 0, s.MaxWait)
}
