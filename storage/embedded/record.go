package embedded

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// recordType says what a record does. The numbers are part of the format.
type recordType uint8

const (
	recCommit  recordType = 1  // opens every group commit
	recMessage recordType = 2  // a message, posted or rewritten by compaction
	recClaim   recordType = 3  // messages leased to a claim
	recRenew   recordType = 4  // a claim's clock restarted
	recRelease recordType = 5  // a claim dissolved
	recRemove  recordType = 6  // messages deleted
	recPurge   recordType = 7  // all messages between two positions deleted, with exceptions
	recMove    recordType = 8  // messages taken to the end of another queue
	recState   recordType = 9  // present state of a message whose record is older
	recControl recordType = 10 // control records put or erased together
)

// Layout constants of a record; doc.go draws it.
const (
	frameSize  = 12
	alignment  = 8
	commitSize = 24 // a whole commit record, padding included
)

// Flags of a frame.
const (
	flagLast    = 1 << 0 // message: last of its batch
	flagState   = 1 << 1 // message: carries a position and present state
	flagKey     = 1 << 2 // message: body is sealed, key id present
	flagSum     = 1 << 3 // message: checksum present
	flagUUID    = 1 << 4 // message: the poster is a UUID, 16 bytes
	flagDelayed = 1 << 5 // message: available instant present
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errShort is a record whose content ends too early. It passes for damage.
var errShort = errors.New("record content is too short")

// frame is the decoded fixed part of a record.
type frame struct {
	size  uint32 // whole record without padding
	kind  recordType
	flags uint8
	head  uint16 // message: bytes of content before the body
}

func padded(size int) int { return (size + alignment - 1) &^ (alignment - 1) }

// beginRecord appends an empty frame and returns the offset of the record.
func beginRecord(b []byte, kind recordType, flags uint8) ([]byte, int) {
	at := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, byte(kind), flags, 0, 0)
	return b, at
}

// endRecord fills in the size of the record at offset at, and pads it. The
// checksum is set when the place in the segment is known, see seal.
func endRecord(b []byte, at int) []byte {
	binary.LittleEndian.PutUint32(b[at+4:], uint32(len(b)-at))
	for len(b)%alignment != 0 {
		b = append(b, 0)
	}
	return b
}

// readFrame decodes the frame at the start of b, which is at least frameSize
// long.
func readFrame(b []byte) frame {
	return frame{
		size:  binary.LittleEndian.Uint32(b[4:]),
		kind:  recordType(b[8]),
		flags: b[9],
		head:  binary.LittleEndian.Uint16(b[10:]),
	}
}

// checksum covers everything behind itself, the segment's salt and the
// record's place, so that bytes of another time or place never pass.
func checksum(record []byte, salt, offset uint32) uint32 {
	return crc32.Update(salt^offset*2654435761, castagnoli, record[4:])
}

// seal sets the checksum of a record (unpadded) that goes to offset.
func seal(record []byte, salt, offset uint32) {
	binary.LittleEndian.PutUint32(record, checksum(record, salt, offset))
}

// intact reports whether the record (unpadded) at offset is as it was sealed.
func intact(record []byte, salt, offset uint32) bool {
	return binary.LittleEndian.Uint32(record) == checksum(record, salt, offset)
}

// expiry returns the instant in ms at which something made at from ends.
func expiry(from int64, ttl uint32) int64 { return from + int64(ttl)*1000 }
