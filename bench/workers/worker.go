package workers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"zaqar/bench/load"
	"zaqar/bench/rawhttp"
)

// How long claims and their messages last, in seconds.
const (
	claimTTL   = 300
	claimGrace = 200
)

// op is a kind of request.
type op int

const (
	opPost op = iota
	opClaim
	opDelete
	opList
	ops
)

// String is the plural that reports use.
func (o op) String() string { return [...]string{"posts", "claims", "deletes", "lists"}[o] }

// figures are what was measured of one kind of request.
type figures struct {
	total, ok int64 // requests, and those that succeeded
	messages  int64
	sum       time.Duration // of the latencies of those that succeeded
	latency   load.Histogram
	refusal   error // the first request that did not succeed
}

func (f *figures) add(other *figures) {
	f.total += other.total
	f.ok += other.ok
	f.messages += other.messages
	f.sum += other.sum
	f.latency.Add(&other.latency)
	if f.refusal == nil {
		f.refusal = other.refusal
	}
}

// counters are what is told while it runs.
type counters struct{ ok, failed, messages [ops]atomic.Int64 }

// worker is one connection and what it does over and over.
type worker struct {
	o      *Options
	client *client
	read   *reader
	log    *load.Log
	count  *counters
	pace   *pace
	queues []string

	cycle    func(context.Context) error
	measured [ops]*figures // nil: no such request was made
	ended    time.Time

	buf, ids, hrefs []byte
	kinds           []int
	next            []string // of an observer, by queue: the page that follows
}

func (r *run) newWorker(role func(*worker) func(context.Context) error) *worker {
	w := &worker{
		o: &r.o, client: newClient(r.target, r.o.Auth), read: newReader(), log: r.ledger.Log(),
		count: &r.counters, pace: &r.pace, queues: r.queues,
	}
	w.cycle = role(w)
	return w
}

// work repeats the cycle until the time is over, or the context ends. The
// error is a connection that broke before.
func (w *worker) work(ctx context.Context) error {
	defer w.client.close()
	defer func() { w.ended = time.Now() }()
	for n := 0; w.o.Cycles == 0 || n < w.o.Cycles; n++ {
		if ctx.Err() != nil || !time.Now().Before(w.pace.end) {
			return nil
		}
		if err := w.cycle(ctx); err != nil {
			if ctx.Err() != nil || errors.Is(err, errOver) {
				return nil
			}
			return err
		}
	}
	return nil
}

// errOver says that there is nothing more to do.
var errOver = errors.New("the time is over")

// queue chooses a queue.
func (w *worker) queue() int { return rand.IntN(len(w.queues)) }

func (w *worker) path(queue int, below string) string {
	return "/v2/queues/" + w.queues[queue] + below
}

// call makes one request and counts it. accept judges the answer and returns
// how many messages it is about; what it does not accept is counted as failed.
// accepted is false then, and unsure too if the request may have been carried
// out all the same. Only a connection that breaks is an error.
func (w *worker) call(ctx context.Context, o op, due time.Time, r *request, accept func(rawhttp.Response) (int, error)) (accepted, unsure bool, err error) {
	answer, err := w.client.do(ctx, r)
	now := time.Now()
	w.log.At(now)
	broken := brokenError{}
	if errors.As(err, &broken) && ctx.Err() != nil {
		return false, true, err // cut short: no mistake of the server
	}
	n := 0
	if err == nil {
		unsure = answer.Status < 300 || answer.Status >= 500
		n, err = accept(answer)
	} else {
		unsure = true
	}
	f := w.measured[o]
	if f == nil {
		f = new(figures)
		w.measured[o] = f
	}
	f.total++
	if err != nil {
		w.count.failed[o].Add(1)
		if f.refusal == nil {
			f.refusal = err
		}
		if !errors.As(err, &broken) {
			err = nil
		}
		return false, unsure, err
	}
	f.ok++
	f.messages += int64(n)
	f.sum += now.Sub(due)
	f.latency.Record(now.Sub(due))
	w.count.ok[o].Add(1)
	w.count.messages[o].Add(int64(n))
	return true, false, nil
}

// refused describes an answer with a status that should not be.
func refused(r *request, a rawhttp.Response) error {
	return fmt.Errorf("%.200s was answered with %d: %.300s", r, a.Status, bytes.TrimSpace(a.Body))
}

// producer posts messages.
func producer(w *worker) func(context.Context) error {
	return func(ctx context.Context) error {
		due, ok := w.pace.next(ctx)
		if !ok {
			return errOver
		}
		q := w.queue()
		r := &request{method: "POST", path: w.path(q, "/messages"), body: w.posting()}
		accepted, unsure, err := w.call(ctx, opPost, due, r, func(a rawhttp.Response) (int, error) {
			if a.Status != http.StatusCreated {
				return 0, refused(r, a)
			}
			if err := w.read.resources(w.queues[q], a.Body); err != nil {
				return 0, fmt.Errorf("%s: %w", r, err)
			}
			if n := len(w.read.ids); n != w.o.Batch {
				return 0, fmt.Errorf("%s of %d messages was answered with %d ids", r, w.o.Batch, n)
			}
			return w.o.Batch, nil
		})
		if !accepted {
			if unsure {
				w.log.MaybePosted(w.o.Batch)
			}
			return err
		}
		w.log.At(due)
		for i, id := range w.read.ids {
			k := w.kinds[i]
			w.log.Body(w.o.Messages.kinds[k].number)
			w.log.Life(w.o.Messages.kinds[k].ttl)
			w.log.Posted(q, id)
		}
		return nil
	}
}

