package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"zaqar/bench/rawhttp"
)

// Queues is one or more queues of a target, with the account of what was done
// to them.
type Queues struct {
	target Target
	name   string
	count  int
	width  int // of the numbers in names; 0: there is one queue without number
	body   []byte
	proof  []byte // what every message has in its body, however it is written
	ledger Ledger
	filled *Log // by Fill, in order
	blind  atomic.Bool
}

// Spec says which queues to make.
type Spec struct {
	Name  string // of the queue, or what names of several begin with
	Count int    // 0 and 1: one
	Body  []byte // of each message, made by Body
	// Timed makes the audit measure how long messages are under way.
	Timed bool
}

// Create makes queues.
func Create(ctx context.Context, t Target, s Spec) (*Queues, error) {
	q := &Queues{target: t, name: s.Name, count: max(1, s.Count), body: s.Body}
	if q.count > 1 {
		q.width = len(strconv.Itoa(q.count - 1))
	}
	// The text at the end has neither spaces nor escapes to differ in.
	q.proof = q.body[bytes.LastIndexByte(q.body, ':')+1 : len(q.body)-1]
	q.ledger.Timed = s.Timed
	q.filled = q.ledger.Log()
	err := q.each(ctx, func(s *session, n int) error {
		_, err := s.call(s.aim(s.on("PUT", "", nil), "PUT", n), http.StatusCreated, http.StatusNoContent)
		return err
	})
	if err != nil {
		// Some of them may be there; a missing one is deleted as well.
		_ = q.Drop(context.WithoutCancel(ctx))
		return nil, err
	}
	return q, nil
}

// Blind reports whether the server could not list claimed messages to an audit:
// one that is back after its deletion may have gone unseen.
func (q *Queues) Blind() bool { return q.blind.Load() }

// Name returns the name, or what the names begin with.
func (q *Queues) Name() string { return q.name }

// Moved says that the server now listens at another address.
func (q *Queues) Moved(addr string) { q.target.Addr = addr }

// template returns the form of the requests of a client.
func (q *Queues) template(client int) template {
	return newTemplate(&q.target, q.name, q.width, clientID(client))
}

// hands is how many connections work on many queues when nothing is measured.
const hands = 16

