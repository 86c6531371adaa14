package rest

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// NewRequestID returns the id of a request: "req-" and a random UUID (http-v2
// §1.4). It is a name, not a secret.
func NewRequestID() string {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40 // version 4: random
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562

	text := [40]byte{0: 'r', 1: 'e', 2: 'q', 3: '-', 12: '-', 17: '-', 22: '-', 27: '-'}
	hex.Encode(text[4:], id[:4])
	hex.Encode(text[13:], id[4:6])
	hex.Encode(text[18:], id[6:8])
	hex.Encode(text[23:], id[8:10])
	hex.Encode(text[28:], id[10:])
	return string(text[:])
}
