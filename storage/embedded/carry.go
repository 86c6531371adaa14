package embedded

// What compaction carries of messages.

// at returns the live entry at pos if its record is the one at off in seg. The
// caller holds q.mu.
func (q *queue) at(pos uint64, seg, off uint32) *entry {
	c, i, ok := q.find(pos)
	if !ok || c.entries[i].seg != seg || c.entries[i].off != off {
		return nil
	}
	return &c.entries[i]
}

// changing reports whether an operation on its way to disk is about the entry.
// What is submitted now would come behind it and must know its outcome.
func (q *queue) changing(e *entry) bool {
	cl := q.claims[e.claim]
	return e.flags&entryPending != 0 || cl != nil && (cl.renewals > 0 || cl.ending)
}

// carryMessage copies the message to the head if the record it has now is the
// one at off in seg. number and pos are where that record says it is.
func (r *rewriter) carryMessage(number, id, pos uint64, seg *segment, off uint32) (pending bool, err error) {
	q, pos := r.where(number, id, pos)
	if q == nil {
		return false, nil
	}
	found := &picked{q: q}
	q.mu.Lock()
	q.catchUp(r.now())
	e := q.at(pos, seg.number, off)
	if e != nil {
		found.take(e)
	}
	q.mu.Unlock()
	if e == nil {
		// Gone, copied before, or moved on since it was looked up.
		q2, pos2 := r.where(number, id, pos)
		return q2 != q || pos2 != pos, nil
	}
	m := r.read(seg, off, id)
	if m == nil {
		if m, err = found.raw(); err != nil {
			r.unread = err
			return false, nil
		}
	} else {
		found.drop()
	}
	if m == nil {
		return false, nil // damaged
	}
	return r.copyMessage(q, pos, seg, off, m)
}

// rewriteSpan is how many bytes compaction reads at a time.
const rewriteSpan = 128 << 10

// read returns a message of the segment being rewritten, valid until the next
// call, nil if it is not there whole.
func (r *rewriter) read(seg *segment, off uint32, id uint64) *message {
	if seg != r.seg {
		return nil
	}
	record, f, err := r.window.record(off)
	if err != nil || record == nil || f.kind != recMessage {
		return nil
	}
	m, err := decodeMessage(f, record[frameSize:])
	if err != nil || m.id != id {
		return nil
	}
	return &m
}

// copyMessage submits a copy of the message with its present state.
func (r *rewriter) copyMessage(q *queue, pos uint64, seg *segment, off uint32, m *message) (pending bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.at(pos, seg.number, off)
	if e == nil || q.changing(e) {
		return true, nil
	}
	m.queue, m.pos, m.last = q.number, pos, true
	if m.pos != m.id {
		m.available = 0
	}
	m.ttl, m.expires, m.claims, m.claim = e.ttl, e.expires, uint32(e.claims), e.claim
	if cl := q.claims[e.claim]; cl != nil {
		m.renewed, m.claimTTL = cl.renewed, cl.ttl
	}
	var at frame
	encode := func(b []byte) []byte {
		start := len(b)
		b = appendMessage(b, m)
		at = readFrame(b[start:])
		return b
	}
	return false, r.submit(encode, func(to *segment, start uint32, _ int) {
		q.mu.Lock()
		defer q.mu.Unlock()
		if e := q.at(pos, seg.number, off); e != nil {
			r.strays.add(seg.number, pos)
			r.forget(e)
			e.seg, e.off, e.size, e.head = to.number, start, at.size, at.head
			to.keepAlive(e)
		}
	})
}

// carryState repeats the present state of a message whose record is in an older
// segment.
func (r *rewriter) carryState(number, pos uint64) (pending bool, err error) {
	q := r.byNumber(number)
	if q == nil || r.stated[pos] {
		return false, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c, i, ok := q.find(pos)
	if !ok || c.entries[i].seg >= r.seg.number {
		return false, nil
	}
	e := &c.entries[i]
	if q.changing(e) {
		return true, nil
	}
	r.stated[pos] = true
	st := state{queue: number, pos: pos, ttl: e.ttl, expires: e.expires, claims: uint32(e.claims), claim: e.claim}
	if cl := q.claims[e.claim]; cl != nil {
		st.renewed, st.claimTTL = cl.renewed, cl.ttl
	}
	older := e.seg
	return false, r.submit(func(b []byte) []byte { return appendState(b, &st) },
		func(to *segment, _ uint32, size int) { r.need(to, older, int64(size)) })
}

// carryMoved copies the messages of a move whose records are older than it, so
// that their old records may count as removed.
func (r *rewriter) carryMoved(op *operation) (pending bool, err error) {
	for n, t := range op.targets {
		if len(r.recordsOf(t)) == 0 {
			continue
		}
		p := op.places[n]
		q, pos := r.where(op.to, p.id, p.pos)
		if q == nil {
			continue
		}
		q.mu.Lock()
		var e entry
		c, i, ok := q.find(pos)
		if ok {
			e = c.entries[i]
		}
		q.mu.Unlock()
		if !ok {
			q2, pos2 := r.where(op.to, p.id, p.pos)
			pending = pending || q2 != q || pos2 != pos // moved on since it was looked up
			continue
		}
		if e.seg >= r.seg.number {
			continue // this segment's own, or a copy that is complete
		}
		again, err := r.carryMessage(op.to, p.id, p.pos, r.segment(e.seg), e.off)
		if err != nil {
			return false, err
		}
		pending = pending || again
	}
	return pending, nil
}
