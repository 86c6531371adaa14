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

// state is the content of a state record: what became of a message since its
// record was written.
type state struct {
	queue, pos uint64
	ttl        uint32
	expires    int64
	claims     uint32
	claim      uint64
	renewed    int64
	claimTTL   uint32
}

// stateSize is how many bytes a state record takes.
const stateSize = 64

func appendState(b []byte, s *state) []byte {
	b, at := beginRecord(b, recState, 0)
	le := binary.LittleEndian
	b = le.AppendUint64(b, s.queue)
	b = le.AppendUint64(b, s.pos)
	b = le.AppendUint32(b, s.ttl)
	b = le.AppendUint64(b, uint64(s.expires))
	b = le.AppendUint32(b, s.claims)
	b = le.AppendUint64(b, s.claim)
	b = le.AppendUint64(b, uint64(s.renewed))
	b = le.AppendUint32(b, s.claimTTL)
	return endRecord(b, at)
}

func decodeState(content []byte) (state, error) {
	r := reader{b: content}
	s := state{queue: r.u64(), pos: r.u64(), ttl: r.u32(), expires: int64(r.u64())}
	s.claims, s.claim, s.renewed, s.claimTTL = r.u32(), r.u64(), int64(r.u64()), r.u32()
	return s, r.err
}

// edit is one change of the control plane: a record put or erased.
type edit struct {
	table table
	erase bool
	key   string
	value []byte   // put: encoded value
	olds  []uint32 // erase: the segments that may hold puts of the key
}

// appendControl encodes edits that happen together as one record.
func appendControl(b []byte, edits []edit) []byte {
	b, at := beginRecord(b, recControl, 0)
	b = binary.AppendUvarint(b, uint64(len(edits)))
	for i := range edits {
		e := &edits[i]
		if !e.erase {
			b = append(b, byte(e.table), controlPut)
			b = appendBytes(b, e.key)
			b = appendBytes(b, string(e.value))
			continue
		}
		b = append(b, byte(e.table), controlErase)
		b = appendBytes(b, e.key)
		b = binary.AppendUvarint(b, uint64(len(e.olds)))
		for _, n := range e.olds {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	return endRecord(b, at)
}

// What an edit does, in the log.
const (
	controlPut   = 0
	controlErase = 1
)

func decodeControl(content []byte) ([]edit, error) {
	r := reader{b: content}
	var edits []edit
	for range r.length() {
		e := edit{table: table(r.take(1)[0]), erase: r.take(1)[0] == controlErase}
		e.key = string(r.take(r.length()))
		if !e.erase {
			e.value = r.take(r.length())
		} else {
			for range r.length() {
				e.olds = append(e.olds, uint32(r.uvarint()))
			}
		}
		if r.err != nil {
			return nil, r.err
		}
		edits = append(edits, e)
	}
	return edits, r.err
}

func appendBytes(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// expiry returns the instant in ms at which something made at from ends.
func expiry(from int64, ttl uint32) int64 { return from + int64(ttl)*1000 }
