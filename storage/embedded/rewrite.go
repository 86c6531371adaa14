package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// rewriter carries what still counts in a segment to the head of the log: live
// messages are copied with their present state, control records are put again,
// and records about older segments are condensed to what they still have to
// say. Everything it writes is true at that point of the log whatever came
// before: so it leaves alone what an operation on its way to disk is changing,
// and comes back to it.
type rewriter struct {
	*Store
	seg      *segment
	pace     *pace
	window   *window                 // on seg
	stated   map[uint64]bool         // positions whose state was carried
	removals map[uint64][]target     // queue -> removals to repeat
	purges   map[uint64][]*operation // queue -> purges to repeat
	last     *group
	bytes    int
	unread   error
}

// rewriteRounds is how often compaction tries to carry what keeps changing
// before it leaves a segment for another time.
const rewriteRounds = 10

// errUnread is a segment that could not be rewritten because not all in it can
// be read. It stays as it is.
var errUnread = errors.New("a segment cannot be read")

// rewrite carries what counts in the segment to the head of the log and
// unlinks it. A segment that keeps changing stays, without an error.
func (s *Store) rewrite(seg *segment, p *pace) error {
	s.rewriting.Store(true)
	defer s.rewriting.Store(false)
	index, err := s.indexOf(seg)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnread, err)
	}
	r := &rewriter{Store: s, seg: seg, pace: p, stated: make(map[uint64]bool), window: &window{seg: seg, span: rewriteSpan}}
	todo, err := offsetsOf(index)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", seg.name, errUnread, err)
	}
	for range rewriteRounds {
		if todo, err = r.round(index, todo); err != nil {
			return err
		}
		if len(todo) == 0 {
			break
		}
		if g, err := s.journal.barrier(); err != nil {
			return err
		} else if err := g.wait(); err != nil {
			return err
		}
	}
	if r.unread != nil {
		return fmt.Errorf("%s: %w: %w", seg.name, errUnread, r.unread)
	}
	if len(todo) > 0 || seg.live.Load() > 0 {
		return nil
	}
	return s.unlink(seg)
}

// indexOf returns the index of a full segment.
func (s *Store) indexOf(seg *segment) ([]byte, error) {
	index, inFile := seg.indexInMemory()
	if !inFile {
		return index, nil
	}
	f, err := readIndex(s.fs, s.dir, seg)
	if err == nil && f.size != seg.size {
		err = fmt.Errorf("%s: %w", seg.name, errBadIndex)
	}
	return f.entries, err
}

