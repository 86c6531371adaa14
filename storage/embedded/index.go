package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"zaqar/storage/embedded/disk"
)

// An index file is the segment without message bodies, so that a restart reads
// a few dozen bytes a message:
//
//	0          8        12       16     20             24      28
//	+----------+--------+--------+------+--------------+-------+---------+--------+
//	|"zaqaridx"| format | number | salt | segment size | flags | entries | crc32c |
//	+----------+--------+--------+------+--------------+-------+---------+--------+
//
// An entry is the offset of a record (4 bytes), its frame without the crc (8
// bytes) and its content, for messages without the body. Flag 1 tells that the
// segment is damaged: the index lacks what could not be read. The crc32c at the
// end covers the whole file.
const (
	indexMagic  = "zaqaridx"
	indexHeader = 28
	entryHeader = 12

	indexOfDamaged = 1 << 0
)

var errBadIndex = errors.New("index is damaged or does not fit its segment")

// appendIndexEntry adds the record at offset to an index under construction.
func appendIndexEntry(index []byte, offset uint32, f frame, record []byte) []byte {
	if f.kind == recCommit {
		return index
	}
	index = binary.LittleEndian.AppendUint32(index, offset)
	return append(index, record[4:contentEnd(f)]...)
}

// contentEnd is where the part of a record ends that an index keeps.
func contentEnd(f frame) uint32 {
	if f.kind == recMessage {
		return frameSize + uint32(f.head)
	}
	return f.size
}

// indexEntry reads the entry at the front of index.
func indexEntry(index []byte) (offset uint32, f frame, content, rest []byte, err error) {
	if len(index) < entryHeader {
		return 0, f, nil, nil, errBadIndex
	}
	offset = binary.LittleEndian.Uint32(index)
	f = readFrame(index) // the offset stands where the crc would be
	n := contentEnd(f)
	if n < frameSize || int64(n) > int64(len(index)) || n > f.size {
		return 0, f, nil, nil, errBadIndex
	}
	return offset, f, index[entryHeader:n], index[n:], nil
}

// trimIndex drops the entries of records at or behind offset.
func trimIndex(index []byte, offset uint32) []byte {
	for at := 0; at < len(index); {
		o, _, _, rest, err := indexEntry(index[at:])
		if err != nil || o >= offset {
			return index[:at]
		}
		at = len(index) - len(rest)
	}
	return index
}

// writeIndex writes the index file of a full segment, whole or not at all.
func writeIndex(fs disk.FS, dir string, s *segment, index []byte) error {
	return replaceFile(fs, dir, dir+"/"+indexName(s.number), encodeIndex(s, index)...)
}

// encodeIndex renders the index file of a full segment, in parts: the entries
// in the middle can be many megabytes, which are not copied.
func encodeIndex(s *segment, index []byte) [][]byte {
	flags := uint32(0)
	if s.damaged.Load() {
		flags = indexOfDamaged
	}
	le := binary.LittleEndian
	b := make([]byte, 0, indexHeader)
	b = append(b, indexMagic...)
	b = le.AppendUint32(b, formatVersion)
	b = le.AppendUint32(b, s.number)
	b = le.AppendUint32(b, s.salt)
	b = le.AppendUint32(b, s.size)
	b = le.AppendUint32(b, flags)
	sum := crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, index)
	return [][]byte{b, index, le.AppendUint32(nil, sum)}
}

// newSuffix is that of a file that will replace another.
const newSuffix = ".new"

// replaceFile writes a file, whose content may come in parts, so that after a
// crash it is the old or the new one.
func replaceFile(fs disk.FS, dir, name string, parts ...[]byte) (err error) {
	tmp := name + newSuffix
	_ = fs.Remove(tmp) // left over from a crash
	f, err := fs.Create(tmp)
	if err != nil {
		return err
	}
	_, err = writeWhole(f, parts)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = fs.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, fs.Remove(tmp))
	}
	return fs.SyncDir(dir)
}

// writeWhole writes and syncs all that a file is to hold.
func writeWhole(f disk.File, parts [][]byte) (size int64, err error) {
	for _, part := range parts {
		if _, err := f.WriteAt(part, size); err != nil {
			return size, err
		}
		size += int64(len(part))
	}
	return size, f.Sync()
}

// mostRead is more than the index of the largest segment takes, in bytes.
const mostRead = 2 << 30

// readFile reads a small file whole.
func readFile(fs disk.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && size > mostRead {
		err = fmt.Errorf("%s: %d bytes are no file of a store", name, size)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	b := make([]byte, size)
	if size > 0 {
		_, err = f.ReadAt(b, 0)
	}
	return b, errors.Join(err, f.Close())
}

// indexFile is what an index file says.
type indexFile struct {
	entries []byte
	size    uint32 // of the segment
	damaged bool
}

// readIndex reads the index file of the segment.
func readIndex(fs disk.FS, dir string, s *segment) (indexFile, error) {
	name := dir + "/" + indexName(s.number)
	b, err := readFile(fs, name)
	if err != nil {
		return indexFile{}, err
	}
	le := binary.LittleEndian
	if !soundIndex(b, s.number) || le.Uint32(b[16:]) != s.salt {
		return indexFile{}, fmt.Errorf("%s: %w", name, errBadIndex)
	}
	return indexFile{
		entries: b[indexHeader : len(b)-4],
		size:    le.Uint32(b[20:]),
		damaged: le.Uint32(b[24:])&indexOfDamaged != 0,
	}, nil
}

// soundIndex reports whether the content of an index file is whole and about
// the segment.
func soundIndex(b []byte, number uint32) bool {
	le := binary.LittleEndian
	return len(b) >= indexHeader+4 && string(b[:8]) == indexMagic && le.Uint32(b[8:]) == formatVersion &&
		le.Uint32(b[12:]) == number &&
		le.Uint32(b[len(b)-4:]) == crc32.Checksum(b[:len(b)-4], castagnoli)
}

// openByIndex opens a segment whose header is damaged with what its index file
// knows of it. The segment is nil if that is not there or not sound.
func openByIndex(fs disk.FS, dir string, number uint32) (*segment, error) {
	b, err := readFile(fs, dir+"/"+indexName(number))
	if err != nil || !soundIndex(b, number) {
		return nil, nil //nolint:nilerr // without an index file there is nothing to go by
	}
	name := dir + "/" + segmentName(number)
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	s := &segment{number: number, salt: binary.LittleEndian.Uint32(b[16:]), file: f, name: name, size: headerSize}
	s.readers.Store(1)
	s.damaged.Store(true)
	return s, nil
}
