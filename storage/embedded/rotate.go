package embedded

import (
	"fmt"

	"zaqar/messaging"
)

// Segments of the journal: the active one and the spare.

// rotate makes room for n bytes: when the active segment has none it goes on
// to the spare, or to a new one.
func (j *journal) rotate(n int64) error {
	if int64(j.active.size)+n <= j.segSize || j.active.size == headerSize {
		return nil
	}
	seg, err := j.takeSpare()
	if err != nil {
		return err
	}
	// An index that grew from nothing would take five times as much memory.
	seg.index = make([]byte, 0, len(j.active.index)+len(j.active.index)/16)
	j.filled = append(j.filled, j.active)
	j.active, j.ahead = seg, 0
	j.adopt(seg)
	j.onSpare()
	return nil
}

// takeSpare returns the spare segment, or a new one if there is none.
func (j *journal) takeSpare() (*segment, error) {
	j.sparemu.Lock()
	defer j.sparemu.Unlock()
	if seg := j.spare; seg != nil {
		j.spare = nil
		return seg, nil
	}
	return j.create()
}

// create makes the next segment file. The caller holds j.sparemu.
func (j *journal) create() (*segment, error) {
	j.mu.Lock()
	first := j.next
	j.mu.Unlock()
	seg, err := createSegment(j.fs, j.dir, j.number+1, j.newSalt(), first, j.segSize)
	if err != nil {
		return nil, messaging.Wrap(messaging.Unavailable, "The store cannot get more room on its disk.", fmt.Errorf("new segment: %w", err))
	}
	j.number++
	return seg, nil
}

// reserve makes a spare segment if there is none. Whether that works decides
// whether the store is full: without a spare what is left of the active
// segment is kept for deletes and claims.
func (j *journal) reserve() error {
	j.sparemu.Lock()
	defer j.sparemu.Unlock()
	if j.spare == nil {
		seg, err := j.create()
		if err != nil {
			j.full.Store(true)
			return err
		}
		j.spare = seg
	}
	j.full.Store(false)
	return nil
}

// reserved reports whether there is a spare segment.
func (j *journal) reserved() bool {
	j.sparemu.Lock()
	defer j.sparemu.Unlock()
	return j.spare != nil
}
