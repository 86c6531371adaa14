package embedded

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"

	"zaqar/messaging"
	"zaqar/storage"
)

// Append implements storage.Messages.
func (s *Store) Append(ctx context.Context, ref messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	if len(drafts) == 0 {
		return storage.Appended{}, nil
	}
	size, err := checkDrafts(by, drafts, o)
	if err != nil {
		return storage.Appended{}, err
	}
	if err := s.enter(ctx); err != nil {
		return storage.Appended{}, err
	}
	p, _ := s.appends.Get().(*appending)
	if p == nil {
		p = new(appending)
	}
	*p = appending{by: by, drafts: drafts, frames: p.frames}
	p.batches = s.batches(p.own[:0], ref, o)
	if err := s.journal.admitPost(ctx, ref.Project, size*len(p.batches)); err != nil {
		return storage.Appended{}, err
	}
	for {
		if err := p.open(s); err != nil {
			s.journal.nudge() // others may be in line for the group that this does not go into
			return storage.Appended{}, err
		}
		g, err := p.submit(s)
		if err != nil {
			s.journal.nudge()
			return storage.Appended{}, err
		}
		if g == nil {
			continue // a queue was dropped meanwhile: a new one takes its place
		}
		if err := g.wait(); err != nil {
			return storage.Appended{}, err
		}
		done := storage.Appended{IDs: s.idRange(p.batches[0].first, len(drafts)), Announced: p.announced()}
		p.forget(s)
		return done, nil
	}
}

// appending is the drafts of one call on their way to one or more queues. It is
// used again for others when they are stored.
type appending struct {
	by      messaging.ClientID
	drafts  []messaging.Draft
	now     int64
	hash    uint16
	batches []batch  // for the queue named first, its outbox, and so on
	own     [1]batch // memory for the common case
	frames  []frame  // of all records, in their order
}

// forget has the memory of what is done used again.
func (p *appending) forget(s *Store) {
	if cap(p.frames) > 1<<10 {
		p.frames = nil
	}
	*p = appending{frames: p.frames[:0]}
	s.appends.Put(p)
}

// batch is what one queue gets of a post.
type batch struct {
	ref    messaging.QueueRef
	note   *storage.Announcement // not nil: copies of the batch before, for an outbox
	q      *queue
	first  uint64 // sequence number of the first message
	offset uint32 // of the first record behind that of the post
}

// batches lists what goes where.
func (s *Store) batches(list []batch, ref messaging.QueueRef, o storage.AppendOptions) []batch {
	list = s.batch(list, ref, o.Announce)
	for _, other := range o.Also {
		list = s.batch(list, other, o.Announce)
	}
	return list
}

func (s *Store) batch(list []batch, ref messaging.QueueRef, note *storage.Announcement) []batch {
	list = append(list, batch{ref: ref})
	if note != nil && s.control.hasSubscriptions(ref) {
		list = append(list, batch{ref: ref.In(messaging.Outbox), note: note})
	}
	return list
}

func (p *appending) announced() bool {
	return slices.ContainsFunc(p.batches, func(b batch) bool { return b.note != nil })
}

// open finds the places for the messages.
func (p *appending) open(s *Store) (err error) {
	for i := range p.batches {
		b := &p.batches[i]
		if b.q, err = s.container(b.ref); err != nil {
			return err
		}
	}
	return nil
}

// lock locks the queues, in the order of their numbers. Without effect it
// returns false: one of them has been dropped.
func (p *appending) lock() bool {
	if len(p.batches) == 1 { // the common case
		p.batches[0].q.mu.Lock()
	} else {
		for _, q := range p.inOrder() {
			q.mu.Lock()
		}
	}
	for i := range p.batches {
		if p.batches[i].q.dropped.Load() {
			p.unlock()
			return false
		}
	}
	return true
}

func (p *appending) unlock() {
	for i := range p.batches {
		p.batches[i].q.mu.Unlock()
	}
}

func (p *appending) inOrder() []*queue {
	queues := make([]*queue, len(p.batches))
	for i := range p.batches {
		queues[i] = p.batches[i].q
	}
	slices.SortFunc(queues, func(a, b *queue) int { return cmp.Compare(a.number, b.number) })
	return queues
}

// submit sends the messages to the journal. The group is nil if a queue has been
// dropped.
func (p *appending) submit(s *Store) (*group, error) {
	p.now = s.now()
	if !p.lock() {
		return nil, nil
	}
	defer p.unlock()
	return s.journal.submit(uint64(len(p.batches)*len(p.drafts)), p.encode, p.apply, nil)
}

