package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/internal/testenv"
	"zaqar/messaging"
	"zaqar/storage"
)

// envBacklog is the number of messages that wait in the queue while Benchmark
// measures, default 10000.
const envBacklog = "ZAQAR_BENCH_BACKLOG"

// Benchmark measures the hot operations on a store of the harness: posts of 1
// and 10 messages by 1, 16 and 64 goroutines, a claim of 10 with their
// deletion, and a page of 10. Bodies have 1 KiB.
func Benchmark(b *testing.B, h Harness) {
	backlog := testenv.Int(b, envBacklog, 10_000)
	for _, batch := range []int{1, 10} {
		for _, workers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("append=%d/workers=%d", batch, workers), func(b *testing.B) {
				r := newRig(b, h, backlog)
				r.measure(workers, batch, func() error { return r.post(batch) })
			})
		}
	}
	b.Run("claim=10+remove", func(b *testing.B) { newRig(b, h, backlog).consume() })
	for _, workers := range []int{1, 16} {
		b.Run(fmt.Sprintf("scan=10/workers=%d", workers), func(b *testing.B) {
			r := newRig(b, h, backlog)
			r.measure(workers, 10, r.page)
		})
	}
}

// rig is a store under measurement.
type rig struct {
	*testing.B
	store  Store
	after  atomic.Uint64 // where the next page starts
	drafts []messaging.Draft
}

func newRig(b *testing.B, h Harness, backlog int) *rig {
	s := h.Open(b, storage.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	b.Cleanup(func() { s.Close() })
	r := &rig{B: b, store: s}
	body := bytes.Repeat([]byte("0123456789abcdef"), 64)
	for range 100 {
		r.drafts = append(r.drafts, messaging.Draft{TTL: forever, Body: body})
	}
	r.fill(backlog)
	return r
}

// fill posts messages in batches of up to 100.
func (r *rig) fill(n int) {
	for ; n > 0; n -= len(r.drafts) {
		r.must(r.post(min(n, len(r.drafts))))
	}
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) post(batch int) error {
	_, err := r.store.Append(context.Background(), inbox, alice, r.drafts[:batch], storage.AppendOptions{})
	return err
}

// page reads the page after the one that was read last, by whomever.
func (r *rig) page() error {
	after := messaging.Position(r.after.Load())
	list, err := r.store.Scan(context.Background(), inbox, storage.Scan{After: after, Limit: 10})
	if err != nil {
		return err
	}
	if len(list) < 10 {
		r.after.Store(0)
		return nil
	}
	r.after.Store(uint64(list[9].Position))
	return nil
}

// measure runs do b.N times in all by so many workers, each handling so many
// messages.
func (r *rig) measure(workers, messages int, do func() error) {
	var left atomic.Int64
	left.Store(int64(r.N))
	errs := make([]error, workers)
	var all sync.WaitGroup
	r.ResetTimer()
	for w := range workers {
		all.Go(func() {
			for left.Add(-1) >= 0 && errs[w] == nil {
				errs[w] = do()
			}
		})
	}
	all.Wait()
	r.StopTimer()
	r.must(errors.Join(errs...))
	r.rate(messages)
}

// consume claims ten messages and deletes them, over and over. What it took is
// posted again, outside the measurement.
func (r *rig) consume() {
	const round = 100
	r.ResetTimer()
	for i := range r.N {
		if i%round == 0 {
			r.StopTimer()
			r.fill(10 * min(round, r.N-i))
			r.StartTimer()
		}
		lease, err := r.store.Claim(context.Background(), inbox, storage.Terms{TTL: 300, Limit: 10})
		r.must(err)
		if len(lease.Messages) != 10 {
			r.Fatalf("claimed %d messages", len(lease.Messages))
		}
		r.must(r.store.Remove(context.Background(), inbox, ids(lease.Messages), by(lease.Claim.ID)))
	}
	r.StopTimer()
	r.rate(10)
}

func (r *rig) rate(messages int) {
	r.ReportMetric(float64(r.N*messages)/r.Elapsed().Seconds(), "msg/s")
}
