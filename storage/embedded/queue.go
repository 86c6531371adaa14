package embedded

import (
	"math"
	"sort"
	"sync"
	"sync/atomic"

	"zaqar/messaging"
)

// queue is the state of one queue's messages. Everything but ref and number is
// guarded by mu. Methods with a caller that holds mu say nothing of it.
type queue struct {
	ref    messaging.QueueRef
	number uint64 // identity in the log; a dropped queue's is never used again
	store  *Store

	dropped atomic.Bool // set under mu

	mu      sync.Mutex
	chunks  []*chunk
	hint    int // no chunk before this one has a free entry
	live    int
	claimed int   // live entries with a claim
	bytes   int64 // bodies of live entries
	account *account

	claims  map[uint64]*claim
	expiry  heap[*claim] // live claims by expiry; may hold superseded places
	delays  heap[uint64] // positions by the end of their delay
	soonest int64        // no live entry expires earlier, ms
	lapses  *lapses      // of a long queue
	watched int64        // when the sweeper looks at the queue, ms; 0: not at all

	ids   map[uint64]uint64 // id -> position of messages that were moved in
	names map[uint64]uint64 // position -> id, the other way round
}

// claim is a live claim, or one that the next advance finds expired.
type claim struct {
	id       uint64
	ttl      uint32
	renewed  int64 // ms
	expires  int64 // ms
	held     []uint64
	left     int  // entries that still name this claim
	renewals int  // operations on their way to disk that renew it
	ending   bool // one on its way to disk dissolves it
}

func newQueue(s *Store, ref messaging.QueueRef, number uint64) *queue {
	return &queue{ref: ref, number: number, store: s, soonest: math.MaxInt64}
}

// find returns the chunk and index of the live entry at pos.
func (q *queue) find(pos uint64) (c *chunk, i int, ok bool) {
	at := q.chunkOf(pos)
	if at < 0 {
		return nil, 0, false
	}
	c = q.chunks[at]
	i, ok = c.lookup(pos)
	return c, i, ok
}

// chunkOf returns the index of the chunk where pos belongs, -1 before all.
func (q *queue) chunkOf(pos uint64) int {
	if last := len(q.chunks) - 1; last >= 0 && q.chunks[last].first() <= pos {
		return last
	}
	return sort.Search(len(q.chunks), func(i int) bool { return q.chunks[i].first() > pos }) - 1
}

// position resolves the number in an id.
func (q *queue) position(id uint64) uint64 {
	if pos, moved := q.ids[id]; moved {
		return pos
	}
	return id
}

// identity is the inverse of position.
func (q *queue) identity(e *entry) uint64 {
	if e.flags&entryMoved != 0 {
		return q.names[e.pos]
	}
	return e.pos
}

// lookup finds the live entry with the id.
func (q *queue) lookup(id uint64) (c *chunk, i int, ok bool) {
	pos := q.position(id)
	c, i, ok = q.find(pos)
	if ok && q.identity(&c.entries[i]) != id {
		return nil, 0, false
	}
	return c, i, ok
}

// add puts a live entry at its place, which is nearly always the end.
func (q *queue) add(e entry, id uint64) {
	if id != e.pos {
		e.flags |= entryMoved
		if q.ids == nil {
			q.ids, q.names = make(map[uint64]uint64), make(map[uint64]uint64)
		}
		q.ids[id], q.names[e.pos] = e.pos, id
		q.store.noteMoved(id, q)
	}
	q.count(1, e.body())
	if e.claim != 0 {
		q.claimed++
	}
	n := len(q.chunks)
	if n == 0 || q.chunks[n-1].full() && q.chunks[n-1].entries[chunkSize-1].pos < e.pos {
		c := newChunk()
		if n > 0 {
			c.entries = make([]entry, 0, chunkSize) // the queue is a long one
		}
		q.chunks = append(q.chunks, c)
		n++
	}
	last := q.chunks[n-1]
	if k := len(last.entries); k == 0 || last.entries[k-1].pos < e.pos {
		last.push(e)
		q.schedule(last)
		q.hint = min(q.hint, n-1)
		return
	}
	q.insert(e)
}

