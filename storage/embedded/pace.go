package embedded

import "time"

// pace is how fast a segment is rewritten. While the log is within its bounds
// what is copied goes to disk in small pieces with rests in between, so that it
// adds little to any commit and posts get their turn. The zero value knows no
// rest.
type pace struct{ s *Store }

const (
	smallLot = 64 << 10  // bytes copied between two rests
	largeLot = 256 << 10 // bytes copied at a time without rests
	restTime = time.Millisecond
)

// hasty reports whether the log takes so much that there is no time to rest.
func (p pace) hasty() bool {
	if p.s == nil {
		return true
	}
	_, haste := p.s.excess()
	return haste > 0
}

// lot returns how many bytes to copy before waiting for the disk.
func (p pace) lot() int {
	if p.s == nil {
		return largeLot
	}
	return smallLot
}

// rest lets others write.
func (p pace) rest() {
	if p.hasty() {
		return
	}
	t := time.NewTimer(restTime)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.s.closing:
	}
}
