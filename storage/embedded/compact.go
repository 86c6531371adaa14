package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

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

// Compact unlinks segments in which nothing counts and rewrites those where
// that gains space, each once at most, as fast as it can. It is safe at any
// time. The store does by itself what keeps the log within its bounds.
func (s *Store) Compact() error { return s.compactWhile(func() bool { return true }) }

// compactWhile is Compact, which goes on from segment to segment only while it
// is told to.
func (s *Store) compactWhile(on func() bool) error {
	var sparse []*segment
	return s.compact(func(tried map[*segment]bool) *segment {
		if !on() {
			return nil
		}
		if len(tried) == 0 {
			sparse = s.sparse()
		}
		for _, seg := range sparse {
			if !tried[seg] && s.segment(seg.number) != nil {
				return seg
			}
		}
		return nil
	}, new(pace))
}

// relieve compacts while the log takes more than it may.
func (s *Store) relieve() error {
	if s.journal.full.Load() {
		return s.Compact() // as far as the reserve allows
	}
	return s.compact(s.victim, &pace{s: s, bytes: s.journal.bytes.Load()})
}

// compact unlinks segments in which nothing counts and rewrites those that
// choose names, until it names none.
func (s *Store) compact(choose func(tried map[*segment]bool) *segment, p *pace) error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	if s.closed.Load() {
		return errClosed()
	}
	if s.unlinkFailed {
		return nil // a segment that comes back after a crash must not miss any other
	}
	var unread error
	for tried := make(map[*segment]bool); ; {
		if err := s.unlinkDead(); err != nil {
			return errors.Join(unread, err)
		}
		seg := choose(tried)
		if seg == nil || s.closed.Load() {
			return unread
		}
		tried[seg] = true
		if err := s.rewrite(seg, p); errors.Is(err, errUnread) {
			unread = errors.Join(unread, err)
		} else if err != nil {
			return errors.Join(unread, err)
		}
	}
}

// unlinkDead unlinks segments in which nothing counts, and those in which
// nothing counts any more when they are gone.
func (s *Store) unlinkDead() error {
	for {
		var dead []*segment
		for _, seg := range s.sealed() {
			if s.weight(seg) == 0 {
				dead = append(dead, seg)
			}
		}
		if len(dead) == 0 {
			return nil
		}
		if err := s.unlink(dead...); err != nil {
			return err
		}
	}
}

// sparseShare is the share of a segment that may still count when it is
// rewritten.
const sparseShare = 0.5

// sparse returns the segments worth rewriting, best first: those of which
// little counts, then those for which others keep more than they take.
func (s *Store) sparse() []*segment {
	limit := sparseShare
	if s.journal.full.Load() {
		limit /= 2 // the reserve is for deletes; but a little room makes more
	}
	share := make(map[*segment]float64)
	for _, seg := range s.sealed() {
		n := float64(s.weight(seg)) / float64(seg.size)
		if n < limit || seg.owes.Load() > int64(seg.size) {
			share[seg] = n
		}
	}
	return slices.SortedFunc(maps.Keys(share), func(a, b *segment) int {
		return cmp.Or(cmp.Compare(share[a], share[b]), cmp.Compare(a.number, b.number))
	})
}

// The full segments may take what is live in them one and four fifths times,
// and three segments more: those that a busy queue has just emptied, before the
// records of idle ones are carried on for them. What they take beyond is given
// back at leisure, and beyond twice what is live and four segments in haste.
func (s *Store) excess() (leisure, haste int64) {
	var size, live int64
	for _, seg := range *s.segments.Load() {
		if seg.sealed.Load() {
			size += int64(seg.size)
			live += seg.live.Load()
		}
	}
	room := s.config.SegmentSize
	return size - live*9/5 - 3*room, size - live*2 - 4*room
}

// victim returns the segment whose rewriting gives back most for what it
// costs, nil if the log takes no more than it may. A segment with much waste is
// one of which little is live, or one that records in others are kept for.
// Together all waste is what the log takes beyond what is live: so when that
// is too much there is a segment worth its cost.
func (s *Store) victim(tried map[*segment]bool) *segment {
	leisure, haste := s.excess()
	if leisure <= 0 {
		return nil
	}
	var best *segment
	var most float64
	for _, seg := range s.sealed() {
		cost := s.weight(seg)
		waste := int64(seg.size) - cost + seg.owes.Load()
		if tried[seg] || waste < int64(seg.size)/leastWaste || haste <= 0 && s.draining(seg) {
			continue
		}
		if gain := float64(waste) / float64(cost+1); best == nil || gain > most {
			best, most = seg, gain
		}
	}
	return best
}

// leastWaste is the part of a segment that its rewriting must give back.
const leastWaste = 16

// look notes how much is live in each full segment.
func (s *Store) look() {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	s.looked, s.lookedBefore = make(map[*segment]int64), s.looked
	for _, seg := range s.sealed() {
		s.looked[seg] = seg.live.Load()
	}
}

// draining reports whether a segment was losing what is live in it when look
// came by, so that waiting may save the rewriting.
func (s *Store) draining(seg *segment) bool {
	before, known := s.lookedBefore[seg]
	return known && before-s.looked[seg] > int64(seg.size)/drainShare
}

// drainShare is the part of a segment whose loss between two looks counts as
// draining.
const drainShare = 50

// unlink removes segments that nothing depends on, not even one of them on
// another. Others may rely on their being gone only when the removal is on
// disk: until then they are in the table.
func (s *Store) unlink(segs ...*segment) error {
	n := 0
	var err error
	for ; n < len(segs) && err == nil; n++ {
		if err = s.removeFile(segs[n]); err != nil {
			err = fmt.Errorf("%s could not be removed: %w", segs[n].name, err)
			break
		}
	}
	if n > 0 {
		if serr := s.fs.SyncDir(s.dir); serr != nil {
			s.unlinkFailed = true
			return errors.Join(err, fmt.Errorf("%s could not be removed: %w", segs[0].name, serr))
		}
	}
	for _, seg := range segs[:n] {
		s.unlinked(seg)
	}
	s.kick() // there may be room for a spare now
	return err
}

// removeFile removes the segment's file, or sets it aside if it is damaged.
func (s *Store) removeFile(seg *segment) error {
	if !seg.damaged.Load() {
		return s.fs.Remove(seg.name)
	}
	err := s.quarantineFile(segmentName(seg.number))
	s.unlinkFailed = err != nil
	return err
}

// unlinked forgets a segment that is gone.
func (s *Store) unlinked(seg *segment) {
	s.changeSegments(func(m map[uint32]*segment) { delete(m, seg.number) })
	s.settleDebts(seg)
	if err := s.removeIndex(seg); err != nil {
		s.log.Warn("index file not removed", "segment", seg.number, "error", err)
	}
	if err := seg.release(); err != nil {
		s.log.Warn("segment not closed", "segment", seg.number, "error", err)
	}
}
