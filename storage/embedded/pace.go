package embedded

import "time"

// pace is how fast segments are rewritten. While the log is well within its
// bounds what is copied goes to disk in small pieces with rests in between, so
// that it adds little to any commit and posts get their turn. When it is not
// there is no rest, and more is copied than others write meanwhile. Without a
// store nothing is waited for but the disk.
type pace struct {
	s     *Store
	size  int   // bytes to copy before the next rest
	bytes int64 // the journal had written at the last rest
}

const (
	smallLot = 64 << 10  // bytes copied between two rests
	largeLot = 256 << 10 // bytes copied at a time without rests, at least
	restTime = time.Millisecond
)

// lot returns how many bytes to copy before waiting for the disk.
func (p *pace) lot() int {
	if p.s == nil {
		return largeLot
	}
	return max(p.size, smallLot)
}

// rest lets others write. So many bytes were copied since the last rest.
func (p *pace) rest(copied int) {
	if p.s == nil {
		return
	}
	written := p.s.journal.bytes.Load()
	others := written - p.bytes - int64(copied)
	p.bytes = written
	if _, haste := p.s.excess(); haste > 0 {
		// What gets rewritten then gives back at least as much as is copied.
		p.size = int(min(max(largeLot, 2*others), gatherLimit))
		return
	}
	p.size = smallLot
	t := time.NewTimer(restTime)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.s.closing:
	}
}
