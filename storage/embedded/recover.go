package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"zaqar/storage/embedded/disk"
)

// recovery rebuilds memory from the log, segment after segment, from index
// files where there are such. Reading changes nothing on the disk; what has to
// be done there is noted, and done only when all has been read. So a store can
// be looked at without being opened, and one that does not open stays as it is.
type recovery struct {
	*Store
	open    []*segment
	unused  []*segment // at the end of the log, holding nothing
	highest uint32     // highest number of a segment
	next    uint64
	at      int64 // the present, ms
	byNum   map[uint64]*queue
	batch   []pendingMessage         // messages of a batch whose last is still to come
	commit  uint32                   // where the last commit of the segment begins
	mends   []func() error           // what to do on the disk, in order
	before  func(seg *segment) error // called before a segment is replayed; may be nil
}

type pendingMessage struct {
	off uint32
	f   frame
	m   message
}

// recover reads the log and makes the journal ready to write.
func (s *Store) recover() error {
	r := s.newRecovery()
	names, err := s.fs.List(s.dir)
	if err == nil {
		err = r.openSegments(names)
	}
	if err == nil {
		err = r.replayAll()
	}
	if err == nil {
		err = r.checkRestored(names)
	}
	if err != nil {
		return errors.Join(err, r.closeUnused())
	}
	for _, mend := range r.mends {
		if err := mend(); err != nil {
			return err
		}
	}
	s.journal.number = r.highest
	s.journal.next = r.next
	return r.startJournal()
}

func (s *Store) newRecovery() *recovery {
	return &recovery{Store: s, next: 1, at: s.now(), byNum: make(map[uint64]*queue)}
}

// replayAll replays the segments that are open.
func (r *recovery) replayAll() error {
	if err := r.dropUnused(); err != nil {
		return err
	}
	for i, seg := range r.open {
		if r.before != nil {
			if err := r.before(seg); err != nil {
				return err
			}
		}
		if err := r.readSegment(seg, i == len(r.open)-1); err != nil {
			return err
		}
		r.next = max(r.next, seg.first)
	}
	if len(r.damage) > 0 {
		r.next += damageSkip
	}
	r.bind()
	return nil
}

// mend notes something to be done on the disk.
func (r *recovery) mend(do func() error) { r.mends = append(r.mends, do) }

// remove notes that a file of the store is to be removed.
func (r *recovery) remove(name string) {
	r.mend(func() error { return r.fs.Remove(r.dir + "/" + name) })
}

// damageSkip is how many sequence numbers are left out when what is lost may
// have given out some.
const damageSkip = 1 << 32

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
			r.log.Warn("rebuilding the index of a log segment", "segment", seg.number, "error", err)
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
	r.commit = 0
	var newer error
	w := &walker{
		seg: seg, last: last, beyond: lookahead,
		record: func(at uint32, f frame, record []byte) error {
			err := r.replay(seg, at, f, record[frameSize:])
			if err == nil {
				seg.index = appendIndexEntry(seg.index, at, f, record)
			}
			if newer == nil && errors.Is(err, errNewer) {
				newer = fmt.Errorf("%s: offset %d: %w", seg.name, at, err)
			}
			return err
		},
		hole: func(h hole) {
			r.endBatch(seg) // the rest of it is lost, but it was written
			r.lose(seg, h)
		},
	}
	end, err := w.walk()
	if err = cmp.Or(newer, err); err != nil {
		return err
	}
	if len(r.batch) > 0 { // its end never reached the disk
		r.batch = r.batch[:0]
		seg.index = trimIndex(seg.index, end)
	}
	seg.size = end
	return nil
}

// lose takes down damage in a segment.
func (r *recovery) lose(seg *segment, h hole) {
	seg.damaged.Store(true)
	r.damage = append(r.damage, Damage{Segment: seg.number, Offset: h.at, Bytes: h.n, Problem: h.why.Error()})
	r.log.Error("log segment is damaged: what these bytes held is lost", "segment", seg.number, "offset", h.at, "bytes", h.n)
}

// bind gives the queues their names, and lets go of those that were dropped.
func (r *recovery) bind() {
	r.control.tables[tableContainers].Scan(func(key string, it *item) bool {
		number := it.value.(uint64)
		q := r.queue(number)
		q.ref = decodeQueueKey(key)
		r.queues[q.ref], r.numbers[number] = q, q
		r.join(q)
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
	r.control.nameSubscriptions()
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
	err := r.writeAgain(tail)
	if err == nil {
		err = tail.file.Truncate(int64(tail.size))
	}
	if err == nil && int64(tail.size) < r.config.SegmentSize {
		if err = tail.file.Allocate(0, r.config.SegmentSize); errors.Is(err, disk.ErrFull) {
			err = nil // the journal finds out when it gets there
		}
	}
	return errors.Join(err, tail.file.Sync())
}

// writeAgain writes the commit once more with which the journal failed when
// the store was open last, if it is there: it may be in the cache of the system
// only, and taken for clean there. Nothing else is ever written twice.
func (r *recovery) writeAgain(tail *segment) error {
	mark, err := readFile(r.fs, r.dir+"/"+failedName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if string(mark) == failureMark(tail.number, r.commit) {
		b := make([]byte, tail.size-r.commit)
		err := tail.read(b, r.commit)
		if err == nil {
			_, err = tail.file.WriteAt(b, int64(r.commit))
		}
		if err == nil {
			err = tail.file.Sync()
		}
		if err != nil {
			return err
		}
	}
	err = r.fs.Remove(r.dir + "/" + failedName)
	return errors.Join(err, r.fs.SyncDir(r.dir))
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
