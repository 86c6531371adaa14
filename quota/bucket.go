package quota

import (
	"math"
	"sync/atomic"
	"time"
)

// pace is a rate with its burst, as time: a unit costs perUnit, and costs of up
// to depth may be outstanding. The zero value is no limit.
type pace struct {
	perUnit float64 // ns
	depth   int64   // ns
}

// newPace returns the pace of so many units a second. An unlimited burst is
// that of one second.
func newPace(rate, burst int64) pace {
	if rate <= 0 {
		return pace{}
	}
	if burst <= 0 {
		burst = rate
	}
	per := float64(time.Second) / float64(rate)
	return pace{perUnit: per, depth: span(float64(burst) * per)}
}

func (p pace) unlimited() bool { return p.perUnit == 0 }

// cost is the time that n units take, ns.
func (p pace) cost(n int64) int64 { return span(float64(n) * p.perUnit) }

// longest is the longest time a bucket reckons with: 73 years.
const longest = math.MaxInt64 / 4

func span(ns float64) int64 { return int64(math.Ceil(min(ns, longest))) }

// bucket is a token bucket in one word: the instant at which it will be full
// again, in ns of the Guard's clock. The zero value is full.
type bucket struct{ full atomic.Int64 }

// take takes n units, or none: then it returns how long to wait for them.
func (b *bucket) take(now int64, p pace, n int64) (wait time.Duration) {
	for {
		was := b.full.Load()
		next := min(max(was, now), now+longest) + p.cost(n)
		if late := next - now - p.depth; late > 0 {
			return time.Duration(late)
		}
		if b.full.CompareAndSwap(was, next) {
			return 0
		}
	}
}

// spend takes n units even if they are not there.
func (b *bucket) spend(now int64, p pace, n int64) {
	for {
		was := b.full.Load()
		next := min(max(was, now), now+longest) + p.cost(n)
		if b.full.CompareAndSwap(was, next) {
			return
		}
	}
}

// short returns how long to wait until there is anything in the bucket.
func (b *bucket) short(now int64, p pace) time.Duration {
	if late := b.full.Load() - now - p.depth; late >= 0 {
		return time.Duration(late) + 1
	}
	return 0
}

// idle reports whether the bucket is full.
func (b *bucket) idle(now int64) bool { return b.full.Load() <= now }
