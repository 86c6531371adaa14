package embedded

import (
	"errors"
	"math"
)

// walker reads the records of a segment one after the other. It is the one
// reading of the log: opening, inspecting, verifying and copying a store all go
// through it.
//
// The segment may be one that another process is writing to. Its commits are
// written one after the other, each when the one before is on disk; so bytes
// that are no record when they are read, with a commit behind them, are read
// once more before they are taken for damage.
type walker struct {
	seg    *segment
	last   bool // no segment follows: what no commit follows was never acknowledged
	beyond int  // how many zeros prove that nothing follows
	// record is called for every whole record, which is valid during the call
	// only. An error says that its content makes no sense: that is damage.
	record func(at uint32, f frame, record []byte) error
	// hole is called for what was written completely and cannot be read.
	hole func(h hole)

	win   window
	batch uint32 // where a batch begins whose last message is still to come; 0: none
}

// hole is a stretch of damage, ended by a whole record or the end of the log.
type hole struct {
	at, n uint32
	why   error
}

var errNoRecord = errors.New("the checksum does not match")

// walk returns where the log ends in the segment: behind its last record, or in
// front of a batch of messages of which the last is missing.
func (w *walker) walk() (end uint32, err error) {
	w.win = window{seg: w.seg}
	at := uint32(headerSize)
	for {
		record, f, err := w.win.record(at)
		if err != nil {
			return 0, err
		}
		why := errNoRecord
		if record != nil {
			why = w.record(at, f, record)
		}
		if why == nil {
			w.follow(at, f)
			at += uint32(padded(int(f.size)))
			continue
		}
		next, err := w.gap(at, why)
		if err != nil {
			return 0, err
		}
		if next == 0 {
			break
		}
		at = next
	}
	if w.batch != 0 {
		at = w.batch
	}
	return at, nil
}

// follow keeps track of batches.
func (w *walker) follow(at uint32, f frame) {
	switch {
	case f.kind != recMessage || f.flags&flagLast != 0:
		w.batch = 0
	case w.batch == 0:
		w.batch = at
	}
}

// gap deals with bytes at offset at that are no record. It returns where to go
// on, or 0 if the log ends here: in the last segment, when no commit follows,
// what is here was never acknowledged.
func (w *walker) gap(at uint32, why error) (next uint32, err error) {
	ahead := math.MaxInt
	if w.last {
		ahead = w.beyond
	}
	if empty, err := w.win.zero(at, ahead); err != nil || empty {
		return 0, err
	}
	commit, err := findCommit(w.seg, at)
	if err != nil {
		return 0, err
	}
	end := commit
	if commit == 0 {
		if w.last {
			return 0, nil
		}
		size, err := w.seg.file.Size()
		if err != nil {
			return 0, err
		}
		end = uint32(size)
	}
	w.win = window{seg: w.seg} // what it holds may be older than the commit
	if errors.Is(why, errNoRecord) {
		if record, _, err := w.win.record(at); err != nil || record != nil {
			return at, err
		}
	}
	if next, err = w.resume(at, end); err != nil {
		return 0, err
	}
	lost := next
	if lost == 0 {
		lost = end
	}
	w.batch = 0 // the rest of it is lost, but it was written
	w.hole(hole{at, lost - at, why})
	return next, nil
}

// resume finds the first whole record between at and end; end itself if it is
// a commit.
func (w *walker) resume(at, end uint32) (uint32, error) {
	for at += alignment; at < end; at += alignment {
		record, _, err := w.win.record(at)
		if err != nil {
			return 0, err
		}
		if record != nil {
			return at, nil
		}
	}
	record, _, err := w.win.record(end)
	if err != nil || record == nil {
		return 0, err
	}
	return end, nil
}
