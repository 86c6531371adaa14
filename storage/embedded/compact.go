package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// keep makes spare segments and writes index files as segments fill up.
func (s *Store) keep() {
	defer s.working.Done()
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-s.seals:
		case <-retry.C:
			if s.journal.reserved() && !s.journal.full.Load() {
				continue
			}
		}
		if s.journal.failed() != nil {
			continue
		}
		s.tend()
	}
}

func (s *Store) kick() {
	select {
	case s.seals <- struct{}{}:
	default:
	}
}

// tend does what keep is for, once.
func (s *Store) tend() {
	was := s.journal.full.Load()
	err := s.journal.reserve()
	if is := s.journal.full.Load(); is != was && is {
		s.log.Error("store is full: new messages are refused until there is room", "err", err)
	} else if is != was {
		s.log.Info("store has room again")
	}
	for _, seg := range s.sealed() {
		if seg.indexed.Load() {
			continue
		}
		if err := writeIndex(s.fs, s.dir, seg); err != nil {
			s.log.Warn("no index file for a log segment; the next start will read the segment itself", "segment", seg.number, "err", err)
			continue
		}
		seg.index = nil
		seg.indexed.Store(true)
	}
}

// sealed returns the segments that are full, oldest first.
func (s *Store) sealed() []*segment {
	var out []*segment
	for _, seg := range *s.segments.Load() {
		if seg.sealed.Load() {
			out = append(out, seg)
		}
	}
	slices.SortFunc(out, func(a, b *segment) int { return cmp.Compare(a.number, b.number) })
	return out
}

// housekeep reclaims what has expired and compacts the log, now and then.
func (s *Store) housekeep() {
	defer s.working.Done()
	tick := time.NewTicker(s.config.SweepEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		s.sweep(s.now() - sweepSlack)
		if s.journal.failed() != nil {
			continue
		}
		if n%subscriptionSweeps == 0 {
			if err := s.sweepSubscriptions(); err != nil {
				s.log.Warn("expired subscriptions not erased", "err", err)
			}
		}
		if err := s.Compact(); err != nil {
			s.log.Error("compaction stopped", "err", err)
		}
	}
}

// subscriptionSweeps is how many rounds lie between two looks at subscriptions.
const subscriptionSweeps = 30

// sparse is the share of a segment that may still count when it is rewritten.
const sparse = 0.5

// Compact unlinks segments with nothing live and rewrites those with little,
// until there are none. It is safe at any time; the store does it by itself.
func (s *Store) Compact() error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	if s.unlinkFailed {
		return nil // what comes back after a crash would be missed by later removals
	}
	if err := s.unlinkDead(); err != nil {
		return err
	}
	for {
		seg := s.sparsest()
		if seg == nil {
			return nil
		}
		if err := s.rewrite(seg); err != nil {
			return err
		}
		select {
		case <-s.closing:
			return nil
		default:
		}
	}
}

// weight returns how many bytes of the segment still count.
func (s *Store) weight(seg *segment) int64 { return seg.live.Load() + seg.needed(s.segment) }

func (s *Store) unlinkDead() error {
	for _, seg := range s.sealed() {
		if seg.indexed.Load() && s.weight(seg) == 0 {
			if err := s.unlink(seg); err != nil {
				return err
			}
		}
	}
	return nil
}

// sparsest returns the segment best rewritten next, or nil.
func (s *Store) sparsest() *segment {
	limit := sparse
	if s.journal.full.Load() {
		limit /= 2 // the reserve is for deletes; but a little room makes more
	}
	var best *segment
	for _, seg := range s.sealed() {
		share := float64(s.weight(seg)) / float64(seg.size)
		if seg.indexed.Load() && share < limit {
			best, limit = seg, share
		}
	}
	return best
}

// unlink removes a segment that nothing depends on. The removal is on disk
// before anything that relies on it can be.
func (s *Store) unlink(seg *segment) error {
	s.changeSegments(func(m map[uint32]*segment) { delete(m, seg.number) })
	var err error
	if seg.damaged.Load() {
		err = s.quarantineFile(segmentName(seg.number))
	} else {
		err = s.fs.Remove(seg.name)
	}
	if err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	if err != nil {
		s.adopt(seg)
		s.unlinkFailed = true
		return fmt.Errorf("%s could not be removed; space is not reclaimed until the next start: %w", seg.name, err)
	}
	if err := s.fs.Remove(s.dir + "/" + indexName(seg.number)); err != nil {
		s.log.Warn("index file not removed", "segment", seg.number, "err", err)
	}
	if err := seg.release(); err != nil {
		s.log.Warn("segment not closed", "segment", seg.number, "err", err)
	}
	s.kick() // there may be room for a spare now
	return nil
}

// rewriteLot is how many bytes compaction copies before it waits for the disk,
// so that posts get their turn.
const rewriteLot = 256 << 10

