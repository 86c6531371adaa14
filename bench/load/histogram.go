package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets that are less than 2 % wide. The zero
// value is empty.
type Histogram struct {
	counts [buckets]int64
	n      int64
	max    time.Duration
}

const (
	subBits = 6 // 64 buckets for each power of two
	sub     = 1 << subBits
	buckets = (64 - subBits) * sub
)

// Record counts one duration.
func (h *Histogram) Record(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.n++
	h.max = max(h.max, d)
}

// Add counts all that other has counted.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.n += other.n
	h.max = max(h.max, other.max)
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() int64 { return h.n }

// Max returns the longest duration.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns the duration that the fraction q of all does not exceed, to
// the width of a bucket; 0 when nothing was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int64(q * float64(h.n))
	if float64(rank) < q*float64(h.n) {
		rank++
	}
	seen := int64(0)
	for i, n := range h.counts {
		seen += n
		if n > 0 && seen >= rank {
			return min(time.Duration(highest(i)), h.max)
		}
	}
	return h.max
}

// bucket returns where v is counted: below 64 each value has its own bucket.
func bucket(v uint64) int {
	if v < sub {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return shift*sub + int(v>>shift)
}

// highest returns the largest value of a bucket.
func highest(i int) uint64 {
	if i < 2*sub {
		return uint64(i)
	}
	shift := i/sub - 1
	return (uint64(i%sub+sub)+1)<<shift - 1
}
