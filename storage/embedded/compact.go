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
// that gains space, each once at most. It is safe at any time; the store does
// it by itself.
func (s *Store) Compact() error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	if s.closed.Load() {
		return errClosed()
	}
	if s.unlinkFailed {
		return nil // a segment that comes back after a crash must not miss any other
	}
	if err := s.unlinkDead(); err != nil {
		return err
	}
	var unread error
	for _, seg := range s.sparse() {
		if s.closed.Load() {
			return unread
		}
		if err := s.rewrite(seg); errors.Is(err, errUnread) {
			unread = errors.Join(unread, err)
		} else if err != nil {
			return errors.Join(unread, err)
		}
	}
	return errors.Join(unread, s.unlinkDead())
}

func (s *Store) unlinkDead() error {
	for _, seg := range s.sealed() {
		if s.weight(seg) == 0 {
			if err := s.unlink(seg); err != nil {
				return err
			}
		}
	}
	return nil
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

// unlink removes a segment that nothing depends on. Others may rely on its
// being gone only when the removal is on disk: until then it is in the table.
func (s *Store) unlink(seg *segment) error {
	var err error
	if seg.damaged.Load() {
		err = s.quarantineFile(segmentName(seg.number))
		s.unlinkFailed = err != nil
	} else if err = s.fs.Remove(seg.name); err == nil {
		err = s.fs.SyncDir(s.dir)
		s.unlinkFailed = err != nil
	}
	if err != nil {
		return fmt.Errorf("%s could not be removed: %w", seg.name, err)
	}
	s.changeSegments(func(m map[uint32]*segment) { delete(m, seg.number) })
	s.settleDebts(seg)
	if err := s.removeIndex(seg); err != nil {
		s.log.Warn("index file not removed", "segment", seg.number, "error", err)
	}
	if err := seg.release(); err != nil {
		s.log.Warn("segment not closed", "segment", seg.number, "error", err)
	}
	s.kick() // there may be room for a spare now
	return nil
}
