package rest

import (
	"mime"
	"net/http"
	"strings"

	"zaqar/api/wire"
	"zaqar/broker"
	"zaqar/messaging"
)

// listQueues serves http-v2 §7.1.
func (c *call) listQueues() error { return c.listContainers(false) }

// listTopics serves http-v2 §13. Topics have no count: the parameter is
// accepted and ignored.
func (c *call) listTopics() error { return c.listContainers(true) }

func (c *call) listContainers(topics bool) error {
	q := c.parameters()
	in := broker.ListQueues{
		Topics: topics, Limit: q.count("limit"), Marker: q.text("marker"), Name: q.text("name"),
		Count: q.bool("with_count") && !topics, Filters: filters(q.pairs),
	}
	detailed := q.bool("detailed")
	if q.err != nil {
		return q.err
	}
	page, err := c.broker.ListQueues(c.r.Context(), c.who, in)
	if err != nil {
		return err
	}
	out := wire.Queues{Topics: topics, List: page.Queues, Detailed: detailed}
	if in.Count {
		out.Count = &page.Count
	}
	if n := len(page.Queues); n > 0 {
		out.Next = queuesAfter(c.route.path, q, in, page.Queues[n-1].Ref.Name)
	}
	if detailed {
		for i := range out.List {
			out.List[i].Metadata = c.broker.Shown(out.List[i].Ref, out.List[i].Metadata)
		}
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendQueues(dst, out) })
}

// filters makes metadata filters of the parameters with no meaning of their
// own. Of repeated ones the last counts.
func filters(pairs []pair) []broker.Filter {
	var list []broker.Filter
	at := map[string]int{}
	for _, p := range pairs {
		switch p.name {
		case "limit", "marker", "name", "detailed", "with_count":
			continue
		}
		f := broker.Filter{Key: p.name, Value: decoded(p.value)}
		if i, repeated := at[f.Key]; repeated {
			list[i] = f
			continue
		}
		at[f.Key] = len(list)
		list = append(list, f)
	}
	return list
}

func queuesAfter(path string, q *query, in broker.ListQueues, last string) string {
	next := newNextPage(nil, path)
	next.ints(q, "limit")
	next.bools(q, "detailed")
	if in.Name != "" {
		next.add("name", in.Name)
	}
	next.bools(q, "with_count")
	for _, f := range in.Filters {
		next.add(f.Key, f.Value)
	}
	return string(next.href(last))
}

// createQueue serves http-v2 §7.2.
func (c *call) createQueue() error {
	m, err := c.metadata()
	if err != nil {
		return err
	}
	created, err := c.broker.CreateQueue(c.r.Context(), c.who, c.queue, m)
	if err != nil {
		return err
	}
	c.locate(wire.AppendQueueHref(nil, c.queue))
	if created {
		return c.empty(http.StatusCreated)
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) metadata() (*messaging.Metadata, error) {
	s := c.memory()
	if err := c.read(s, c.broker.Config().MaxQueueMetadata); err != nil || len(s.In) == 0 {
		return nil, err
	}
	return s.Metadata(s.In)
}

// showQueue serves http-v2 §7.3.
func (c *call) showQueue() error {
	m, err := c.broker.ShowQueue(c.r.Context(), c.who, c.queue)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, typesJSON, m.JSON())
}

// patchQueue serves http-v2 §7.5.
func (c *call) patchQueue() error {
	ops, err := c.patchOps()
	if err != nil {
		return err
	}
	m, err := c.broker.PatchQueue(c.r.Context(), c.who, c.queue, ops)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, typesJSON, m.JSON())
}

func (c *call) patchOps() ([]broker.PatchOp, error) {
	s := c.memory()
	if err := c.read(s, c.broker.Config().MaxQueueMetadata); err != nil {
		return nil, err
	}
	sent := c.r.Header.Get("Content-Type")
	if t, _, err := mime.ParseMediaType(sent); err != nil || !strings.EqualFold(t, patchType) {
		return nil, &refusal{http.StatusUnsupportedMediaType, "A patch must have the content type " + patchType + ".", patchType}
	}
	if len(s.In) == 0 {
		return nil, invalid("A patch needs a body.")
	}
	return s.Patch(s.In)
}

// deleteQueue serves http-v2 §7.4.
func (c *call) deleteQueue() error {
	if err := c.broker.DeleteQueue(c.r.Context(), c.who, c.queue); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// queueStats serves http-v2 §7.6.
func (c *call) queueStats() error {
	tally, now, err := c.broker.QueueStats(c.r.Context(), c.who, c.queue)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendStats(dst, c.queue, tally, now) })
}

// purgeQueue serves http-v2 §7.7.
func (c *call) purgeQueue() error {
	what, err := c.purge()
	if err != nil {
		return err
	}
	if err := c.broker.PurgeQueue(c.r.Context(), c.who, c.queue, what); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) purge() (broker.Purge, error) {
	s := c.memory()
	if err := c.read(s, smallBody); err != nil {
		return broker.Purge{}, err
	}
	if len(s.In) == 0 {
		return broker.Purge{Messages: true, Subscriptions: true}, nil
	}
	return s.Purge(s.In)
}

// locate sets the Location header.
func (c *call) locate(href []byte) { c.location = string(href) }
