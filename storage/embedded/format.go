package embedded

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
)

// format is the content of the FORMAT file.
type format struct {
	Format int    `json:"format"`
	Store  string `json:"store"`  // 8 hex digits, the front of every id
	CRC    uint32 `json:"crc32c"` // of the store
}

func (s *Store) readFormat() error {
	name := s.dir + "/" + formatName
	b, err := readFile(s.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return s.writeFormat(name)
	}
	if err != nil {
		return err
	}
	var f format
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("%s is no identity of a store: restore the file from a backup (%w)", name, err)
	}
	if f.Format != formatVersion {
		return fmt.Errorf("%s: the store has format %d; this version of the server reads format %d", s.dir, f.Format, formatVersion)
	}
	epoch, err := hex.DecodeString(f.Store)
	if err != nil || len(epoch) != 4 || f.CRC != crc32.Checksum(epoch, castagnoli) {
		return fmt.Errorf("%s: %q is no identity of a store: restore the file from a backup", name, f.Store)
	}
	s.epoch = binary.BigEndian.Uint32(epoch)
	return nil
}

// writeFormat gives a new store its identity. Log files without a FORMAT file
// are the remains of a store, not a new one.
func (s *Store) writeFormat(name string) error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if _, ok := segmentNumber(n, logSuffix); ok {
			return fmt.Errorf("%s has log segments but no %s file: restore it from a backup", s.dir, formatName)
		}
	}
	s.epoch = randomUint32() | 1<<31 // an id must not read as a small number
	b, err := encodeFormat(s.epoch)
	if err != nil {
		return err
	}
	return replaceFile(s.fs, s.dir, name, b)
}

// encodeFormat renders the FORMAT file.
func encodeFormat(store uint32) ([]byte, error) {
	epoch := binary.BigEndian.AppendUint32(nil, store)
	b, err := json.Marshal(format{Format: formatVersion, Store: hex.EncodeToString(epoch), CRC: crc32.Checksum(epoch, castagnoli)})
	return append(b, '\n'), err
}
