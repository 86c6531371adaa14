package embedded

import (
	"errors"
	"fmt"

	"zaqar/messaging"
)

// errNewer is a record that is whole and means nothing to this version. To take
// it for damage, and cut it off, would lose what a later version has stored.
var errNewer = errors.New("the store was written by a newer version of the server, use that one")

// replay carries out one record.
func (r *recovery) replay(seg *segment, off uint32, f frame, content []byte) error {
	if f.kind != recMessage {
		r.endBatch(seg)
	}
	switch f.kind {
	case recCommit:
		rd := reader{b: content}
		r.see(rd.u64())
		r.commit = off
		return rd.err
	case recMessage:
		m, err := decodeMessage(f, content)
		if err != nil {
			return err
		}
		m.body = nil
		r.batch = append(r.batch, pendingMessage{off, f, m})
		if m.last {
			r.endBatch(seg)
		}
		return nil
	case recState:
		st, err := decodeState(content)
		if err == nil {
			r.state(seg, &st)
		}
		return err
	case recControl:
		edits, err := decodeControl(content)
		if err == nil {
			err = r.control.replay(edits, seg)
		}
		return err
	case recClaim, recRenew, recRelease, recRemove, recPurge, recMove:
		op, err := decodeOperation(f, content)
		if err == nil {
			r.operation(seg, &op, padded(int(f.size)))
		}
		return err
	}
	return fmt.Errorf("%w: a record of type %d", errNewer, f.kind)
}

// endBatch puts the messages of a batch into memory.
func (r *recovery) endBatch(seg *segment) {
	for i := range r.batch {
		r.message(seg, &r.batch[i])
	}
	r.batch = r.batch[:0]
}

// see keeps sequence numbers from being given out again.
func (r *recovery) see(next uint64) { r.next = max(r.next, next) }

func (r *recovery) queue(number uint64) *queue {
	q := r.byNum[number]
	if q == nil {
		q = newQueue(r.Store, messaging.QueueRef{}, number)
		r.byNum[number] = q
		r.see(number + 1)
	}
	return q
}

func (r *recovery) message(seg *segment, p *pendingMessage) {
	m := &p.m
	q := r.queue(m.queue)
	r.see(max(m.id, m.pos) + 1)
	e := entry{
		pos: m.pos, expires: m.expires, ttl: m.ttl, seg: seg.number, off: p.off, size: p.f.size, head: p.f.head,
		poster: r.posterHash(m.poster), key: r.keys.number(m.key), claims: uint16(min(m.claims, maxClaims)),
	}
	if c, i, ok := q.find(m.pos); ok { // a copy that compaction made supersedes the original
		r.strays.add(c.entries[i].seg, m.pos)
		q.kill(c, i)
		q.settle(c)
	}
	seg.keepAlive(&e)
	if m.available > r.at && m.pos == m.id {
		e.flags |= entryDelayed
		q.delays.push(m.available, m.pos)
	}
	q.add(e, m.id)
	if m.claim != 0 {
		r.leaseAgain(q, m.pos, m.claim, m.renewed, m.claimTTL)
	}
}

// leaseAgain gives the message to the claim that a copy of it names, which is
// as it was when the copy was made.
func (r *recovery) leaseAgain(q *queue, pos, id uint64, renewed int64, ttl uint32) {
	c, i, ok := q.find(pos)
	if !ok {
		return
	}
	if id == 0 {
		q.unclaim(&c.entries[i])
		q.ready(c, i)
		return
	}
	cl := q.claims[id]
	switch {
	case cl == nil:
		cl = &claim{id: id, ttl: ttl, renewed: renewed, expires: expiry(renewed, ttl)}
		q.adopt(cl)
		r.see(id + 1)
	case cl.renewed != renewed || cl.ttl != ttl:
		q.restart(cl, renewed, ttl)
	}
	q.lease(c, i, cl)
}

func (r *recovery) state(seg *segment, st *state) {
	q := r.queue(st.queue)
	c, i, ok := q.find(st.pos)
	if !ok {
		return
	}
	e := &c.entries[i]
	r.need(seg, e.seg, stateSize)
	e.ttl, e.expires, e.claims = st.ttl, st.expires, uint16(min(st.claims, maxClaims))
	c.soonest, c.latest = min(c.soonest, e.expires), max(c.latest, e.expires)
	q.schedule(c)
	r.leaseAgain(q, st.pos, st.claim, st.renewed, st.claimTTL)
}

func (r *recovery) operation(seg *segment, op *operation, size int) {
	r.see(op.claim + 1)
	to := (*queue)(nil)
	if op.kind == recMove {
		to = r.queue(op.to)
		for _, p := range op.places {
			r.see(p.pos + 1)
		}
	}
	r.queue(op.queue).carryOut(op, to, seg, size)
}
