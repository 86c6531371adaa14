package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"zaqar/storage"
	"zaqar/storage/embedded/disk"
)

// snapshot is a store that is looked at from outside: its files, opened for
// reading, and what a start would make of them. doc.go has the argument why it
// is a prefix of the log.
type snapshot struct {
	*recovery
	names   []string // of the files in the directory
	unknown error    // what is wrong with the FORMAT file
}

// ErrNoStore is in the error of the tools when there is no store in the
// directory.
var ErrNoStore = errors.New("there is no store in this directory")

// rounds bounds how often the files of a directory that keeps changing are
// opened; in the first few a spare segment is waited for.
const (
	rounds      = 1000
	spareRounds = 3
)

// look opens the files of a store. It does not read them yet.
func look(ctx context.Context, dir string, fsys disk.FS, env storage.Env) (*snapshot, error) {
	if fsys == nil {
		fsys = disk.OS()
	}
	for round := range rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sn, err := lookOnce(dir, lenient{disk.ReadOnly(fsys)}, env)
		if err != nil {
			return nil, err
		}
		ok, err := sn.settled(round < spareRounds)
		if ok {
			return sn, nil
		}
		if err := errors.Join(err, sn.close()); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: its files change faster than they can be opened", dir)
}

// lookOnce lists the directory and opens the segments. If one is gone by then
// the snapshot has no names.
func lookOnce(dir string, fsys disk.FS, env storage.Env) (*snapshot, error) {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: the directory does not exist", dir, ErrNoStore)
	}
	if err != nil {
		return nil, err
	}
	isStore := func(name string) bool {
		_, ok := segmentNumber(name, logSuffix)
		return ok || name == formatName
	}
	if !slices.ContainsFunc(names, isStore) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoStore)
	}
	s, err := newStore(dir, Config{FS: fsys}, env)
	if err != nil {
		return nil, err
	}
	sn := &snapshot{recovery: s.newRecovery(), names: names}
	sn.unknown = s.readFormat()
	if err := sn.openSegments(names); errors.Is(err, fs.ErrNotExist) {
		sn.names = nil
	} else if err != nil {
		return nil, errors.Join(err, sn.close())
	}
	return sn, nil
}

// settled reports whether the snapshot is one of the files of one moment, with the
// end of the log among them. With spare the last one has to be a segment that
// is not in use yet, which proves it.
func (sn *snapshot) settled(spare bool) (bool, error) {
	now, err := sn.fs.List(sn.dir)
	if err != nil || sn.names == nil || !slices.Equal(segmentsOf(sn.names), segmentsOf(now)) {
		return false, err
	}
	if !spare {
		return true, nil
	}
	if len(sn.open) == 0 || len(sn.damage) > 0 { // a header may be about to be written
		return false, nil
	}
	used, err := begun(sn.open[len(sn.open)-1])
	return !used, err
}

// segmentsOf returns the files among them that are segments.
func segmentsOf(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, ok := segmentNumber(name, logSuffix)
		return !ok
	})
}

// close closes the files.
func (sn *snapshot) close() error { return errors.Join(sn.abandon(), sn.closeUnused()) }

// lenient is a file system whose files read as noise where the disk cannot read
// them, so that one bad sector does not keep the rest from being read.
type lenient struct{ disk.FS }

// Open implements disk.FS.
func (l lenient) Open(name string) (disk.File, error) {
	f, err := l.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return &lenientFile{File: f}, nil
}

type lenientFile struct {
	disk.File
	unread []span // in the order of reading
}

// span is a stretch of a file.
type span struct{ at, n int64 }

// rescueBlock is what is given up when a byte in it cannot be read: a sector of
// most disks.
const rescueBlock = 512

// noise is what unreadable bytes read as. No record begins with it, nor does it
// pass for the zeros behind the last one.
const noise = 0xff

// ReadAt implements disk.File. What the disk cannot read is noise, and noted.
func (f *lenientFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, fs.ErrClosed) {
		return n, err
	}
	size, serr := f.Size()
	if serr != nil {
		return 0, errors.Join(err, serr)
	}
	end := min(off+int64(len(p)), size)
	for at := off; at < end; {
		next := min(at-at%rescueBlock+rescueBlock, end)
		b := p[at-off : next-off]
		if _, err := f.File.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			for i := range b {
				b[i] = noise
			}
			block := at - at%rescueBlock
			f.note(span{block, min(rescueBlock, size-block)})
		}
		at = next
	}
	n = int(max(0, end-off))
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// note takes down what could not be read, once.
func (f *lenientFile) note(s span) {
	if !slices.Contains(f.unread, s) {
		f.unread = append(f.unread, s)
	}
}

// unread lists what the disk could not read of the segments.
func (sn *snapshot) unread() (all []Damage) {
	for _, seg := range slices.Concat(sn.open, sn.unused) {
		f, ok := seg.file.(*lenientFile)
		if !ok {
			continue
		}
		slices.SortFunc(f.unread, func(a, b span) int { return cmp.Compare(a.at, b.at) })
		for _, s := range f.unread {
			if n := len(all); n > 0 && all[n-1].Segment == seg.number && int64(all[n-1].Offset+all[n-1].Bytes) == s.at {
				all[n-1].Bytes += uint32(s.n)
				continue
			}
			all = append(all, Damage{Segment: seg.number, Offset: uint32(s.at), Bytes: uint32(s.n), Problem: bytesUnread})
		}
	}
	return all
}
