package crash

import (
	"fmt"
	"maps"
	"slices"
)

// State is what the ledger keeps of a queue's record. The zero value is a
// queue that does not exist.
type State struct {
	Exists     bool
	Generation int    // own metadata, changed by each request
	Note       string // own metadata
	TTL        int    // _default_message_ttl; 0: unset
}

// Change is a request that makes, alters or deletes a queue.
type Change struct {
	attempt
	to State
}

// Change begins a request after which the queue is in the given state.
func (l *Ledger) Change(worker, queue string, to State) *Change {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Change{attempt: l.begin(worker, queue), to: to}
}

// Acked ends the change: it was made.
func (c *Change) Acked() {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.outcome = acked
	c.l.tally.Changed++
	c.l.states[c.queue] = []State{c.to}
}

// Unknown ends the change without an answer.
func (c *Change) Unknown() {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.unanswered()
	c.l.states[c.queue] = append(c.l.possible(c.queue), c.to)
}

// NotSent ends the change: it never reached the server.
func (c *Change) NotSent() { c.outcome = void }

func (l *Ledger) possible(queue string) []State {
	if s := l.states[queue]; s != nil {
		return slices.Clone(s)
	}
	return []State{{}}
}

// State returns the state of a queue. It is the only possible one after
// VerifyQueues.
func (l *Ledger) State(queue string) State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.possible(queue)[0]
}

// VerifyQueues compares all records of queues, in the order listed, with the
// ledger, and settles what became of changes without an answer.
func (l *Ledger) VerifyQueues(names []string, shown map[string]State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		l.violate(QueueState, nil, "queues are not listed once each, in order: %q", names)
	}
	all := maps.Clone(l.states)
	for name := range shown {
		all[name] = nil
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if possible := l.possible(name); !slices.Contains(possible, shown[name]) {
			l.violate(QueueState, nil, "queue %s is %v, acknowledged is %v", name, shown[name], possible)
		}
		l.states[name] = []State{shown[name]}
	}
}

// String describes the state.
func (s State) String() string {
	if !s.Exists {
		return "absent"
	}
	return fmt.Sprintf("generation %d, note %q, ttl %d", s.Generation, s.Note, s.TTL)
}
