// Package testwait waits for what no event tells, as what happens in another
// process. Whatever a test can be told of, it waits for on a channel.
package testwait

import (
	"runtime"
	"testing"
	"time"
)

// Patience is how long is waited for what takes milliseconds, before it counts
// as missing.
const Patience = time.Minute

// Until looks until something is so. If it stays otherwise, it ends the test
// and shows what the goroutines of this process do.
func Until(t testing.TB, what string, so func() bool) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for begun := time.Now(); time.Since(begun) < Patience; <-look.C {
		if so() {
			return
		}
	}
	stacks := make([]byte, 1<<20)
	t.Fatalf("waited %v in vain: %s\n%s", Patience, what, stacks[:runtime.Stack(stacks, true)])
}
