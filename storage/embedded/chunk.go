package embedded

import (
	"math"
	"math/bits"
	"sort"
)

// entry is what memory keeps of a message: 48 bytes.
type entry struct {
	pos     uint64 // place in the queue
	expires int64  // ms
	claim   uint64 // claim that holds it; 0: none
	seg     uint32 // where its record is
	off     uint32
	size    uint32
	ttl     uint32 // seconds, as shown
	poster  uint16 // hash of the client that posted it
	head    uint16 // of the record: bytes of content before the body
	claims  uint16 // successful claims, saturating
	flags   uint8
	key     uint8 // what seals the body, by number in the store's table of keys; 0: plain
}

const (
	entryDead    = 1 << 0 // gone; kept until its chunk is tidied
	entryDelayed = 1 << 1 // its delay has not elapsed
	entryClaims  = 1 << 2 // an operation on its way to disk leases it
	entryKills   = 1 << 3 // an operation on its way to disk deletes or moves it
	entryMoved   = 1 << 4 // its id is not its position; see queue.ids

	entryPending = entryClaims | entryKills
)

const maxClaims = math.MaxUint16

// body is the size of the message's body.
func (e *entry) body() int64 { return int64(e.size) - frameSize - int64(e.head) }

// free reports whether a claimer or popper may take the entry.
func (e *entry) free() bool { return e.freeOr(0) }

// freeOr is free, overlooking some flags.
func (e *entry) freeOr(overlooked uint8) bool {
	const bars = entryDead | entryDelayed | entryPending
	return e.flags&bars&^overlooked == 0 && e.claim == 0
}

// chunkSize is how many entries a chunk holds at most.
const chunkSize = 512

// chunk is a run of entries in order of position. A queue is a list of chunks,
// so that whole runs can be skipped: those with nothing to claim by ready,
// those with nothing to expire by soonest.
type chunk struct {
	entries []entry
	live    int
	soonest int64 // no live entry expires earlier, ms
	latest  int64 // no live entry expires later, ms
	queued  int64 // place in the queue's lapses, math.MaxInt64 if none
	ready   [chunkSize / 64]uint64
}

func newChunk() *chunk { return &chunk{soonest: math.MaxInt64, queued: math.MaxInt64} }

func (c *chunk) first() uint64 { return c.entries[0].pos }

func (c *chunk) full() bool { return len(c.entries) == chunkSize }

// push adds an entry behind all others.
func (c *chunk) push(e entry) {
	c.entries = append(c.entries, e)
	c.live++
	c.soonest, c.latest = min(c.soonest, e.expires), max(c.latest, e.expires)
	c.mark(len(c.entries) - 1)
}

// mark brings the ready bit of entry i up to date.
func (c *chunk) mark(i int) {
	if c.entries[i].free() {
		c.ready[i/64] |= 1 << (i % 64)
	} else {
		c.ready[i/64] &^= 1 << (i % 64)
	}
}

// nextReady returns the index of the first entry at or behind i that is free,
// or -1.
func (c *chunk) nextReady(i int) int {
	for w := i / 64; w < len(c.ready); w++ {
		word := c.ready[w]
		if w == i/64 {
			word &^= 1<<(i%64) - 1
		}
		if word != 0 {
			return w*64 + bits.TrailingZeros64(word)
		}
	}
	return -1
}

// search returns the index of the first entry at or behind pos.
func (c *chunk) search(pos uint64) int {
	n := len(c.entries)
	if n == 0 || c.entries[n-1].pos < pos {
		return n
	}
	// Positions rise by one at least, and mostly by no more.
	if off := pos - c.entries[0].pos; pos >= c.entries[0].pos && off < uint64(n) {
		if n = int(off); c.entries[n].pos == pos {
			return n
		}
	}
	return sort.Search(n, func(i int) bool { return c.entries[i].pos >= pos })
}

// spans reports whether pos lies between the first and the last entry.
func (c *chunk) spans(pos uint64) bool {
	n := len(c.entries)
	return n > 0 && c.entries[0].pos <= pos && pos <= c.entries[n-1].pos
}

// lookup returns the index of the live entry at pos.
func (c *chunk) lookup(pos uint64) (i int, ok bool) {
	i = c.search(pos)
	return i, i < len(c.entries) && c.entries[i].pos == pos && c.entries[i].flags&entryDead == 0
}

// tidy drops dead entries when no more than one in share lives, and reports
// whether it did.
func (c *chunk) tidy(share int) bool {
	if len(c.entries) < 32 || c.live > len(c.entries)/share {
		return false
	}
	c.entries = c.appendLive(make([]entry, 0, max(c.live, 8)))
	c.remark()
	return true
}

// appendLive appends the live entries to others.
func (c *chunk) appendLive(to []entry) []entry {
	for _, e := range c.entries {
		if e.flags&entryDead == 0 {
			to = append(to, e)
		}
	}
	return to
}

// insert puts an entry at its place among the others, splitting nothing: the
// chunk must not be full.
func (c *chunk) insert(i int, e entry) {
	c.entries = append(c.entries, entry{})
	copy(c.entries[i+1:], c.entries[i:])
	c.entries[i] = e
	c.live++
	c.soonest, c.latest = min(c.soonest, e.expires), max(c.latest, e.expires)
	c.remark()
}

// revive puts an entry in the place of a dead one.
func (c *chunk) revive(i int, e entry) {
	c.entries[i] = e
	c.live++
	c.soonest, c.latest = min(c.soonest, e.expires), max(c.latest, e.expires)
	c.mark(i)
}

// split moves the upper half of the entries to a new chunk.
func (c *chunk) split() *chunk {
	half := len(c.entries) / 2
	upper := newChunk()
	upper.entries = append(upper.entries, c.entries[half:]...)
	c.entries = append([]entry(nil), c.entries[:half]...)
	c.recount()
	upper.recount()
	return upper
}

func (c *chunk) recount() {
	c.live, c.soonest, c.latest = 0, math.MaxInt64, 0
	for i := range c.entries {
		if c.entries[i].flags&entryDead == 0 {
			c.live++
			c.soonest, c.latest = min(c.soonest, c.entries[i].expires), max(c.latest, c.entries[i].expires)
		}
	}
	c.remark()
}

func (c *chunk) remark() {
	c.ready = [chunkSize / 64]uint64{}
	for i := range c.entries {
		if c.entries[i].free() {
			c.ready[i/64] |= 1 << (i % 64)
		}
	}
}
