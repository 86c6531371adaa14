package embedded

import (
	"encoding/binary"
)

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
