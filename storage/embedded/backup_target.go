package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"zaqar/storage/embedded/disk"
)

// onePath returns the path by which a place is known whatever way leads there:
// absolute and without symbolic links, as far as it exists.
func onePath(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path // whoever uses it says what is wrong
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// checkTarget refuses targets that are in use, or part of the store. What is
// partial is cleared before it is written, and must not be the store either.
func (b *backup) checkTarget() error {
	from, err := filepath.Abs(b.Dir)
	if err != nil {
		return err
	}
	for _, target := range []string{b.to, b.partial} {
		at, err := filepath.Abs(target)
		if err != nil {
			return err
		}
		if at == from || strings.HasPrefix(at, from+string(filepath.Separator)) {
			return fmt.Errorf("%s is in the directory of the store itself", target)
		}
	}
	if _, err := b.FS.List(filepath.Dir(b.to)); err != nil {
		return fmt.Errorf("the directory for the backup: %w", err)
	}
	names, err := b.FS.List(b.to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(names) > 0:
		return fmt.Errorf("%s is not empty: a backup needs a directory of its own", b.to)
	}
	return nil
}

// noRoom says so of a full disk, and returns other errors as they are.
func (b *backup) noRoom(err error) error {
	if errors.Is(err, disk.ErrFull) {
		return fmt.Errorf("no room for the backup in %s: %w", filepath.Dir(b.to), err)
	}
	return err
}

// roomLeft is how many bytes a backup leaves free on the target's disk, on which
// the store itself may be: those of its next segment. To begin with, there have
// to be those of another one, which the store may fill meanwhile.
const roomLeft = defaultSegment

// checkRoom refuses to fill the target's disk.
func (b *backup) checkRoom() error {
	for i, seg := range b.sn.open {
		size, err := seg.file.Size()
		if err != nil {
			return err
		}
		b.total += size
		if i == len(b.sn.open)-1 {
			b.total -= size // most of it may be reserved only
		}
	}
	return b.needRoom(b.total + defaultSegment)
}

// needRoom fails if so many bytes more would leave too few free.
func (b *backup) needRoom(bytes int64) error {
	free, err := b.FS.Free(filepath.Dir(b.to))
	if err != nil {
		return err
	}
	if uint64(bytes)+roomLeft > free {
		return fmt.Errorf("it takes up to %d bytes, %d are to be left, and %d are free: %w", bytes, int64(roomLeft), free, disk.ErrFull)
	}
	return nil
}

// begin makes the directory for what is not complete, and clears it of what an
// earlier backup left there.
func (b *backup) begin() (err error) {
	if err := b.FS.MkdirAll(b.partial); err != nil {
		return err
	}
	b.lock, err = b.FS.Lock(b.partial + "/" + lockName)
	if errors.Is(err, disk.ErrLocked) {
		err = fmt.Errorf("another backup to %s is under way: %w", b.to, err)
	}
	if err != nil {
		return err
	}
	if err := b.clear(); err != nil {
		return errors.Join(err, b.lock.Close())
	}
	// Now, so that nothing is copied in vain where it cannot be: a mount point.
	if err := b.makeWay(); err != nil {
		return errors.Join(fmt.Errorf("%s cannot be replaced by the backup, name a new directory in it: %w", b.to, err), b.discard())
	}
	return nil
}

// makeWay removes the target, which is empty if it is there.
func (b *backup) makeWay() error {
	if err := b.FS.Remove(b.to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// clear removes the files of an unfinished backup but for its lock.
func (b *backup) clear() error {
	names, err := b.FS.List(b.partial)
	if err != nil {
		return err
	}
	for _, name := range names {
		_, isLog := segmentNumber(name, logSuffix)
		_, isIndex := segmentNumber(strings.TrimSuffix(name, newSuffix), indexSuffix)
		switch {
		case name == lockName:
			continue
		case isLog, isIndex, name == formatName, name == manifestName, name == manifestName+newSuffix:
			err = b.FS.Remove(b.partial + "/" + name)
		default:
			err = fmt.Errorf("%s has a file %s that is not of a backup: move the directory away", b.partial, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// discard removes a backup that failed.
func (b *backup) discard() error {
	err := b.clear()
	if err == nil {
		err = b.FS.Remove(b.partial + "/" + lockName)
	}
	if err == nil {
		err = b.FS.Remove(b.partial)
	}
	if err = errors.Join(err, b.lock.Close()); err != nil {
		return fmt.Errorf("what was copied is left in %s: %w", b.partial, err)
	}
	return nil
}

// orEmpty makes nil an empty list, which JSON shows as such.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// sameIn reports whether the file of that name in a directory is as the manifest
// says.
func (f manifestFile) sameIn(fsys disk.FS, dir string) (bool, error) {
	file, err := fsys.Open(dir + "/" + f.Name)
	if err != nil {
		return false, err
	}
	same, err := f.sameContent(file)
	return same, errors.Join(err, file.Close())
}

// sameContent reports whether the file is as the manifest says. Segment files
// may have grown, by zeros.
func (f manifestFile) sameContent(file disk.File) (bool, error) {
	sum, buf := uint32(0), make([]byte, windowSize)
	for at := int64(0); ; {
		n, err := file.ReadAt(buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if n == 0 {
			return at >= f.Bytes && sum == f.CRC, nil
		}
		b := buf[:min(int64(n), max(0, f.Bytes-at))]
		sum = crc32.Update(sum, castagnoli, b)
		if len(bytes.Trim(buf[len(b):n], "\x00")) > 0 {
			return false, nil
		}
		at += int64(n)
	}
}
