package embedded

import (
	"errors"
	"slices"
	"strings"
)

// openSegments opens the segments among the files of the directory, in order,
// and notes what a crash left behind.
func (r *recovery) openSegments(names []string) error {
	for _, name := range names {
		if unfinished(name) {
			r.remove(name)
		}
		number, ok := segmentNumber(name, logSuffix)
		if !ok {
			continue
		}
		r.highest = max(r.highest, number)
		seg, err := openSegment(r.fs, r.dir, number)
		switch {
		case err == nil:
			if err := checkSize(seg); err != nil {
				return err
			}
			r.take(seg)
		case errors.Is(err, errNoSegment):
			if err := r.headless(number, names, err); err != nil {
				return err
			}
		default:
			return err
		}
	}
	r.dropOrphans(names)
	return nil
}

// take adds a segment behind those that are open.
func (r *recovery) take(seg *segment) {
	r.open = append(r.open, seg)
	r.adopt(seg)
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
	r.log.Error("the header of a log segment is damaged; its index replaces it", "segment", number, "error", cause)
	r.damage = append(r.damage, Damage{Segment: number, Bytes: headerSize, Problem: headerReplaced})
	r.take(seg)
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
			r.remove(name)
			return nil
		}
	}
	r.log.Error("a log segment is unreadable and set aside", "segment", number, "error", cause)
	r.damage = append(r.damage, Damage{Segment: number, Bytes: uint32(sizeOf(r.fs, r.dir+"/"+name)), Problem: headerLost})
	r.mend(func() error { return r.quarantineFile(name) })
	return nil
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

// dropOrphans notes index files without a segment.
func (r *recovery) dropOrphans(names []string) {
	for _, name := range names {
		if number, ok := segmentNumber(name, indexSuffix); ok && r.segment(number) == nil {
			r.remove(name)
		}
	}
}

// dropUnused leaves out segments at the end that hold nothing: spares, and one
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
		r.unused = append(r.unused, last)
		r.changeSegments(func(m map[uint32]*segment) { delete(m, last.number) })
		r.mend(func() error { return errors.Join(last.release(), r.fs.Remove(last.name)) })
	}
	return nil
}

func (r *recovery) closeUnused() error {
	var errs []error
	for _, seg := range r.unused {
		errs = append(errs, seg.release())
	}
	return errors.Join(errs...)
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
