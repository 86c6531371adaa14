package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreClose(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(r.ExpFloat64() * float64(time.Millisecond))
		h.Record(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
		want := all[max(1, int(q*float64(len(all))+0.5))-1]
		got := h.Quantile(q)
		if got < want || float64(got) > float64(want)*1.02 {
			t.Errorf("quantile %v: got %v, want %v to 2 %% more", q, got, want)
		}
	}
	if h.Max() != all[len(all)-1] || h.Count() != int64(len(all)) {
		t.Errorf("max %v, count %d", h.Max(), h.Count())
	}
}

func TestBucketsCoverEverything(t *testing.T) {
	for i := 1; i < buckets; i++ {
		if low := highest(i-1) + 1; bucket(low) != i || bucket(highest(i)) != i {
			t.Fatalf("bucket %d: its ends are in %d and %d", i, bucket(low), bucket(highest(i)))
		}
	}
	if got := bucket(1<<63 - 1); got >= buckets {
		t.Errorf("the longest duration is in bucket %d of %d", got, buckets)
	}
}

func TestHistogramsAddUp(t *testing.T) {
	var a, b, all Histogram
	for i := range 100 {
		d := time.Duration(i) * time.Millisecond
		all.Record(d)
		if i%3 == 0 {
			a.Record(d)
		} else {
			b.Record(d)
		}
	}
	a.Add(&b)
	if a != all {
		t.Error("the sum is not what one histogram counts")
	}
	var empty Histogram
	if empty.Quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
}
