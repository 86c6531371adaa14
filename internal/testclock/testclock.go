// Package testclock is a clock for tests, which they move.
package testclock

import (
	"sync"
	"time"
)

// Clock stands still until it is moved. It may be used concurrently.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// New returns a clock that stands at an instant.
func New(at time.Time) *Clock { return &Clock{now: at} }

// Now returns the instant the clock stands at.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
