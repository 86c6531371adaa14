package embedded

import (
	"encoding/binary"
)

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