// insert puts an entry before others, as recovery does with messages that
// compaction rewrote.
func (q *queue) insert(e entry) {
	at := max(q.chunkOf(e.pos), 0)
	c := q.chunks[at]
	if i := c.search(e.pos); i < len(c.entries) && c.entries[i].pos == e.pos && c.entries[i].flags&entryDead != 0 {
		c.revive(i, e) // the original, which the copy supersedes
		q.schedule(c)
		q.hint = min(q.hint, at)
		return
	}
	if c.full() {
		upper := c.split()
		q.chunks = append(q.chunks, nil)
		copy(q.chunks[at+2:], q.chunks[at+1:])
		q.chunks[at+1] = upper
		q.schedule(upper)
		if upper.first() <= e.pos {
			c = upper
		}
	}
	c.insert(c.search(e.pos), e)
	q.schedule(c)
	q.hint = min(q.hint, at)
}

// kill makes entry i of c disappear for good.
func (q *queue) kill(c *chunk, i int) {
	e := &c.entries[i]
	q.unclaim(e)
	q.store.forget(e)
	if e.flags&entryMoved != 0 {
		id := q.names[e.pos]
		delete(q.names, e.pos)
		if q.ids[id] == e.pos { // and not at a later place in the queue already
			delete(q.ids, id)
			q.store.forgetMoved(id, q)
		}
	}
	e.flags = entryDead
	c.live--
	q.count(-1, -e.body())
	c.ready[i/64] &^= 1 << (i % 64)
}

// settle removes the chunk if nothing is left in it, and else keeps it from
// taking much more memory than is live in it.
func (q *queue) settle(c *chunk) {
	if len(c.entries) == 0 || len(q.chunks) == 0 {
		return // it has been taken out
	}
	if c.live > 0 && q.chunks[0] == c {
		c.tidy(4) // consumed at the head, as a rule, and soon gone
		return
	}
	if c.live > 0 {
		if c.tidy(2) {
			q.merge(c)
		}
		return
	}
	at := 0 // the common case
	if q.chunks[0] != c {
		at = q.chunkOf(c.first())
	}
	q.cut(at)
	if len(q.chunks) == 0 {
		q.chunks, q.soonest = nil, math.MaxInt64
		q.delays = heap[uint64]{}
	}
}

// merge makes one chunk of c and the one before it if they are small.
func (q *queue) merge(c *chunk) {
	at := q.chunkOf(c.first())
	if at < 1 || q.chunks[at-1].live+c.live > chunkSize/2 {
		return
	}
	before := q.chunks[at-1]
	before.entries = c.appendLive(before.appendLive(make([]entry, 0, before.live+c.live)))
	before.recount()
	if q.hint == at {
		q.hint--
	}
	q.cut(at)
	q.schedule(before)
}

// cut takes a chunk out of the queue.
func (q *queue) cut(at int) {
	c := q.chunks[at]
	c.entries, c.live, c.soonest = nil, 0, math.MaxInt64 // it may still be named in lapses
	if at == 0 {
		q.chunks[0] = nil
		q.chunks = q.chunks[1:]
	} else {
		q.chunks = append(q.chunks[:at], q.chunks[at+1:]...)
	}
	if q.hint > at {
		q.hint--
	}
	if len(q.chunks) <= shortQueue {
		q.lapses = nil
	}
}

// unclaim takes the entry away from its claim. The entry's ready bit is the
// caller's affair.
func (q *queue) unclaim(e *entry) {
	if e.claim == 0 {
		return
	}
	if cl := q.claims[e.claim]; cl != nil {
		if cl.left--; cl.left == 0 {
			q.dissolve(cl)
		}
	}
	e.claim = 0
	q.claimed--
}

// lease gives the entry to the claim.
func (q *queue) lease(c *chunk, i int, cl *claim) {
	e := &c.entries[i]
	if e.claim == cl.id {
		return
	}
	q.unclaim(e)
	e.claim = cl.id
	cl.held = append(cl.held, e.pos)
	cl.left++
	q.claimed++
	c.mark(i)
}

