package crash

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Kind is a kind of violation.
type Kind string

// The ways in which a server can break its promises.
const (
	Lost        Kind = "lost"         // acknowledged or seen, not removed, not there
	HalfPosted  Kind = "half posted"  // a part of an unanswered batch is there
	HalfRemoved Kind = "half removed" // a part of what an unanswered request removes is gone
	Returned    Kind = "returned"     // removed, and there again
	Twice       Kind = "twice"        // in two places, or with two ids
	Ghost       Kind = "ghost"        // never posted, or known not to be
	Corrupt     Kind = "corrupt"      // with another body
	Misplaced   Kind = "misplaced"    // in a queue where it does not belong
	Disorder    Kind = "disorder"     // before what was posted earlier
	Gap         Kind = "gap"          // a reader following markers missed it
	Shared      Kind = "shared"       // handed out while a live claim holds it
	ClaimLost   Kind = "claim lost"   // a live claim no longer holds it
	ClaimBack   Kind = "claim back"   // an ended claim holds it
	Unclaimed   Kind = "unclaimed"    // held by a claim that nobody made
	Overclaimed Kind = "overclaimed"  // claimed more often than its queue allows
	Undead      Kind = "undead"       // dead-lettered too early
	Early       Kind = "early"        // shown before its delay elapsed
	Miscounted  Kind = "miscounted"   // statistics differ from the listing
	QueueState  Kind = "queue state"  // a queue is not as acknowledged
	Answer      Kind = "answer"       // an answer that the request cannot have
)

// Violation is one broken promise.
type Violation struct {
	Kind    Kind
	What    string
	History []string // of the message, oldest first
}

// String returns the violation with the message's history.
func (v Violation) String() string {
	s := fmt.Sprintf("%s: %s", v.Kind, v.What)
	for _, h := range v.History {
		s += "\n    " + h
	}
	return s
}

// slack is how far the server's clock readings may be rounded.
const slack = 1100 * time.Millisecond

// Ledger is what the workers were told by the server, and what follows from
// that. Its methods may be called concurrently, except Verify and Restarted,
// which need the workers at rest.
type Ledger struct {
	now func() time.Time

	mu         sync.Mutex
	begun      time.Time
	epoch      int       // lives of the server process
	verified   time.Time // the last time, or begun
	rules      map[string]Rules
	records    map[key]*record
	ids        map[string]*record
	books      map[string]*book
	claims     map[string]*claim
	removals   []*Removal // unanswered, not resolved
	states     map[string][]State
	violations []Violation
	tally      Tally
}

// Rules are the settings of a queue that matter to the ledger.
type Rules struct {
	Delay       time.Duration
	MaxClaims   int    // with DeadLetters
	DeadLetters string // a queue
}

// Tally counts messages, and requests that got no answer.
type Tally struct {
	Posted, Removed, Popped, Claimed, Released int
	Changed                                    int // queues made, altered or deleted
	Unknown                                    int // requests without an answer
}

// key identifies a message by its producer, who numbers them from 1.
type key struct {
	From string `json:"from"`
	N    int    `json:"n"`
}

// String is FROM/N.
func (k key) String() string { return fmt.Sprintf("%s/%d", k.From, k.N) }

// Body returns the body of a message that the ledger can recognise. filling is
// any JSON value.
func Body(from string, n int, filling string) []byte {
	return fmt.Appendf(nil, `{"from":%q,"n":%d,"filling":%s}`, from, n, filling)
}

// book is what is known of one queue.
type book struct {
	live    map[*record]bool // those that may be there
	log     []*record        // in the order of posting
	pops    int              // messages that unanswered pops of this epoch may have taken
	orphans []int            // limits of unanswered claims of this epoch
	adopted []*claim         // claims found that nobody was told of
}

// record is what is known of one message.
type record struct {
	key       key
	queue     string
	body      []byte   // only the beginning once it is gone
	sum       [32]byte // of the body
	id        string
	post      *Post
	confirmed bool      // it was stored
	seen      bool      // somebody has seen it
	gone      bool      // it was removed
	goneAt    time.Time // at the latest
	moved     bool      // to the dead letters of its queue
	movedAt   time.Time // at the latest
	removals  []*Removal
	takes     []*take
	history   []string
}

