package embedded

import (
	"testing"

	"zaqar/storage/embedded/disk"
)

// early is a file that is read for the first time while it is being written:
// only so much of it is there yet.
type early struct {
	disk.File
	there int64
}

func (e *early) ReadAt(p []byte, off int64) (int, error) {
	n, err := e.File.ReadAt(p, off)
	if e.there > 0 && off+int64(n) > e.there {
		clear(p[max(0, e.there-off):n])
		e.there = 0
	}
	return n, err
}

// Whatever part of a record is there when it is first read: if a commit has
// come behind it meanwhile, it was being written, and is no damage.
func TestWalkReadsOnceMoreWhatWasBeingWritten(t *testing.T) {
	w := busy(t)
	list := w.records(t, 1)
	for _, p := range list[:len(list)-2] {
		for _, there := range []uint32{p.off + 1, p.off + frameSize, p.off + p.size/2, p.off + p.size - 1} {
			seg, err := openSegment(w.disk, "store", 1)
			must(t, err)
			file := &early{File: seg.file, there: int64(there)}
			seg.file = file
			n := 0
			walk := &walker{
				seg: seg, last: true, beyond: lookahead,
				record: func(uint32, frame, []byte) error { n++; return nil },
				hole:   func(h hole) { t.Errorf("%d bytes there: damage of %d at %d", there, h.n, h.at) },
			}
			if _, err := walk.walk(); err != nil || file.there != 0 {
				t.Fatalf("%d bytes there: %v", there, err)
			}
			if n != len(list) {
				t.Errorf("%d bytes there: %d of %d records", there, n, len(list))
			}
			must(t, seg.file.Close())
		}
	}
}