// extend gives the entry a new lifetime if it would end before the claim.
func (q *queue) extend(c *chunk, i int, cl *claim, grace uint32) {
	e := &c.entries[i]
	if e.expires >= cl.expires {
		return
	}
	e.ttl = cl.ttl + grace
	e.expires = expiry(cl.renewed, e.ttl)
	c.latest = max(c.latest, e.expires)
}

// adopt makes a claim known.
func (q *queue) adopt(cl *claim) {
	if q.claims == nil {
		q.claims = make(map[uint64]*claim)
	}
	q.claims[cl.id] = cl
	q.scheduleClaim(cl)
}

// restart sets the clock of a claim.
func (q *queue) restart(cl *claim, now int64, ttl uint32) {
	cl.renewed, cl.ttl, cl.expires = now, ttl, expiry(now, ttl)
	q.scheduleClaim(cl)
}

// scheduleClaim notes when a known claim ends. The places of claims that ended
// early, as most do, and those that renewed ones had do not add up.
func (q *queue) scheduleClaim(cl *claim) {
	if n := len(q.expiry.items); n > 64 && n > 4*len(q.claims) {
		q.expiry = heap[*claim]{items: make([]heapItem[*claim], 0, 2*len(q.claims))}
		for _, other := range q.claims {
			q.expiry.push(other.expires, other)
		}
		return
	}
	q.expiry.push(cl.expires, cl)
}

func (q *queue) dissolve(cl *claim) {
	delete(q.claims, cl.id)
	if len(q.claims) == 0 {
		q.claims = nil
		q.expiry = heap[*claim]{}
	}
}

// free releases everything the claim holds and returns how many of those live at
// the instant now.
func (q *queue) free(cl *claim, now int64) int {
	freed := 0
	var c *chunk // where the last one was
	for _, pos := range cl.held {
		if c == nil || !c.spans(pos) {
			if c, _, _ = q.find(pos); c == nil {
				continue
			}
		}
		i, ok := c.lookup(pos)
		if !ok || c.entries[i].claim != cl.id {
			continue
		}
		q.unclaim(&c.entries[i])
		q.ready(c, i)
		if c.entries[i].expires > now {
			freed++
		}
	}
	q.dissolve(cl)
	return freed
}

// ready updates what claimers see of entry i after it may have become free.
func (q *queue) ready(c *chunk, i int) {
	c.mark(i)
	pos := c.entries[i].pos
	if c.entries[i].free() && (q.hint >= len(q.chunks) || pos < q.chunks[q.hint].first()) {
		q.hint = max(q.chunkOf(pos), 0)
	}
}

// visible reports whether readers may see the entry: an expired one is kept for
// a moment while an operation on it is on its way to disk.
func visible(e *entry, now int64) bool { return e.flags&entryDead == 0 && e.expires > now }

// each calls f for the live entries from pos on, in order, until it says stop.
func (q *queue) each(pos uint64, f func(c *chunk, i int) (more bool)) {
	at := max(q.chunkOf(pos), 0)
	for ; at < len(q.chunks); at++ {
		c := q.chunks[at]
		for i := c.search(pos); i < len(c.entries); i++ {
			if c.entries[i].flags&entryDead == 0 && !f(c, i) {
				return
			}
		}
	}
}

// eachFree calls f for the entries that may be taken at the instant now, oldest
// first, until it says stop. f may take them. With delayed, those whose delay
// has not elapsed are among them.
func (q *queue) eachFree(now int64, delayed bool, f func(c *chunk, i int) (more bool)) {
	if delayed && len(q.delays.items) > 0 {
		q.each(0, func(c *chunk, i int) bool {
			e := &c.entries[i]
			return e.expires <= now || !e.freeOr(entryDelayed) || f(c, i)
		})
		return
	}
	for q.hint < len(q.chunks) && q.chunks[q.hint].nextReady(0) < 0 {
		q.hint++
	}
	for at := q.hint; at < len(q.chunks); at++ {
		c := q.chunks[at]
		if c.latest <= now {
			continue // the sweeper will come
		}
		for i := c.nextReady(0); i >= 0; i = c.nextReady(i + 1) {
			if c.entries[i].expires > now && !f(c, i) {
				return
			}
		}
	}
}
