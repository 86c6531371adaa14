package memory

import (
	"bytes"
	"context"
	"slices"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// box is what one queue holds at the instant now, which nothing in it has
// expired by.
type box struct {
	now      time.Time
	messages []*messaging.Message // by position
	claims   map[messaging.ClaimID]*messaging.Claim
}

// in runs do alone on the box of the queue.
func (s *Store) in(ctx context.Context, q messaging.QueueRef, do func(*box) error) error {
	return s.locked(ctx, func() error {
		defer s.forgetEmpty(q)
		return do(s.expireMessages(q, s.now()))
	})
}

// expireMessages drops the expired messages and dissolves the expired claims
// of the queue. It returns its box, a new one if there was none.
func (s *Store) expireMessages(q messaging.QueueRef, now time.Time) *box {
	b := s.messages[q]
	if b == nil {
		b = &box{claims: map[messaging.ClaimID]*messaging.Claim{}}
		s.messages[q] = b
	}
	b.now = now
	for id, c := range b.claims {
		if expired(c.Expires, now) {
			b.dissolve(id)
			s.swept.Claims++
		}
	}
	before := len(b.messages)
	b.messages = slices.DeleteFunc(b.messages, func(m *messaging.Message) bool { return expired(m.Expires, now) })
	s.swept.Messages += before - len(b.messages)
	return b
}

// forgetEmpty drops a box that holds nothing.
func (s *Store) forgetEmpty(q messaging.QueueRef) {
	if b := s.messages[q]; b != nil && len(b.messages) == 0 && len(b.claims) == 0 {
		delete(s.messages, q)
	}
}

func expired(at, now time.Time) bool { return !now.Before(at) }

// Append implements storage.Messages.
func (s *Store) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (out storage.Appended, err error) {
	if len(drafts) == 0 {
		return out, nil
	}
	err = s.locked(ctx, func() error {
		for i, to := range append([]messaging.QueueRef{q}, o.Also...) {
			ids := s.append(to, by, drafts)
			if i == 0 {
				out.IDs = ids
			}
			if o.Announce != nil && s.subscriptions[to] != nil {
				s.append(to.In(messaging.Outbox), by, copies(drafts, ids, o.Announce))
				out.Announced = true
			}
		}
		return nil
	})
	return out, err
}

// append puts the drafts at the end of the queue.
func (s *Store) append(q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft) (ids []messaging.MessageID) {
	b := s.expireMessages(q, s.now())
	defer s.forgetEmpty(q)
	for _, d := range drafts {
		n := s.next()
		m := &messaging.Message{
			ID:       messaging.MessageID(s.id(n)),
			Position: messaging.Position(n),
			Poster:   by,
			Posted:   b.now,
			TTL:      d.TTL,
			Expires:  after(b.now, d.TTL),
			Body:     bytes.Clone(d.Body),
			Key:      d.Key,
			Checksum: d.Checksum,
		}
		if d.Delay > 0 {
			m.Available = after(b.now, d.Delay)
		}
		b.messages = append(b.messages, m)
		ids = append(ids, m.ID)
	}
	return ids
}

// copies makes of drafts with the ids what goes to an outbox.
func copies(drafts []messaging.Draft, ids []messaging.MessageID, a *storage.Announcement) (list []messaging.Draft) {
	for i, d := range drafts {
		body := append(storage.AppendCopy(nil, ids[i], i, &d, a.Note), d.Body...)
		list = append(list, messaging.Draft{TTL: a.TTL, Body: body, Key: d.Key, Checksum: d.Checksum})
	}
	return list
}

// Scan implements storage.Messages.
func (s *Store) Scan(ctx context.Context, q messaging.QueueRef, f storage.Scan) (found []messaging.Message, err error) {
	err = s.in(ctx, q, func(b *box) error {
		start, known := s.start(b, f)
		if !known {
			return nil
		}
		for _, m := range b.messages {
			if len(found) < f.Limit && m.Position > start && b.shows(m, f) {
				found = append(found, *m)
			}
		}
		return nil
	})
	return found, err
}

// start returns the place after which a scan begins, and false for an id that
// was never given out. An id that is not in the queue has the place of its
// number.
func (s *Store) start(b *box, f storage.Scan) (messaging.Position, bool) {
	if f.AfterID == "" {
		return f.After, true
	}
	if m := b.find(f.AfterID); m != nil {
		return m.Position, true
	}
	n, given := s.numberOf(string(f.AfterID))
	return messaging.Position(n), given
}

func (b *box) shows(m *messaging.Message, f storage.Scan) bool {
	return (f.Claimed || m.Claim == "") &&
		(f.Delayed || !b.delayed(m)) &&
		(f.Hide == "" || f.Hide != m.Poster)
}

// Fetch implements storage.Messages.
func (s *Store) Fetch(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID) (found []messaging.Message, err error) {
	err = s.in(ctx, q, func(b *box) error {
		found = values(b.findAll(ids))
		return nil
	})
	return found, err
}

// Remove implements storage.Messages.
func (s *Store) Remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) error {
	return s.in(ctx, q, func(b *box) error {
		found := b.findAll(ids)
		if err := check(found, hold); err != nil {
			return err
		}
		b.remove(found)
		return nil
	})
}

