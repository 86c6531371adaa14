package embedded

import (
	"encoding/binary"

	"zaqar/messaging"
)

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
