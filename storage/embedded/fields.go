package embedded

import (
	"encoding/binary"
	"math"
)

// reader takes fields off the front of a record's content. After a field that
// is not there err is set and everything reads as zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.b) {
		r.err = errShort
		return make([]byte, min(n, 16))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) str() string { return string(r.take(int(r.take(1)[0]))) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return r.varlen(v, n)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	return int64(r.varlen(uint64(v), n))
}

func (r *reader) varlen(v uint64, n int) uint64 {
	if r.err != nil || n <= 0 {
		r.err = errShort
		return 0
	}
	r.b = r.b[n:]
	return v
}

// length reads a count that cannot exceed the bytes that are left.
func (r *reader) length() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.err = errShort
		return 0
	}
	return int(n)
}

func (r *reader) targets() []target {
	n := r.length()
	if n == 0 {
		return nil
	}
	out := make([]target, 0, n)
	var pos uint64
	var seg int64
	for range n {
		pos += uint64(r.varint())
		seg += r.varint()
		if r.err != nil || seg < 0 || seg > math.MaxUint32 {
			r.err = errShort
			return nil
		}
		out = append(out, target{pos: pos, seg: uint32(seg)})
	}
	return out
}

func appendString(b []byte, s string) []byte {
	b = append(b, byte(len(s)))
	return append(b, s...)
}

const hexDigits = "0123456789abcdef"

// parseUUID reads a lower-case hyphenated UUID.
func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) != 36 {
		return u, false
	}
	n := 0
	for i := range 36 {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return u, false
			}
			continue
		}
		var d byte
		switch {
		case '0' <= c && c <= '9':
			d = c - '0'
		case 'a' <= c && c <= 'f':
			d = c - 'a' + 10
		default:
			return u, false
		}
		u[n/2] |= d << (4 * (1 - n%2))
		n++
	}
	return u, true
}

func formatUUID(u []byte) string {
	var out [36]byte
	n := 0
	for i := range out {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			out[i] = '-'
			continue
		}
		out[i] = hexDigits[u[n/2]>>(4*(1-n%2))&15]
		n++
	}
	return string(out[:])
}
