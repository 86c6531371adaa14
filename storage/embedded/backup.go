package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"zaqar/storage/embedded/disk"
)

// BackupReport says what a backup holds.
type BackupReport struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Store    string        `json:"store"` // its identity
	Made     time.Time     `json:"made"`  // the instant of which the backup is at least
	Segments int           `json:"segments"`
	Bytes    int64         `json:"bytes"`
	Damage   []Damage      `json:"damage"` // of the store, which the backup has as well
	Verified *VerifyReport `json:"verified,omitempty"`
}

// partialSuffix is that of a backup that is not complete.
const partialSuffix = ".partial"

// Backup copies the store in t.Dir, which may be stopped or in use, to the
// directory to, which must not exist or be empty, while its parent must exist.
// The copy holds everything acknowledged before the call, opens as a store, and
// is on disk when the call returns. Damage of the store is copied with the rest
// and reported; what the disk cannot read is damage in the copy.
//
// Until it is complete the backup is in a directory beside, whose name ends in
// ".partial"; if the call fails that is removed, or its name is in the error.
func Backup(ctx context.Context, t Tool, to string) (_ *BackupReport, err error) {
	if t.FS == nil {
		t.FS = disk.OS()
		t.Dir, to = onePath(t.Dir), onePath(to)
		if partial := onePath(to + partialSuffix); partial != to+partialSuffix {
			return nil, fmt.Errorf("%s is a symbolic link: remove it", to+partialSuffix)
		}
	}
	b := &backup{Tool: t, to: filepath.Clean(to), partial: filepath.Clean(to) + partialSuffix, made: t.Env.Now().UTC()}
	if err := b.checkTarget(); err != nil {
		return nil, err
	}
	if b.sn, err = t.look(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.sn.close()) }()
	if b.sn.unknown != nil {
		return nil, b.sn.unknown
	}
	if err := b.sn.dropUnused(); err != nil {
		return nil, err
	}
	if err := b.checkRoom(); err != nil {
		return nil, b.noRoom(err)
	}
	if err := b.begin(); err != nil {
		return nil, err
	}
	if err := b.copyAll(ctx); err != nil {
		return nil, errors.Join(b.noRoom(err), b.discard())
	}
	return b.finish()
}

// backup is a backup being made.
type backup struct {
	Tool
	to, partial string
	made        time.Time
	sn          *snapshot
	lock        io.Closer
	files       []manifestFile
	segments    int
	bytes       int64
	damage      []Damage
	done, total int64
}

func (b *backup) copyAll(ctx context.Context) error {
	b.damage = slices.Clone(b.sn.damage) // of headers
	format, err := readFile(b.sn.fs, b.Dir+"/"+formatName)
	if err == nil {
		err = b.write(formatName, format)
	}
	if err != nil {
		return err
	}
	open := b.sn.open
	for i, seg := range open {
		if err := b.copySegment(ctx, seg, i == len(open)-1); err != nil {
			return err
		}
	}
	for _, d := range b.sn.unread() {
		if !slices.ContainsFunc(b.damage, d.overlaps) {
			b.damage = append(b.damage, d)
		}
	}
	for _, name := range segmentsOf(b.sn.names) {
		if number, _ := segmentNumber(name, logSuffix); !b.sn.has(number) {
			if err := b.copyUnreadable(ctx, number); err != nil {
				return err
			}
		}
	}
	m := manifest{Format: formatVersion, Store: fmt.Sprintf("%08x", b.sn.epoch), Made: b.made, Files: b.files}
	text, err := m.encode()
	if err == nil {
		err = b.write(manifestName, text)
	}
	return err
}

// has reports whether the segment is open.
func (sn *snapshot) has(number uint32) bool {
	return sn.segment(number) != nil || slices.ContainsFunc(sn.unused, func(s *segment) bool { return s.number == number })
}

// overlaps reports whether both are about the same bytes in part.
func (d Damage) overlaps(o Damage) bool {
	return d.Segment == o.Segment && d.Offset < o.Offset+o.Bytes && o.Offset < d.Offset+d.Bytes
}

