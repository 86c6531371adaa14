package age

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded"
)

// letter is what an owner knows of a message. Its life ends at some time from
// least to most: a renewal may have come a moment sooner or later.
type letter struct {
	body        string // begins with it
	least, most int64  // ms
	leased      int64  // surely under a claim until then, ms
}

// box is a queue and what must be in it. One goroutine uses it at a time.
type box struct {
	store   *embedded.Store
	clock   *clock
	ref     messaging.QueueRef
	made    int
	letters map[messaging.MessageID]*letter
	order   []messaging.MessageID // as posted; may name some that are gone
}

func newBox(s *embedded.Store, c *clock, project, name string) *box {
	return &box{store: s, clock: c, ref: messaging.QueueRef{Project: messaging.Project(project), Name: name},
		letters: make(map[messaging.MessageID]*letter)}
}

const owner = messaging.ClientID("30387f00-39a0-11e2-be4b-a8d15f34bae2")

var padding = strings.Repeat("x", 16<<10)

// post adds n messages.
func (b *box) post(n, size int, ttl, delay int64) error {
	drafts := make([]messaging.Draft, n)
	heads := make([]string, n)
	for i := range drafts {
		b.made++
		heads[i] = fmt.Sprintf(`"%s/%d/`, b.ref.Name, b.made)
		drafts[i] = messaging.Draft{TTL: ttl, Delay: delay, Body: []byte(heads[i] + padding[:size] + `"`)}
	}
	from := b.clock.ms.Load()
	put, err := b.store.Append(context.Background(), b.ref, owner, drafts, storage.AppendOptions{})
	ids := put.IDs
	if err != nil {
		return err
	}
	to := b.clock.ms.Load()
	for i, id := range ids {
		b.letters[id] = &letter{body: heads[i], least: from + ttl*1000, most: to + ttl*1000}
	}
	b.order = append(b.order, ids...)
	return nil
}

// gone notes that messages were deleted.
func (b *box) gone(ids []messaging.MessageID) {
	for _, id := range ids {
		delete(b.letters, id)
	}
}

// known checks a message that the store handed out after the instant from.
func (b *box) known(m *messaging.Message, from int64) (*letter, error) {
	l := b.letters[m.ID]
	switch {
	case l == nil:
		return nil, fmt.Errorf("%v: message %s is deleted or was never there: %.30s", b.ref, m.ID, m.Body)
	case l.most <= from:
		return nil, fmt.Errorf("%v: message %s was handed out %d ms after it expired", b.ref, m.ID, from-l.most)
	case !strings.HasPrefix(string(m.Body), l.body):
		return nil, fmt.Errorf("%v: message %s is not what was posted: %.30s", b.ref, m.ID, m.Body)
	}
	return l, nil
}

// claim leases messages and notes their new lives.
func (b *box) claim(terms storage.Terms) (storage.Lease, error) {
	from := b.clock.ms.Load()
	got, err := b.store.Claim(context.Background(), b.ref, terms)
	if err != nil {
		return got, err
	}
	to := b.clock.ms.Load()
	for _, list := range [][]messaging.Message{got.Messages, got.Spent} {
		for i := range list {
			l, err := b.known(&list[i], from)
			if err != nil {
				return got, err
			}
			if l.leased > to {
				return got, fmt.Errorf("%v: message %s was claimed twice", b.ref, list[i].ID)
			}
			l.leased = from + terms.TTL*1000
			l.least = list[i].Expires.UnixMilli()
			l.most = l.least
		}
	}
	return got, nil
}

