package workers

import (
	"context"
	"sync/atomic"
	"time"
)

// pace says when posts are due: at a rate, whichever worker is free makes the
// next one. A post that could not be made in time is late, and its latency
// counts from when it was due: a slow server does not slow the clock that it is
// measured by.
type pace struct {
	begin, end time.Time
	rate       float64 // 0: at once
	taken      atomic.Int64
}

// at returns when the nth post is due.
func (p *pace) at(n int64) time.Time {
	return p.begin.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
}

// next waits until a post is due. ok is false when the time is over.
func (p *pace) next(ctx context.Context) (due time.Time, ok bool) {
	now := time.Now()
	if p.rate == 0 {
		return now, ctx.Err() == nil && now.Before(p.end)
	}
	due = p.at(p.taken.Add(1) - 1)
	if !due.Before(p.end) || !now.Before(p.end) {
		return due, false
	}
	if wait := due.Sub(now); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return due, ctx.Err() == nil
}

// missed returns how many posts were due in the time until the end and not
// made, when so many were.
func (p *pace) missed(made int64, end time.Time) int64 {
	if p.rate == 0 {
		return 0
	}
	due := int64(0)
	if d := end.Sub(p.begin).Seconds(); d > 0 {
		due = int64(d * p.rate)
	}
	return max(0, due-made)
}
