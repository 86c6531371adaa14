package load

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"zaqar/bench/rawhttp"
)

// worker is one connection that carries out a scenario.
type worker struct {
	template
	q      *Queue
	s      Scenario
	conn   *rawhttp.Conn
	window *window

	post, list, claim []byte // requests that are always the same
	scratch, claimID  []byte
	claimedHrefs      []byte // of one claim, each ended by a line feed
	ids               idList // of one answer

	next []byte // path of the next page; empty: the first
	at   int    // where in q.filled that page starts

	log      *Log
	measured [ops]Histogram
	messages int64 // posted, listed or claimed in the window
}

func newWorker(n int, q *Queue, s Scenario, w *window) (*worker, error) {
	conn, err := rawhttp.Dial(q.target.Addr)
	if err != nil {
		return nil, err
	}
	k := &worker{template: newTemplate(q.target, q.name, clientID(1+n)), q: q, s: s, conn: conn, window: w}
	k.log = q.ledger.Log()
	k.post = k.on("POST", "/messages", posting(s.Post, q.body))
	k.list = k.on("GET", "/messages?limit="+strconv.Itoa(s.List), nil)
	k.claim = k.on("POST", "/claims?limit="+strconv.Itoa(s.Claim), []byte(`{"ttl":3600,"grace":60}`))
	return k, nil
}

// cycle carries the scenario out once. more is false when nothing was left to
// claim.
func (k *worker) cycle() (more bool, err error) {
	if k.s.Post > 0 {
		if err := k.doPost(); err != nil {
			return false, err
		}
	}
	if k.s.List > 0 {
		if err := k.doList(); err != nil {
			return false, err
		}
	}
	if k.s.Claim == 0 {
		return true, nil
	}
	n, err := k.doClaim()
	switch {
	case err != nil || n == 0:
		return false, err
	case k.s.Bulk:
		return true, k.deleteAll()
	}
	return true, k.deleteEach()
}

// call makes one request and measures it. messages is what it counts for.
func (k *worker) call(op Op, request []byte, messages int, want ...int) (rawhttp.Response, error) {
	begun := time.Now()
	r, err := k.conn.Do(request)
	if err != nil {
		return r, err
	}
	if !slices.Contains(want, r.Status) {
		return r, unexpected(request, r)
	}
	if end := time.Now(); k.window.holds(end) {
		k.measured[op].Record(end.Sub(begun))
		k.messages += int64(messages)
	}
	return r, nil
}

func (k *worker) doPost() error {
	r, err := k.call(Post, k.post, k.s.Post, http.StatusCreated)
	if err != nil {
		return err
	}
	n, err := posted(r.Body, func(queue int, id []byte) {
		if k.q.target.Real {
			k.log.Posted(queue, id)
		}
	})
	if err != nil {
		return err
	}
	if n != k.s.Post {
		return fmt.Errorf("a post of %d messages was answered with %d", k.s.Post, n)
	}
	return nil
}

func (k *worker) doList() error {
	request := k.list
	if len(k.next) > 0 {
		k.scratch = k.request(k.scratch[:0], "GET", k.next, nil)
		request = k.scratch
	}
	r, err := k.call(List, request, k.s.List, http.StatusOK)
	if err != nil {
		return err
	}
	p, err := readPage(r.Body, k.ids[:0])
	if err != nil {
		return err
	}
	k.ids = p.ids
	k.next = append(k.next[:0], p.next...)
	if k.q.target.Real && k.s.static() {
		return k.follow(p)
	}
	if p.n < k.s.List {
		k.next = k.next[:0]
	}
	return nil
}

// follow checks a page of a queue that does not change.
func (k *worker) follow(p page) error {
	rest := k.q.filled.posted[k.at:]
	if !bytes.HasPrefix(rest, p.ids) || p.n == 0 || p.n < k.s.List && len(p.ids) < len(rest) {
		return fmt.Errorf("a page of %d messages is not what was posted at its place", p.n)
	}
	k.at += len(p.ids)
	if k.at == len(k.q.filled.posted) {
		k.at, k.next = 0, k.next[:0]
	}
	return nil
}

// doClaim claims and remembers what it got for the deletes. It returns how
// many that was.
func (k *worker) doClaim() (int, error) {
	r, err := k.call(Claim, k.claim, k.s.Claim, http.StatusCreated, http.StatusNoContent)
	if err != nil || r.Status == http.StatusNoContent {
		return 0, err
	}
	n := 0
	k.claimedHrefs, k.ids = k.claimedHrefs[:0], k.ids[:0]
	err = hrefs(r.Body, func(href []byte) error {
		id, claim, ok := messageOf(href)
		if !ok || len(claim) == 0 {
			return errForm
		}
		k.claimedHrefs = append(append(k.claimedHrefs, href...), '\n')
		k.ids = k.ids.add(0, id)
		k.claimID = append(k.claimID[:0], claim...)
		n++
		return nil
	})
	if err != nil {
		return 0, err
	}
	if n == 0 || n > k.s.Claim {
		return 0, fmt.Errorf("a claim of %d messages was answered with %d", k.s.Claim, n)
	}
	if k.q.target.Real {
		k.log.claimed = append(k.log.claimed, k.ids...)
	}
	return n, nil
}

// deleteEach deletes what was claimed, one by one.
func (k *worker) deleteEach() error {
	for rest := k.claimedHrefs; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		k.scratch = k.request(k.scratch[:0], "DELETE", rest[:i], nil)
		if _, err := k.call(Delete, k.scratch, 0, http.StatusNoContent); err != nil {
			return err
		}
		rest = rest[i+1:]
	}
	k.noteDeleted()
	return nil
}

// deleteAll deletes what was claimed with one request.
func (k *worker) deleteAll() error {
	path := append(k.claimedHrefs[:0], k.paths...)
	path = append(path, "/messages?ids="...)
	path = append(path, k.ids[:len(k.ids)-1]...)
	for i := range path {
		if path[i] == '\n' {
			path[i] = ','
		}
	}
	path = append(append(path, "&claim_ids="...), k.claimID...)
	k.claimedHrefs = path
	k.scratch = k.request(k.scratch[:0], "DELETE", path, nil)
	if _, err := k.call(Delete, k.scratch, 0, http.StatusNoContent); err != nil {
		return err
	}
	k.noteDeleted()
	return nil
}

func (k *worker) noteDeleted() {
	if k.q.target.Real {
		k.log.deleted = append(k.log.deleted, k.ids...)
	}
}
