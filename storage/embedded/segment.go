package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"zaqar/storage/embedded/disk"
)

const (
	segmentMagic  = "zaqarlog"
	formatVersion = 1
	headerSize    = 32
	logSuffix     = ".log"
	indexSuffix   = ".idx"
)

// segment is one file of the log.
type segment struct {
	number uint32
	salt   uint32
	first  uint64 // smallest sequence number not used when it was made
	file   disk.File
	name   string

	size  uint32 // bytes in use, header included; fixed once sealed
	index []byte // records without bodies, until the index file is written; under mu once sealed

	live    atomic.Int64 // bytes of messages and control records that count
	owes    atomic.Int64 // bytes in newer segments that count because of this one
	readers atomic.Int32 // the owner holds one
	damaged atomic.Bool
	sealed  atomic.Bool

	mu      sync.Mutex
	needs   map[uint32]int64 // older segment -> bytes in here that are about it
	indexed bool             // its index is in a file, and no longer in memory
}

func segmentName(number uint32) string { return fmt.Sprintf("%010d%s", number, logSuffix) }

func indexName(number uint32) string { return fmt.Sprintf("%010d%s", number, indexSuffix) }

// segmentNumber reads a file name; ok is false for files that are none.
func segmentNumber(name, suffix string) (number uint32, ok bool) {
	digits, found := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), found && len(digits) == 10 && err == nil
}

// createSegment makes a segment file with space reserved up to size. It is
// durable when the call returns.
func createSegment(fs disk.FS, dir string, number, salt uint32, first uint64, size int64) (*segment, error) {
	name := dir + "/" + segmentName(number)
	f, err := fs.Create(name)
	if err != nil {
		return nil, err
	}
	s := &segment{number: number, salt: salt, first: first, file: f, name: name, size: headerSize}
	s.readers.Store(1)
	err = f.Allocate(0, size)
	if err == nil {
		_, err = f.WriteAt(s.header(), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = fs.SyncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), fs.Remove(name))
	}
	return s, nil
}

func (s *segment) header() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, headerSize), segmentMagic...)
	b = le.AppendUint32(b, formatVersion)
	b = le.AppendUint32(b, s.number)
	b = le.AppendUint32(b, s.salt)
	b = le.AppendUint64(b, s.first)
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// errNoSegment is a file whose header was never completed, or is damaged.
var errNoSegment = errors.New("segment header is missing or damaged")

// openSegment opens a segment file and reads its header.
func openSegment(fs disk.FS, dir string, number uint32) (*segment, error) {
	name := dir + "/" + segmentName(number)
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	b := make([]byte, headerSize)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	le := binary.LittleEndian
	if string(b[:8]) != segmentMagic || le.Uint32(b[28:]) != crc32.Checksum(b[:28], castagnoli) || le.Uint32(b[12:]) != number {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, errNoSegment), f.Close())
	}
	if v := le.Uint32(b[8:]); v != formatVersion {
		return nil, errors.Join(fmt.Errorf("%s: format %d, this version reads format %d", name, v, formatVersion), f.Close())
	}
	s := &segment{number: number, salt: le.Uint32(b[16:]), first: le.Uint64(b[20:]), file: f, name: name, size: headerSize}
	s.readers.Store(1)
	return s, nil
}

// keepAlive counts the bytes of a message whose record is in the segment.
func (s *segment) keepAlive(e *entry) { s.live.Add(int64(padded(int(e.size)))) }

// acquire keeps the file open until release, also if it is unlinked meanwhile.
func (s *segment) acquire() { s.readers.Add(1) }

func (s *segment) release() error {
	if s.readers.Add(-1) == 0 {
		return s.file.Close()
	}
	return nil
}

// read fills b with what is at offset at: zeros behind the end of the file,
// where no record can be.
func (s *segment) read(b []byte, at uint32) error {
	if _, err := s.file.ReadAt(b, int64(at)); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// indexInMemory returns the index of a full segment unless it is in its file.
func (s *segment) indexInMemory() (index []byte, inFile bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index, s.indexed
}
