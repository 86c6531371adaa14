package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// worker makes requests, one after the other. What it knows outlives the
// server's processes.
type worker struct {
	name string
	l    *Ledger
	rng  *rand.Rand
	step func(ctx context.Context, w *worker, c *client) error // one request or a few
}

// run works until the server is gone.
func (w *worker) run(ctx context.Context, c *client) {
	for ctx.Err() == nil {
		if err := w.step(ctx, w, c); err != nil {
			return
		}
	}
}

// backlog is how many messages a queue may have before its producers wait.
const backlog = 150

// producer posts to a queue, up to batch messages at once.
func producer(queue string, batch int) func(context.Context, *worker, *client) error {
	n := 0
	return func(ctx context.Context, w *worker, c *client) error {
		if w.l.Backlog(queue) > backlog {
			return w.idle(ctx, c, queue)
		}
		return w.post(ctx, c, queue, &n, 1+w.rng.IntN(batch))
	}
}

// carrier posts large messages to a queue, to make the store reclaim space.
func carrier(queue string) func(context.Context, *worker, *client) error {
	n := 0
	filling := `"` + strings.Repeat("x", 200<<10) + `"`
	return func(ctx context.Context, w *worker, c *client) error {
		if w.l.Backlog(queue) > backlog/10 {
			return w.idle(ctx, c, queue)
		}
		return w.post(ctx, c, queue, &n, 1, filling)
	}
}

// idle makes a request that changes nothing.
func (w *worker) idle(ctx context.Context, c *client, queue string) error {
	_, err := w.send(ctx, c, reading{}, "GET", queuePath(queue)+"/stats", nil, http.StatusOK)
	return err
}

// archivist posts to a queue that nobody empties, only sometimes.
func archivist(queue string) func(context.Context, *worker, *client) error {
	n := 0
	return func(ctx context.Context, w *worker, c *client) error {
		if w.rng.IntN(10) > 0 {
			return w.idle(ctx, c, queue)
		}
		return w.post(ctx, c, queue, &n, 1+w.rng.IntN(3))
	}
}

// fillings are what bodies hold besides their names: what must come back byte by
// byte.
var fillings = []string{
	`null`, `1.0`, `-0`, `1e3`, `"plain"`, `"\u00e9 é \ud83d\ude00 😀 \/ \" \\"`, `""`, `[]`, `{}`,
	`{"a.b":{"$c":null},"a.b2":[1, 2,  3]}`, `[[[[[[1]]]]]]`, `9223372036854775807`,
	`"` + strings.Repeat("long ", 400) + `"`,
}

// popper pops.
func popper(queue string) func(context.Context, *worker, *client) error {
	return func(ctx context.Context, w *worker, c *client) error {
		n := 1 + w.rng.IntN(10)
		p := w.l.Pop(w.name, queue, n)
		r, err := w.send(ctx, c, p, "DELETE", fmt.Sprintf("%s?pop=%d", messagesPath(queue), n), nil, http.StatusOK)
		if err != nil {
			return err
		}
		got, _, err := r.messages()
		if err != nil {
			return w.malformed(p, r, err)
		}
		p.Acked(got)
		return nil
	}
}

// follower reads a queue along its markers, and looks messages up by their ids.
func follower(queue string) func(context.Context, *worker, *client) error {
	var reader *Reader
	var next string
	return func(ctx context.Context, w *worker, c *client) error {
		if ids := w.l.Sample(queue, w.rng, 5); len(ids) > 0 && w.rng.IntN(4) == 0 {
			return w.lookUp(ctx, c, queue, ids)
		}
		if reader == nil || w.rng.IntN(100) == 0 {
			reader = w.l.Reader(w.name, queue)
			next = fmt.Sprintf("%s?echo=true&limit=%d", messagesPath(queue), 1+w.rng.IntN(20))
		}
		page := reader.Page()
		r, err := w.send(ctx, c, reading{}, "GET", next, nil, http.StatusOK)
		if err != nil {
			return err
		}
		got, link, err := r.messages()
		if err != nil {
			return w.malformed(reading{}, r, err)
		}
		page.Got(got)
		if link != "" {
			next = link
		}
		return nil
	}
}

