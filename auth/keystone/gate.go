package keystone

import (
	"fmt"
	"sync"
)

// gate keeps requests from queueing up before a Keystone that does not answer:
// after one that stayed without an answer, the next ones are let through one
// at a time until one is answered. Those that come meanwhile fail at once.
type gate struct {
	mu      sync.Mutex
	closed  error // why; nil: open
	probing bool  // one was let through since
}

// enter asks to be let through, as the probe or as one of many.
func (g *gate) enter() (probe bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed == nil:
		return false, nil
	case g.probing:
		return false, fmt.Errorf("keystone did not answer before: %w", g.closed)
	}
	g.probing = true
	return true, nil
}

// leave tells how it went: why there was no answer, or nil.
func (g *gate) leave(probe bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	g.closed = err
}
