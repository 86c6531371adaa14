package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
)

// segmentCheck is the verification of one segment.
type segmentCheck struct {
	*verifier
	seg     *segment
	name    string
	walker  *walker
	content *contents
	commit  uint64      // next sequence number as the commit says that the record is in; unknown: the largest
	holed   uint32      // where the last hole ends
	indexed bool        // there is a sound index
	size    uint32      // of the segment, as the index says
	entries []indexItem // of the index that are still to come
	extra   int         // records that the index does not have, or has otherwise
	later   []targetAt  // about this segment itself
}

// indexItem is an entry of an index.
type indexItem struct {
	off uint32
	frame
	raw []byte // the record from behind its checksum, without a message's body
}

func (x *indexItem) content() []byte { return x.raw[frameSize-4:] }

// targetAt is a target of the operation at an offset.
type targetAt struct {
	target
	at uint32
}

// contents is what later segments may say of a segment.
type contents struct {
	// Sequence numbers from lo up to hi, that one excluded, were given out in
	// commits that are in this segment.
	lo, hi    uint64
	positions []uint64 // of messages, sorted once the segment has been read
	whole     bool     // nothing in it is damaged
}

// segment reads a segment and its index.
func (v *verifier) segment(seg *segment, last bool) error {
	c := &segmentCheck{verifier: v, seg: seg, name: segmentName(seg.number), commit: math.MaxUint64,
		content: &contents{whole: true}}
	v.contents[seg.number] = c.content
	c.readIndex(last)
	c.walker = &walker{seg: seg, last: last, beyond: math.MaxInt32, record: c.record, hole: c.hole}
	end, err := c.walker.walk()
	if err != nil {
		return err
	}
	if end = max(end, c.holed); c.indexed && end < c.size {
		c.hole(hole{end, c.size - end, errors.New("the end of the segment is missing")})
	}
	c.endIndex()
	c.settle()
	if last {
		if err := c.tail(end); err != nil {
			return err
		}
	}
	return v.advance(seg)
}

// readIndex reads the index file.
func (c *segmentCheck) readIndex(last bool) {
	name := indexName(c.seg.number)
	f, err := readIndex(c.sn.fs, c.sn.dir, c.seg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if !last {
			c.note(name, "there is no index file yet; a start reads the segment itself")
		}
		return
	case err != nil:
		c.damaged(Finding{File: name, Problem: "the index is damaged; the next start makes it anew, and nothing is lost", Acknowledged: true})
		return
	case last:
		c.note(name, "the index of a segment that will grow; the next start removes it")
		return
	}
	c.Indexes++
	c.Bytes += int64(indexHeader + len(f.entries) + 4)
	for rest := f.entries; len(rest) > 0; {
		entry := rest
		off, fr, _, more, err := indexEntry(rest)
		if err != nil {
			c.damaged(Finding{File: name, Offset: int64(indexHeader + len(f.entries) - len(rest)), Bytes: int64(len(rest)),
				Problem: "the index cannot be understood from here on", Acknowledged: true})
			break
		}
		c.entries = append(c.entries, indexItem{off, fr, entry[4 : len(entry)-len(more)]})
		rest = more
	}
	c.indexed, c.size = true, f.size
}

// record checks a whole record. An error is damage of its content.
func (c *segmentCheck) record(at uint32, f frame, record []byte) error {
	c.Records++
	if c.walker.batch != 0 && f.kind != recMessage {
		c.odd(c.walker.batch, at-c.walker.batch, f, record, "the last messages of a post are missing")
	}
	if err := c.check(at, f, record[frameSize:]); err != nil {
		return err
	}
	if f.kind != recCommit && c.indexed {
		c.compare(at, f, record)
	}
	c.padding(at + f.size)
	return nil
}

// padding checks the bytes between a record and the next, which no checksum
// covers.
func (c *segmentCheck) padding(at uint32) {
	b := make([]byte, padded(int(at))-int(at))
	if len(b) > 0 && c.seg.read(b, at) == nil && string(b) != string(zeros[:len(b)]) {
		c.damaged(Finding{File: c.name, Offset: int64(at), Bytes: int64(len(b)),
			Problem: "the bytes between two records are not zero; nothing is lost", Acknowledged: true})
	}
}

