package load

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// worker is a connection that goes through the steps of a scenario.
type worker struct {
	*client
	s     *Scenario
	queue int    // of the cycle under way
	steps []step // of a cycle

	post, list, claim []byte // requests that are always the same but for the queue
	ids               idList // of one page
	next              []byte // path of the next page; empty: the first
	at                int    // where in what was filled that page starts
}

// step is a post, a list, or a claim with its deletes. more is false when
// nothing was left to claim. due is when it was to begin, or zero.
type step func(due time.Time) (more bool, err error)

func (r *run) worker(number int) (*worker, error) {
	c, err := r.client(number)
	if err != nil {
		return nil, err
	}
	s := &r.plan.Scenario
	w := &worker{client: c, s: s}
	if s.Post > 0 {
		w.post = w.on("POST", "/messages", posting(s.Post, r.queues.body))
		w.add(s.Posts, w.doPost)
	}
	if s.List > 0 {
		w.list = w.on("GET", "/messages?limit="+strconv.Itoa(s.List), nil)
		w.add(s.Lists, w.doList)
	}
	if s.Claim > 0 {
		w.claim = w.on("POST", "/claims?limit="+strconv.Itoa(s.Claim), claiming)
		w.add(1, w.doClaim)
	}
	return w, nil
}

func (w *worker) add(times int, do step) {
	for range max(1, times) {
		w.steps = append(w.steps, do)
	}
}

// work repeats the steps until the window is over or nothing is left to claim.
func (w *worker) work() (dry bool, err error) {
	each := len(w.steps)
	first := 0
	if w.s.Posts > 1 || w.s.Lists > 1 {
		first = w.number % each // a mixture is mixed at any time
	}
	queues := w.run.queues.count
	offset := w.number * queues / w.run.plan.Connections
	for n := 0; w.run.plan.Cycles == 0 || n < w.run.plan.Cycles*each; n++ {
		due, ok := w.run.turn()
		if !ok {
			return false, nil
		}
		w.aimAt((offset + (first+n)/each) % queues)
		more, err := w.steps[(first+n)%each](due)
		if err != nil || !more {
			return err == nil, err
		}
	}
	return false, nil
}

// aimAt makes a queue the one that is worked on.
func (w *worker) aimAt(queue int) {
	if queue == w.queue {
		return
	}
	w.queue, w.next = queue, w.next[:0]
	if w.post != nil {
		w.aim(w.post, "POST", queue)
	}
	if w.list != nil {
		w.aim(w.list, "GET", queue)
	}
	if w.claim != nil {
		w.aim(w.claim, "POST", queue)
	}
}

func (w *worker) doPost(due time.Time) (bool, error) {
	r, err := w.call(request{Post, w.post, due}, http.StatusCreated)
	if err != nil {
		return false, err
	}
	n, err := posted(r.Body, func(id []byte) {
		if w.real() {
			w.log.Posted(w.queue, id)
		}
	})
	if err != nil {
		return false, misread(w.post, err)
	}
	if n != w.s.Post {
		return false, fmt.Errorf("a post of %d messages was answered with %d", w.s.Post, n)
	}
	w.count(n)
	return true, nil
}

func (w *worker) doList(due time.Time) (bool, error) {
	bytesOf := w.list
	if len(w.next) > 0 {
		w.scratch = w.request(w.scratch[:0], "GET", w.next, nil)
		bytesOf = w.scratch
	}
	r, err := w.call(request{List, bytesOf, due}, http.StatusOK, http.StatusNoContent)
	if err != nil {
		return false, err
	}
	w.ids = w.ids[:0]
	p, err := readPage(r.Body, w.run.queues.proof, func(id []byte) { w.ids = w.ids.add(0, id) })
	if err != nil {
		return false, misread(bytesOf, err)
	}
	w.count(p.n)
	w.next = w.path(w.next[:0], p.next)
	if w.real() && w.s.static() {
		return true, w.follow(p)
	}
	if p.n < w.s.List {
		w.next = w.next[:0]
	}
	return true, nil
}

// follow checks a page of a queue that does not change.
func (w *worker) follow(p page) error {
	filled := w.run.queues.filled.posted
	rest := filled[w.at:]
	if !bytes.HasPrefix(rest, w.ids) || p.n == 0 || p.n < w.s.List && len(w.ids) < len(rest) {
		return fmt.Errorf("a page of %d messages is not what was posted at its place", p.n)
	}
	w.at += len(w.ids)
	if w.at == len(filled) {
		w.at, w.next = 0, w.next[:0]
	}
	return nil
}

func (w *worker) doClaim(due time.Time) (bool, error) {
	n, err := w.take(request{Claim, w.claim, due}, w.queue, w.s.Claim)
	if err != nil {
		return false, err
	}
	if n == 0 {
		return w.s.Post > 0, nil // others may have been quicker
	}
	return true, w.deleteTaken(w.queue, w.s.Bulk)
}
