package app

import (
	"runtime/metrics"
	"sync"
	"time"
)

// schedLatencies is how long goroutines waited for a processor, since the start.
const schedLatencies = "/sched/latencies:seconds"

// pressure returns a function that tells how long nine in ten of the goroutines
// that ran since its last call had to wait for a processor at most.
func pressure() func() time.Duration {
	var mu sync.Mutex
	sample := []metrics.Sample{{Name: schedLatencies}}
	var before []uint64
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		metrics.Read(sample)
		if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
			return 0
		}
		h := sample[0].Value.Float64Histogram()
		if before == nil {
			before = make([]uint64, len(h.Counts))
		}
		total := uint64(0)
		for i, n := range h.Counts {
			total += n - before[i]
		}
		wait, seen := time.Duration(0), uint64(0)
		for i, n := range h.Counts {
			seen += n - before[i]
			if wait == 0 && total > 0 && seen*10 >= total*9 {
				wait = time.Duration(h.Buckets[i] * float64(time.Second)) // the lower end of the bucket
				break
			}
		}
		copy(before, h.Counts)
		return wait
	}
}
