package quota_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/quota"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// What a request pays: without a Guard, with one and no limits, with all limits
// in force; of one project and of many.
func BenchmarkEnter(b *testing.B) {
	all := messaging.Limits{messaging.LimitRequests: messaging.MaxLimit, messaging.LimitByteRate: messaging.MaxLimit}
	for _, c := range []struct {
		name     string
		guard    *quota.Guard
		projects int
	}{
		{"off", nil, 1},
		{"unlimited", benchGuard(b, nil), 1},
		{"limited", benchGuard(b, all), 1},
		{"limited/10000_projects", benchGuard(b, all), 10_000},
	} {
		projects := make([]messaging.Project, c.projects)
		for i := range projects {
			projects[i] = messaging.Project(fmt.Sprintf("518b51ea133c4facadae42c328d%05d", i))
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					v, err := c.guard.Enter(context.Background(), projects[i%len(projects)])
					if err != nil {
						b.Error(err)
						return
					}
					v.Leave(1100)
				}
			})
		})
	}
}

// What a post pays for its quota beside that.
func BenchmarkHoldMessages(b *testing.B) {
	for _, c := range []struct {
		name  string
		guard *quota.Guard
	}{
		{"off", nil},
		{"unlimited", benchGuard(b, nil)},
		{"limited", benchGuard(b, messaging.Limits{messaging.LimitMessages: messaging.MaxLimit, messaging.LimitMessageBytes: messaging.MaxLimit})},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					h, err := c.guard.HoldMessages(context.Background(), p, 1, 1024)
					if err != nil {
						b.Error(err)
						return
					}
					h.Done()
				}
			})
		})
	}
}

func benchGuard(b *testing.B, l messaging.Limits) *quota.Guard {
	store := memory.New(storage.Env{Now: time.Now})
	g, err := quota.New(quota.Config{Defaults: l}, quota.Parts{Control: store, Data: store, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	return g
}
