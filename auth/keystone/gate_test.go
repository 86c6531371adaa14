package keystone

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/messaging"
)

// TestNoQueueBeforeADeadKeystone has many requests for different tokens while
// Keystone takes connections and says nothing.
func TestNoQueueBeforeADeadKeystone(t *testing.T) {
	const many = 50
	f := newFake(t)
	for n := range many {
		f.issue(fmt.Sprint("tok-", n), "p1", time.Hour)
	}
	i, _ := f.identity(func(c *Config) { c.Timeout, c.Retries = 50*time.Millisecond, 0 })
	f.want(i, nil, "X-Auth-Token: tok-0")
	end := make(chan struct{})
	var asked atomic.Int64
	f.do(func(http.ResponseWriter, *http.Request) bool {
		asked.Add(1)
		<-end
		return true
	})
	f.want(i, messaging.Unavailable, "X-Auth-Token: tok-1")
	var work sync.WaitGroup
	for n := 2; n < many; n++ {
		work.Go(func() {
			if _, err := i.Identify(t.Context(), request(fmt.Sprint("X-Auth-Token: tok-", n))); !errors.Is(err, messaging.Unavailable) {
				t.Errorf("error %v", err)
			}
		})
	}
	work.Wait()
	if n := asked.Load(); n > many/2 {
		t.Errorf("Keystone was asked %d times while it gave no answer", n)
	}
	f.want(i, nil, "X-Auth-Token: tok-0")
	close(end)
	f.do(nil)
	for n := range many { // it is back, for all
		f.want(i, nil, fmt.Sprint("X-Auth-Token: tok-", n))
	}
}

func TestGate(t *testing.T) {
	var g gate
	enter := func(probe, passes bool) bool {
		t.Helper()
		p, err := g.enter()
		if p != probe || (err == nil) != passes {
			t.Fatalf("probe %t, error %v; want %t, passes %t", p, err, probe, passes)
		}
		return p
	}
	down := errors.New("down")
	enter(false, true)
	enter(false, true)
	g.leave(false, down)
	probe := enter(true, true)
	enter(false, false)
	g.leave(false, down) // the other of the first two
	enter(false, false)
	g.leave(probe, down)
	probe = enter(true, true)
	g.leave(probe, nil)
	enter(false, true)
	enter(false, true)
}
