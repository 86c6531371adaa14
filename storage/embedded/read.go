package embedded

import (
	"bytes"
	"context"
	"errors"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// picked are entries as they stood at one moment, and the segments that hold
// their records, kept open. The records are read without any lock.
type picked struct {
	q        *queue
	entries  []entry
	ids      []uint64
	segments []*segment // each once
	own      int        // those probably of the client from whom they are hidden

	// The client and claim rendered last: neighbours mostly share them.
	packed []byte
	isUUID bool
	client messaging.ClientID
	held   uint64
	claim  messaging.ClaimID
}

// pick returns a picked for about n entries of the queue.
func pick(q *queue, n int) *picked {
	n = min(n, 64)
	return &picked{q: q, entries: make([]entry, 0, n), ids: make([]uint64, 0, n)}
}

func (p *picked) len() int { return len(p.entries) }

// take adds a copy of the entry. The caller holds the queue's lock.
func (p *picked) take(e *entry) {
	if p.segment(e.seg) == nil {
		seg := p.q.store.segment(e.seg)
		seg.acquire()
		p.segments = append(p.segments, seg)
	}
	p.entries = append(p.entries, *e)
	p.ids = append(p.ids, p.q.identity(e))
}

// targets names them for an operation.
func (p *picked) targets() []target {
	out := make([]target, len(p.entries))
	for i := range p.entries {
		out[i] = target{pos: p.entries[i].pos, seg: p.entries[i].seg}
	}
	return out
}

// segment returns the one with that number among those kept open. Neighbours
// share it, so the last taken is looked at first.
func (p *picked) segment(number uint32) *segment {
	for i := len(p.segments) - 1; i >= 0; i-- {
		if p.segments[i].number == number {
			return p.segments[i]
		}
	}
	return nil
}

// heldBy shows all of them as held by the claim.
func (p *picked) heldBy(claim uint64, name messaging.ClaimID) {
	p.held, p.claim = claim, name
	for i := range p.entries {
		p.entries[i].claim = claim
	}
}

// drop lets go of the segments.
func (p *picked) drop() {
	for _, seg := range p.segments {
		if err := seg.release(); err != nil {
			p.q.store.log.Error("segment not closed", "segment", seg.number, "error", err)
		}
	}
	p.segments = nil
}

// Neighbours in the log are read together, within these bounds.
const (
	readGap  = 4 << 10
	readSpan = 1 << 20
)

// read returns the messages that keep wants (all, if nil), in order, and drops
// p. Bodies are in the arena. A damaged record is left out, for ever.
func (p *picked) read(ctx context.Context, arena *storage.Arena, keep func(*messaging.Message) bool) ([]messaging.Message, error) {
	defer p.drop()
	out := make([]messaging.Message, 0, len(p.entries))
	names := p.q.store.idTexts(p.ids)
	for i := 0; i < len(p.entries); {
		if err := ctx.Err(); err != nil {
			return nil, unreadable(err)
		}
		n, end := p.run(i)
		start := p.entries[i].off
		seg := p.segment(p.entries[i].seg)
		buf := arena.Take(int(end - start))
		if err := seg.read(buf, start); err != nil {
			return nil, unreadable(err)
		}
		for ; n > 0; n, i = n-1, i+1 {
			e := &p.entries[i]
			record := buf[e.off-start:][:e.size:e.size]
			m, err := p.decode(e, p.ids[i], names[i*idLength:][:idLength], seg, record)
			if err != nil {
				p.q.quarantine(e, p.ids[i], seg, err)
				continue
			}
			if out = append(out, m); keep != nil && !keep(&out[len(out)-1]) {
				out = out[:len(out)-1]
			}
		}
	}
	return out, nil
}

// hide leaves out the messages of a client, of which memory knows a hash only:
// the heads of their records are read, and not their bodies. A head that tells
// anything else is left to read.
func (p *picked) hide(ctx context.Context, client messaging.ClientID) error {
	if p.own == 0 {
		return nil
	}
	packed, isUUID := packClient(client)
	hash := p.q.store.posterHash(packed)
	w := window{span: headSpan}
	kept := 0
	for i := range p.entries {
		e := &p.entries[i]
		if e.poster == hash {
			if w.seg == nil || w.seg.number != e.seg {
				w = window{seg: p.segment(e.seg), span: headSpan, b: w.b[:0]}
			}
			head, err := w.bytes(e.off, int(min(e.size, posterEnd)))
			if err = errors.Join(err, ctx.Err()); err != nil {
				p.drop()
				return unreadable(err)
			}
			if mine(head, e.size, p.ids[i], packed, isUUID) {
				continue
			}
		}
		p.entries[kept], p.ids[kept] = p.entries[i], p.ids[i]
		kept++
	}
	p.entries, p.ids = p.entries[:kept], p.ids[:kept]
	return nil
}

// headSpan is how much is read at once for the sake of a head: a page, in which
// the next heads are, too, if the messages are short.
const headSpan = 4 << 10

// mine reports whether the beginning of a record is that of the message with the
// id and of this poster.
func mine(head []byte, size uint32, id uint64, packed []byte, isUUID bool) bool {
	if len(head) < frameSize {
		return false
	}
	f := readFrame(head)
	of, poster, ok := decodePoster(f, head[frameSize:])
	return ok && f.kind == recMessage && f.size == size && of == id && f.flags&flagUUID != 0 == isUUID && bytes.Equal(poster, packed)
}

// raw returns the content of the record of the one entry picked, nil if it is
// damaged.
func (p *picked) raw() (*message, error) {
	defer p.drop()
	e := &p.entries[0]
	seg := p.segment(e.seg)
	record := make([]byte, e.size)
	if err := seg.read(record, e.off); err != nil {
		return nil, unreadable(err)
	}
	if _, err := p.decode(e, p.ids[0], "", seg, record); err != nil {
		p.q.quarantine(e, p.ids[0], seg, err)
		return nil, nil
	}
	m, err := decodeMessage(readFrame(record), record[frameSize:])
	return &m, err
}

// run returns how many entries from i on one read serves, and where it ends.
func (p *picked) run(i int) (n int, end uint32) {
	first := &p.entries[i]
	end = first.off + first.size
	for n = 1; i+n < len(p.entries); n++ {
		e := &p.entries[i+n]
		if e.seg != first.seg || e.off < end || e.off-end > readGap || e.off+e.size-first.off > readSpan {
			break
		}
		end = e.off + e.size
	}
	return n, end
}

var errDamaged = errors.New("record is damaged")

// decode checks the record and makes the message of it and of its entry. name
// is the id as clients see it.
func (p *picked) decode(e *entry, id uint64, name string, seg *segment, record []byte) (messaging.Message, error) {
	if !intact(record, seg.salt, e.off) {
		return messaging.Message{}, errDamaged
	}
	f := readFrame(record)
	m, err := decodeMessage(f, record[frameSize:])
	if err != nil || f.kind != recMessage || f.size != e.size || m.id != id {
		return messaging.Message{}, errDamaged
	}
	s := p.q.store
	out := messaging.Message{
		ID:       messaging.MessageID(name),
		Position: messaging.Position(e.pos),
		Poster:   p.poster(&m),
		Posted:   time.UnixMilli(m.posted),
		TTL:      int64(e.ttl),
		Expires:  time.UnixMilli(e.expires),
		Body:     m.body,
		Key:      m.key,
		Checksum: m.sum,
		Claims:   int(e.claims),
	}
	if m.available != 0 && e.flags&entryMoved == 0 {
		out.Available = time.UnixMilli(m.available)
	}
	if e.claim != 0 {
		if e.claim != p.held {
			p.held, p.claim = e.claim, messaging.ClaimID(s.id(e.claim))
		}
		out.Claim = p.claim
	}
	return out, nil
}

func (p *picked) poster(m *message) messaging.ClientID {
	if p.client == "" || p.isUUID != m.isUUID || !bytes.Equal(m.poster, p.packed) {
		p.packed, p.isUUID, p.client = m.poster, m.isUUID, m.client()
	}
	return p.client
}

// quarantine takes a message out of service whose record cannot be read.
func (q *queue) quarantine(seen *entry, id uint64, seg *segment, cause error) {
	q.mu.Lock()
	c, i, ok := q.find(seen.pos)
	same := ok && c.entries[i].seg == seen.seg && c.entries[i].off == seen.off
	if same {
		q.kill(c, i)
		q.settle(c)
	}
	q.mu.Unlock()
	if same {
		seg.damaged.Store(true)
		q.store.unreadable.Add(1)
		q.store.log.Error("message lost: its record is damaged",
			"project", q.ref.Project, "queue", q.ref.Name, "message", q.store.id(id),
			"segment", seg.number, "offset", seen.off, "bytes", seen.size, "error", cause)
	}
}

func unreadable(errs ...error) error {
	return messaging.Wrap(messaging.Unavailable, "The store could not read from its disk.", errors.Join(errs...))
}