// watcher lists what is free in one of the queues.
func watcher(queues ...string) func(context.Context, *worker, *client) error {
	return func(ctx context.Context, w *worker, c *client) error {
		queue := queues[w.rng.IntN(len(queues))]
		k := w.l.LookFree(w.name, queue)
		r, err := w.send(ctx, c, reading{}, "GET", messagesPath(queue)+"?echo=true&limit=20", nil, http.StatusOK)
		if err != nil {
			return err
		}
		got, _, err := r.messages()
		if err != nil {
			return w.malformed(reading{}, r, err)
		}
		k.Got(got)
		return nil
	}
}

// keeper makes, alters, fills, empties and deletes its queues.
func keeper(queues ...string) func(context.Context, *worker, *client) error {
	n, generation := 0, 0
	return func(ctx context.Context, w *worker, c *client) error {
		queue := queues[w.rng.IntN(len(queues))]
		generation++
		to := State{Exists: true, Generation: generation, Note: fmt.Sprint("é", w.rng.IntN(1000)), TTL: 100 * w.rng.IntN(3)}
		if !w.l.State(queue).Exists {
			e := w.l.Change(w.name, queue, to)
			_, err := w.send(ctx, c, e, "PUT", queuePath(queue), to.metadata(nil), http.StatusCreated)
			return ack(err, e)
		}
		switch p := w.rng.IntN(10); {
		case p < 4:
			e := w.l.Change(w.name, queue, to)
			_, err := w.send(ctx, c, e, "PATCH", queuePath(queue), to.patch(), http.StatusOK)
			return ack(err, e)
		case p < 7:
			return w.post(ctx, c, queue, &n, 1+w.rng.IntN(5))
		case p < 8: // must leave it as it is
			e := w.l.Change(w.name, queue, w.l.State(queue))
			_, err := w.send(ctx, c, e, "PUT", queuePath(queue), to.metadata(nil), http.StatusNoContent)
			return ack(err, e)
		case p < 9:
			e := w.l.RemoveAll(w.name, queue)
			_, err := w.send(ctx, c, e, "POST", queuePath(queue)+"/purge", nil, http.StatusNoContent)
			return ack(err, e)
		default:
			e, m := w.l.Change(w.name, queue, State{}), w.l.RemoveAll(w.name, queue)
			_, err := w.send(ctx, c, both{e, m}, "DELETE", queuePath(queue), nil, http.StatusNoContent)
			return ack(err, e, m)
		}
	}
}

// claimer claims and deletes. On a fragile queue it releases instead, to make
// dead letters.
func claimer(queue string, fragile bool) func(context.Context, *worker, *client) error {
	var mine []*held
	return func(ctx context.Context, w *worker, c *client) error {
		mine = append(mine, w.l.Orphans(queue)...)
		mine = slices.DeleteFunc(mine, func(h *held) bool {
			// A message of an expired claim may be among the dead letters.
			return len(h.ids) == 0 || fragile && time.Since(h.made) > MinClaimTTL/2
		})
		p := w.rng.Float64()
		if len(mine) == 0 || len(mine) < 4 && p < 0.4 {
			h, err := w.claim(ctx, c, queue)
			if h != nil {
				mine = append(mine, h)
			}
			return err
		}
		h := mine[w.rng.IntN(len(mine))]
		switch {
		case h.over || p < 0.6 && p >= 0.5 || fragile && p >= 0.5 && p < 0.95:
			return w.release(ctx, c, queue, h)
		case p < 0.5:
			return w.renew(ctx, c, queue, h)
		case p < 0.7 && !fragile:
			return w.deleteAll(ctx, c, queue, h)
		default:
			return w.deleteOne(ctx, c, queue, h)
		}
	}
}