// copySegment copies a segment up to where the log ends in it, and all but the
// last with an index.
func (b *backup) copySegment(ctx context.Context, seg *segment, last bool) error {
	to := &segment{number: seg.number, salt: seg.salt}
	var index []byte
	w := &walker{
		seg: seg, last: last, beyond: lookahead,
		record: func(at uint32, f frame, record []byte) error {
			index = appendIndexEntry(index, at, f, record)
			return nil
		},
		hole: func(h hole) {
			to.damaged.Store(true)
			b.damage = append(b.damage, Damage{Segment: seg.number, Offset: h.at, Bytes: h.n, Problem: h.why.Error()})
			to.size = h.at + h.n
		},
	}
	end, err := w.walk()
	if err != nil {
		return err
	}
	to.size = max(to.size, end)
	if !last {
		// An index that exists is better: it knows what was in front of damage.
		if f, err := readIndex(b.sn.fs, b.sn.dir, seg); err == nil {
			to.size, index = f.size, f.entries
			to.damaged.Store(f.damaged)
		}
	}
	if err := b.copyFile(ctx, segmentName(seg.number), seg.file, max(int64(to.size), int64(end))); err != nil {
		return err
	}
	b.segments++
	if last {
		return nil
	}
	return b.writeIndex(to, index)
}

func (b *backup) writeIndex(seg *segment, index []byte) error {
	return b.write(indexName(seg.number), encodeIndex(seg, index)...)
}

// copyUnreadable copies a segment file without a header, for what it is worth.
func (b *backup) copyUnreadable(ctx context.Context, number uint32) error {
	name := segmentName(number)
	f, err := b.sn.fs.Open(b.Dir + "/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // set aside since
	}
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil {
		err = b.copyFile(ctx, name, f, size)
	}
	return errors.Join(err, f.Close())
}

// syncEvery is after how many bytes of a file what was copied is synced: the
// disk may be that of the store, and is kept busy for moments only.
const syncEvery = 4 << 20

// copyFile copies the first size bytes of a file, or what there is of them.
func (b *backup) copyFile(ctx context.Context, name string, from disk.File, size int64) (err error) {
	f, err := b.FS.Create(b.partial + "/" + name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	entry := manifestFile{Name: name}
	buf := make([]byte, windowSize)
	for entry.Bytes < size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := from.ReadAt(buf[:min(windowSize, size-entry.Bytes)], entry.Bytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			break
		}
		if _, err := f.WriteAt(buf[:n], entry.Bytes); err != nil {
			return err
		}
		entry.CRC = crc32.Update(entry.CRC, castagnoli, buf[:n])
		entry.Bytes += int64(n)
		if entry.Bytes%syncEvery == 0 {
			if err := errors.Join(f.Sync(), b.needRoom(0)); err != nil {
				return err
			}
		}
		b.done += int64(n)
		b.total = max(b.total, b.done)
		b.tell("copying", b.done, b.total)
	}
	b.add(entry)
	return f.Sync()
}

// write writes a file whose content is in memory.
func (b *backup) write(name string, parts ...[]byte) error {
	f, err := b.FS.Create(b.partial + "/" + name)
	if err != nil {
		return err
	}
	size, err := writeWhole(f, parts)
	if name != manifestName {
		sum := uint32(0)
		for _, part := range parts {
			sum = crc32.Update(sum, castagnoli, part)
		}
		b.add(manifestFile{name, size, sum})
	}
	return errors.Join(err, f.Close())
}

func (b *backup) add(f manifestFile) {
	b.files = append(b.files, f)
	b.bytes += f.Bytes
}

// finish gives the backup its name. It is on disk then. The lock goes last: until
// the backup has its name, nobody else may clear it away.
func (b *backup) finish() (*BackupReport, error) {
	err := b.FS.SyncDir(b.partial)
	if err == nil {
		err = b.makeWay()
	}
	if err == nil {
		err = b.FS.Rename(b.partial, b.to)
	}
	if err != nil {
		err = errors.Join(err, b.lock.Close())
		return nil, fmt.Errorf("the backup is complete, but could not be given its name; it is in %s: %w", b.partial, err)
	}
	err = b.FS.Remove(b.to + "/" + lockName)
	for _, dir := range []string{b.to, filepath.Dir(b.to)} {
		err = errors.Join(err, b.FS.SyncDir(dir))
	}
	if err = errors.Join(err, b.lock.Close()); err != nil {
		return nil, fmt.Errorf("the backup is in %s, but perhaps not on disk: %w", b.to, err)
	}
	return &BackupReport{
		From: b.Dir, To: b.to, Store: fmt.Sprintf("%08x", b.sn.epoch), Made: b.made,
		Segments: b.segments, Bytes: b.bytes, Damage: orEmpty(b.damage),
	}, nil
}
