package histogram_test

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/internal/histogram"
)

func TestBucketsHoldUpToTheirBound(t *testing.T) {
	h := histogram.New([]int64{1, 10, 100})
	for _, v := range []int64{math.MinInt32, 0, 1, 2, 10, 11, 100, 101, 1 << 40} {
		h.Observe(v)
	}
	got := h.Snapshot()
	want := histogram.Snapshot{Bounds: []int64{1, 10, 100}, Counts: []uint64{3, 2, 2, 2}, Sum: math.MinInt32 + 225 + 1<<40}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got.Count() != 9 {
		t.Errorf("%d values of 9", got.Count())
	}
}

func TestConcurrentValuesAreAllCounted(t *testing.T) {
	h := histogram.New(histogram.Powers(1, 4))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for v := range int64(1000) {
				h.Observe(v)
			}
		})
	}
	all.Wait()
	if s := h.Snapshot(); s.Count() != 4000 || s.Sum != 4*499500 {
		t.Errorf("%d values with the sum %d", s.Count(), s.Sum)
	}
}

func TestBoundsAscend(t *testing.T) {
	for _, bounds := range [][]int64{histogram.Durations(), histogram.Powers(1, 12)} {
		if !slices.IsSorted(bounds) || bounds[0] <= 0 || len(slices.Compact(slices.Clone(bounds))) != len(bounds) {
			t.Errorf("bounds %v", bounds)
		}
	}
	if d := histogram.Durations(); d[0] != 100_000 || d[len(d)-1] != 10_000_000_000 {
		t.Errorf("durations reach from %d to %d ns", d[0], d[len(d)-1])
	}
}

func TestObserveTakesNoMemory(t *testing.T) {
	h := histogram.New(histogram.Durations())
	if n := testing.AllocsPerRun(100, func() { h.Observe(3_000_000) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	h := histogram.New(histogram.Durations())
	for b.Loop() {
		h.Observe(3_000_000)
	}
}