// rewriter carries what still counts in a segment to the head of the log.
type rewriter struct {
	*Store
	seg     *segment
	stated  map[statedKey]bool // messages whose state was carried
	last    *group
	bytes   int
	pending bool // something could not be carried yet
	err     error
}

type statedKey struct{ queue, pos uint64 }

// rewrite carries what counts in the segment to the head of the log and
// unlinks it.
func (s *Store) rewrite(seg *segment) error {
	r := &rewriter{Store: s, seg: seg}
	for range 10 { // rounds repeat only for what was changing meanwhile
		r.stated, r.pending = make(map[statedKey]bool), false
		if err := r.round(); err != nil {
			return err
		}
		if !r.pending && seg.live.Load() == 0 {
			return s.unlink(seg)
		}
		g, err := s.journal.barrier()
		if err != nil {
			return err
		}
		if err := g.wait(); err != nil {
			return err
		}
	}
	return errors.New("a segment keeps changing while it is rewritten")
}

// round carries everything that can be carried now.
func (r *rewriter) round() error {
	entries, size, err := readIndex(r.fs, r.dir, r.seg)
	if err != nil || size != r.seg.size {
		return errors.Join(err, errBadIndex)
	}
	for len(entries) > 0 && r.err == nil {
		off, f, content, rest, err := indexEntry(entries)
		if err != nil {
			return err
		}
		if err := r.carry(off, f, content); err != nil {
			return err
		}
		if r.bytes >= rewriteLot {
			r.rest()
		}
		entries = rest
	}
	r.rest()
	return r.err
}

// rest waits for what has been submitted.
func (r *rewriter) rest() {
	if r.last != nil {
		r.err = errors.Join(r.err, r.last.wait())
	}
	r.last, r.bytes = nil, 0
}

// submit sends a record to the head of the log.
func (r *rewriter) submit(encode func([]byte) []byte, apply func(seg *segment, at uint32)) error {
	g, err := r.journal.submit(0, func(b []byte, _ uint64) []byte {
		before := len(b)
		b = encode(b)
		r.bytes += len(b) - before
		return b
	}, apply, nil)
	if err == nil {
		r.last = g
	}
	return err
}

func (r *rewriter) carry(off uint32, f frame, content []byte) error {
	switch f.kind {
	case recMessage:
		m, err := decodeMessage(f, content)
		if err != nil {
			return err
		}
		q, pos := r.where(m.queue, m.id, m.pos)
		return r.carryMessage(q, pos, m.id, r.seg, off)
	case recState:
		st, err := decodeState(content)
		if err != nil {
			return err
		}
		return r.carryState(st.queue, st.pos)
	case recControl:
		edits, err := decodeControl(content)
		if err != nil {
			return err
		}
		return r.carryControl(edits)
	case recClaim, recRenew, recRelease, recRemove, recPurge, recMove:
		op, err := decodeOperation(f, content)
		if err != nil {
			return err
		}
		return r.carryOperation(&op)
	}
	return nil
}