// each calls do with the number of every queue, on several connections when
// there are many.
func (q *Queues) each(ctx context.Context, do func(s *session, queue int) error) error {
	if q.count == 1 {
		return q.session(ctx, func(s *session) error { return do(s, 0) })
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for range hands {
		running.Go(func() {
			err := q.session(ctx, func(s *session) error {
				for n := int(next.Add(1)) - 1; n < q.count; n = int(next.Add(1)) - 1 {
					if err := do(s, n); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// fillBytes bounds one post of Fill, in bytes. Zaqar's default limit is
// 256 KiB.
const fillBytes = 128 << 10

// Fill posts n messages to the first queue over one connection, so that their
// order is known. progress, unless it is nil, is told how many there are so
// far, and says whether to go on. A target that is not real is left alone.
func (q *Queues) Fill(ctx context.Context, n int, progress func(done int) (more bool)) error {
	if !q.target.Real || n == 0 {
		return nil
	}
	return q.session(ctx, func(s *session) error {
		each := max(1, fillBytes/(len(q.body)+64))
		request := s.on("POST", "/messages", posting(each, q.body))
		for done := 0; done < n; {
			if n-done < each {
				each = n - done
				request = s.on("POST", "/messages", posting(each, q.body))
			}
			answer, err := s.call(request, http.StatusCreated)
			if err != nil {
				return err
			}
			got, err := posted(answer, func(id []byte) { q.filled.Posted(0, id) })
			if err != nil {
				return misread(request, err)
			}
			if got != each {
				return fmt.Errorf("a post of %d messages was answered with %d", each, got)
			}
			done += each
			if progress != nil && !progress(done) {
				return nil
			}
		}
		return nil
	})
}

// drainLimit is the limit of claims and pages when nothing is measured: the
// most that servers allow by default.
const drainLimit = 20

// Drain claims and deletes all that is left, each queue by one consumer, whose
// claims must come in the order of the posts.
func (q *Queues) Drain(ctx context.Context) error {
	if !q.target.Real {
		return nil
	}
	most := q.ledger.posted()
	var drained atomic.Int64
	return q.each(ctx, func(s *session, queue int) error {
		log := q.ledger.Log()
		claim := s.aim(s.on("POST", "/claims?limit="+strconv.Itoa(drainLimit), claiming), "POST", queue)
		var got claimed
		for {
			r, err := s.do(claim, http.StatusCreated, http.StatusNoContent)
			if err != nil || r.Status == http.StatusNoContent {
				return err
			}
			if err := got.read(r.Body, q.proof); err != nil {
				return misread(claim, err)
			}
			if got.n == 0 || drained.Add(int64(got.n)) > int64(tooMany(most)) {
				return fmt.Errorf("%s: the server does not cease to hand out messages", firstLine(claim))
			}
			for id := range got.ids.each() {
				log.Claimed(queue, id)
			}
			path := got.bulk(s.queue(nil, queue))
			if _, err := s.call(s.request(nil, "DELETE", path, nil), http.StatusNoContent); err != nil {
				return err
			}
			for id := range got.ids.each() {
				log.Deleted(queue, id)
			}
		}
	})
}

// tooMany is how many messages no server has when so many were posted, even
// if it has some twice or made some up: the audit is to name those.
func tooMany(posted int) int { return 2*posted + 10*drainLimit }

// Audit lists the queues to their ends and compares them with all that was
// done. The queues must be at rest. from and to are Ledger.Audit's. A target
// that is not real has nothing to account for.
func (q *Queues) Audit(ctx context.Context, from, to time.Time) (*Account, error) {
	if !q.target.Real {
		return new(Account), nil
	}
	most := q.ledger.posted()
	var mu sync.Mutex
	left := q.ledger.Apart()
	err := q.each(ctx, func(s *session, queue int) error {
		at, err := q.listing(s, queue, most)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		left.listed = append(left.listed, at.listed...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a, err := q.ledger.Audit(left, from, to)
	if err != nil {
		return a, fmt.Errorf("queue %s: %w", q.name, err)
	}
	return a, nil
}

// listing lists a queue to its end.
func (q *Queues) listing(s *session, queue, most int) (*Log, error) {
	at := q.ledger.Apart()
	if !q.Blind() {
		err := s.listAll(q, queue, most, at, "&include_claimed=true")
		if !broken(err) {
			return at, err
		}
		// The original on Redis cannot. Nothing is claimed any more that was not
		// deleted, so that only what comes back after that goes unseen.
		q.blind.Store(true)
		at = q.ledger.Apart()
	}
	return at, s.listAll(q, queue, most, at, "")
}

// broken reports whether a server answered that it cannot do what was asked.
func broken(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Status >= http.StatusInternalServerError
}

// A page that a server fails to list, though it does not have to while nothing
// is measured, is asked for again: what counts is what the queue holds.
const (
	pageTries = 5
	pagePause = 100 * time.Millisecond
)

// page asks for a page of a list.
func (s *session) page(request []byte) (r rawhttp.Response, err error) {
	for range pageTries {
		if r, err = s.do(request, http.StatusOK, http.StatusNoContent); !broken(err) {
			break
		}
		timer := time.NewTimer(pagePause)
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			timer.Stop()
			return r, err
		}
	}
	return r, err
}

// listAll follows the pages of a queue to its end and checks the bodies. No
// honest server lists more than most.
func (s *session) listAll(q *Queues, queue, most int, log *Log, more string) error {
	path := "/messages?limit=" + strconv.Itoa(drainLimit) + "&echo=true" + more
	request := s.aim(s.on("GET", path, nil), "GET", queue)
	for total := 0; ; {
		r, err := s.page(request)
		if err != nil || r.Status == http.StatusNoContent {
			return err
		}
		p, err := readPage(r.Body, q.proof, func(id []byte) { log.Listed(queue, id) })
		if err != nil {
			return misread(request, err)
		}
		if p.n == 0 {
			return nil
		}
		if total += p.n; total > tooMany(most) {
			return fmt.Errorf("%s: the list does not end", firstLine(request))
		}
		if p.next == nil {
			return fmt.Errorf("%s: a page with messages has no link to the next one", firstLine(request))
		}
		request = s.request(nil, "GET", s.path(nil, p.next), nil)
	}
}

// Drop deletes the queues.
func (q *Queues) Drop(ctx context.Context) error {
	return q.each(ctx, func(s *session, n int) error {
		_, err := s.call(s.aim(s.on("DELETE", "", nil), "DELETE", n), http.StatusNoContent)
		return err
	})
}