// encode appends the records. Only the last of all is the last of its batch in
// the log, so that after a crash all queues have their messages or none has.
func (p *appending) encode(b []byte, n uint64) []byte {
	s := p.batches[0].q.store
	m := message{posted: p.now}
	m.poster, m.isUUID = packClient(p.by)
	p.hash = s.posterHash(m.poster)
	p.frames = p.frames[:0]
	var lead []byte
	start := len(b)
	for k := range p.batches {
		to := &p.batches[k]
		to.first, to.offset = n+uint64(k*len(p.drafts)), uint32(len(b)-start)
		m.queue, m.lead = to.q.number, nil
		for i := range p.drafts {
			d := &p.drafts[i]
			m.id, m.pos = to.first+uint64(i), to.first+uint64(i)
			m.ttl, m.available, m.sum = uint32(d.TTL), 0, d.Checksum
			if d.Delay > 0 {
				m.available = expiry(p.now, uint32(d.Delay))
			}
			if to.note != nil {
				lead = storage.AppendCopy(lead[:0], messaging.MessageID(s.id(p.batches[k-1].first+uint64(i))), i, d, to.note.Note)
				m.lead, m.ttl, m.available = lead, uint32(to.note.TTL), 0
			}
			m.expires = expiry(p.now, m.ttl)
			m.key, m.body = d.Key, d.Body
			m.last = i == len(p.drafts)-1 && k == len(p.batches)-1
			at := len(b)
			b = appendMessage(b, &m)
			p.frames = append(p.frames, readFrame(b[at:]))
		}
	}
	return b
}

// apply puts the stored messages into memory.
func (p *appending) apply(seg *segment, at uint32) {
	if len(p.batches) == 1 {
		p.batches[0].q.mu.Lock()
	} else {
		for _, q := range p.inOrder() {
			q.mu.Lock()
		}
	}
	defer p.unlock()
	for k := range p.batches {
		p.applyTo(&p.batches[k], p.frames[k*len(p.drafts):], seg, at+p.batches[k].offset)
	}
}

// applyTo adds the messages of a batch whose first record is at offset at.
func (p *appending) applyTo(b *batch, frames []frame, seg *segment, at uint32) {
	q := b.q
	for i := range p.drafts {
		d := &p.drafts[i]
		ttl, delay := uint32(d.TTL), d.Delay
		if b.note != nil {
			ttl, delay = uint32(b.note.TTL), 0
		}
		e := entry{
			pos: b.first + uint64(i), expires: expiry(p.now, ttl), ttl: ttl,
			seg: seg.number, off: at, size: frames[i].size, head: frames[i].head, poster: p.hash, key: q.store.keys.number(d.Key),
		}
		seg.keepAlive(&e)
		at += uint32(padded(int(frames[i].size)))
		if delay > 0 {
			e.flags |= entryDelayed
			q.delays.push(expiry(p.now, uint32(delay)), e.pos)
		}
		q.add(e, e.pos)
	}
	q.watch()
}

// idRange renders n successive sequence numbers.
func (s *Store) idRange(first uint64, n int) []messaging.MessageID {
	var short [16 * idLength]byte
	b := short[:0]
	for i := range n {
		b = s.appendID(b, first+uint64(i))
	}
	text := string(b)
	ids := make([]messaging.MessageID, n)
	for i := range ids {
		ids[i] = messaging.MessageID(text[i*idLength:][:idLength])
	}
	return ids
}

// checkDrafts refuses what the format cannot hold, and returns about how many
// bytes the drafts take in the log.
func checkDrafts(by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (size int, err error) {
	if len(by) > math.MaxUint8 {
		return 0, messaging.E(messaging.Invalid, "The client id is longer than 255 bytes.")
	}
	if a := o.Announce; a != nil && (a.TTL < 1 || a.TTL > math.MaxUint32 || len(a.Note) > maxNote || bytes.IndexByte(a.Note, '\n') >= 0) {
		return 0, messaging.E(messaging.Invalid, "An announcement has a note of one line and a ttl between 1 and 4294967295 seconds.")
	}
	for i := range drafts {
		d := &drafts[i]
		if d.TTL < 0 || d.TTL > math.MaxUint32 || d.Delay < 0 || d.Delay > math.MaxUint32 {
			return 0, messaging.E(messaging.Invalid, "A message's ttl and delay must be between 0 and 4294967295 seconds.")
		}
		if len(d.Key) > math.MaxUint8 || len(d.Checksum) > math.MaxUint8 {
			return 0, messaging.E(messaging.Invalid, "A message's key id and checksum may have 255 bytes at most.")
		}
		size += len(d.Body) + draftOverhead
	}
	queues := 1 + len(o.Also)
	if o.Announce != nil {
		queues *= 2
	}
	if size > maxBatch/queues {
		return 0, messaging.E(messaging.Invalid, "The messages of one post may have 512 MiB at most, in all queues together.")
	}
	return size, nil
}

// maxNote bounds the note of an announcement.
const maxNote = 4 << 10

// maxBatch keeps every offset in a segment well within 32 bits.
const maxBatch = 512 << 20

// draftOverhead is about what a message takes in the log beside its body.
const draftOverhead = 100
