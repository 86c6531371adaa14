package embedded

import (
	"encoding/binary"
	"encoding/hex"
	"hash/maphash"
)

// idLength is how many hex digits an id has as clients see it; the first 8
// tell the store.
const idLength = 24

// id renders a sequence number as the id clients see.
func (s *Store) id(n uint64) string {
	var text [idLength]byte
	return string(s.appendID(text[:0], n))
}

func (s *Store) appendID(b []byte, n uint64) []byte {
	var raw [idLength / 2]byte
	binary.BigEndian.PutUint32(raw[:], s.epoch)
	binary.BigEndian.PutUint64(raw[4:], n)
	return hex.AppendEncode(b, raw[:])
}

// idTexts renders many in one string, idLength bytes each.
func (s *Store) idTexts(ns []uint64) string {
	var short [16 * idLength]byte
	b := short[:0]
	for _, n := range ns {
		b = s.appendID(b, n)
	}
	return string(b)
}

// number is the inverse of id; ok is false for ids of other makers.
func (s *Store) number(id string) (n uint64, ok bool) {
	if len(id) != idLength {
		return 0, false
	}
	for i := range idLength {
		c := id[i]
		var d uint64
		switch {
		case '0' <= c && c <= '9':
			d = uint64(c - '0')
		case 'a' <= c && c <= 'f':
			d = uint64(c-'a') + 10
		default:
			return 0, false
		}
		if i < 8 {
			ok = uint64(s.epoch)>>(28-4*i)&15 == d
			if !ok {
				return 0, false
			}
			continue
		}
		n = n<<4 | d
	}
	return n, true
}

// posterHash tells most clients apart without reading records. It takes the
// form of packClient.
func (s *Store) posterHash(packed []byte) uint16 { return uint16(maphash.Bytes(s.seed, packed)) }
