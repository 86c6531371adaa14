package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// grip is a claim that somebody made.
type grip struct {
	id  string
	ids []string // not surely deleted with it
}

// client makes one call after the other.
type client struct {
	*load
	ctx    context.Context
	n      int
	rng    *rand.Rand
	posted int
}

// queue chooses one to take from.
func (c *client) queue() string {
	if c.n == 0 && c.rng.IntN(2) == 0 {
		return single
	}
	return shared[c.rng.IntN(len(shared))]
}

func (c *client) ttl() time.Duration {
	return c.ShortestTTL + time.Duration(c.rng.Int64N(int64((c.LongestTTL-c.ShortestTTL)/time.Second)+1))*time.Second
}

// act makes one call or, with a claim of its own, a few.
func (c *client) act() error {
	queue := c.queue()
	switch p := c.rng.IntN(100); {
	case p < 30:
		return c.post()
	case p < 50:
		return c.claim(queue)
	case p < 55:
		return c.pop(queue)
	case p < 58 && c.Pass != nil:
		most := c.LongestTTL >> c.rng.IntN(6)
		c.Pass(time.Duration(c.rng.Int64N(int64(most/time.Millisecond))) * time.Millisecond)
		return nil
	case p < 62:
		return c.look(queue)
	case p < 66:
		return c.remove(queue, c.any(queue), "")
	}
	g := c.grip(queue)
	if g == nil {
		return c.claim(queue)
	}
	switch p := c.rng.IntN(100); {
	case p < 30:
		return c.renew(queue, g)
	case p < 40:
		return c.held(queue, g)
	case p < 52:
		return c.release(queue, g)
	case p < 60:
		return c.remove(queue, c.any(queue), g.id) // most likely of another claim
	default:
		return c.remove(queue, c.pick(g.ids), g.id)
	}
}

// grip chooses one of the last claims of the queue: live or dead, and as
// likely as not somebody else's.
func (c *client) grip(queue string) *grip {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.claims[queue]
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1-c.rng.IntN(min(len(all), c.Clients))]
}

// any chooses a message of the queue.
func (c *client) any(queue string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pick(c.there[queue])
}

func (c *client) pick(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[c.rng.IntN(len(ids))]
}

// gone takes in that messages need not be asked for any more. Some are, all
// the same.
func (c *client) gone(queue string, ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.there[queue] = slices.DeleteFunc(c.there[queue], func(id string) bool {
		return slices.Contains(ids, id) && c.rng.IntN(20) > 0
	})
}

func (c *client) post() error {
	queues := append([]string{single}, shared...)
	queue := queues[c.rng.IntN(len(queues))]
	c.mu.Lock()
	full := len(c.there[queue]) > backlog
	c.mu.Unlock()
	if full {
		return c.take(queue)
	}
	var bodies []string
	for range 1 + c.rng.IntN(4) {
		c.posted++
		bodies = append(bodies, fmt.Sprintf("%d-%d", c.n, c.posted))
	}
	call := c.history.begin(c.n, post, queue)
	ids, err := c.target.Post(c.ctx, queue, bodies)
	if err == nil && len(ids) != len(bodies) {
		err = fmt.Errorf("%d ids for %d messages", len(ids), len(bodies))
	}
	if err != nil {
		return err
	}
	for i, id := range ids {
		call.got = append(call.got, Message{id, bodies[i]})
	}
	c.history.end(call)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.there[queue] = append(c.there[queue], ids...)
	return nil
}

// take makes room in a queue, unless it is another client's to take from.
func (c *client) take(queue string) error {
	if queue == single && c.n != 0 {
		return nil
	}
	return c.pop(queue)
}

func (c *client) claim(queue string) error {
	call := c.history.begin(c.n, claim, queue)
	call.ttl, call.limit = c.ttl(), 1+c.rng.IntN(5)
	id, got, err := c.target.Claim(c.ctx, queue, call.ttl, call.limit)
	if err == nil && (id == "") != (len(got) == 0) {
		err = fmt.Errorf("claim %q of %d messages", id, len(got))
	}
	if err != nil {
		return err
	}
	call.claim, call.got = id, got
	c.history.end(call)
	if id != "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.claims[queue] = append(c.claims[queue], &grip{id: id, ids: idsOf(got)})
	}
	return nil
}

func idsOf(list []Message) []string {
	var ids []string
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return ids
}

func (c *client) pop(queue string) error {
	call := c.history.begin(c.n, pop, queue)
	call.limit = 1 + c.rng.IntN(3)
	var err error
	if call.got, err = c.target.Pop(c.ctx, queue, call.limit); err != nil {
		return err
	}
	c.history.end(call)
	c.gone(queue, idsOf(call.got)...)
	return nil
}

func (c *client) renew(queue string, g *grip) error {
	call := c.history.begin(c.n, renew, queue)
	call.claim, call.ttl = g.id, c.ttl()
	var err error
	if call.ok, err = c.target.Renew(c.ctx, queue, g.id, call.ttl); err != nil {
		return err
	}
	c.history.end(call)
	return nil
}

func (c *client) held(queue string, g *grip) error {
	call := c.history.begin(c.n, held, queue)
	call.claim = g.id
	var err error
	if call.got, call.ok, err = c.target.Held(c.ctx, queue, g.id); err != nil {
		return err
	}
	c.history.end(call)
	return nil
}

func (c *client) release(queue string, g *grip) error {
	call := c.history.begin(c.n, release, queue)
	call.claim = g.id
	if err := c.target.Release(c.ctx, queue, g.id); err != nil {
		return err
	}
	c.history.end(call)
	return nil
}

func (c *client) remove(queue, id, claim string) error {
	if id == "" {
		return nil
	}
	call := c.history.begin(c.n, remove, queue)
	call.asked, call.claim = []string{id}, claim
	var err error
	if call.ok, err = c.target.Remove(c.ctx, queue, id, claim); err != nil {
		return err
	}
	c.history.end(call)
	if call.ok {
		c.gone(queue, id)
	}
	return nil
}

func (c *client) look(queue string) error {
	call := c.history.begin(c.n, look, queue)
	for range 3 {
		if id := c.any(queue); id != "" && !slices.Contains(call.asked, id) {
			call.asked = append(call.asked, id)
		}
	}
	if len(call.asked) == 0 {
		return nil
	}
	var err error
	if call.got, err = c.target.Look(c.ctx, queue, call.asked); err != nil {
		return err
	}
	c.history.end(call)
	return nil
}

// drain ends all claims and takes what is there until there is nothing.
func (c *client) drain() error {
	if len(c.errs) > 0 {
		return nil
	}
	if c.Pass != nil {
		c.Pass(c.LongestTTL + c.Slack + time.Second)
	}
	for _, queue := range append([]string{single}, shared...) {
		for _, g := range c.claims[queue] {
			if c.Pass == nil {
				if err := c.release(queue, g); err != nil {
					return err
				}
			}
		}
		for before := -1; before != c.history.Len(); {
			before = c.history.Len()
			if err := c.claim(queue); err != nil {
				return err
			}
			last := c.history.calls[before]
			for _, m := range last.got {
				if err := c.remove(queue, m.ID, last.claim); err != nil {
					return err
				}
			}
			if len(last.got) == 0 {
				break
			}
		}
	}
	return nil
}
