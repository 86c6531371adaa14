package crash

import (
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
