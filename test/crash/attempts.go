package crash

import (
	"bytes"
	"crypto/sha256"
	"time"
)

// outcome is what became of a request.
type outcome int

const (
	pending outcome = iota
	acked           // the server said that it was done
	unknown         // no answer: it may or may not have been done
	void            // it was surely not done
)

// attempt is one request. Each kind of request is told to the ledger before it
// is sent; then exactly one of Acked, Unknown, NotSent and Refused, where there
// is such, is called.
type attempt struct {
	l       *Ledger
	worker  string
	queue   string
	epoch   int
	start   time.Time
	outcome outcome
}

// begin is called with l.mu held.
func (l *Ledger) begin(worker, queue string) attempt {
	return attempt{l: l, worker: worker, queue: queue, epoch: l.epoch, start: l.now()}
}

func (a *attempt) unanswered() {
	a.outcome = unknown
	a.l.tally.Unknown++
}

func (a *attempt) look(what string) *look {
	return &look{attempt: *a, end: a.l.now(), what: what}
}

// Draft is a message to post.
type Draft struct {
	From string // the producer
	N    int    // its number; a producer counts up
	Body []byte // made by Body
}

// Post is a post of one or more messages.
type Post struct {
	attempt
	records []*record
}

// Post begins a post.
func (l *Ledger) Post(worker, queue string, drafts []Draft) *Post {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &Post{attempt: l.begin(worker, queue)}
	b := l.book(queue)
	for _, d := range drafts {
		r := &record{key: key{d.From, d.N}, queue: queue, body: d.Body, sum: sha256.Sum256(d.Body), post: p}
		l.note(r, &p.attempt, "posts it, %d of %d", len(p.records)+1, len(drafts))
		p.records = append(p.records, r)
		l.records[r.key] = r
		b.live[r] = true
		b.log = append(b.log, r)
	}
	return p
}

// Acked ends the post with the ids that the answer gave.
func (p *Post) Acked(ids []string) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.outcome = acked
	p.l.tally.Posted += len(p.records)
	p.l.confirm(p)
	if len(ids) != len(p.records) {
		p.l.violate(Answer, p.records[0], "and %d more got %d ids", len(p.records)-1, len(ids))
		return
	}
	for i, r := range p.records {
		p.l.note(r, &p.attempt, "post acknowledged")
		if r.id != "" && r.id != ids[i] {
			p.l.violate(Twice, r, "has another id: %s", ids[i])
		}
		p.l.identify(r, ids[i])
	}
}

// Unknown ends the post without an answer.
func (p *Post) Unknown() {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.unanswered()
	for _, r := range p.records {
		p.l.note(r, &p.attempt, "post not answered")
	}
}

// NotSent ends the post: it never reached the server.
func (p *Post) NotSent() {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.l.cancel(p)
}

// cancel takes in that a post was not carried out.
func (l *Ledger) cancel(p *Post) {
	p.outcome = void
	for _, r := range p.records {
		l.note(r, &p.attempt, "post did not happen")
		delete(l.book(r.where(l)).live, r)
	}
}

// Removal is a delete of messages, or of all messages of a queue.
type Removal struct {
	attempt
	claim   *claim
	records []*record
	spared  []*record // of an unknown one: those known not to be removed
	took    []*record // of an unknown one: those that only it can have removed
}

// Remove begins a delete of the messages, with the claim if one is given.
func (l *Ledger) Remove(worker, queue string, ids []string, claim string) *Removal {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &Removal{attempt: l.begin(worker, queue), claim: l.claims[claim]}
	for _, id := range ids {
		if r := l.ids[id]; r != nil {
			l.remove(m, r)
		}
	}
	return m
}

// RemoveAll begins the removal of all that the queue has.
func (l *Ledger) RemoveAll(worker, queue string) *Removal {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &Removal{attempt: l.begin(worker, queue)}
	for r := range l.book(queue).live {
		l.remove(m, r)
	}
	return m
}

