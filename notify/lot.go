package notify

import (
	"context"
	"sync"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/storage"
)

// lot is what one claim holds.
type lot struct {
	part    messaging.QueueRef
	claim   messaging.ClaimID
	until   time.Time // the end of its lease
	source  *source
	lane    *lane // of a backlog's; nil: it came from the outbox
	open    int   // items that have not ended
	entries int   // items that are not removed yet
}

// item is one entry of an outbox or a backlog.
type item struct {
	lot       *lot
	entry     messaging.MessageID
	envelope  delivery.Envelope // Attempts are those before this claim
	key, sum  string            // as stored
	body      []byte            // plain
	size      int               // what it counts for in memory
	jobs      int               // that have not ended, and the fan-out
	rendering sync.Once
	text      []byte // see document
}

// post is what was posted together, as far as it is in one lot.
type post struct {
	items     []*item
	continues bool // the beginning was in the lot before
}

// terms are those of every claim.
func (n *Notifier) terms(limit int) storage.Terms {
	return storage.Terms{TTL: int64(n.config.Lease / time.Second), Limit: limit}
}

// claimLot claims what is in the outbox, and reports whether there was some.
func (n *Notifier) claimLot(ctx context.Context, s *source) (some bool, err error) {
	n.mu.Lock()
	limit := s.most()
	n.mu.Unlock()
	l, err := n.data.Claim(ctx, s.ref.In(messaging.Outbox), n.terms(limit))
	if err != nil || len(l.Messages) == 0 {
		return false, err
	}
	lot := &lot{part: s.ref.In(messaging.Outbox), claim: l.Claim.ID, until: l.Claim.Expires, source: s}
	f := &fanning{lot: lot, page: pageSize}
	var circling []*item
	for i := range l.Messages {
		m := &l.Messages[i]
		c, err := storage.ReadCopy(m.Body)
		if err != nil {
			n.log.Error("an entry of an outbox cannot be read and is left out", "project", s.ref.Project, "queue", s.ref.Name, "entry", m.ID, "error", err)
			continue
		}
		it := &item{lot: lot, entry: m.ID, key: m.Key, sum: m.Checksum, jobs: 1, envelope: delivery.Envelope{
			Kind: delivery.Notification, Message: c.ID, Index: c.Index, TTL: c.TTL, Delay: c.Delay, Posted: m.Posted,
			Attempts: m.Claims - 1, Note: delivery.ReadNote(c.Note), Body: c.Body,
		}}
		if !n.unseal(s.ref.Project, it) {
			continue
		}
		if it.envelope.Note.Hops > delivery.MaxHops {
			circling = append(circling, it) // in a circle: it goes no further
			continue
		}
		if c.Index == 0 || len(f.posts) == 0 {
			f.posts = append(f.posts, &post{continues: c.Index > 0})
		}
		p := f.posts[len(f.posts)-1]
		p.items = append(p.items, it)
		f.bytes += len(it.body)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s.sized(l.Messages)
	for _, p := range f.posts {
		n.admit(lot, p.items)
	}
	n.admit(lot, circling)
	for _, it := range circling {
		n.endJob(it)
	}
	if lot.open > 0 {
		s.fanning = f
	} else {
		n.setAlarm(&s.alarm, lot.until)
	}
	return true, nil
}

// most is how many entries are claimed at once. The caller holds n.mu.
func (s *source) most() int { return min(max(lotBytes/max(s.size, 1), 1), lotSize) }

// sized looks how large entries are. The caller holds n.mu.
func (s *source) sized(entries []messaging.Message) {
	bytes := 0
	for i := range entries {
		bytes += len(entries[i].Body)
	}
	s.size = (3*s.size + bytes/len(entries)) / 4
}

// unseal makes the body plain. Where that fails the entry stays where it is, to
// be claimed again when the lease has ended: a key may come back.
func (n *Notifier) unseal(p messaging.Project, it *item) bool {
	m := messaging.Message{ID: it.envelope.Message, Body: it.envelope.Body, Key: it.key, Checksum: it.sum}
	if err := n.open(p, &m); err != nil {
		n.log.Error("a message cannot be decrypted and waits for its key", "project", p, "message", it.envelope.Message, "error", err)
		return false
	}
	it.body = m.Body
	it.size = 2*len(it.envelope.Body) + perItem
	if it.key != "" {
		it.size += len(it.body)
	}
	return true
}

// perItem is what an item takes beside its message.
const perItem = 512

// admit counts the items of a lot. The caller holds n.mu.
func (n *Notifier) admit(l *lot, items []*item) {
	if len(items) == 0 {
		return
	}
	if l.entries == 0 {
		n.lots[l] = true
		l.source.lots++
		n.counters.lots.Add(1)
	}
	l.open += len(items)
	l.entries += len(items)
	for _, it := range items {
		n.load.bytes += it.size
		l.source.account.bytes += it.size
	}
}

// endJob ends one job of an item, and with the last one the item. The caller
// holds n.mu.
func (n *Notifier) endJob(it *item) {
	if it.jobs--; it.jobs > 0 {
		return
	}
	l := it.lot
	n.load.bytes -= it.size
	l.source.account.bytes -= it.size
	n.discard(it)
	if l.open--; l.open == 0 && l.lane != nil {
		n.drained(l.lane)
	}
}

// document renders what is sent, once for all subscribers.
func (it *item) document(queue string) []byte {
	it.rendering.Do(func() {
		if e := &it.envelope; e.Kind == delivery.Notification {
			it.text = delivery.AppendDocument(make([]byte, 0, len(it.body)+len(queue)+96), queue, e.TTL, e.Delay, it.body)
		} else {
			it.text = it.body
		}
	})
	return it.text
}