// renew prolongs a claim on the messages. It may have expired.
func (b *box) renew(id messaging.ClaimID, held []messaging.MessageID, terms storage.Terms) error {
	from := b.clock.ms.Load()
	err := b.store.Renew(context.Background(), b.ref, id, terms)
	if errors.Is(err, messaging.NotFound) {
		return nil
	}
	to := b.clock.ms.Load()
	for _, m := range held {
		if l := b.letters[m]; l != nil && err == nil {
			l.leased = from + terms.TTL*1000
			l.most = max(l.most, to+(terms.TTL+terms.Grace)*1000)
			if l.least < from+terms.TTL*1000 && l.least > to {
				l.least = from + (terms.TTL+terms.Grace)*1000
			}
		}
	}
	return err
}

// release ends a claim on the messages.
func (b *box) release(id messaging.ClaimID, held []messaging.MessageID) error {
	for _, m := range held {
		if l := b.letters[m]; l != nil {
			l.leased = 0
		}
	}
	_, err := b.store.Release(context.Background(), b.ref, id)
	return err
}

// remove deletes messages on a condition, which may fail for good reason.
func (b *box) remove(ids []messaging.MessageID, hold storage.Hold) error {
	err := b.store.Remove(context.Background(), b.ref, ids, hold)
	if errors.Is(err, messaging.Claimed) || errors.Is(err, messaging.NotClaimed) {
		return nil
	}
	if err == nil {
		b.gone(ids)
	}
	return err
}

// pop takes messages.
func (b *box) pop(n int) error {
	from := b.clock.ms.Load()
	list, err := b.store.Pop(context.Background(), b.ref, storage.Take{Limit: n})
	for i := range list {
		if _, err := b.known(&list[i], from); err != nil {
			return err
		}
		delete(b.letters, list[i].ID)
	}
	return err
}

// bury moves messages that a claim holds to another box, all or none if it has
// ended. Their lives must be longer than the claim.
func (b *box) bury(ids []messaging.MessageID, claim messaging.ClaimID, to *box, ttl int64) error {
	from := b.clock.ms.Load()
	n, err := b.store.Move(context.Background(), b.ref, ids, claim, to.ref, ttl)
	if err != nil || n == 0 {
		return err
	}
	if n != len(ids) {
		return fmt.Errorf("%v: %d of %d messages moved", b.ref, n, len(ids))
	}
	for _, id := range ids {
		l := b.letters[id]
		delete(b.letters, id)
		l.least, l.most, l.leased = from+ttl*1000, b.clock.ms.Load()+ttl*1000, 0
		to.letters[id] = l
		to.order = append(to.order, id)
	}
	return nil
}

// recent returns n of the messages last posted, from the k-th on backwards.
func (b *box) recent(k, n int) (ids []messaging.MessageID) {
	if len(b.order) > 100_000 {
		b.order = append([]messaging.MessageID(nil), b.order[len(b.order)-20_000:]...)
	}
	end := max(0, len(b.order)-k)
	return b.order[max(0, end-n):end]
}

// audit compares the queue with the ledger while the clock stands still.
func (b *box) audit() error {
	now := b.clock.ms.Load()
	seen := make(map[messaging.MessageID]bool, len(b.letters))
	after := messaging.Position(0)
	for {
		page, err := b.store.Scan(context.Background(), b.ref, storage.Scan{After: after, Limit: 1000, Claimed: true, Delayed: true})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			if page[i].Position <= after {
				return fmt.Errorf("%v: message %s at %d behind %d", b.ref, page[i].ID, page[i].Position, after)
			}
			after = page[i].Position
			seen[page[i].ID] = true
			if _, err := b.known(&page[i], now); err != nil {
				return err
			}
		}
	}
	for id, l := range b.letters {
		if l.least > now && !seen[id] {
			return fmt.Errorf("%v: message %s is lost %v before its time", b.ref, id, time.Duration(l.least-now)*time.Millisecond)
		}
		if !seen[id] {
			delete(b.letters, id)
		}
	}
	tally, err := b.store.Tally(context.Background(), b.ref)
	if err == nil && tally.Total != len(seen) {
		err = fmt.Errorf("%v: %d messages counted, %d listed", b.ref, tally.Total, len(seen))
	}
	return err
}