func (l *Ledger) remove(m *Removal, r *record) {
	l.note(r, &m.attempt, "removes it from %s", m.queue)
	m.records = append(m.records, r)
	r.removals = append(r.removals, m)
}

// Acked ends the removal: all of it is gone.
func (m *Removal) Acked() {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	m.outcome = acked
	for _, r := range m.records {
		m.l.note(r, &m.attempt, "removal acknowledged")
		if !r.gone {
			m.l.tally.Removed++
		}
		m.l.bury(r, m.l.now())
	}
}

// bury takes in that a message is gone since t at the latest.
func (l *Ledger) bury(r *record, t time.Time) {
	if !r.gone || t.Before(r.goneAt) {
		r.gone, r.goneAt = true, t
	}
	r.body = bytes.Clone(r.body[:min(len(r.body), 300)])
	delete(l.book(r.where(l)).live, r)
}

// Unknown ends the removal without an answer.
func (m *Removal) Unknown() {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	m.unanswered()
	m.l.removals = append(m.l.removals, m)
	for _, r := range m.records {
		m.l.note(r, &m.attempt, "removal not answered")
	}
}

// NotSent ends the removal: it never reached the server.
func (m *Removal) NotSent() {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	m.undo("not sent")
}

// Refused ends the removal: the server said that the claim does not hold.
func (m *Removal) Refused(status int) {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	m.undo("refused")
	for _, r := range m.records {
		if m.claim != nil && m.claim.records[r] && m.claim.surelyLive(m.start, m.l.now()) {
			m.l.violate(ClaimLost, r, "is under claim %s, and deleting it with that got %d", m.claim.id, status)
		}
	}
}

func (m *Removal) undo(why string) {
	m.outcome = void
	for _, r := range m.records {
		m.l.note(r, &m.attempt, "removal %s", why)
		for i := range r.removals {
			if r.removals[i] == m {
				r.removals = append(r.removals[:i:i], r.removals[i+1:]...)
				break
			}
		}
	}
}

// Pop is a pop of up to n messages.
type Pop struct {
	attempt
	n int
}

// Pop begins a pop.
func (l *Ledger) Pop(worker, queue string, n int) *Pop {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Pop{attempt: l.begin(worker, queue), n: n}
}

// Acked ends the pop with the messages that it took.
func (p *Pop) Acked(got []Seen) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.outcome = acked
	o := p.look("popped")
	o.due = true
	p.l.checkAmount(o, got, p.n)
	for _, s := range got {
		if r := p.l.see(o, s); r != nil {
			p.l.take(r, &take{start: p.start, end: o.end})
			p.l.bury(r, o.end)
			p.l.tally.Popped++
		}
	}
}

// Unknown ends the pop without an answer: any n messages may be gone.
func (p *Pop) Unknown() {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.unanswered()
	p.l.book(p.queue).pops += p.n
}

// NotSent ends the pop: it never reached the server.
func (p *Pop) NotSent() { p.outcome = void }

func (l *Ledger) checkAmount(o *look, got []Seen, limit int) {
	if len(got) > limit {
		l.violate(Answer, nil, "%d messages %s from %s, asked for %d", len(got), o.what, o.queue, limit)
	}
}

// take takes in that a message was handed out, and says that nobody else may
// have it.
func (l *Ledger) take(r *record, k *take) {
	for _, other := range r.takes {
		if !k.mayEndBefore(other.end) && !other.mayEndBefore(k.end) {
			l.violate(Shared, r, "was handed out twice: %s and %s", other, k)
		}
	}
	if k.claim != nil && !k.spent && r.spent(l) {
		l.violate(Overclaimed, r, "was claimed %d times before, the queue allows %d", r.claims(), l.rules[r.queue].MaxClaims)
	}
	r.takes = append(r.takes, k)
}

// String says who has it.
func (k *take) String() string {
	if k.claim == nil {
		return "a pop"
	}
	return "claim " + k.claim.id
}

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