// check returns why the messages may not be deleted, or nil.
func check(messages []*messaging.Message, hold storage.Hold) error {
	unclaimed := false
	for _, m := range messages {
		fits := !hold.Unclaimed && (len(hold.By) == 0 || slices.Contains(hold.By, m.Claim))
		switch {
		case m.Claim != "" && !fits:
			return messaging.E(messaging.Claimed, "The message is claimed.")
		case m.Claim == "" && len(hold.By) > 0:
			unclaimed = true
		}
	}
	if unclaimed {
		return messaging.E(messaging.NotClaimed, "The message is not claimed.")
	}
	return nil
}

// Pop implements storage.Messages.
func (s *Store) Pop(ctx context.Context, q messaging.QueueRef, t storage.Take) (popped []messaging.Message, err error) {
	err = s.in(ctx, q, func(b *box) error {
		openable := slices.DeleteFunc(b.available(t.Delayed), func(m *messaging.Message) bool {
			return m.Key != "" && !slices.Contains(t.Keys, m.Key)
		})
		taken := page(openable, t.Limit)
		b.remove(taken)
		popped = values(taken)
		return nil
	})
	return popped, err
}

// Move implements storage.Messages.
func (s *Store) Move(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, held messaging.ClaimID, to messaging.QueueRef, ttl int64) (moved int, err error) {
	err = s.in(ctx, q, func(b *box) error {
		if b.claims[held] == nil {
			return nil
		}
		found := slices.DeleteFunc(b.findAll(ids), func(m *messaging.Message) bool { return m.Claim != held })
		b.remove(found)
		target := s.expireMessages(to, b.now)
		defer s.forgetEmpty(to)
		for _, m := range found {
			m.Position = messaging.Position(s.next())
			m.Available, m.Claim, m.Claims = time.Time{}, "", 0
			if ttl > 0 {
				m.TTL, m.Expires = ttl, after(b.now, ttl)
			}
			target.messages = append(target.messages, m)
		}
		moved = len(found)
		return nil
	})
	return moved, err
}

// Tally implements storage.Messages.
func (s *Store) Tally(ctx context.Context, q messaging.QueueRef) (t messaging.Tally, err error) {
	err = s.in(ctx, q, func(b *box) error {
		t.Total = len(b.messages)
		for _, m := range b.messages {
			if m.Claim != "" {
				t.Claimed++
			}
		}
		if t.Total > 0 {
			t.Oldest, t.Newest = outline(b.messages[0]), outline(b.messages[t.Total-1])
		}
		return nil
	})
	return t, err
}

// Volume implements storage.Messages.
func (s *Store) Volume(ctx context.Context) (total, claimed int, err error) {
	err = s.Survey(ctx, func(_ messaging.QueueRef, t, c int) { total, claimed = total+t, claimed+c })
	return total, claimed, err
}

