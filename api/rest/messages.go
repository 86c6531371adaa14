package rest

import (
	"net/http"
	"strconv"

	"zaqar/api/wire"
	"zaqar/broker"
	"zaqar/messaging"
)

// longestLocation bounds the Location of a post, in bytes. Clients give up on
// header lines beyond 64 KiB; a post of thousands of messages names its first
// ones there and all of them in its body.
const longestLocation = 32 << 10

// postMessages serves http-v2 §8.2.
func (c *call) postMessages() error {
	ids, err := c.post()
	if err != nil {
		return err
	}
	s := c.memory()
	location := append(wire.AppendQueueHref(s.Out[:0], c.queue), "/messages?ids="...)
	for i, id := range ids {
		if len(location)+len(id) > longestLocation {
			break
		}
		if i > 0 {
			location = append(location, ',')
		}
		location = append(location, id...)
	}
	c.locate(location)
	s.Out = location
	return c.json(http.StatusCreated, func(dst []byte) []byte { return wire.AppendPosted(dst, c.queue, ids) })
}

func (c *call) post() ([]messaging.MessageID, error) {
	ctx := c.r.Context()
	posting, err := c.broker.BeginPost(ctx, c.who, c.queue)
	if err != nil {
		return nil, err
	}
	s := c.memory()
	if err := c.read(s, posting.Limit()); err != nil {
		return nil, err
	}
	posts, err := s.Posts(s.In)
	if err != nil {
		return nil, err
	}
	ids, err := posting.Store(ctx, posts)
	c.created = posting.Created()
	if err != nil {
		c.abandon() // the store may still be busy with the bodies, which are parts of s.In
	}
	return ids, err
}

// getMessages serves http-v2 §8.3 and, with ids, §8.4. What is needed only
// before or after a look into the store has a frame of its own: with large ones
// in between, the stacks of requests that wait would outgrow 8 KB.
func (c *call) getMessages() error {
	q := c.parameters()
	if ids, given := list[messaging.MessageID](q, "ids"); given {
		return c.findMessages(ids)
	}
	var in broker.ListMessages
	if err := c.listParameters(q, &in); err != nil {
		return err
	}
	var page broker.Messages
	look := func(w *broker.Waiter) (err error) {
		in.Waiter = w
		page, err = c.broker.ListMessages(c.r.Context(), c.who, c.queue, in)
		return err
	}
	if err := c.look(in.Wait, nil, look); err != nil || c.parked {
		return err
	}
	return c.sendMessages(q, page)
}

// findMessages serves http-v2 §8.4.
func (c *call) findMessages(ids []messaging.MessageID) error {
	found, err := c.broker.GetMessages(c.r.Context(), c.who, c.queue, ids)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendFound(dst, c.queue, found) })
}

// listParameters reads what is to be listed.
//
//go:noinline
func (c *call) listParameters(q *query, in *broker.ListMessages) error {
	*in = broker.ListMessages{
		Limit: q.count("limit"), Marker: q.text("marker"), Echo: q.bool("echo"),
		IncludeClaimed: q.bool("include_claimed"), IncludeDelayed: q.bool("include_delayed"), Wait: q.wait(),
	}
	if q.err != nil {
		return q.err
	}
	if err := c.prepareWait(in.Wait); err != nil {
		return err
	}
	if in.Wait == 0 {
		in.Arena = &c.memory().Bodies
	}
	return nil
}

// sendMessages answers with a page.
//
//go:noinline
func (c *call) sendMessages(q *query, page broker.Messages) error {
	var next []byte
	if n := len(page.List); n > 0 {
		next = c.messagesAfter(q, page.List[n-1].Position)
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendMessages(dst, c.queue, page, next) })
}

// messagesAfter returns the link to the page behind a message. It stands in the
// memory of the request body, which a list has no more use for.
func (c *call) messagesAfter(q *query, last messaging.Position) []byte {
	s := c.memory()
	next := nextPage{append(wire.AppendQueueHref(s.In[:0], c.queue), "/messages?"...)}
	next.ints(q, "limit")
	next.bools(q, "echo", "include_claimed", "include_delayed")
	next.ints(q, "wait")
	next.name("marker")
	next.b = strconv.AppendUint(next.b, uint64(last), 10)
	s.In = next.b
	return next.b
}

// getMessage serves http-v2 §8.5.
func (c *call) getMessage() error {
	found, err := c.broker.GetMessage(c.r.Context(), c.who, c.queue, messaging.MessageID(c.vars[1]))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendMessage(dst, c.queue, found) })
}

// deleteMessage serves http-v2 §8.7.
func (c *call) deleteMessage() error {
	q := c.parameters()
	id, claim := messaging.MessageID(c.vars[1]), messaging.ClaimID(q.text("claim_id"))
	if err := c.broker.DeleteMessage(c.r.Context(), c.who, c.queue, id, claim); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// deleteMessages serves http-v2 §8.6: by ids, or pop.
func (c *call) deleteMessages() error {
	q := c.parameters()
	ids, byID := list[messaging.MessageID](q, "ids")
	claims, claimsGiven := list[messaging.ClaimID](q, "claim_ids")
	pop := q.count("pop")
	switch {
	case q.err != nil:
		return q.err
	case claimsGiven && !byID && c.broker.Config().DeleteNeedsClaims:
		return invalid("The parameter claim_ids goes with ids.")
	case byID == (pop != nil):
		return invalid("Exactly one of the parameters ids and pop is required.")
	case byID:
		if err := c.broker.DeleteMessages(c.r.Context(), c.who, c.queue, ids, claims); err != nil {
			return err
		}
		return c.empty(http.StatusNoContent)
	}
	popped, err := c.broker.PopMessages(c.r.Context(), c.who, c.queue, *pop)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendPopped(dst, popped) })
}

// wait returns the seconds a long poll may take; 0 when absent.
func (q *query) wait() int64 {
	if n := q.int("wait"); n != nil {
		q.waits = q.waits || *n > 0
		return *n
	}
	return 0
}

// prepareWait takes what is left of a body off the connection: net/http
// notices that a client goes away only when nothing else is to be read. Who
// waits holds no memory.
func (c *call) prepareWait(seconds int64) error {
	if seconds == 0 {
		return nil
	}
	defer c.forget()
	if c.r.ContentLength == 0 {
		return nil
	}
	return c.read(c.memory(), smallBody)
}
