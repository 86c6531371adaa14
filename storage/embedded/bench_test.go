package embedded_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/embedded/disk"
)

// Benchmarks of the engine without a front, durable at ack, on the disk of the
// temporary directory.

const benchClient = messaging.ClientID("30387f00-39a0-11e2-be4b-a8d15f34bae2")

func openBench(b *testing.B, dir string) *embedded.Store {
	s, err := embedded.Open(dir, embedded.Config{}, storage.Env{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// parallel runs work in so many goroutines until b.N calls are made.
func parallel(b *testing.B, goroutines int, work func() error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	failed := make(chan error, goroutines)
	b.ResetTimer()
	for range goroutines {
		go func() {
			for left.Add(-1) >= 0 {
				if err := work(); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range goroutines {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
}

func drafts(n int) []messaging.Draft {
	body := make([]byte, 1024)
	for i := range body {
		body[i] = 'x'
	}
	body[0], body[len(body)-1] = '"', '"'
	out := make([]messaging.Draft, n)
	for i := range out {
		out[i] = messaging.Draft{TTL: 3600, Body: body}
	}
	return out
}

var benchQueue = messaging.QueueRef{Project: "bench", Name: "q"}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 10} {
		for _, goroutines := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%d messages, %d posters", size, goroutines), func(b *testing.B) {
				s := openBench(b, b.TempDir())
				defer s.Close()
				batch := drafts(size)
				b.ReportAllocs()
				b.SetBytes(int64(size) * 1024)
				parallel(b, goroutines, func() error {
					_, err := s.Append(context.Background(), benchQueue, benchClient, batch, storage.AppendOptions{})
					return err
				})
			})
		}
	}
}

// BenchmarkRawSync is what the disk allows: one writer, 1 KiB and a sync each.
func BenchmarkRawSync(b *testing.B) {
	f, err := disk.OS().Create(b.TempDir() + "/raw")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := f.Allocate(0, 64<<20); err != nil {
		b.Fatal(err)
	}
	block := make([]byte, 1120)
	off := int64(0)
	for b.Loop() {
		if off+int64(len(block)) > 64<<20 {
			off = 0
		}
		if _, err := f.WriteAt(block, off); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		off += int64(len(block))
	}
}

// fill posts n messages.
func fill(b *testing.B, s *embedded.Store, n int) {
	b.Helper()
	batch := drafts(500)
	for ; n > 0; n -= len(batch) {
		if _, err := s.Append(context.Background(), benchQueue, benchClient, batch, storage.AppendOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan10(b *testing.B) {
	s := openBench(b, b.TempDir())
	defer s.Close()
	fill(b, s, 10_000)
	b.ReportAllocs()
	parallel(b, 16, func() error {
		_, err := s.Scan(context.Background(), benchQueue, storage.Scan{Limit: 10})
		return err
	})
}

func BenchmarkCycle10(b *testing.B) {
	for _, backlog := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("backlog %d", backlog), func(b *testing.B) {
			s := openBench(b, b.TempDir())
			defer s.Close()
			fill(b, s, backlog)
			batch := drafts(10)
			ctx := context.Background()
			parallel(b, 16, func() error {
				if _, err := s.Append(ctx, benchQueue, benchClient, batch, storage.AppendOptions{}); err != nil {
					return err
				}
				l, err := s.Claim(ctx, benchQueue, storage.Terms{TTL: 300, Grace: 60, Limit: 10})
				if err != nil {
					return err
				}
				ids := make([]messaging.MessageID, len(l.Messages))
				for i := range ids {
					ids[i] = l.Messages[i].ID
				}
				return s.Remove(ctx, benchQueue, ids, storage.Hold{By: []messaging.ClaimID{l.Claim.ID}})
			})
		})
	}
}

// BenchmarkConsume claims ten messages and deletes them by one call, or by ten.
func BenchmarkConsume(b *testing.B) {
	for _, each := range []int{1, 10} {
		b.Run(fmt.Sprintf("%d by one delete", each), func(b *testing.B) {
			s := openBench(b, b.TempDir())
			defer s.Close()
			fill(b, s, 10*b.N)
			b.ReportAllocs()
			arenas := sync.Pool{New: func() any { return new(storage.Arena) }}
			ctx := context.Background()
			before := processorTime(b)
			parallel(b, 16, func() error {
				arena := arenas.Get().(*storage.Arena)
				arena.Reset(64 << 10)
				defer arenas.Put(arena)
				l, err := s.Claim(ctx, benchQueue, storage.Terms{TTL: 300, Grace: 60, Limit: 10, Arena: arena})
				if err != nil {
					return err
				}
				hold := storage.Hold{By: []messaging.ClaimID{l.Claim.ID}}
				ids := make([]messaging.MessageID, len(l.Messages))
				for i := range ids {
					ids[i] = l.Messages[i].ID
				}
				for ; len(ids) > 0 && err == nil; ids = ids[each:] {
					err = s.Remove(ctx, benchQueue, ids[:each], hold)
				}
				return err
			})
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// processorTime returns what the process has used so far.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkRestart(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("%d messages", n), func(b *testing.B) {
			dir := b.TempDir()
			s := openBench(b, dir)
			fill(b, s, n)
			s.Close()
			for b.Loop() {
				openBench(b, dir).Close()
			}
			if fi, err := os.ReadDir(dir); err == nil {
				b.ReportMetric(float64(len(fi)), "files")
			}
		})
	}
}
