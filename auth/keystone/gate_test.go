package keystone

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/messaging"
)

// TestNoQueueBeforeADeadKeystone has requests for different tokens while
// Keystone takes connections and says nothing.
func TestNoQueueBeforeADeadKeystone(t *testing.T) {
	const many = 20
	f := newFake(t)
	for n := range many {
		f.issue(fmt.Sprint("tok-", n), "p1", time.Hour)
	}
	i, _ := f.identity(func(c *Config) { c.Retries = 0 })
	f.want(i, nil, "X-Auth-Token: tok-0")
	f.do(func(w http.ResponseWriter, _ *http.Request) bool { cut(w); return true })
	f.want(i, messaging.Unavailable, "X-Auth-Token: tok-1")

	var asked atomic.Int64
	gate, arrived, done := make(chan struct{}), make(chan struct{}, many), make(chan error, 1)
	f.do(func(http.ResponseWriter, *http.Request) bool {
		asked.Add(1)
		arrived <- struct{}{}
		<-gate
		return false
	})
	go func() {
		_, err := i.Identify(t.Context(), request("X-Auth-Token: tok-1"))
		done <- err
	}()
	<-arrived
	for n := 2; n < many; n++ {
		f.want(i, messaging.Unavailable, fmt.Sprint("X-Auth-Token: tok-", n))
	}
	f.want(i, nil, "X-Auth-Token: tok-0")
	if asked.Load() != 1 {
		t.Errorf("Keystone was asked %d times while it gave no answer", asked.Load())
	}
	close(gate)
	if err := <-done; err != nil {
		t.Error(err)
	}
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
