package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"

	"zaqar/messaging"
	"zaqar/storage/embedded/disk"
)

// recovery rebuilds memory from the log, segment after segment, from index
// files where there are such.
type recovery struct {
	*Store
	open    []*segment
	next    uint64
	at      int64 // the present, ms
	byNum   map[uint64]*queue
	batch   []pendingMessage // messages of a batch whose last is still to come
	cut     uint32           // where the batch begins
	records int
}

type pendingMessage struct {
	off, size uint32
	m         message
}

// recover reads the log and makes the journal ready to write.
func (s *Store) recover() error {
	r := &recovery{Store: s, next: 1, at: s.now(), byNum: make(map[uint64]*queue)}
	if err := r.openSegments(); err != nil {
		return err
	}
	if err := r.dropUnused(); err != nil {
		return err
	}
	for i, seg := range r.open {
		if err := r.readSegment(seg, i == len(r.open)-1); err != nil {
			return err
		}
		r.next = max(r.next, seg.first)
	}
	if len(r.damage) > 0 {
		r.next += damageSkip
	}
	r.bind()
	s.journal.next = r.next
	return r.startJournal()
}

// damageSkip is how many sequence numbers are left out when what is lost may
// have given out some.
const damageSkip = 1 << 32

// openSegments opens what is there, in order, and clears away what a crash
// left behind.
func (r *recovery) openSegments() error {
	names, err := r.fs.List(r.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if unfinished(name) {
			if err := r.fs.Remove(r.dir + "/" + name); err != nil {
				return err
			}
		}
		number, ok := segmentNumber(name, logSuffix)
		if !ok {
			continue
		}
		r.journal.number = max(r.journal.number, number)
		seg, err := openSegment(r.fs, r.dir, number)
		switch {
		case err == nil:
			r.open = append(r.open, seg)
			r.adopt(seg)
		case errors.Is(err, errNoSegment):
			if err := r.headless(number, names, err); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return r.dropOrphans(names)
}

// unfinished reports whether the file is one that replaceFile left behind.
func unfinished(name string) bool {
	name, found := strings.CutSuffix(name, newSuffix)
	_, isIndex := segmentNumber(name, indexSuffix)
	return found && (isIndex || name == formatName)
}

// headless deals with a file whose header is bad. If its index is there, that
// tells what the header did.
func (r *recovery) headless(number uint32, names []string, cause error) error {
	seg, err := openByIndex(r.fs, r.dir, number)
	if err != nil {
		return err
	}
	if seg == nil {
		return r.setAsideHeadless(number, names, cause)
	}
	r.log.Error("the header of a log segment is damaged; its index replaces it", "segment", number, "err", cause)
	r.damage = append(r.damage, Damage{Segment: number, Bytes: headerSize})
	r.open = append(r.open, seg)
	r.adopt(seg)
	return nil
}

// setAsideHeadless deals with a file that has neither header nor index: the
// last one, if it holds nothing, is a segment a crash kept from being made; any
// other is damage.
func (r *recovery) setAsideHeadless(number uint32, names []string, cause error) error {
	name := segmentName(number)
	if !slices.ContainsFunc(names, func(other string) bool {
		n, ok := segmentNumber(other, logSuffix)
		return ok && n > number
	}) {
		empty, err := r.holdsNothing(name)
		if err != nil {
			return err
		}
		if empty {
			return r.fs.Remove(r.dir + "/" + name)
		}
	}
	r.log.Error("a log segment is unreadable and set aside", "segment", number, "err", cause)
	r.damage = append(r.damage, Damage{Segment: number})
	return r.quarantineFile(name)
}

// holdsNothing reports whether a segment file is zero behind its header.
func (r *recovery) holdsNothing(name string) (bool, error) {
	f, err := r.fs.Open(r.dir + "/" + name)
	if err != nil {
		return false, err
	}
	w := &window{seg: &segment{file: f, name: name}}
	empty, err := w.zero(headerSize, lookahead)
	return empty, errors.Join(err, f.Close())
}

func (s *Store) quarantineFile(name string) error {
	aside := s.dir + "/" + quarantineName
	err := s.fs.MkdirAll(aside)
	if err == nil {
		err = s.fs.Rename(s.dir+"/"+name, aside+"/"+name)
	}
	if err == nil {
		err = s.fs.SyncDir(aside)
	}
	if err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	return err
}

// dropOrphans removes index files without a segment.
func (r *recovery) dropOrphans(names []string) error {
	for _, name := range names {
		number, ok := segmentNumber(name, indexSuffix)
		if ok && r.segment(number) == nil {
			if err := r.fs.Remove(r.dir + "/" + name); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropUnused removes segments at the end that hold nothing: spares, and one
// whose first commit a crash tore. What such a commit held was never
// acknowledged.
func (r *recovery) dropUnused() error {
	for len(r.open) > 1 {
		last := r.open[len(r.open)-1]
		used, err := begun(last)
		if err != nil || used {
			return err
		}
		r.next = max(r.next, last.first)
		r.open = r.open[:len(r.open)-1]
		r.changeSegments(func(m map[uint32]*segment) { delete(m, last.number) })
		if err := errors.Join(last.release(), r.fs.Remove(last.name)); err != nil {
			return err
		}
	}
	return nil
}

// begun reports whether any commit in the segment is whole.
func begun(seg *segment) (bool, error) {
	w := &window{seg: seg}
	if empty, err := w.zero(headerSize, lookahead); err != nil || empty {
		return false, err
	}
	at, err := findCommit(seg, headerSize)
	return at != 0, err
}

// lookahead is how many zeros prove that nothing follows. It spares a start
// from reading all that is reserved.
const lookahead = 4 << 20

// readSegment replays one segment.
func (r *recovery) readSegment(seg *segment, last bool) error {
	if !last {
		seg.sealed.Store(true)
		f, err := readIndex(r.fs, r.dir, seg)
		if err == nil {
			seg.size, seg.indexed = f.size, true
			seg.damaged.Store(f.damaged)
			return r.readEntries(seg, f.entries)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			r.log.Warn("rebuilding the index of a log segment", "segment", seg.number, "err", err)
		}
	}
	return r.scan(seg, last)
}

// readEntries replays an index.
func (r *recovery) readEntries(seg *segment, entries []byte) error {
	for len(entries) > 0 {
		off, f, content, rest, err := indexEntry(entries)
		if err == nil && uint64(off)+uint64(f.size) > uint64(seg.size) {
			err = errBadIndex
		}
		if err == nil {
			err = r.replay(seg, off, f, content)
		}
		if err != nil {
			return fmt.Errorf("%s: index entry: %w", seg.name, err)
		}
		entries = rest
	}
	return nil
}

// scan replays the segment file itself and builds its index.
func (r *recovery) scan(seg *segment, last bool) error {
	w := &window{seg: seg}
	at := uint32(headerSize)
	for {
		record, f, err := w.record(at)
		if err != nil {
			return err
		}
		if record != nil {
			err = r.replay(seg, at, f, record[frameSize:])
		}
		if record != nil && err == nil {
			seg.index = appendIndexEntry(seg.index, at, f, record)
			at += uint32(padded(int(f.size)))
			continue
		}
		next, err := r.gap(w, at, last)
		if err != nil {
			return err
		}
		if next == 0 {
			break
		}
		at = next
	}
	if len(r.batch) > 0 { // its end never reached the disk
		at = r.cut
		r.batch = r.batch[:0]
		seg.index = trimIndex(seg.index, at)
	}
	seg.size = at
	return nil
}

// gap deals with bytes at offset at that are no record. It returns where to go
// on, or 0 if the log ends here: in the last segment, when no commit follows,
// what is here was never acknowledged.
func (r *recovery) gap(w *window, at uint32, last bool) (next uint32, err error) {
	ahead := math.MaxInt
	if last {
		ahead = lookahead
	}
	if empty, err := w.zero(at, ahead); err != nil || empty {
		return 0, err
	}
	commit, err := findCommit(w.seg, at)
	if err != nil {
		return 0, err
	}
	end := commit
	if commit == 0 {
		if last {
			return 0, nil
		}
		size, err := w.seg.file.Size()
		if err != nil {
			return 0, err
		}
		end = uint32(size)
	}
	next, err = r.resume(w, at, end)
	if err != nil {
		return 0, err
	}
	lost := next
	if lost == 0 {
		lost = end
	}
	r.endBatch(w.seg) // the rest of it is lost, but it was written
	w.seg.damaged.Store(true)
	r.damage = append(r.damage, Damage{Segment: w.seg.number, Offset: at, Bytes: lost - at})
	r.log.Error("log segment is damaged: what these bytes held is lost", "segment", w.seg.number, "offset", at, "bytes", lost-at)
	return next, nil
}

// resume finds the first whole record between at and end; end itself if it is
// a commit.
func (r *recovery) resume(w *window, at, end uint32) (uint32, error) {
	for at += alignment; at < end; at += alignment {
		record, _, err := w.record(at)
		if err != nil {
			return 0, err
		}
		if record != nil {
			return at, nil
		}
	}
	record, _, err := w.record(end)
	if err != nil || record == nil {
		return 0, err
	}
	return end, nil
}

// replay carries out one record.
func (r *recovery) replay(seg *segment, off uint32, f frame, content []byte) error {
	r.records++
	if f.kind != recMessage {
		r.endBatch(seg)
	}
	switch f.kind {
	case recCommit:
		rd := reader{b: content}
		r.see(rd.u64())
		return rd.err
	case recMessage:
		m, err := decodeMessage(f, content)
		if err != nil {
			return err
		}
		if len(r.batch) == 0 {
			r.cut = off
		}
		m.body = nil
		r.batch = append(r.batch, pendingMessage{off, f.size, m})
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
	return fmt.Errorf("unknown record type %d", f.kind)
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
		pos: m.pos, expires: m.expires, ttl: m.ttl, seg: seg.number, off: p.off, size: p.size,
		poster: r.posterHash(m.poster), key: r.keys.number(m.key), claims: uint16(min(m.claims, maxClaims)),
	}
	if c, i, ok := q.find(m.pos); ok { // a copy that compaction made supersedes the original
		r.strays.add(c.entries[i].seg, m.pos)
		q.kill(c, i)
		q.settle(c)
	}
	r.keepAlive(&e)
	if m.available > r.at && m.pos == m.id {
		e.flags |= entryDelayed
		q.delays.push(m.available, m.pos)
	}
	q.add(e, m.id)
	r.leaseAgain(q, m.pos, m.claim, m.renewed, m.claimTTL)
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
	c.soonest, q.soonest = min(c.soonest, e.expires), min(q.soonest, e.expires)
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

// bind gives the queues their names, and lets go of those that were dropped.
func (r *recovery) bind() {
	r.control.tables[tableContainers].Scan(func(key string, it *item) bool {
		number := it.value.(uint64)
		q := r.queue(number)
		q.ref = decodeQueueKey(key)
		r.queues[q.ref], r.numbers[number] = q, q
		delete(r.byNum, number)
		return true
	})
	for _, q := range r.byNum {
		q.discard()
	}
	for _, q := range r.queues {
		for _, cl := range q.claims {
			slices.Sort(cl.held)
			cl.held = slices.Compact(cl.held) // copies were leased once more
		}
		q.advance(r.at)
		q.watch()
	}
	r.swept.messages.Store(0)
	r.swept.claims.Store(0)
}

// startJournal readies the last segment for writing, or makes the first.
func (r *recovery) startJournal() error {
	j := r.journal
	if len(r.open) == 0 {
		seg, err := j.takeSpare()
		if err != nil {
			return err
		}
		r.adopt(seg)
		j.active = seg
		return nil
	}
	tail := r.open[len(r.open)-1]
	j.active = tail
	if err := r.dropIndex(tail); err != nil {
		return err
	}
	w := &window{seg: tail}
	if clean, err := w.zero(tail.size, alignment); err != nil {
		return err
	} else if !clean {
		r.log.Info("cutting an unfinished commit off the log", "segment", tail.number, "offset", tail.size)
	}
	err := tail.file.Truncate(int64(tail.size))
	if err == nil && int64(tail.size) < r.config.SegmentSize {
		if err = tail.file.Allocate(0, r.config.SegmentSize); errors.Is(err, disk.ErrFull) {
			err = nil // the journal finds out when it gets there
		}
	}
	return errors.Join(err, tail.file.Sync())
}

// dropIndex removes the index file of a segment that will grow. There is one
// only if later segments were lost.
func (r *recovery) dropIndex(seg *segment) error {
	err := r.fs.Remove(r.dir + "/" + indexName(seg.number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, r.fs.SyncDir(r.dir))
}

// window reads a segment piece by piece.
type window struct {
	seg  *segment
	from uint32
	b    []byte
	size int64 // of the file, once known
}

const windowSize = 1 << 20

// bytes returns n bytes at offset at, fewer at the end of the file.
func (w *window) bytes(at uint32, n int) ([]byte, error) {
	if at < w.from || int64(at)+int64(n) > int64(w.from)+int64(len(w.b)) {
		size := max(windowSize, n)
		if cap(w.b) < size {
			w.b = make([]byte, size)
		}
		got, err := w.seg.file.ReadAt(w.b[:size], int64(at))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: %w", w.seg.name, err)
		}
		w.from, w.b = at, w.b[:got]
	}
	b := w.b[at-w.from:]
	return b[:min(n, len(b))], nil
}

// record returns the whole record at offset at (without padding), or nil if
// there is none. It is valid until the next call.
func (w *window) record(at uint32) ([]byte, frame, error) {
	b, err := w.bytes(at, frameSize)
	if err != nil || len(b) < frameSize {
		return nil, frame{}, err
	}
	f := readFrame(b)
	if f.size < frameSize || f.kind < recCommit || f.kind > recControl || f.size > 1<<30 {
		return nil, f, nil
	}
	if w.size == 0 {
		if w.size, err = w.seg.file.Size(); err != nil {
			return nil, f, err
		}
	}
	if int64(at)+int64(f.size) > w.size {
		return nil, f, nil
	}
	if b, err = w.bytes(at, int(f.size)); err != nil || len(b) < int(f.size) {
		return nil, f, err
	}
	if !intact(b, w.seg.salt, at) {
		return nil, f, nil
	}
	return b, f, nil
}

// zero reports whether the n bytes at offset at, or those up to the end of the
// file, are all zero.
func (w *window) zero(at uint32, n int) (bool, error) {
	for n > 0 {
		b, err := w.bytes(at, min(n, len(zeros)))
		if err != nil || len(b) == 0 {
			return err == nil, err
		}
		if !bytes.Equal(b, zeros[:len(b)]) {
			return false, nil
		}
		at += uint32(len(b))
		n -= len(b)
	}
	return true, nil
}

var zeros [64 << 10]byte

// findCommit returns the offset of the first whole commit record at or behind
// at, 0 if there is none.
func findCommit(seg *segment, at uint32) (uint32, error) {
	w := &window{seg: seg}
	for {
		b, err := w.bytes(at, 64<<10)
		if err != nil {
			return 0, err
		}
		for i := 0; i+commitSize <= len(b); i += alignment {
			f := readFrame(b[i:])
			if f.kind == recCommit && f.size == frameSize+8 && intact(b[i:i+frameSize+8], seg.salt, at+uint32(i)) {
				return at + uint32(i), nil
			}
		}
		if len(b) < 64<<10 {
			return 0, nil
		}
		at += uint32(len(b)) - commitSize
	}
}
