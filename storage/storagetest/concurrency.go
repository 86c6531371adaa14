package storagetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"zaqar/messaging"
	"zaqar/storage"
)

func concurrencyPromises() []promise {
	return []promise{
		{"S142 a reader follows eight producers and sees each message once", readerFollowsProducers},
		{"a batch becomes visible at once", batchVisibleAtOnce},
		{"a mixed load loses and duplicates nothing", mixedLoad},
		{"a message is under one live claim at a time", oneHolder},
		{"a claim is renewed or released, not both", renewAgainstRelease},
		{"of concurrent deletes and claims of a message both cannot win", removeAgainstClaim},
		{"queues in parallel do not disturb each other", parallelQueues},
	}
}

func readerFollowsProducers(s *subject) {
	const producers, posts = 8, 25
	var running atomic.Int32
	running.Store(producers)
	var seen []messaging.Message
	s.together(producers+1, func(p int) error {
		if p < producers {
			defer running.Add(-1)
			for i := range posts {
				var batch []messaging.Draft
				for b := range 1 + i%3 {
					batch = append(batch, draft(600, 0, fmt.Sprintf("%d-%d-%d", p, i, b)))
				}
				if _, err := s.Append(s.ctx(), inbox, alice, batch, storage.AppendOptions{}); err != nil {
					return err
				}
			}
			return nil
		}
		var after messaging.Position
		for {
			last := running.Load() == 0
			page, err := s.Scan(s.ctx(), inbox, storage.Scan{After: after, Limit: 7})
			if err != nil || last && len(page) == 0 {
				return err
			}
			if len(page) > 0 {
				after = page[len(page)-1].Position
				seen = append(seen, page...)
			}
			if len(seen) > producers*posts*3 {
				return errors.New("the reader sees more than was posted")
			}
		}
	})
	s.same("what the reader saw and what is there", seen, s.all(inbox))
	if want := producers * (posts/3*6 + 1); len(seen) != want {
		s.Errorf("%d messages, want %d", len(seen), want)
	}
	next := map[byte]int{}
	for _, m := range seen {
		var p, i, b int
		fmt.Sscanf(string(m.Body), "%d-%d-%d", &p, &i, &b)
		if at := i*10 + b; at < next[byte(p)] {
			s.Fatalf("%s comes after a later post of that producer", m.Body)
		} else {
			next[byte(p)] = at + 1
		}
	}
}

func batchVisibleAtOnce(s *subject) {
	const writers, batches, size = 4, 20, 5
	var running atomic.Int32
	running.Store(writers)
	s.together(writers+2, func(w int) error {
		if w < writers {
			defer running.Add(-1)
			for range batches {
				var batch []messaging.Draft
				for i := range size {
					batch = append(batch, draft(600, 0, strconv.Itoa(i)))
				}
				if _, err := s.Append(s.ctx(), inbox, alice, batch, storage.AppendOptions{}); err != nil {
					return err
				}
			}
			return nil
		}
		for running.Load() > 0 {
			n, err := s.visible(w == writers)
			if err != nil {
				return err
			}
			if n%size != 0 {
				return fmt.Errorf("%d messages are visible of batches of %d", n, size)
			}
		}
		return nil
	})
	s.counts(inbox, writers*batches*size, 0)
}

// visible counts the messages a reader sees, by a Scan or a Tally.
func (s *subject) visible(scan bool) (int, error) {
	if scan {
		list, err := s.Scan(s.ctx(), inbox, everything)
		return len(list), err
	}
	t, err := s.Tally(s.ctx(), inbox)
	return t.Total, err
}

// tallySheet counts what was taken of each body.
type tallySheet struct {
	mu    sync.Mutex
	taken map[string]int
}

func (t *tallySheet) add(list []messaging.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range list {
		t.taken[string(m.Body)]++
	}
}

