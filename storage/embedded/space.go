package embedded

import (
	"sync"
	"sync/atomic"
)

// A segment can go when nothing in it counts. Two things do: what is live in
// it, and records about older segments that still exist, because without them
// a restart would read the older ones wrongly: a removal without which a
// message would come back, the state of a claim, the erasure of a queue. The
// bytes of such a record are shared out among the segments it is about: they
// are needs of the newer segment, and the older one owes its neighbours for
// them.

// Usage is what the log takes and what it has to say.
type Usage struct {
	Log        int64 // bytes written to segments that exist
	Live       int64 // of them, what messages and control records that exist take
	Segments   int
	Compacting bool  // what counts in a segment is being rewritten
	Rewritten  int64 // bytes that compaction has written since the store was opened
}

// Usage sums up the segments. The sums are those of a moment only while nothing
// is written.
func (s *Store) Usage() Usage {
	u := Usage{Compacting: s.rewriting.Load(), Rewritten: s.rewritten.Load()}
	for _, seg := range *s.segments.Load() {
		u.Segments++
		u.Live += seg.live.Load()
		if seg.sealed.Load() {
			u.Log += int64(seg.size)
		} else {
			u.Log += s.config.SegmentSize // some of it is only reserved
		}
	}
	return u
}

// need notes that n bytes in seg matter for as long as the older segment is there.
func (s *Store) need(seg *segment, older uint32, n int64) {
	old := s.segment(older)
	if old == nil || older == seg.number {
		return
	}
	old.owes.Add(n)
	seg.mu.Lock()
	defer seg.mu.Unlock()
	if seg.needs == nil {
		seg.needs = make(map[uint32]int64)
	}
	seg.needs[older] += n
}

// needed lists the older segments that something in seg is about, and sums the
// bytes that takes.
func (s *Store) needed(seg *segment) (older []uint32, bytes int64) {
	seg.mu.Lock()
	defer seg.mu.Unlock()
	for number, n := range seg.needs {
		if s.segment(number) == nil {
			delete(seg.needs, number)
			continue
		}
		older = append(older, number)
		bytes += n
	}
	return older, bytes
}

// weight returns how many bytes of the segment count.
func (s *Store) weight(seg *segment) int64 {
	_, needed := s.needed(seg)
	return seg.live.Load() + needed
}

// settleDebts forgets what a segment that is gone needed of others, and what
// was left behind in it.
func (s *Store) settleDebts(gone *segment) {
	gone.mu.Lock()
	for number, n := range gone.needs {
		if older := s.segment(number); older != nil {
			older.owes.Add(-n)
		}
	}
	gone.needs = nil
	gone.mu.Unlock()
	s.strays.forget(gone.number)
}

// sharing divides the bytes of a record in seg among the segments it is about.
type sharing struct {
	s     *Store
	seg   *segment
	each  int64
	older uint32
	n     int64 // for older, not noted yet
}

// share begins to divide size bytes among so many messages.
func (s *Store) share(seg *segment, size, messages int) sharing {
	return sharing{s: s, seg: seg, each: int64(max(1, (size+messages-1)/max(1, messages)))}
}

// with gives the segment the share of one message.
func (sh *sharing) with(older uint32) {
	if older != sh.older {
		sh.end()
		sh.older = older
	}
	sh.n += sh.each
}

// withAll gives a share to each segment that has a record of the message, the
// one named and those it has strays in.
func (sh *sharing) withAll(pos uint64, older uint32) {
	sh.with(older)
	for _, n := range sh.s.strays.of(pos) {
		if n != older {
			sh.with(n)
		}
	}
}

func (sh *sharing) end() {
	if sh.n > 0 {
		sh.s.need(sh.seg, sh.older, sh.n)
	}
	sh.n = 0
}

// strays are outdated records of messages in segments that nothing else in the
// log tells of: originals that compaction has copied from a segment it has not
// been able to unlink yet, and copies of messages that were removed while they
// were on their way to disk. A removal must outlive them, too.
type strays struct {
	count atomic.Int32 // of segments that have some
	mu    sync.Mutex
	in    map[uint32]map[uint64]struct{} // segment -> positions
}

func (st *strays) add(seg uint32, pos uint64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.in == nil {
		st.in = make(map[uint32]map[uint64]struct{})
	}
	if st.in[seg] == nil {
		st.in[seg] = make(map[uint64]struct{})
		st.count.Add(1)
	}
	st.in[seg][pos] = struct{}{}
}

// of returns the segments that have a stray of the message at pos.
func (st *strays) of(pos uint64) (segs []uint32) {
	if st.count.Load() == 0 {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for seg, positions := range st.in {
		if _, ok := positions[pos]; ok {
			segs = append(segs, seg)
		}
	}
	return segs
}

func (st *strays) forget(seg uint32) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.in[seg] != nil {
		delete(st.in, seg)
		st.count.Add(-1)
	}
}