// carryMessage copies the message to the head if its record is the one at off
// in seg.
func (r *rewriter) carryMessage(q *queue, pos, id uint64, seg *segment, off uint32) error {
	if q == nil {
		return nil
	}
	found := &picked{q: q}
	q.mu.Lock()
	at := func() *entry {
		c, i, ok := q.find(pos)
		if !ok || c.entries[i].seg != seg.number || c.entries[i].off != off {
			return nil
		}
		return &c.entries[i]
	}
	e := at()
	if e != nil {
		found.take(e)
	}
	q.mu.Unlock()
	if e == nil {
		return nil
	}
	m, err := found.raw(context.Background())
	if err != nil || m == nil {
		return err
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	if e = at(); e == nil {
		return nil
	}
	if e.flags&entryPending != 0 || q.claims[e.claim] == nil && e.claim != 0 {
		r.pending = true
		return nil
	}
	m.queue, m.pos, m.last = q.number, pos, true
	if m.pos != m.id {
		m.available = 0
	}
	m.ttl, m.expires, m.claims, m.claim = e.ttl, e.expires, uint32(e.claims), e.claim
	if cl := q.claims[e.claim]; cl != nil {
		if cl.renewals > 0 {
			r.pending = true
			return nil
		}
		m.renewed, m.claimTTL = cl.renewed, cl.ttl
	}
	var size uint32
	encode := func(b []byte) []byte {
		start := len(b)
		b = appendMessage(b, m)
		size = readFrame(b[start:]).size
		return b
	}
	return r.submit(encode, func(to *segment, start uint32) {
		to.written.Add(1)
		q.mu.Lock()
		defer q.mu.Unlock()
		if e := at(); e != nil {
			r.forget(e)
			e.seg, e.off, e.size = to.number, start, size
			r.keepAlive(e)
		}
	})
}

// carryState repeats the present state of a message whose record is in an older
// segment.
func (r *rewriter) carryState(number, pos uint64) error {
	key := statedKey{number, pos}
	if r.stated[key] {
		return nil
	}
	q := r.byNumber(number)
	if q == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c, i, ok := q.find(pos)
	if !ok || c.entries[i].seg >= r.seg.number {
		return nil
	}
	e := &c.entries[i]
	cl := q.claims[e.claim]
	if e.flags&entryPending != 0 || cl != nil && cl.renewals > 0 {
		r.pending = true
		return nil
	}
	r.stated[key] = true
	st := state{queue: number, pos: pos, ttl: e.ttl, expires: e.expires, claims: uint32(e.claims), claim: e.claim}
	if cl != nil {
		st.renewed, st.claimTTL = cl.renewed, cl.ttl
	}
	older := e.seg
	return r.submit(func(b []byte) []byte { return appendState(b, &st) },
		func(to *segment, _ uint32) { to.need(older, stateBytes) })
}

// carryOperation repeats what an operation still has to say about segments
// older than this one.
func (r *rewriter) carryOperation(op *operation) error {
	switch op.kind {
	case recClaim, recRenew, recRelease:
		for _, ts := range [][]target{op.targets, op.spent} {
			for _, t := range ts {
				if err := r.carryState(op.queue, t.pos); err != nil {
					return err
				}
			}
		}
	case recRemove:
		return r.carryRemoval(op.queue, op.targets)
	case recPurge:
		if r.byNumber(op.queue) != nil && r.seg.needed(r.segment) > 0 {
			return r.repeat(op)
		}
	case recMove:
		return r.carryMove(op)
	}
	return nil
}

// repeat writes the operation again as it is.
func (r *rewriter) repeat(op *operation) error {
	return r.submit(func(b []byte) []byte { return appendOperation(b, op) },
		func(to *segment, _ uint32) {
			for _, seg := range r.sealed() {
				if seg.number < r.seg.number {
					to.need(seg.number, 1)
				}
			}
			for _, t := range op.targets {
				if op.kind == recRemove {
					to.need(t.seg, removeBytes)
				}
			}
		})
}

// carryRemoval repeats the removal of messages whose records are still there.
func (r *rewriter) carryRemoval(number uint64, targets []target) error {
	if r.byNumber(number) == nil {
		return nil // the whole queue is gone
	}
	left := slices.DeleteFunc(slices.Clone(targets), func(t target) bool {
		return t.seg == r.seg.number || r.segment(t.seg) == nil
	})
	if len(left) == 0 {
		return nil
	}
	op := &operation{kind: recRemove, queue: number, targets: left}
	return r.submit(func(b []byte) []byte { return appendOperation(b, op) },
		func(to *segment, _ uint32) {
			for _, t := range left {
				to.need(t.seg, removeBytes)
			}
		})
}

// carryMove makes a move unnecessary: messages that live on are copied whole,
// and their old records count as removed.
func (r *rewriter) carryMove(op *operation) error {
	for n, t := range op.targets {
		if t.seg == r.seg.number || r.segment(t.seg) == nil {
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
		if ok && e.seg == t.seg {
			if err := r.carryMessage(q, pos, p.id, r.segment(e.seg), e.off); err != nil {
				return err
			}
		}
	}
	if r.pending {
		return nil
	}
	return r.carryRemoval(op.queue, op.targets)
}

// carryControl repeats control records that are the latest of their keys, and
// erasures that older puts still need.
func (r *rewriter) carryControl(edits []edit) error {
	c := &r.control
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range edits {
		e := &edits[i]
		it, exists := c.tables[e.table].Get(e.key)
		switch {
		case exists && it.group != nil:
			r.pending = true
		case e.erase && exists:
			it.olds = merged(it.olds, e.olds) // for when it is erased again
		case e.erase:
			if err := r.carryErasure(e); err != nil {
				return err
			}
		case !e.erase && exists && it.value != nil && it.seg == r.seg.number:
			g, err := c.submit(0, []staged{c.put(e.table, e.key, it.value)}, nil, nil)
			if err != nil {
				return err
			}
			r.last = g
			r.bytes += len(e.key) + len(e.value)
		}
	}
	return nil
}

// merged returns the numbers in either list.
func merged(a, b []uint32) []uint32 {
	for _, n := range b {
		if !slices.Contains(a, n) {
			a = append(a, n)
		}
	}
	return a
}

func (r *rewriter) carryErasure(e *edit) error {
	var olds []uint32
	for _, n := range e.olds {
		if n != r.seg.number && r.segment(n) != nil {
			olds = append(olds, n)
		}
	}
	if len(olds) == 0 {
		return nil
	}
	again := edit{table: e.table, erase: true, key: e.key, olds: olds}
	return r.submit(func(b []byte) []byte { return appendControl(b, []edit{again}) },
		func(to *segment, _ uint32) {
			for _, n := range olds {
				to.need(n, int64(len(e.key))+8)
			}
		})
}
