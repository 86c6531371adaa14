package crash

import (
	"bytes"
	"time"
)

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
