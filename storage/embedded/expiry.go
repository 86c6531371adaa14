package embedded

import (
	"math"
	"runtime"
)

// What ends by itself, delays, claims and lives of messages, may end for a
// million messages at the same instant. So it is carried out in lots, between
// which others get the queue's lock: a caller that needs it all done waits for
// that, but posts and the writer of the log do not wait for a caller.

// lot bounds how many messages change under one hold of the lock.
const lot = chunkSize

// advance brings the queue to the present: delays that have elapsed, claims and
// messages that have expired.
func (q *queue) advance(now int64) {
	for q.step(now) {
	}
}

// catchUp is advance for a queue that others use: it lets go of q.mu between
// lots, so a caller begins with it.
func (q *queue) catchUp(now int64) {
	for q.step(now) {
		q.pause()
	}
}

// catchClaims is catchUp but for expired messages, most of which may still be
// there: callers pass over them.
func (q *queue) catchClaims(now int64) {
	for q.undelay(now) || q.expireClaims(now) {
		q.pause()
	}
	q.expire(now)
}

// pause lets others have the queue.
func (q *queue) pause() {
	q.mu.Unlock()
	runtime.Gosched()
	q.mu.Lock()
}

// step carries out one lot and reports whether there may be more.
func (q *queue) step(now int64) (more bool) {
	return q.undelay(now) || q.expireClaims(now) || q.expire(now)
}

// undelay ends delays.
func (q *queue) undelay(now int64) (more bool) {
	for n := 0; q.delays.due(now); n++ {
		if n == lot {
			return true
		}
		if c, i, ok := q.find(q.delays.pop()); ok {
			c.entries[i].flags &^= entryDelayed
			q.ready(c, i)
		}
	}
	return false
}

// expireClaims ends claims.
func (q *queue) expireClaims(now int64) (more bool) {
	for n := 0; q.expiry.due(now); {
		if n >= lot {
			return true
		}
		at := q.expiry.items[0].at
		cl := q.expiry.pop()
		if q.claims[cl.id] != cl || cl.expires != at {
			n++
			continue // gone, or renewed and further down the heap
		}
		if cl.renewals > 0 {
			continue // decided when the renewal is on disk, or has failed
		}
		n += len(cl.held)
		q.free(cl, now)
		q.store.swept.claims.Add(1)
	}
	return false
}

// lapses are the chunks of a long queue by the instant at which something in
// them may expire, so that nobody has to look through all.
type lapses struct {
	due  heap[*chunk] // may hold superseded places, and chunks that are gone
	late []*chunk     // hold something expired that an operation is about
}

// A queue of more chunks than longQueue gets lapses; with shortQueue it loses
// them.
const (
	shortQueue = 4
	longQueue  = 8
)

// schedule notes when something in the chunk may expire. It is called whenever
// that may have become earlier.
func (q *queue) schedule(c *chunk) {
	q.soonest = min(q.soonest, c.soonest)
	l := q.lapses
	if l == nil || c.soonest >= c.queued {
		return
	}
	c.queued = c.soonest
	l.due.push(c.soonest, c)
	if n := len(l.due.items); n > 64 && n > 4*len(q.chunks) {
		q.scheduleAll()
	}
}

// scheduleAll notes anew when something in each chunk may expire.
func (q *queue) scheduleAll() {
	l := &lapses{due: heap[*chunk]{items: make([]heapItem[*chunk], 0, len(q.chunks)+16)}}
	for _, c := range q.chunks {
		c.queued = c.soonest
		l.due.push(c.soonest, c)
	}
	q.lapses = l
}

// expire kills what has outlived its lifetime, of a long queue in one chunk.
func (q *queue) expire(now int64) (more bool) {
	if q.soonest > now {
		return false
	}
	if q.lapses == nil {
		if len(q.chunks) <= longQueue {
			q.expireAll(now)
			return false
		}
		q.scheduleAll()
	}
	l := q.lapses
	for l.due.due(now) {
		at := l.due.items[0].at
		c := l.due.pop()
		if c.queued != at {
			continue // superseded
		}
		c.queued = math.MaxInt64
		if c.live == 0 {
			continue // gone
		}
		q.expireChunk(c, now)
		if c.soonest <= now {
			l.late = append(l.late, c)
		} else {
			q.schedule(c)
		}
		q.settle(c)
		return true
	}
	for _, c := range l.late {
		q.schedule(c)
	}
	l.late, q.soonest = nil, math.MaxInt64
	if len(l.due.items) > 0 {
		q.soonest = l.due.items[0].at
	}
	return false
}

// expireAll does so in all chunks.
func (q *queue) expireAll(now int64) {
	q.soonest = math.MaxInt64
	var touched []*chunk
	for _, c := range q.chunks {
		if c.soonest <= now {
			q.expireChunk(c, now)
			touched = append(touched, c)
		}
		q.soonest = min(q.soonest, c.soonest)
	}
	for _, c := range touched {
		q.settle(c)
	}
}

func (q *queue) expireChunk(c *chunk, now int64) {
	c.soonest, c.latest = math.MaxInt64, 0
	for i := range c.entries {
		e := &c.entries[i]
		switch {
		case e.flags&entryDead != 0:
		case e.expires <= now && e.flags&entryPending == 0 && !q.renewing(e):
			q.kill(c, i)
			q.store.swept.messages.Add(1)
		default:
			c.soonest, c.latest = min(c.soonest, e.expires), max(c.latest, e.expires)
		}
	}
}

// renewing reports whether a renewal on its way to disk may extend the entry.
func (q *queue) renewing(e *entry) bool {
	cl := q.claims[e.claim]
	return cl != nil && cl.renewals > 0
}

// heap is a binary min-heap of values by instant.
type heap[T any] struct{ items []heapItem[T] }

type heapItem[T any] struct {
	at    int64
	value T
}

func (h *heap[T]) due(now int64) bool { return len(h.items) > 0 && h.items[0].at <= now }

func (h *heap[T]) push(at int64, v T) {
	h.items = append(h.items, heapItem[T]{at, v})
	for i := len(h.items) - 1; i > 0; {
		parent := (i - 1) / 2
		if h.items[parent].at <= h.items[i].at {
			return
		}
		h.items[parent], h.items[i] = h.items[i], h.items[parent]
		i = parent
	}
}

func (h *heap[T]) pop() T {
	top := h.items[0].value
	n := len(h.items) - 1
	h.items[0] = h.items[n]
	h.items[n] = heapItem[T]{}
	h.items = h.items[:n]
	for i := 0; ; {
		child := 2*i + 1
		if child >= n {
			return top
		}
		if child+1 < n && h.items[child+1].at < h.items[child].at {
			child++
		}
		if h.items[i].at <= h.items[child].at {
			return top
		}
		h.items[i], h.items[child] = h.items[child], h.items[i]
		i = child
	}
}
