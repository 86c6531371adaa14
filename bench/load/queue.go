package load

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"zaqar/bench/rawhttp"
)

// Queue is a queue of a target, with the account of what was done to it.
type Queue struct {
	target Target
	name   string
	body   []byte
	ledger Ledger
	filled *Log // by Fill, in order
}

// Create makes a queue whose messages have the given body.
func Create(ctx context.Context, t Target, name string, body []byte) (*Queue, error) {
	q := &Queue{target: t, name: name, body: body}
	q.filled = q.ledger.Log()
	err := q.session(ctx, func(s *session) error {
		_, err := s.call(s.on("PUT", "", nil), http.StatusCreated)
		return err
	})
	return q, err
}

// Moved says that the server now listens at another address.
func (q *Queue) Moved(addr string) { q.target.Addr = addr }

// fillBytes bounds one post of Fill, in bytes. Zaqar's default limit is
// 256 KiB.
const fillBytes = 128 << 10

// Fill posts n messages over one connection, so that their order is known.
// progress is told how many there are so far; it may be nil. A target that is
// not real is left alone.
func (q *Queue) Fill(ctx context.Context, n int, progress func(done int)) error {
	if !q.target.Real {
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
			got, err := posted(answer, q.filled.Posted)
			if err != nil {
				return err
			}
			if got != each {
				return fmt.Errorf("a post of %d messages was answered with %d", each, got)
			}
			done += each
			if progress != nil {
				progress(done)
			}
		}
		return nil
	})
}

// posted calls f with the ids in the answer to a post, and counts them.
func posted(answer []byte, f func(queue int, id []byte)) (n int, err error) {
	err = resources(answer, func(path []byte) error {
		id, _, ok := messageOf(path)
		if !ok {
			return errForm
		}
		f(0, id)
		n++
		return nil
	})
	return n, err
}

// Audit lists the queue to its end and compares it with all that was done. The
// queue must be at rest. It returns how many messages are left.
func (q *Queue) Audit(ctx context.Context) (left int, err error) {
	if !q.target.Real {
		return 0, nil
	}
	var at Log
	if err := q.session(ctx, func(s *session) error { return s.listAll(&at.listed) }); err != nil {
		return 0, err
	}
	a, err := q.ledger.Audit(&at, time.Time{}, time.Time{})
	if err != nil {
		return 0, fmt.Errorf("queue %s: %w", q.name, err)
	}
	return a.Left, nil
}

// Drop deletes the queue.
func (q *Queue) Drop(ctx context.Context) error {
	return q.session(ctx, func(s *session) error {
		_, err := s.call(s.on("DELETE", "", nil), http.StatusNoContent)
		return err
	})
}

// session is a connection for work that is not measured.
type session struct {
	template
	q    *Queue
	conn *rawhttp.Conn
}

// answerTime bounds how long one answer is waited for.
const answerTime = time.Minute

func (q *Queue) session(ctx context.Context, do func(*session) error) error {
	conn, err := rawhttp.Dial(q.target.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, conn.Close)()
	err = do(&session{newTemplate(q.target, q.name, clientID(0)), q, conn})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// call makes one request and returns the body of the answer.
func (s *session) call(request []byte, want int) ([]byte, error) {
	if err := s.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	r, err := s.conn.Do(request)
	if err != nil {
		return nil, err
	}
	if r.Status != want {
		return nil, unexpected(request, r)
	}
	return r.Body, nil
}

// unexpected describes an answer with a status that should not be.
func unexpected(request []byte, r rawhttp.Response) error {
	line, _, _ := bytes.Cut(request, []byte("\r\n"))
	return fmt.Errorf("%.200s was answered with %d: %.300s", line, r.Status, r.Body)
}

// listAll follows the pages of the queue to its end and checks the bodies.
func (s *session) listAll(to *idList) error {
	path := []byte(s.paths + "/messages?limit=20&echo=true&include_claimed=true")
	for {
		answer, err := s.call(s.request(nil, "GET", path, nil), http.StatusOK)
		if err != nil {
			return err
		}
		var p page
		if p, err = readPage(answer, *to); err != nil {
			return err
		}
		*to = p.ids
		if bytes.Count(answer, s.q.body) != p.n {
			return fmt.Errorf("%.200s: a message does not have the body that was posted", path)
		}
		if p.n == 0 {
			return nil
		}
		if p.next == nil {
			return fmt.Errorf("%.200s: a page with messages has no link to the next one", path)
		}
		path = bytes.Clone(p.next)
	}
}

// page is what is of interest in a list of messages.
type page struct {
	ids  idList // appended
	n    int    // how many
	next []byte // href of the next page, or nil
}

func readPage(answer []byte, to idList) (page, error) {
	p := page{ids: to}
	err := hrefs(answer, func(href []byte) error {
		if id, _, ok := messageOf(href); ok {
			p.ids = p.ids.add(0, id)
			p.n++
		} else {
			p.next = href
		}
		return nil
	})
	return p, err
}