// where returns the queue it is in, as far as is known.
func (r *record) where(l *Ledger) string {
	if r.moved {
		return l.rules[r.queue].DeadLetters
	}
	return r.queue
}

// claims returns how often it was claimed in its first queue.
func (r *record) claims() int {
	n := 0
	for _, k := range r.takes {
		if k.claim != nil && k.claim.queue == r.queue && !k.spent {
			n++
		}
	}
	return n
}

// spent reports whether the next claim is to move it to the dead letters. If
// the server is killed before that, the claim holds it on top of its limit.
func (r *record) spent(l *Ledger) bool {
	most := l.rules[r.queue].MaxClaims
	return most > 0 && !r.moved && r.claims() >= most
}

// take is one handing out of a message: by a claim, or for good by a pop.
type take struct {
	start, end time.Time
	claim      *claim // nil: a pop
	spent      bool   // not a claim in the sense of Rules.MaxClaims
}

// mayEndBefore reports whether the message may have been free again before t.
func (k *take) mayEndBefore(t time.Time) bool { return k.claim != nil && k.claim.mayEndBefore(t) }

// claim is what is known of one claim.
type claim struct {
	id         string
	queue      string
	records    map[*record]bool
	start, end time.Time // when it was made: between these
	low, high  time.Time // when it expires: between these
	ends       []*Release
	ended      time.Time // when it was surely over; zero: not
}

func (c *claim) mayEndBefore(t time.Time) bool {
	if c.low.Before(t) {
		return true
	}
	for _, e := range c.ends {
		if e.start.Before(t) {
			return true
		}
	}
	return false
}

// surelyLive reports whether the claim was in force all the time.
func (c *claim) surelyLive(from, to time.Time) bool {
	return c.end.Before(from) && !c.mayEndBefore(to)
}

// New returns an empty ledger that reads the clock now.
func New(now func() time.Time) *Ledger {
	t := now()
	return &Ledger{now: now, begun: t, verified: t, epoch: 1, rules: map[string]Rules{}, records: map[key]*record{},
		ids: map[string]*record{}, books: map[string]*book{}, claims: map[string]*claim{}, states: map[string][]State{}}
}

// Queue tells the rules of a queue before it is used.
func (l *Ledger) Queue(name string, r Rules) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules[name] = r
}

func (l *Ledger) book(queue string) *book {
	b := l.books[queue]
	if b == nil {
		b = &book{live: map[*record]bool{}}
		l.books[queue] = b
	}
	return b
}

// Restarted tells that the process is another one: nothing is under way.
func (l *Ledger) Restarted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
}

// Violations returns all violations so far.
func (l *Ledger) Violations() []Violation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Violation(nil), l.violations...)
}

// Tally returns the counts so far.
func (l *Ledger) Tally() Tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tally
}

// Backlog returns how many messages the queue may have.
func (l *Ledger) Backlog(queue string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.book(queue).live)
}

// Wrong reports an answer that the request cannot have.
func (l *Ledger) Wrong(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.violate(Answer, nil, format, args...)
}

func (l *Ledger) violate(k Kind, r *record, format string, args ...any) {
	v := Violation{Kind: k, What: fmt.Sprintf(format, args...)}
	if r != nil {
		v.What = fmt.Sprintf("message %v (id %s, queue %s) %s", r.key, r.id, r.queue, v.What)
		v.History = append([]string(nil), r.history...)
	}
	l.violations = append(l.violations, v)
}

func (l *Ledger) note(r *record, a *attempt, format string, args ...any) {
	r.history = append(r.history, fmt.Sprintf("%9.4f–%.4f life %d, %s: %s", a.start.Sub(l.begun).Seconds(),
		l.now().Sub(l.begun).Seconds(), a.epoch, a.worker, fmt.Sprintf(format, args...)))
}

// Seen is a message as the server shows it.
type Seen struct {
	ID    string
	Claim string // the id in its href, of listings and claims
	Body  []byte
}