func mixedLoad(s *subject) {
	const producers, posts, size = 3, 40, 5
	sheet := &tallySheet{taken: map[string]int{}}
	var running atomic.Int32
	running.Store(producers)
	work := []func(round int) (more bool, err error){
		func(round int) (bool, error) { return s.consume(sheet, round) },
		func(round int) (bool, error) { return s.consume(sheet, round+1) },
		func(int) (bool, error) {
			list, err := s.Pop(s.ctx(), inbox, storage.Take{Limit: 2})
			sheet.add(list)
			return len(list) > 0, err
		},
		func(int) (bool, error) {
			_, err := s.Sweep(s.ctx())
			return false, err
		},
	}
	s.together(producers+len(work), func(w int) error {
		if w >= producers {
			// Bounded once nothing more is posted: how long that takes is the
			// disk's affair.
			for round, late := 0, 0; late < 1_000_000; round++ {
				last := running.Load() == 0
				if last {
					late++
				}
				more, err := work[w-producers](round)
				if err != nil || last && !more {
					return err
				}
			}
			return errors.New("there is always more")
		}
		defer running.Add(-1)
		for i := range posts {
			var batch []messaging.Draft
			for b := range size {
				batch = append(batch, draft(600, 0, fmt.Sprintf("%d-%d-%d", w, i, b)))
			}
			if _, err := s.Append(s.ctx(), inbox, alice, batch, storage.AppendOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	sheet.add(s.pop(inbox, 10_000)) // what a worker released at the very end
	s.counts(inbox, 0, 0)
	if len(sheet.taken) != producers*posts*size {
		s.Errorf("%d messages were taken, want %d", len(sheet.taken), producers*posts*size)
	}
	for body, n := range sheet.taken {
		if n != 1 {
			s.Errorf("message %s was taken %d times", body, n)
		}
	}
}

// consume claims some messages and deletes them with the claim; every third
// claim it releases instead.
func (s *subject) consume(sheet *tallySheet, round int) (more bool, err error) {
	lease, err := s.Claim(s.ctx(), inbox, storage.Terms{TTL: 60, Limit: 4})
	if err != nil || lease.Claim.ID == "" {
		return false, err
	}
	if round%3 == 0 {
		n, err := s.Release(s.ctx(), inbox, lease.Claim.ID)
		if err == nil && n != len(lease.Messages) {
			err = fmt.Errorf("released %d of %d", n, len(lease.Messages))
		}
		return true, err
	}
	sheet.add(lease.Messages)
	return true, s.Remove(s.ctx(), inbox, ids(lease.Messages), by(lease.Claim.ID))
}

func oneHolder(s *subject) {
	s.post(inbox, 30)
	var mu sync.Mutex
	holder := map[messaging.MessageID]messaging.ClaimID{}
	s.together(8, func(int) error {
		for range 20 {
			lease, err := s.Claim(s.ctx(), inbox, storage.Terms{TTL: 60, Limit: 7})
			if err != nil {
				return err
			}
			mu.Lock()
			for _, m := range lease.Messages {
				if other := holder[m.ID]; other != "" {
					err = fmt.Errorf("%s is under %s and %s", m.ID, other, lease.Claim.ID)
				}
				holder[m.ID] = lease.Claim.ID
			}
			mu.Unlock()
			if err != nil {
				return err
			}
			mu.Lock()
			for _, m := range lease.Messages {
				delete(holder, m.ID)
			}
			mu.Unlock()
			if _, err := s.Release(s.ctx(), inbox, lease.Claim.ID); err != nil {
				return err
			}
		}
		return nil
	})
	s.counts(inbox, 30, 0)
}

func renewAgainstRelease(s *subject) {
	s.post(inbox, 5)
	for range 20 {
		id := s.take(inbox, 5).Claim.ID
		var freed atomic.Int32
		s.together(4, func(i int) error {
			if i%2 == 0 {
				err := s.Renew(s.ctx(), inbox, id, storage.Terms{TTL: 60})
				if errors.Is(err, messaging.NotFound) {
					return nil // released before
				}
				return err
			}
			n, err := s.Release(s.ctx(), inbox, id)
			freed.Add(int32(n))
			return err
		})
		if freed.Load() != 5 {
			s.Fatalf("%d messages were freed by two releases of 5", freed.Load())
		}
		s.dead(inbox, id)
		s.counts(inbox, 5, 0)
	}
}

func removeAgainstClaim(s *subject) {
	for range 30 {
		id := s.post(inbox, 1)[0]
		var removed, claimed atomic.Bool
		s.together(2, func(i int) error {
			if i == 0 {
				err := s.Remove(s.ctx(), inbox, []messaging.MessageID{id}, unclaimed)
				removed.Store(err == nil)
				if errors.Is(err, messaging.Claimed) {
					err = nil
				}
				return err
			}
			lease, err := s.Claim(s.ctx(), inbox, storage.Terms{TTL: 60, Limit: 1})
			claimed.Store(len(lease.Messages) > 0)
			return err
		})
		if removed.Load() == claimed.Load() {
			s.Fatalf("removed %v, claimed %v", removed.Load(), claimed.Load())
		}
		s.remove(inbox, storage.Hold{}, id)
	}
}

func parallelQueues(s *subject) {
	const queues, rounds = 12, 15
	s.together(queues, func(i int) error {
		q := messaging.QueueRef{Project: messaging.Project(fmt.Sprint("p", i%3)), Name: fmt.Sprint("q", i), Topic: i%2 == 0}
		for r := range rounds {
			put, err := s.Append(s.ctx(), q, alice, []messaging.Draft{draft(600, 0, fmt.Sprint(i, "/", r)), draft(600, 0, "x")}, storage.AppendOptions{})
			id := put.IDs
			if err != nil {
				return err
			}
			lease, err := s.Claim(s.ctx(), q, storage.Terms{TTL: 60, Limit: 1})
			if err != nil {
				return err
			}
			if len(lease.Messages) != 1 || lease.Messages[0].ID != id[0] || string(lease.Messages[0].Body) != fmt.Sprint(i, "/", r) {
				return fmt.Errorf("queue %d claims %s, want %s", i, brief(lease.Messages), id[0])
			}
			if err := s.Remove(s.ctx(), q, id[:1], by(lease.Claim.ID)); err != nil {
				return err
			}
			list, err := s.Pop(s.ctx(), q, storage.Take{Limit: 9})
			if err != nil {
				return err
			}
			if len(list) != 1 {
				return fmt.Errorf("queue %d pops %s", i, brief(list))
			}
		}
		return nil
	})
	s.volumeIs(0, 0)
}
