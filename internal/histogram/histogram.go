// Package histogram counts how values spread over fixed buckets, for metrics.
//
// Observe takes two atomic additions and no memory, so that it can stand where
// every request or every commit passes. Values are whole numbers of whatever
// unit the maker chose: nanoseconds, bytes, operations.
package histogram

import (
	"sync/atomic"
	"time"
)

// Histogram counts values. Its methods may be called concurrently.
type Histogram struct {
	bounds []int64
	counts []atomic.Uint64 // one more than bounds
	sum    atomic.Int64
}

// New returns an empty histogram. bounds are the largest values of the
// buckets, ascending; what is larger than all of them has a bucket as well.
func New(bounds []int64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts a value.
func (h *Histogram) Observe(v int64) {
	lo, hi := 0, len(h.bounds)
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); v > h.bounds[mid] {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	h.counts[lo].Add(1)
	h.sum.Add(v)
}

// Snapshot is what a histogram has counted. The sum may be that of a moment
// sooner or later than the counts.
type Snapshot struct {
	Bounds []int64  // not to be changed
	Counts []uint64 // values in each bucket; the last one is beyond all bounds
	Sum    int64
}

// Snapshot returns what was counted so far.
func (h *Histogram) Snapshot() Snapshot {
	s := Snapshot{Bounds: h.bounds, Counts: make([]uint64, len(h.counts)), Sum: h.sum.Load()}
	for i := range h.counts {
		s.Counts[i] = h.counts[i].Load()
	}
	return s
}

// Count returns the number of values.
func (s Snapshot) Count() (n uint64) {
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// Durations returns bounds in nanoseconds for what takes from a part of a
// millisecond to many seconds.
func Durations() []int64 {
	return scaled(int64(time.Microsecond), 100, 250, 500,
		1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
		1_000_000, 2_500_000, 5_000_000, 10_000_000)
}

// Powers returns n bounds, each the double of the one before.
func Powers(first int64, n int) []int64 {
	bounds := make([]int64, n)
	for i := range bounds {
		bounds[i] = first << i
	}
	return bounds
}

func scaled(unit int64, values ...int64) []int64 {
	for i := range values {
		values[i] *= unit
	}
	return values
}
