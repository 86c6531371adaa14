package crash

import (
	"time"
)

// Claim is a claim of up to n messages.
type Claim struct {
	attempt
	n   int
	ttl time.Duration
}

// The claims of a test have lifetimes within these bounds.
const (
	MinClaimTTL = 60 * time.Second
	MaxClaimTTL = 300 * time.Second
)

// Claim begins a claim.
func (l *Ledger) Claim(worker, queue string, n int, ttl time.Duration) *Claim {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Claim{attempt: l.begin(worker, queue), n: n, ttl: ttl}
}

// Acked ends the claim. An empty id says that there was nothing to claim.
func (c *Claim) Acked(id string, got []Seen) {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.outcome = acked
	o := c.look("claimed")
	o.due = true
	c.l.checkAmount(o, got, c.n)
	if (id == "") != (len(got) == 0) {
		c.l.violate(Answer, nil, "claim %q of %d messages in %s", id, len(got), c.queue)
	}
	if id == "" {
		return
	}
	if c.l.claims[id] != nil {
		c.l.violate(Answer, nil, "claim id %s was given out twice", id)
	}
	k := &claim{id: id, queue: c.queue, records: map[*record]bool{}, start: c.start, end: o.end,
		low: c.start.Add(c.ttl - slack), high: o.end.Add(c.ttl + slack)}
	c.l.claims[id] = k
	for _, s := range got {
		if s.Claim != id {
			c.l.violate(Answer, nil, "claim %s shows message %s under %q", id, s.ID, s.Claim)
		}
		if r := c.l.see(o, s); r != nil {
			k.records[r] = true
			c.l.take(r, &take{start: c.start, end: o.end, claim: k})
			c.l.tally.Claimed++
		}
	}
}

// Unknown ends the claim without an answer.
func (c *Claim) Unknown() {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.unanswered()
	b := c.l.book(c.queue)
	b.orphans = append(b.orphans, c.n)
}

// NotSent ends the claim: it never reached the server.
func (c *Claim) NotSent() { c.outcome = void }

// Renewal is an update of a claim.
type Renewal struct {
	attempt
	claim *claim
	ttl   time.Duration
}

// Renew begins an update. From now on the claim may end with either lifetime.
func (l *Ledger) Renew(worker, id string, ttl time.Duration) *Renewal {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[id]
	n := &Renewal{attempt: l.begin(worker, c.queue), claim: c, ttl: ttl}
	if low := n.start.Add(ttl - slack); low.Before(c.low) {
		c.low = low
	}
	return n
}

// Acked ends the renewal.
func (n *Renewal) Acked() {
	n.l.mu.Lock()
	defer n.l.mu.Unlock()
	n.outcome = acked
	n.claim.low = n.start.Add(n.ttl - slack)
	n.claim.high = n.l.now().Add(n.ttl + slack)
	for r := range n.claim.records {
		n.l.note(r, &n.attempt, "claim %s renewed for %v", n.claim.id, n.ttl)
	}
}

// Unknown ends the renewal without an answer.
func (n *Renewal) Unknown() {
	n.l.mu.Lock()
	defer n.l.mu.Unlock()
	n.unanswered()
	if high := n.l.now().Add(n.ttl + slack); n.claim.high.Before(high) {
		n.claim.high = high
	}
}

// NotSent ends the renewal: it never reached the server.
func (n *Renewal) NotSent() { n.outcome = void }

// Refused ends the renewal: the server does not know the claim.
func (n *Renewal) Refused() {
	n.l.mu.Lock()
	defer n.l.mu.Unlock()
	n.outcome = void
	for r := range n.claim.records {
		if !r.gone && len(r.removals) == 0 && n.claim.surelyLive(n.start, n.l.now()) {
			n.l.violate(ClaimLost, r, "is under claim %s, which is unknown to a renewal", n.claim.id)
		}
	}
}

// Release is the release of a claim.
type Release struct {
	attempt
	claim *claim
}

// Release begins a release.
func (l *Ledger) Release(worker, id string) *Release {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[id]
	e := &Release{attempt: l.begin(worker, c.queue), claim: c}
	c.ends = append(c.ends, e)
	for r := range c.records {
		l.note(r, &e.attempt, "releases claim %s", id)
	}
	return e
}

// Acked ends the release: the claim is over.
func (e *Release) Acked() {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	e.outcome = acked
	e.claim.ended = e.l.now()
	e.l.tally.Released++
}

// Unknown ends the release without an answer.
func (e *Release) Unknown() {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	e.unanswered()
}

// NotSent ends the release: it never reached the server.
func (e *Release) NotSent() {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	e.outcome = void
	e.claim.resume(e)
}

// resume takes in that a release did not happen.
func (c *claim) resume(e *Release) {
	for i := range c.ends {
		if c.ends[i] == e {
			c.ends = append(c.ends[:i:i], c.ends[i+1:]...)
			return
		}
	}
}
