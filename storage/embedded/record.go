package embedded

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"zaqar/messaging"
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

// message is the content of a message record.
type message struct {
	queue     uint64
	id        uint64
	pos       uint64
	posted    int64 // ms
	ttl       uint32
	expires   int64  // ms
	available int64  // ms, 0: at once
	poster    []byte // client id; the 16 bytes if it is a UUID
	isUUID    bool
	key       string
	sum       string
	claims    uint32
	claim     uint64 // 0: none
	renewed   int64  // of the claim
	claimTTL  uint32
	lead      []byte // what is written of the body before body
	body      []byte
	last      bool
}

// appendMessage encodes m as a record.
func appendMessage(b []byte, m *message) []byte {
	flags := uint8(0)
	set := func(bit uint8, on bool) {
		if on {
			flags |= bit
		}
	}
	plain := m.pos == m.id && m.claims == 0 && m.claim == 0 && m.expires == expiry(m.posted, m.ttl)
	set(flagLast, m.last)
	set(flagState, !plain)
	set(flagKey, m.key != "")
	set(flagSum, m.sum != "")
	set(flagUUID, m.isUUID)
	set(flagDelayed, m.available != 0)

	b, at := beginRecord(b, recMessage, flags)
	le := binary.LittleEndian
	b = le.AppendUint64(b, m.queue)
	b = le.AppendUint64(b, m.id)
	b = le.AppendUint64(b, uint64(m.posted))
	b = le.AppendUint32(b, m.ttl)
	if m.available != 0 {
		b = le.AppendUint64(b, uint64(m.available))
	}
	if !m.isUUID {
		b = append(b, byte(len(m.poster)))
	}
	b = append(b, m.poster...)
	if m.key != "" {
		b = appendString(b, m.key)
	}
	if m.sum != "" {
		b = appendString(b, m.sum)
	}
	if !plain {
		b = le.AppendUint64(b, m.pos)
		b = le.AppendUint64(b, uint64(m.expires))
		b = le.AppendUint32(b, m.claims)
		b = le.AppendUint64(b, m.claim)
		b = le.AppendUint64(b, uint64(m.renewed))
		b = le.AppendUint32(b, m.claimTTL)
	}
	le.PutUint16(b[at+10:], uint16(len(b)-at-frameSize))
	b = append(b, m.lead...)
	b = append(b, m.body...)
	return endRecord(b, at)
}

// decodeMessage reads the content of a message record: its head and, unless
// the content comes from an index, its body.
func decodeMessage(f frame, content []byte) (message, error) {
	if int(f.head) > len(content) {
		return message{}, errShort
	}
	r := reader{b: content[:f.head]}
	m := message{last: f.flags&flagLast != 0, body: content[f.head:]}
	m.queue, m.id = r.u64(), r.u64()
	m.pos = m.id
	m.posted, m.ttl = int64(r.u64()), r.u32()
	m.expires = expiry(m.posted, m.ttl)
	if f.flags&flagDelayed != 0 {
		m.available = int64(r.u64())
	}
	if m.isUUID = f.flags&flagUUID != 0; m.isUUID {
		m.poster = r.take(16)
	} else {
		m.poster = r.take(int(r.take(1)[0]))
	}
	if f.flags&flagKey != 0 {
		m.key = r.str()
	}
	if f.flags&flagSum != 0 {
		m.sum = r.str()
	}
	if f.flags&flagState != 0 {
		m.pos, m.expires, m.claims = r.u64(), int64(r.u64()), r.u32()
		m.claim, m.renewed, m.claimTTL = r.u64(), int64(r.u64()), r.u32()
	}
	return m, r.err
}

// posterEnd is by how many bytes of a record its poster is over.
const posterEnd = frameSize + 28 + 8 + 1 + 255

// decodePoster reads the id and the poster of a message record, of which the
// content need not be whole.
func decodePoster(f frame, content []byte) (id uint64, poster []byte, ok bool) {
	r := reader{b: content[:min(int(f.head), len(content))]}
	r.u64() // queue
	id = r.u64()
	r.take(8 + 4) // posted, TTL
	if f.flags&flagDelayed != 0 {
		r.take(8)
	}
	if f.flags&flagUUID != 0 {
		poster = r.take(16)
	} else {
		poster = r.take(int(r.take(1)[0]))
	}
	return id, poster, r.err == nil
}

// packClient returns the form of a client id that records keep.
func packClient(id messaging.ClientID) (packed []byte, isUUID bool) {
	if uuid, ok := parseUUID(string(id)); ok {
		return uuid[:], true
	}
	return []byte(id), false
}

// client is the inverse of packClient.
func (m *message) client() messaging.ClientID {
	if m.isUUID {
		return messaging.ClientID(formatUUID(m.poster))
	}
	return messaging.ClientID(m.poster)
}

// target is a message an operation touches: its position and the segment that
// held its record at the time.
type target struct {
	pos uint64
	seg uint32
}

// operation is the content of the records that change messages already stored:
// claim, renew, release, remove, purge and move.
type operation struct {
	kind    recordType
	queue   uint64
	claim   uint64
	now     int64 // ms
	ttl     uint32
	grace   uint32
	to      uint64   // move: the other queue; purge: the last position it covers
	from    uint64   // purge: the first position; stored where others have the claim
	targets []target // purge: the exceptions
	spent   []target // claim: leased without being counted
	places  []place  // move: one per target
}

// place is where a moved message goes, and how long it lives there.
type place struct {
	id      uint64
	pos     uint64
	ttl     uint32
	expires int64 // ms
}

// appendOperation encodes o as a record.
func appendOperation(b []byte, o *operation) []byte {
	b, at := beginRecord(b, o.kind, 0)
	b = binary.LittleEndian.AppendUint64(b, o.queue)
	claim := o.claim
	if o.kind == recPurge {
		claim = o.from
	}
	for _, v := range []uint64{claim, uint64(o.now), uint64(o.ttl), uint64(o.grace), o.to} {
		b = binary.AppendUvarint(b, v)
	}
	b = appendTargets(b, o.targets)
	b = appendTargets(b, o.spent)
	for _, p := range o.places {
		b = binary.AppendUvarint(b, p.id)
		b = binary.AppendUvarint(b, p.pos)
		b = binary.AppendUvarint(b, uint64(p.ttl))
		b = binary.AppendUvarint(b, uint64(p.expires))
	}
	return endRecord(b, at)
}

// decodeOperation reads what appendOperation wrote.
func decodeOperation(f frame, content []byte) (operation, error) {
	r := reader{b: content}
	o := operation{kind: f.kind, queue: r.u64()}
	o.claim, o.now = r.uvarint(), int64(r.uvarint())
	o.ttl, o.grace, o.to = uint32(r.uvarint()), uint32(r.uvarint()), r.uvarint()
	if o.kind == recPurge {
		o.claim, o.from = 0, o.claim
	}
	o.targets = r.targets()
	o.spent = r.targets()
	if o.kind == recMove {
		for range o.targets {
			o.places = append(o.places, place{r.uvarint(), r.uvarint(), uint32(r.uvarint()), int64(r.uvarint())})
		}
	}
	return o, r.err
}

func appendTargets(b []byte, ts []target) []byte {
	b = binary.AppendUvarint(b, uint64(len(ts)))
	var pos uint64
	var seg uint32
	for _, t := range ts {
		b = binary.AppendVarint(b, int64(t.pos-pos))
		b = binary.AppendVarint(b, int64(t.seg)-int64(seg))
		pos, seg = t.pos, t.seg
	}
	return b
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
