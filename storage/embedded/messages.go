package embedded

import (
	"context"
	"math"
	"slices"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// Scan implements storage.Messages.
func (s *Store) Scan(ctx context.Context, ref messaging.QueueRef, scan storage.Scan) ([]messaging.Message, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	q := s.lookup(ref)
	if q == nil {
		return nil, nil
	}
	after := uint64(scan.After)
	if scan.AfterID != "" {
		id, ok := s.number(string(scan.AfterID))
		if !ok || id >= s.journal.horizon() {
			return nil, nil
		}
		q.mu.Lock()
		after = q.position(id)
		q.mu.Unlock()
	}
	var out []messaging.Message
	for len(out) < scan.Limit {
		found := q.snapshot(after, scan, scan.Limit-len(out))
		if found.len() == 0 {
			break
		}
		after = found.entries[found.len()-1].pos
		if err := found.hide(ctx, scan.Hide); err != nil {
			return nil, err
		}
		page, err := found.read(ctx, scan.Arena, func(m *messaging.Message) bool { return scan.Hide == "" || m.Poster != scan.Hide })
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = page
		} else {
			out = append(out, page...)
		}
	}
	return out, nil
}

// snapshot picks up to limit entries that match as far as memory can tell.
func (q *queue) snapshot(after uint64, scan storage.Scan, limit int) *picked {
	s := q.store
	hide := scan.Hide != ""
	packed, _ := packClient(scan.Hide)
	hash := s.posterHash(packed)
	now := s.now()
	found := pick(q, limit)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.catchUp(now)
	if after == math.MaxUint64 {
		return found
	}
	q.each(after+1, func(c *chunk, i int) bool {
		e := &c.entries[i]
		switch {
		case !visible(e, now):
		case e.claim != 0 && !scan.Claimed:
		case e.flags&entryDelayed != 0 && !scan.Delayed:
		case hide && e.poster == hash && found.own >= max(limit, 256):
			return false // read what there is before looking further
		default:
			if hide && e.poster == hash {
				found.own++ // probably the caller's own: only the head of its record can tell
			}
			found.take(e)
		}
		return found.len()-found.own < limit
	})
	return found
}

// Fetch implements storage.Messages.
func (s *Store) Fetch(ctx context.Context, ref messaging.QueueRef, ids []messaging.MessageID) ([]messaging.Message, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	q := s.lookup(ref)
	if q == nil {
		return nil, nil
	}
	now := s.now()
	found := pick(q, len(ids))
	q.mu.Lock()
	q.catchUp(now)
	q.resolve(ids, func(c *chunk, i int) {
		if visible(&c.entries[i], now) {
			found.take(&c.entries[i])
		}
	})
	q.mu.Unlock()
	return found.read(ctx, nil, nil)
}

// resolve calls f once for each live entry the ids name, in their order.
func (q *queue) resolve(ids []messaging.MessageID, f func(c *chunk, i int)) {
	var short [32]uint64
	seen := short[:0]
	var more map[uint64]bool // instead, if they are many
	if len(ids) > len(short) {
		more = make(map[uint64]bool, len(ids))
	}
	for _, id := range ids {
		n, ok := q.store.number(string(id))
		if !ok || more[n] || slices.Contains(seen, n) {
			continue
		}
		if more != nil {
			more[n] = true
		} else {
			seen = append(seen, n)
		}
		if c, i, ok := q.lookup(n); ok {
			f(c, i)
		}
	}
}

// Tally implements storage.Messages.
func (s *Store) Tally(ctx context.Context, ref messaging.QueueRef) (messaging.Tally, error) {
	if err := s.enter(ctx); err != nil {
		return messaging.Tally{}, err
	}
	q := s.lookup(ref)
	if q == nil {
		return messaging.Tally{}, nil
	}
	for {
		t, ends := q.tally(s.now())
		if t.Total == 0 {
			return t, nil
		}
		read, err := ends.read(ctx, nil, nil)
		if err != nil {
			return messaging.Tally{}, err
		}
		if len(read) < ends.len() {
			continue // one of the two turned out damaged and is gone now
		}
		for i := range read {
			read[i] = messaging.Message{ID: read[i].ID, Posted: read[i].Posted, TTL: read[i].TTL}
		}
		t.Oldest, t.Newest = &read[0], &read[len(read)-1]
		return t, nil
	}
}

// tally counts, and picks the first and the last message.
func (q *queue) tally(now int64) (messaging.Tally, *picked) {
	ends := pick(q, 2)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.catchUp(now)
	t := messaging.Tally{Total: q.live, Claimed: q.claimed}
	if t.Total == 0 {
		return t, ends
	}
	q.each(0, func(c *chunk, i int) bool {
		ends.take(&c.entries[i])
		return false
	})
	if t.Total > 1 {
		for at := len(q.chunks) - 1; at >= 0; at-- {
			c := q.chunks[at]
			if c.live == 0 {
				continue
			}
			i := len(c.entries) - 1
			for c.entries[i].flags&entryDead != 0 {
				i--
			}
			ends.take(&c.entries[i])
			break
		}
	}
	return t, ends
}

// Due implements storage.Messages.
func (s *Store) Due(ctx context.Context, ref messaging.QueueRef) (time.Time, bool, error) {
	if err := s.enter(ctx); err != nil {
		return time.Time{}, false, err
	}
	q := s.lookup(ref)
	if q == nil {
		return time.Time{}, false, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.catchUp(s.now())
	due := int64(math.MaxInt64)
	if len(q.expiry.items) > 0 {
		due = q.expiry.items[0].at
	}
	if len(q.delays.items) > 0 {
		due = min(due, q.delays.items[0].at)
	}
	if due == math.MaxInt64 {
		return time.Time{}, false, nil
	}
	return time.UnixMilli(due), true, nil
}