// posting chooses what to post, and returns the body of the request.
func (w *worker) posting() []byte {
	b := append(w.buf[:0], `{"messages":[`...)
	w.kinds = w.kinds[:0]
	for i := range w.o.Batch {
		if i > 0 {
			b = append(b, ',')
		}
		k := w.o.Messages.choose()
		b = append(b, w.o.Messages.kinds[k].item...)
		w.kinds = append(w.kinds, k)
	}
	w.buf = append(b, "]}"...)
	return w.buf
}

// consumer claims messages and deletes them one by one.
func consumer(w *worker) func(context.Context) error {
	body := fmt.Appendf(nil, `{"ttl":%d,"grace":%d}`, claimTTL, claimGrace)
	return func(ctx context.Context) error {
		q := w.queue()
		r := &request{method: "POST", path: w.path(q, fmt.Sprintf("/claims?limit=%d", w.o.PerClaim)), body: body}
		// A claim does not wait beyond the end of the run.
		left := (time.Until(w.pace.end) + time.Second - 1).Truncate(time.Second)
		if r.wait = min(w.o.Wait, left); r.wait > 0 {
			r.path += fmt.Sprintf("&wait=%d", r.wait/time.Second)
		}
		accepted, _, err := w.call(ctx, opClaim, time.Now(), r, func(a rawhttp.Response) (int, error) {
			return w.claimed(q, r, a)
		})
		if !accepted || err != nil {
			return err
		}
		return w.deleteEach(ctx, q)
	}
}

// claimed reads the answer to a claim and remembers its messages.
func (w *worker) claimed(q int, r *request, a rawhttp.Response) (int, error) {
	w.ids, w.hrefs = w.ids[:0], w.hrefs[:0]
	switch a.Status {
	case http.StatusNoContent:
		return 0, nil
	case http.StatusCreated:
	default:
		return 0, refused(r, a)
	}
	if err := w.read.page(w.queues[q], a.Body); err != nil {
		return 0, fmt.Errorf("%s: %w", r, err)
	}
	n := len(w.read.messages)
	if n == 0 || n > w.o.PerClaim {
		return 0, fmt.Errorf("%s was answered with %d messages", r, n)
	}
	for _, m := range w.read.messages {
		if !bytes.Contains(m.href, []byte("?claim_id=")) {
			return 0, fmt.Errorf("%s: %q names no claim", r, m.href)
		}
	}
	for _, m := range w.read.messages {
		w.log.Body(w.o.Messages.recognize(m.body))
		w.log.Claimed(q, m.id)
		w.ids = append(append(w.ids, m.id...), '\n')
		w.hrefs = append(append(w.hrefs, m.href...), '\n')
	}
	return n, nil
}

// deleteEach deletes what was claimed. It goes on after a refusal.
func (w *worker) deleteEach(ctx context.Context, q int) error {
	ids, hrefs := w.ids, w.hrefs
	for len(hrefs) > 0 {
		var id, href []byte
		id, ids, _ = bytes.Cut(ids, []byte("\n"))
		href, hrefs, _ = bytes.Cut(hrefs, []byte("\n"))
		r := &request{method: "DELETE", path: string(href)}
		accepted, unsure, err := w.call(ctx, opDelete, time.Now(), r, func(a rawhttp.Response) (int, error) {
			if a.Status != http.StatusNoContent {
				return 0, refused(r, a)
			}
			return 1, nil
		})
		switch {
		case accepted:
			w.log.Deleted(q, id)
		case unsure:
			w.log.MaybeDeleted(q, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// observer lists messages, claimed ones included. In each queue it follows the
// links from the first message on.
func observer(w *worker) func(context.Context) error {
	w.log.Gapless = true
	w.next = make([]string, len(w.queues))
	return func(ctx context.Context) error {
		q := w.queue()
		r := &request{method: "GET", path: w.next[q]}
		if r.path == "" {
			r.path = w.path(q, fmt.Sprintf("/messages?limit=%d&include_claimed=true", w.o.PerList))
		}
		_, _, err := w.call(ctx, opList, time.Now(), r, func(a rawhttp.Response) (int, error) {
			n, err := enterPage(w.read, w.log, &w.o.Messages, w.queues[q], q, w.o.PerList, r, a)
			if err == nil && n > 0 {
				w.next[q] = string(w.read.next)
			}
			return n, err
		})
		return err
	}
}

// enterPage reads a page of messages of a queue and enters them into a log.
func enterPage(read *reader, log *load.Log, known *Messages, queue string, q, limit int, r *request, a rawhttp.Response) (int, error) {
	if a.Status != http.StatusOK {
		return 0, refused(r, a)
	}
	if err := read.page(queue, a.Body); err != nil {
		return 0, fmt.Errorf("%s: %w", r, err)
	}
	n := len(read.messages)
	switch {
	case n > limit:
		return 0, fmt.Errorf("%s was answered with %d messages", r, n)
	case n > 0 && read.next == nil:
		return 0, fmt.Errorf("%s was answered without a link to the next page", r)
	case n > 0 && string(read.next) == r.path:
		return 0, fmt.Errorf("%s was answered with a link to itself", r)
	}
	for _, m := range read.messages {
		log.Body(known.recognize(m.body))
		log.Listed(q, m.id)
	}
	return n, nil
}