// offsetsOf returns where the entries of an index begin.
func offsetsOf(index []byte) (at []int, err error) {
	for rest := index; len(rest) > 0; {
		at = append(at, len(index)-len(rest))
		if _, _, _, rest, err = indexEntry(rest); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// round carries the entries at the offsets given, and returns those that it
// has to come back to. When it returns everything carried is on disk.
func (r *rewriter) round(index []byte, todo []int) (again []int, err error) {
	r.removals, r.purges = make(map[uint64][]target), make(map[uint64][]*operation)
	for _, at := range todo {
		off, f, content, _, err := indexEntry(index[at:])
		if err != nil {
			return nil, err
		}
		pending, err := r.carry(off, f, content)
		if err != nil {
			return nil, err
		}
		if pending {
			again = append(again, at)
		}
		if r.bytes >= r.pace.lot() {
			if err := r.rest(); err != nil {
				return nil, err
			}
		}
	}
	if err := r.repeatRemovals(); err != nil {
		return nil, err
	}
	return again, r.rest()
}

// rest waits for what has been submitted.
func (r *rewriter) rest() error {
	g, copied := r.last, r.bytes
	r.last, r.bytes = nil, 0
	if g == nil {
		return nil
	}
	err := g.wait()
	r.pace.rest(copied)
	return err
}

// submit sends a record to the head of the log. apply gets its place and size.
func (r *rewriter) submit(encode func([]byte) []byte, apply func(to *segment, at uint32, size int)) error {
	size := 0
	g, err := r.journal.submit(0, func(b []byte, _ uint64) []byte {
		before := len(b)
		b = encode(b)
		size = len(b) - before
		return b
	}, func(to *segment, at uint32) { apply(to, at, size) }, nil)
	if err == nil {
		r.last = g
		r.bytes += size
		r.rewritten.Add(int64(size))
	}
	return err
}

// carry carries one record. If an operation on its way to disk is in between
// it reports pending.
func (r *rewriter) carry(off uint32, f frame, content []byte) (pending bool, err error) {
	switch f.kind {
	case recMessage:
		m, err := decodeMessage(f, content)
		if err != nil {
			return false, err
		}
		return r.carryMessage(m.queue, m.id, m.pos, r.seg, off)
	case recState:
		st, err := decodeState(content)
		if err != nil {
			return false, err
		}
		return r.carryState(st.queue, st.pos)
	case recControl:
		edits, err := decodeControl(content)
		if err != nil {
			return false, err
		}
		return r.carryControl(edits)
	}
	op, err := decodeOperation(f, content)
	if err != nil {
		return false, err
	}
	return r.carryOperation(&op)
}

// carryOperation repeats what an operation still has to say about segments
// older than this one.
func (r *rewriter) carryOperation(op *operation) (pending bool, err error) {
	switch op.kind {
	case recClaim, recRenew, recRelease:
		for _, ts := range [][]target{op.targets, op.spent} {
			for _, t := range ts {
				p, err := r.carryState(op.queue, t.pos)
				if err != nil {
					return false, err
				}
				pending = pending || p
			}
		}
		return pending, nil
	case recMove:
		if pending, err := r.carryMoved(op); pending || err != nil {
			return pending, err
		}
		fallthrough
	case recRemove:
		r.carryRemoval(op)
	case recPurge:
		r.purges[op.queue] = mergePurges(r.purges[op.queue], op)
	}
	return false, nil
}

// recordsOf returns the other segments that have a record of the message.
func (r *rewriter) recordsOf(t target) []uint32 {
	segs := append(r.strays.of(t.pos), t.seg)
	slices.Sort(segs)
	return slices.DeleteFunc(slices.Compact(segs), func(n uint32) bool {
		return n == r.seg.number || r.segment(n) == nil
	})
}

// carryRemoval notes the messages removed whose records are still there.
func (r *rewriter) carryRemoval(op *operation) {
	if r.byNumber(op.queue) == nil {
		return // the whole queue is gone
	}
	for _, t := range op.targets {
		for _, n := range r.recordsOf(t) {
			r.removals[op.queue] = append(r.removals[op.queue], target{t.pos, n})
		}
	}
}

// targetsPerRecord bounds the records that condense removals.
const targetsPerRecord = 4096

// repeatRemovals writes the removals and purges noted, those of a queue
// together.
func (r *rewriter) repeatRemovals() error {
	for number, targets := range r.removals {
		slices.SortFunc(targets, func(a, b target) int {
			return cmp.Or(cmp.Compare(a.pos, b.pos), cmp.Compare(a.seg, b.seg))
		})
		for lot := range slices.Chunk(slices.Compact(targets), targetsPerRecord) {
			var about []uint32
			for _, t := range lot {
				about = append(about, t.seg)
			}
			if err := r.repeat(&operation{kind: recRemove, queue: number, targets: lot}, about); err != nil {
				return err
			}
		}
	}
	for number, ops := range r.purges {
		about, _ := r.needed(r.seg)
		if r.byNumber(number) == nil || len(about) == 0 {
			continue
		}
		for _, op := range ops {
			if err := r.repeat(op, about); err != nil {
				return err
			}
		}
	}
	return nil
}

// mergePurges adds a purge to earlier ones of the queue. One that it overlaps
// or continues becomes part of it.
func mergePurges(earlier []*operation, op *operation) []*operation {
	return append(slices.DeleteFunc(earlier, func(was *operation) bool {
		if was.to+1 < op.from || op.to+1 < was.from {
			return false
		}
		for _, t := range was.targets {
			if t.pos < op.from || t.pos > op.to {
				op.targets = append(op.targets, t)
			}
		}
		slices.SortFunc(op.targets, func(a, b target) int { return cmp.Compare(a.pos, b.pos) })
		op.from, op.to = min(op.from, was.from), max(op.to, was.to)
		return true
	}), op)
}

// repeat writes an operation again, which is about those segments.
func (r *rewriter) repeat(op *operation, about []uint32) error {
	return r.submit(func(b []byte) []byte { return appendOperation(b, op) }, func(to *segment, _ uint32, size int) {
		sh := r.share(to, size, len(about))
		for _, n := range about {
			sh.with(n)
		}
		sh.end()
	})
}

// carryControl repeats control records that are the latest of their keys, and
// erasures that older puts still need.
func (r *rewriter) carryControl(edits []edit) (pending bool, err error) {
	c := &r.control
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range edits {
		e := &edits[i]
		it, exists := c.tables[e.table].Get(e.key)
		switch {
		case exists && it.group != nil:
			pending = true
		case e.erase && exists:
			it.olds = merged(it.olds, e.olds) // for when it is erased again
		case e.erase:
			err = r.carryErasure(e)
		case exists && it.seg == r.seg.number:
			var g *group
			if g, err = c.submit(0, []staged{c.put(e.table, e.key, it.value)}, nil, nil); err == nil {
				r.last = g
				r.bytes += len(e.key) + len(e.value)
				r.rewritten.Add(int64(len(e.key) + len(e.value)))
			}
		}
		if err != nil {
			return false, err
		}
	}
	return pending, nil
}

func (r *rewriter) carryErasure(e *edit) error {
	olds := slices.DeleteFunc(slices.Clone(e.olds), func(n uint32) bool {
		return n == r.seg.number || r.segment(n) == nil
	})
	if len(olds) == 0 {
		return nil
	}
	again := edit{table: e.table, erase: true, key: e.key, olds: olds}
	return r.submit(func(b []byte) []byte { return appendControl(b, []edit{again}) },
		func(to *segment, _ uint32, size int) {
			sh := r.share(to, size, len(olds))
			for _, n := range olds {
				sh.with(n)
			}
			sh.end()
		})
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