// check reads the content as a start does, and compares it with what was read
// before.
func (c *segmentCheck) check(at uint32, f frame, content []byte) error {
	switch f.kind {
	case recCommit:
		rd := reader{b: content}
		next := rd.u64()
		if rd.err == nil {
			c.begin(at, next)
		}
		return rd.err
	case recMessage:
		m, err := decodeMessage(f, content)
		if err == nil {
			c.place(at, f, content, max(m.id, m.pos), m.pos)
		}
		return err
	case recState:
		st, err := decodeState(content)
		if err == nil && st.pos >= c.commit {
			c.odd(at, f.size, f, content, "it is about a message that was posted later")
		}
		return err
	case recControl:
		edits, err := decodeControl(content)
		for i := 0; i < len(edits) && err == nil; i++ {
			_, err = decodeControlValue(edits[i])
		}
		return err
	}
	op, err := decodeOperation(f, content)
	if err != nil {
		return err
	}
	for _, p := range op.places {
		c.place(at, f, content, p.pos, p.pos)
	}
	for _, t := range slices.Concat(op.targets, op.spent) {
		c.target(at, f, content, t)
	}
	return nil
}

// begin notes the commit that begins.
func (c *segmentCheck) begin(at uint32, next uint64) {
	if next < c.next || next < c.seg.first {
		c.damaged(Finding{File: c.name, Offset: int64(at), Bytes: commitSize, Record: "commit", Acknowledged: true,
			Problem: "its sequence numbers come before those of the commit in front of it: a file may be of another time"})
	}
	c.next = max(c.next, next)
	c.commit = next
	if c.content.lo == 0 {
		c.content.lo = next
	}
	c.content.hi = max(c.content.hi, next)
}

// place notes where a message is. number is the highest sequence number used.
func (c *segmentCheck) place(at uint32, f frame, content []byte, number, pos uint64) {
	if number >= c.commit {
		c.odd(at, f.size, f, content, "it uses a sequence number that was given out later")
	}
	c.content.positions = append(c.content.positions, pos)
}

// target checks that the message an operation is about is where it says.
func (c *segmentCheck) target(at uint32, f frame, content []byte, t target) {
	if t.pos >= c.commit {
		c.odd(at, f.size, f, content, "it is about a message that was posted later")
		return
	}
	if t.seg == c.seg.number {
		c.later = append(c.later, targetAt{t, at})
		return
	}
	if other := c.contents[t.seg]; other != nil && other.lacks(t.pos) {
		c.odd(at, f.size, f, content, fmt.Sprintf("it is about message %s, which %s lacks", c.sn.id(t.pos), segmentName(t.seg)))
	}
}

// lacks reports whether a message of that position must have been in the
// segment and is not.
func (s *contents) lacks(pos uint64) bool {
	if !s.whole || pos < s.lo || pos >= s.hi {
		return false
	}
	_, found := slices.BinarySearch(s.positions, pos)
	return !found
}

// settle checks the operations on messages of this segment.
func (c *segmentCheck) settle() {
	slices.Sort(c.content.positions)
	for _, t := range c.later {
		if c.content.lacks(t.pos) {
			c.damaged(Finding{File: c.name, Offset: int64(t.at), Acknowledged: true,
				Problem: fmt.Sprintf("the record is about message %s, which this segment lacks", c.sn.id(t.pos))})
		}
	}
	c.content.positions = slices.Clip(c.content.positions)
}

// odd reports a record that is whole and contradicts others.
func (c *segmentCheck) odd(at, n uint32, f frame, content []byte, problem string) {
	found := Finding{File: c.name, Offset: int64(at), Bytes: int64(n), Problem: problem, Acknowledged: true}
	c.describe(&found, at, f, content)
	found.Source = "record"
	c.damaged(found)
}

// compare compares a record with its entry in the index.
func (c *segmentCheck) compare(at uint32, f frame, record []byte) {
	for len(c.entries) > 0 && c.entries[0].off < at {
		c.extra++ // it names what is not there
		c.entries = c.entries[1:]
	}
	if len(c.entries) == 0 || c.entries[0].off != at {
		c.extra++
		return
	}
	if string(c.entries[0].raw) != string(record[4:contentEnd(f)]) {
		c.extra++
	}
	c.entries = c.entries[1:]
}

// endIndex reports in how far the index differs from the segment.
func (c *segmentCheck) endIndex() {
	c.extra += len(c.entries)
	if c.extra == 0 {
		return
	}
	c.damaged(Finding{File: indexName(c.seg.number), Acknowledged: true,
		Problem: fmt.Sprintf("the index differs from its segment in %d records; without it, a start reads the segment", c.extra)})
}