// Survey implements storage.Surveyor.
func (s *Store) Survey(ctx context.Context, each func(q messaging.QueueRef, total, claimed int)) error {
	return s.locked(ctx, func() error {
		now := s.now()
		for q := range s.messages {
			if q.Part != "" {
				continue
			}
			total, claimed := 0, 0
			for _, m := range s.expireMessages(q, now).messages {
				total++
				if m.Claim != "" {
					claimed++
				}
			}
			s.forgetEmpty(q)
			if total > 0 {
				each(q, total, claimed)
			}
		}
		return nil
	})
}

// Parts implements storage.PartLister.
func (s *Store) Parts(ctx context.Context, each func(messaging.QueueRef)) error {
	return s.locked(ctx, func() error {
		for q := range s.messages {
			if q.Part != "" {
				each(q)
			}
		}
		return nil
	})
}

// Stored implements storage.Messages.
func (s *Store) Stored(ctx context.Context, p messaging.Project) (sum messaging.Stored, err error) {
	err = s.locked(ctx, func() error {
		now := s.now()
		for q := range s.messages {
			if q.Project != p || q.Part != "" {
				continue
			}
			for _, m := range s.expireMessages(q, now).messages {
				sum.Messages++
				sum.Bytes += int64(len(m.Body))
			}
			s.forgetEmpty(q)
		}
		return nil
	})
	return sum, err
}

func outline(m *messaging.Message) *messaging.Message {
	return &messaging.Message{ID: m.ID, Posted: m.Posted, TTL: m.TTL}
}

// Purge implements storage.Messages.
func (s *Store) Purge(ctx context.Context, q messaging.QueueRef) error {
	return s.in(ctx, q, func(b *box) error {
		b.messages = slices.DeleteFunc(b.messages, func(m *messaging.Message) bool { return m.Claim == "" })
		return nil
	})
}

// Drop implements storage.Messages.
func (s *Store) Drop(ctx context.Context, q messaging.QueueRef) error {
	return s.in(ctx, q, func(b *box) error {
		b.messages = nil
		clear(b.claims)
		return nil
	})
}

// Due implements storage.Messages. A claimed message is due when its claim
// expires even if its delay goes on, because some readers ignore delays.
func (s *Store) Due(ctx context.Context, q messaging.QueueRef) (due time.Time, some bool, err error) {
	err = s.in(ctx, q, func(b *box) error {
		for _, m := range b.messages {
			at := m.Available
			if m.Claim != "" {
				at = b.claims[m.Claim].Expires
			}
			if at.After(b.now) && at.Before(m.Expires) && (!some || at.Before(due)) {
				due, some = at, true
			}
		}
		return nil
	})
	return due, some, err
}

func (b *box) delayed(m *messaging.Message) bool { return m.Available.After(b.now) }

// available returns the messages that may be claimed or popped, oldest first;
// those whose delay has not elapsed too if delayed is true.
func (b *box) available(delayed bool) []*messaging.Message {
	var list []*messaging.Message
	for _, m := range b.messages {
		if m.Claim == "" && (delayed || !b.delayed(m)) {
			list = append(list, m)
		}
	}
	return list
}

func (b *box) find(id messaging.MessageID) *messaging.Message {
	for _, m := range b.messages {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// findAll returns the messages with the ids in their order, each once.
func (b *box) findAll(ids []messaging.MessageID) []*messaging.Message {
	var found []*messaging.Message
	for _, id := range ids {
		if m := b.find(id); m != nil && !slices.Contains(found, m) {
			found = append(found, m)
		}
	}
	return found
}

// remove takes the messages out of the box, and with them the claims that hold
// nothing else.
func (b *box) remove(gone []*messaging.Message) {
	b.messages = slices.DeleteFunc(b.messages, func(m *messaging.Message) bool { return slices.Contains(gone, m) })
	for _, m := range gone {
		if m.Claim != "" && len(b.held(m.Claim)) == 0 {
			delete(b.claims, m.Claim)
		}
	}
}

func values(messages []*messaging.Message) []messaging.Message {
	var list []messaging.Message
	for _, m := range messages {
		list = append(list, *m)
	}
	return list
}