// look is one answer with messages in it.
type look struct {
	attempt
	end  time.Time
	free bool // no message under a live claim belongs in it
	due  bool // no delayed message belongs in it
	what string
}

// see takes in that the server showed a message. It returns nil for one that
// is nobody's.
func (l *Ledger) see(o *look, s Seen) *record {
	r := l.recognise(o, s)
	if r == nil {
		return nil
	}
	l.note(r, &o.attempt, "%s, claim %q", o.what, s.Claim)
	switch {
	case r.post.outcome == void:
		l.violate(Ghost, r, "is there, though its post failed")
	case r.gone && r.goneAt.Before(o.start):
		l.violate(Returned, r, "is back: %s", o.what)
	case r.id != "" && r.id != s.ID:
		l.violate(Twice, r, "has another id: %s", s.ID)
	}
	if r.sum != sha256.Sum256(s.Body) {
		l.violate(Corrupt, r, "was posted as %.300s and is shown as %.300s", r.body, s.Body)
	}
	if delay := l.rules[r.queue].Delay; o.due && o.end.Before(r.post.start.Add(delay-slack)) {
		l.violate(Early, r, "is shown %v after it was posted, delay %v", o.end.Sub(r.post.start), delay)
	}
	l.locate(o, r)
	r.seen = true
	l.identify(r, s.ID)
	l.confirm(r.post)
	if o.free {
		l.checkFree(o, r)
	}
	for _, m := range r.removals {
		if m.outcome == unknown && m.epoch < o.epoch {
			m.spared = append(m.spared, r) // it did not happen, or the message would be gone
		}
	}
	r.removals = slices.DeleteFunc(r.removals, func(m *Removal) bool { return m.outcome == unknown && m.epoch < o.epoch })
	return r
}

// recognise finds the record of a message, by its id or else its body.
func (l *Ledger) recognise(o *look, s Seen) *record {
	if r := l.ids[s.ID]; r != nil {
		return r
	}
	var k key
	if err := json.Unmarshal(s.Body, &k); err != nil || l.records[k] == nil {
		l.violate(Ghost, nil, "message %s with the body %.100s was posted by nobody: %s in %s", s.ID, s.Body, o.what, o.queue)
		return nil
	}
	return l.records[k]
}

func (l *Ledger) identify(r *record, id string) {
	if other := l.ids[id]; other != nil && other != r {
		l.violate(Twice, r, "has the id %s, as %v has", id, other.key)
		return
	}
	r.id = id
	l.ids[id] = r
}

// locate checks the queue in which a message was seen.
func (l *Ledger) locate(o *look, r *record) {
	rules := l.rules[r.queue]
	switch {
	case o.queue == r.queue && !r.moved:
	case o.queue == r.queue && o.start.Before(r.movedAt):
	case o.queue != r.queue && o.queue == rules.DeadLetters:
		if !r.moved {
			l.move(o, r, rules)
		}
	default:
		l.violate(Misplaced, r, "is in %s: %s", o.queue, o.what)
	}
}

// move takes in that a message went to the dead letters.
func (l *Ledger) move(o *look, r *record, rules Rules) {
	r.moved, r.movedAt = true, o.end
	delete(l.book(r.queue).live, r)
	if !r.gone {
		l.book(rules.DeadLetters).live[r] = true
	}
	if claims := r.claims(); claims < rules.MaxClaims {
		l.violate(Undead, r, "is in the dead letters after %d of %d claims", claims, rules.MaxClaims)
	}
}

// confirm takes in that a post was carried out: all of it.
func (l *Ledger) confirm(p *Post) {
	for _, r := range p.records {
		r.confirmed = true
	}
}

// checkFree says that no live claim may hold the message.
func (l *Ledger) checkFree(o *look, r *record) {
	for _, k := range r.takes {
		if k.claim != nil && k.claim.surelyLive(o.start, o.end) {
			l.violate(Shared, r, "is under claim %s and shown as free: %s", k.claim.id, o.what)
		}
	}
}