// hole reports damage. Where the index knows what was there, each record is
// named.
func (c *segmentCheck) hole(h hole) {
	c.content.whole = false
	c.commit = math.MaxUint64
	c.holed = h.at + h.n
	at, end := h.at, h.at+h.n-c.zerosBehind(h)
	for len(c.entries) > 0 && c.entries[0].off < h.at {
		c.extra++
		c.entries = c.entries[1:]
	}
	for len(c.entries) > 0 && c.entries[0].off < end {
		x := c.entries[0]
		c.entries = c.entries[1:]
		if x.off > at {
			c.lost(Finding{}, at, x.off-at, h.why)
		}
		named := Finding{Source: "index"}
		c.describe(&named, x.off, x.frame, x.content())
		n := min(uint32(padded(int(x.size))), end-x.off)
		c.lost(named, x.off, n, h.why)
		at = x.off + n
	}
	if at < end {
		c.lost(c.guess(at, end-at), at, end-at, h.why)
	}
}

// zerosBehind returns how many bytes of a hole that goes to the end of the file
// are behind the end of the log.
func (c *segmentCheck) zerosBehind(h hole) (n uint32) {
	if size, err := c.seg.file.Size(); err != nil || int64(h.at+h.n) < size {
		return 0
	}
	if c.indexed {
		return max(h.at+h.n, c.size) - max(h.at, c.size)
	}
	b := make([]byte, alignment)
	for h.n-n > alignment && c.seg.read(b, h.at+h.n-n-alignment) == nil && string(b) == string(zeros[:alignment]) {
		n += alignment
	}
	return n
}

// lost reports a stretch of damage.
func (c *segmentCheck) lost(f Finding, at, n uint32, why error) {
	f.File, f.Offset, f.Bytes, f.Problem, f.Acknowledged = c.name, int64(at), int64(n), why.Error(), true
	c.damaged(f)
}

// guess describes damaged bytes by what they say of themselves, if the first
// record in them seems to have its frame.
func (c *segmentCheck) guess(at, n uint32) Finding {
	f := Finding{Source: "record"}
	b := make([]byte, min(n, frameSize+math.MaxUint16))
	if len(b) < frameSize || c.seg.read(b, at) != nil {
		return Finding{}
	}
	fr := readFrame(b)
	if fr.size < frameSize || fr.kind < recCommit || fr.kind > recControl || int64(padded(int(fr.size))) > int64(n) {
		return Finding{}
	}
	c.describe(&f, at, fr, b[frameSize:min(int(fr.size), len(b))])
	f.Live = nil // a start does not see it
	return f
}

// describe names a record in a finding.
func (c *segmentCheck) describe(found *Finding, at uint32, f frame, content []byte) {
	found.Record = f.kind.String()
	var queue uint64
	switch f.kind {
	case recCommit, recControl:
		return
	case recMessage:
		m, err := decodeMessage(f, content)
		if err != nil {
			return
		}
		queue = m.queue
		found.Message = c.sn.id(m.id)
		live := c.live(m.id, m.pos, queue, at)
		found.Live = &live
	default:
		if len(content) < 8 {
			return
		}
		rd := reader{b: content}
		queue = rd.u64()
	}
	if q := c.sn.numbers[queue]; q != nil {
		found.Project, found.Queue = q.ref.Project, q.ref.Name
	}
}

// live reports whether the record at the offset is that of a message that is
// there.
func (c *segmentCheck) live(id, pos, queue uint64, at uint32) bool {
	q, pos := c.sn.where(queue, id, pos)
	return q != nil && q.at(pos, c.seg.number, at) != nil
}

// tail looks at what is behind the end of the log.
func (c *segmentCheck) tail(end uint32) error {
	w := &window{seg: c.seg}
	empty, err := w.zero(end, math.MaxInt32)
	if err != nil || empty {
		return err
	}
	commit, err := findCommit(c.seg, end)
	if err == nil && commit == 0 { // and the log has not grown meanwhile
		c.note(c.name, "the commit at offset %d is not complete: it was never acknowledged, and a start cuts it off", end)
	}
	return err
}

// String is the name of the record type in reports.
func (k recordType) String() string {
	names := [...]string{recCommit: "commit", recMessage: "message", recClaim: "claim", recRenew: "renewal", recRelease: "release",
		recRemove: "removal", recPurge: "purge", recMove: "move", recState: "state", recControl: "control"}
	if int(k) < len(names) && names[k] != "" {
		return names[k]
	}
	return fmt.Sprintf("type %d", uint8(k))
}
