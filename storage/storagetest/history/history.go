package history

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// kind is what a call asked for.
type kind int

const (
	post    kind = iota
	claim        // takes messages under a claim
	pop          // takes messages for good
	renew        // a claim
	release      // a claim
	held         // asks what a claim holds
	remove       // a message, with a claim or on condition that there is none
	look         // asks whether messages are there
)

var kindNames = [...]string{"post", "claim", "pop", "renew", "release", "held", "remove", "look"}

// Message is a message as a store shows it.
type Message struct {
	ID   string
	Body string
}

// call is one call, and what it said.
type call struct {
	kind   kind
	client int
	queue  string
	claim  string        // of a claim: the one made, or none; of others: the one given
	ttl    time.Duration // of a claim or renewal
	limit  int           // of a claim or pop
	asked  []string      // ids of a remove or look
	got    []Message     // posted, taken, held or found
	ok     bool          // a renewal, question or removal was granted

	begun, ended int64     // moments: no two are alike
	from, to     time.Time // the store's time then
}

func (c *call) has(id string) bool {
	for _, m := range c.got {
		if m.ID == id {
			return true
		}
	}
	return false
}

// String describes the call.
func (c *call) String() string {
	s := fmt.Sprintf("%6d–%-6d %s–%s client %2d: %s in %s", c.begun, c.ended,
		c.from.Format("15:04:05.000"), c.to.Format("15:04:05.000"), c.client, kindNames[c.kind], c.queue)
	if c.claim != "" {
		s += ", claim " + c.claim
	}
	if c.ttl > 0 {
		s += fmt.Sprintf(" for %v", c.ttl)
	}
	if c.limit > 0 {
		s += fmt.Sprintf(", limit %d", c.limit)
	}
	if len(c.asked) > 0 {
		s += ", of " + strings.Join(c.asked, " ")
	}
	if c.kind == renew || c.kind == held || c.kind == remove {
		s += map[bool]string{true: ": granted", false: ": refused"}[c.ok]
	}
	for _, m := range c.got {
		s += fmt.Sprintf(" %s(%s)", m.ID, m.Body)
	}
	return s
}

// History is what clients were told. It is recorded by Run.
type History struct {
	now   func() time.Time
	slack time.Duration
	alone map[string]bool // queues with one client that takes

	moment atomic.Int64
	mu     sync.Mutex
	calls  []*call
}

// Len returns the number of calls.
func (h *History) Len() int { return len(h.calls) }

// begin notes the beginning of a call.
func (h *History) begin(client int, k kind, queue string) *call {
	return &call{client: client, kind: k, queue: queue, from: h.now(), begun: h.moment.Add(1)}
}

// end records a call that was answered.
func (h *History) end(c *call) {
	c.ended, c.to = h.moment.Add(1), h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
}
