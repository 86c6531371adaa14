package crash

import (
	"math/rand/v2"
	"slices"
)

// Reader is somebody who follows the markers of a queue, across restarts.
type Reader struct {
	l      *Ledger
	worker string
	queue  string
	next   int // index in the queue's log of the first record not reached
	met    map[*record]bool
	last   map[string]int // per producer, the number last seen
}

// Reader begins at the start of the queue. Nothing is ever removed from it, and
// nothing claimed or delayed, or the reader would miss that rightly.
func (l *Ledger) Reader(worker, queue string) *Reader {
	return &Reader{l: l, worker: worker, queue: queue, met: map[*record]bool{}, last: map[string]int{}}
}

// Page is a request for the next page.
type Page struct {
	attempt
	r *Reader
}

// Page begins a request.
func (r *Reader) Page() *Page {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	return &Page{attempt: r.l.begin(r.worker, r.queue), r: r}
}

// Got ends the request with the messages of the page.
func (p *Page) Got(page []Seen) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	o := p.look("read")
	o.free, o.due = true, true
	for _, s := range page {
		r := p.l.see(o, s)
		if r == nil {
			continue
		}
		if p.r.met[r] {
			p.l.violate(Twice, r, "was read twice with one chain of markers")
		} else if r.key.N <= p.r.last[r.key.From] {
			p.l.violate(Disorder, r, "was read after %s/%d", r.key.From, p.r.last[r.key.From])
		}
		p.r.met[r] = true
		p.r.last[r.key.From] = max(r.key.N, p.r.last[r.key.From])
	}
	p.r.checkGaps(p)
}

// checkGaps says that what a producer posted before something that was read
// has been read too.
func (r *Reader) checkGaps(p *Page) {
	log := r.l.book(r.queue).log
	for ; r.next < len(log); r.next++ {
		m := log[r.next]
		switch {
		case r.met[m] || m.post.outcome == void:
		case m.key.N > r.last[m.key.From]:
			return // not reached yet
		case m.confirmed:
			r.l.violate(Gap, m, "was passed by: %s/%d was read, %s", m.key.From, r.last[m.key.From], p.worker)
		}
	}
}

// Look is a request for the free messages of a queue, or for messages by id.
type Look struct {
	attempt
	ids  []string
	free bool
}

// LookFree begins a listing without claimed and delayed messages.
func (l *Ledger) LookFree(worker, queue string) *Look {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Look{attempt: l.begin(worker, queue), free: true}
}

// LookUp begins a request for messages by their ids, in a queue without pops
// and dead letters.
func (l *Ledger) LookUp(worker, queue string, ids []string) *Look {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Look{attempt: l.begin(worker, queue), ids: ids}
}

// Got ends the request with the messages of the answer.
func (k *Look) Got(got []Seen) {
	k.l.mu.Lock()
	defer k.l.mu.Unlock()
	o := k.look("looked up")
	o.free, o.due = k.free, k.free
	found := map[*record]bool{}
	for _, s := range got {
		if r := k.l.see(o, s); r != nil {
			found[r] = true
		}
	}
	for _, id := range k.ids {
		if r := k.l.ids[id]; r != nil && !found[r] && !r.gone && len(r.removals) == 0 {
			k.l.violate(Lost, r, "is not found by its id")
		}
	}
}

// Sample returns the ids of up to n messages that should be in the queue.
func (l *Ledger) Sample(queue string, rng *rand.Rand, n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.book(queue).log
	var ids []string
	for range min(n, len(log)) {
		if r := log[rng.IntN(len(log))]; r.id != "" && !r.gone && !slices.Contains(ids, r.id) {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// Orphans returns the claims of the queue whose makers got no answer, each
// once. They are known since Verify.
func (l *Ledger) Orphans(queue string) []*held {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.book(queue)
	var found []*held
	for _, c := range b.adopted {
		h := &held{id: c.id, made: c.start}
		for r := range c.records {
			h.ids = append(h.ids, r.id)
		}
		slices.Sort(h.ids)
		found = append(found, h)
	}
	b.adopted = nil
	return found
}
