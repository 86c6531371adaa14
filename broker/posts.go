package broker

import (
	"context"
	"slices"
	"strconv"
	"time"

	"zaqar/internal/checksum"
	"zaqar/messaging"
	"zaqar/storage"
)

// Posting is a post that was let in. What the queue and the configuration said
// then holds until it is stored.
type Posting struct {
	broker *Broker
	setup  *setup
	who    messaging.Caller
	queue  messaging.QueueRef
	record record

	created bool
}

// BeginPost lets a post in, before its body is read.
func (b *Broker) BeginPost(ctx context.Context, who messaging.Caller, q messaging.QueueRef) (Posting, error) {
	defer b.follow(&ctx, who, "BeginPost")()
	s, err := b.enter(ctx, who, q, "messages:create")
	if err != nil {
		return Posting{}, err
	}
	r, err := b.record(ctx, q)
	if err != nil {
		return Posting{}, err
	}
	return Posting{broker: b, setup: s, who: who, queue: q, record: r}, nil
}

// Limit returns how many bytes the body of the post may have: the configured
// maximum or, if smaller, the queue's (http-v2 §8.2).
func (p *Posting) Limit() int64 { return p.setup.postLimit(p.record) }

// Created reports whether Store has created the queue.
func (p *Posting) Created() bool { return p.created }

// Store stores all of the messages or none and returns their ids in order. It
// creates the queue if it is missing, once the posts have passed all checks
// (http-v2 §8.2).
func (p *Posting) Store(ctx context.Context, posts []Post) ([]messaging.MessageID, error) {
	defer p.broker.follow(&ctx, p.who, "StoreMessages")()
	b, q := p.broker, p.queue
	d := b.drafts.Get().(*drafts)
	if err := d.fill(p.setup, q, p.record, posts); err != nil {
		b.recycle(d)
		return nil, err
	}
	hold, err := b.holdDrafts(ctx, q, d)
	if err != nil {
		b.recycle(d)
		return nil, err
	}
	defer hold.Done()
	if err := p.makeQueue(ctx); err != nil {
		b.recycle(d)
		return nil, err
	}
	began := b.now()
	var ids []messaging.MessageID
	err = b.intoQueue(ctx, q, true, func() (err error) {
		put, err := b.data.Append(ctx, q, p.who.Client, d.list, storage.AppendOptions{})
		ids = put.IDs
		return err
	})
	if err != nil {
		return nil, err // the store may still be busy with the drafts
	}
	b.announce(q, d.list, began)
	b.counters.countPosts(d.list)
	b.recycle(d)
	return ids, nil
}

// makeQueue creates the queue of the post if it is missing. Where queues have a
// quota that is asked anew: the body may have taken long, and a queue deleted
// meanwhile needs room like any other.
func (p *Posting) makeQueue(ctx context.Context) error {
	exists := p.record.exists
	if exists && p.broker.quotas != nil {
		now, err := p.broker.record(ctx, p.queue)
		if err != nil {
			return err
		}
		exists = now.exists
	}
	if exists {
		return nil
	}
	created, err := p.broker.createQueue(ctx, p.queue, nil)
	p.created = created
	return err
}

// drafts are what a post makes of its messages, in memory that is used again.
type drafts struct{ list []messaging.Draft }

// keptDrafts is how many drafts room is kept for.
const keptDrafts = 256

// recycle takes back drafts that nobody uses any more.
func (b *Broker) recycle(d *drafts) {
	if cap(d.list) <= keptDrafts {
		clear(d.list) // they would keep bodies alive
		b.drafts.Put(d)
	}
}

// fill makes of posts what is stored.
func (d *drafts) fill(s *setup, q messaging.QueueRef, r record, posts []Post) error {
	if len(posts) == 0 {
		return invalid("messages must hold at least one message.")
	}
	d.list = slices.Grow(d.list[:0], len(posts))[:len(posts)]
	for i := range posts {
		if err := s.draft(&d.list[i], r, i, posts[i]); err != nil {
			return err
		}
	}
	for i := range d.list {
		draft := &d.list[i]
		if s.Checksums && string(draft.Body) != "null" {
			sum, err := checksum.Of(draft.Body)
			if err != nil {
				return messaging.Wrap(messaging.Invalid, nth(i, "body")+" must be JSON.", err)
			}
			draft.Checksum = sum
		}
		if r.Encrypt {
			if err := s.keys.seal(q.Project, draft); err != nil {
				return err
			}
		}
	}
	return nil
}

// draft fills in a draft of the i-th post, checked and with defaults.
func (s *setup) draft(d *messaging.Draft, r record, i int, p Post) error {
	if len(p.Body) == 0 {
		return invalid("%s is missing.", nth(i, "body"))
	}
	*d = messaging.Draft{Body: p.Body, TTL: s.ttl(r)}
	if p.TTL != nil {
		if *p.TTL < minMessageTTL || *p.TTL > s.MaxMessageTTL {
			return ranged(nth(i, "ttl"), *p.TTL, minMessageTTL, s.MaxMessageTTL)
		}
		d.TTL = *p.TTL
	}
	d.Delay = s.delay(r.Settings)
	if d.Delay > 0 && p.Delay != nil {
		if err := checkInteger(nth(i, "delay"), p.Delay, 0, s.MaxMessageDelay); err != nil {
			return err
		}
		d.Delay, _ = messaging.Integer(p.Delay)
	}
	return nil
}

// nth names a field of a posted message in an error.
func nth(i int, field string) string { return "messages[" + strconv.Itoa(i) + "]." + field }

// intoQueue runs put, which stores messages in the queue, and sees to it that
// the queue's record exists before and after, even if someone deletes it
// meanwhile.
func (b *Broker) intoQueue(ctx context.Context, q messaging.QueueRef, exists bool, put func() error) error {
	if !exists {
		if _, err := b.control.CreateQueue(ctx, q, nil); err != nil {
			return fault(err)
		}
	}
	if err := put(); err != nil {
		return fault(err)
	}
	_, err := b.control.Queue(ctx, q)
	if err == nil {
		return nil
	}
	// What is stored is stored: to report a failure now would make the client
	// post it twice.
	gone := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if gone {
		_, err = b.control.Queue(ctx, q)
	}
	if is(err, messaging.NotFound) {
		_, err = b.control.CreateQueue(ctx, q, nil)
	}
	if err != nil {
		b.log.WarnContext(ctx, "cannot tell whether the queue of a new message is listed",
			"project", q.Project, noun(q), q.Name, "error", err)
	}
	return nil
}

// announce wakes those who wait for what was posted.
func (b *Broker) announce(q messaging.QueueRef, drafts []messaging.Draft, began time.Time) {
	available, earliest := 0, int64(0)
	for _, d := range drafts {
		switch {
		case d.Delay == 0:
			available++
		case earliest == 0 || d.Delay < earliest:
			earliest = d.Delay
		}
	}
	b.waiters.arrived(q, available)
	if earliest > 0 {
		b.waiters.expect(q, began.Add(time.Duration(earliest)*time.Second))
	}
}
