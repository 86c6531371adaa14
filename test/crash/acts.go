package crash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ending is what the ledger wants to know of a request without an answer.
type ending interface {
	Unknown()
	NotSent()
}

// both ends two attempts of one request.
type both struct{ a, b ending }

func (e both) Unknown() { e.a.Unknown(); e.b.Unknown() }

func (e both) NotSent() { e.a.NotSent(); e.b.NotSent() }

// reading is the ending of a request that changes nothing.
type reading struct{}

func (reading) Unknown() {}

func (reading) NotSent() {}

var errWrong = errors.New("wrong answer")

// send makes a request. An answer is returned if it is one of those wanted;
// otherwise the attempt has been ended.
func (w *worker) send(ctx context.Context, c *client, e ending, method, ref string, body []byte, want ...int) (reply, error) {
	contentType := "application/json"
	if method == "PATCH" && !strings.Contains(ref, "/claims/") {
		contentType = patch
	}
	r, err := c.do(ctx, method, ref, contentType, body)
	switch {
	case errors.Is(err, errNotSent):
		e.NotSent()
	case err != nil:
		e.Unknown()
	case !slices.Contains(want, r.status):
		w.l.Wrong("%s: %s %s got %v, want %v", w.name, method, ref, r, want)
		e.Unknown()
		err = errWrong
	}
	return r, err
}

// malformed reports an answer that cannot be read.
func (w *worker) malformed(e ending, r reply, err error) error {
	w.l.Wrong("%s: %v in the answer %v", w.name, err, r)
	e.Unknown()
	return errWrong
}

// post posts as many messages as count says, with one of the fillings each.
func (w *worker) post(ctx context.Context, c *client, queue string, n *int, count int, of ...string) error {
	if of == nil {
		of = fillings
	}
	var drafts []Draft
	doc := []byte(`{"messages":[`)
	for i := range count {
		*n++
		d := Draft{From: w.name, N: *n, Body: Body(w.name, *n, of[w.rng.IntN(len(of))])}
		drafts = append(drafts, d)
		if i > 0 {
			doc = append(doc, ',')
		}
		doc = fmt.Appendf(doc, `{"ttl":86400,"body":%s}`, d.Body)
	}
	doc = append(doc, "]}"...)
	p := w.l.Post(w.name, queue, drafts)
	r, err := w.send(ctx, c, p, "POST", messagesPath(queue), doc, http.StatusCreated)
	if err != nil {
		return err
	}
	ids, err := r.posted()
	if err != nil {
		return w.malformed(p, r, err)
	}
	p.Acked(ids)
	return nil
}

func (w *worker) lookUp(ctx context.Context, c *client, queue string, ids []string) error {
	k := w.l.LookUp(w.name, queue, ids)
	r, err := w.send(ctx, c, reading{}, "GET", messagesPath(queue)+idsQuery(ids), nil, http.StatusOK, http.StatusNotFound)
	if err != nil {
		return err
	}
	var got []Seen
	if r.status == http.StatusOK {
		if got, _, err = r.messages(); err != nil {
			return w.malformed(reading{}, r, err)
		}
	}
	k.Got(got)
	return nil
}

func ack(err error, done ...interface{ Acked() }) error {
	if err == nil {
		for _, e := range done {
			e.Acked()
		}
	}
	return err
}

// held is a claim in the hands of a worker.
type held struct {
	id   string
	ids  []string // of the messages left
	made time.Time
	over bool // a release got no answer: nothing but releasing is left to do
}

// ttl returns the lifetime of a claim. It outlives several crashes.
func (w *worker) ttl() time.Duration {
	return MinClaimTTL + time.Duration(w.rng.Int64N(int64((MaxClaimTTL-MinClaimTTL)/time.Second)))*time.Second
}

func (w *worker) claim(ctx context.Context, c *client, queue string) (*held, error) {
	n, ttl := 1+w.rng.IntN(10), w.ttl()
	ref := fmt.Sprintf("%s/claims?limit=%d", queuePath(queue), n)
	if w.rng.IntN(10) == 0 {
		ref += "&wait=1"
	}
	k := w.l.Claim(w.name, queue, n, ttl)
	body := fmt.Appendf(nil, `{"ttl":%d,"grace":60}`, seconds(ttl))
	r, err := w.send(ctx, c, k, "POST", ref, body, http.StatusCreated, http.StatusNoContent)
	if err != nil {
		return nil, err
	}
	if r.status == http.StatusNoContent {
		k.Acked("", nil)
		return nil, nil
	}
	got, _, err := r.messages()
	if err != nil {
		return nil, w.malformed(k, r, err)
	}
	h := &held{id: lastElement(r.header.Get("Location")), made: time.Now()}
	for _, s := range got {
		h.ids = append(h.ids, s.ID)
	}
	k.Acked(h.id, got)
	return h, nil
}

func (w *worker) renew(ctx context.Context, c *client, queue string, h *held) error {
	ttl := w.ttl()
	n := w.l.Renew(w.name, h.id, ttl)
	body := fmt.Appendf(nil, `{"ttl":%d,"grace":60}`, seconds(ttl))
	r, err := w.send(ctx, c, n, "PATCH", claimPath(queue, h.id), body, http.StatusNoContent, http.StatusNotFound)
	if err != nil {
		return err
	}
	if r.status == http.StatusNotFound {
		n.Refused()
		h.ids = nil
		return nil
	}
	n.Acked()
	return nil
}

func (w *worker) release(ctx context.Context, c *client, queue string, h *held) error {
	e := w.l.Release(w.name, h.id)
	h.over = true
	_, err := w.send(ctx, c, e, "DELETE", claimPath(queue, h.id), nil, http.StatusNoContent)
	if err == nil {
		h.ids = nil
	}
	return ack(err, e)
}

func (w *worker) deleteOne(ctx context.Context, c *client, queue string, h *held) error {
	i := w.rng.IntN(len(h.ids))
	m := w.l.Remove(w.name, queue, h.ids[i:i+1], h.id)
	ref := messagesPath(queue) + "/" + h.ids[i] + "?claim_id=" + h.id
	r, err := w.send(ctx, c, m, "DELETE", ref, nil, http.StatusNoContent, http.StatusBadRequest, http.StatusForbidden)
	if err != nil {
		return err
	}
	if r.status != http.StatusNoContent {
		m.Refused(r.status)
		h.ids = nil
		return nil
	}
	m.Acked()
	h.ids = slices.Delete(h.ids, i, i+1)
	return nil
}

func (w *worker) deleteAll(ctx context.Context, c *client, queue string, h *held) error {
	m := w.l.Remove(w.name, queue, h.ids, "")
	_, err := w.send(ctx, c, m, "DELETE", messagesPath(queue)+idsQuery(h.ids), nil, http.StatusNoContent)
	if err == nil {
		h.ids = nil
	}
	return ack(err, m)
}
