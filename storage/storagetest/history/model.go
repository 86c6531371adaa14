package history

import (
	"time"

	"github.com/anishathalye/porcupine"
)

// phase is where a message is in its life.
type phase int

const (
	unborn phase = iota
	free         // there, under no claim
	taken        // there, under a claim
	gone
)

// message is the model of one message: the lease of the original, with the
// expiry of its claim between two instants, as nobody knows when within a call
// the store read its clock.
type message struct {
	phase    phase
	claim    string
	low, top int64 // the claim expires then: nanoseconds, bounds included
}

// step is a call as far as it concerns one message.
type step struct {
	*call
	id    string // of the message
	in    bool   // it is in the answer
	slack int64
}

func (s *step) ns() (from, to int64) { return s.from.UnixNano(), s.to.UnixNano() }

// expired reports whether the claim may be over when the step happens.
func (m message) expired(s *step) bool {
	_, to := s.ns()
	return to >= m.low
}

// live reports whether the claim may still be in force.
func (m message) live(s *step) bool {
	from, _ := s.ns()
	return from <= m.top
}

func (m message) present() bool { return m.phase == free || m.phase == taken }

// available reports whether the message may be free.
func (m message) available(s *step) bool {
	return m.phase == free || m.phase == taken && m.expired(s)
}

// under reports whether the claim may hold the message.
func (m message) under(claim string, s *step) bool {
	return m.phase == taken && m.claim == claim && m.live(s)
}

// leased is the message under a claim that begins with the step.
func leased(s *step) message {
	from, to := s.ns()
	return message{phase: taken, claim: s.claim, low: from + int64(s.ttl) - s.slack, top: to + int64(s.ttl) + s.slack}
}

// proven is the message whose claim was in force when the step began.
func (m message) proven(s *step) message {
	from, _ := s.ns()
	m.low = max(m.low, from-s.slack)
	return m
}

// next says whether the message lets the step be, and what is then.
func (m message) next(s *step) (bool, message) {
	switch s.kind {
	case post:
		return m.phase == unborn, message{phase: free}
	case claim, pop:
		return m.hand(s)
	case renew, held:
		return m.claimed(s)
	case release:
		return true, m.released(s)
	case remove:
		return m.removed(s)
	case look:
		return m.present() == s.in, m
	}
	return false, m
}

// hand is a claim or pop that took the message, or did not although it could.
func (m message) hand(s *step) (bool, message) {
	switch {
	case !s.in: // one that had to take it if it was free
		return m.phase != free && (m.phase != taken || m.live(s)), m
	case s.kind == pop:
		return m.available(s), message{phase: gone}
	}
	return m.available(s), leased(s)
}

// claimed is a renewal of a claim that took the message once, or a question
// about it.
func (m message) claimed(s *step) (bool, message) {
	mine := m.phase == taken && m.claim == s.claim
	switch {
	case !s.ok: // unless it was over, it held what is neither freed nor deleted
		return !mine || m.expired(s), m
	case s.kind == held && s.in:
		return m.under(s.claim, s), m.proven(s)
	case s.kind == renew && mine:
		return m.live(s), leased(s)
	}
	return m.phase == gone, m // a live claim without it: it was deleted
}

// released is the message after its claim was released. A claim that may have
// expired may have been over before: what was asked for with an earlier time may
// still be granted, and what is asked for with a later one not.
func (m message) released(s *step) message {
	if m.phase != taken || m.claim != s.claim {
		return m
	}
	if !m.expired(s) {
		return message{phase: free}
	}
	from, to := s.ns()
	m.low, m.top = min(m.low, from), min(m.top, to)
	return m
}

// removed is a delete. One without a claim wants the message to be free. What
// is gone may be deleted again.
func (m message) removed(s *step) (bool, message) {
	switch {
	case s.ok && !m.present():
		return m.phase == gone, m
	case s.ok && s.claim != "":
		return m.under(s.claim, s), message{phase: gone}
	case s.ok:
		return m.available(s), message{phase: gone}
	case s.claim == "":
		return m.phase == taken && m.live(s), m
	}
	return m.present() && !(m.phase == taken && m.claim == s.claim && !m.expired(s)), m
}

// model returns the message as porcupine wants it.
func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return message{} },
		Step: func(state, input, _ any) (bool, any) {
			ok, to := state.(message).next(input.(*step))
			return ok, to
		},
	}
}

// patience bounds the search for an order of the calls about one message.
const patience = 20 * time.Second

// linearizable reports whether there is an order. It is Unknown if none was
// found in time.
func linearizable(steps []*step) porcupine.CheckResult {
	ops := make([]porcupine.Operation, len(steps))
	for i, s := range steps {
		ops[i] = porcupine.Operation{ClientId: s.client, Input: s, Call: s.begun, Return: s.ended}
	}
	return porcupine.CheckOperationsTimeout(model(), ops, patience)
}
