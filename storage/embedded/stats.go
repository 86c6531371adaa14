package embedded

import (
	"context"
	"sync/atomic"

	"zaqar/internal/histogram"
	"zaqar/messaging"
)

// Stats is what the store has done since it was opened, and how it is, for
// metrics.
type Stats struct {
	Usage
	Written int64              // bytes written to the log
	Batches histogram.Snapshot // operations that one commit made durable
	Syncs   histogram.Snapshot // nanoseconds that the sync of one commit took

	Full   bool // new data is refused until there is room
	Failed bool // a disk error has ended all writing

	Damaged    int   // stretches of the log that opening found unreadable
	Unreadable int64 // messages lost since, because their records are damaged
	Queues     int   // that have held messages and were not dropped

	ExpiredMessages, ExpiredClaims int64 // as they were noticed
}

// Stats reads counters; it takes microseconds, and more with very many
// segments.
func (s *Store) Stats() Stats {
	j := s.journal
	s.queuemu.RLock()
	queues := len(s.queues)
	s.queuemu.RUnlock()
	return Stats{
		Usage: s.Usage(), Written: j.bytes.Load(),
		Batches: j.batches.Snapshot(), Syncs: j.syncs.Snapshot(),
		Full: j.full.Load(), Failed: !s.closed.Load() && j.failed() != nil,
		Damaged: len(s.damage), Unreadable: s.unreadable.Load(), Queues: queues,
		ExpiredMessages: s.swept.messages.Load(), ExpiredClaims: s.swept.claims.Load(),
	}
}

// Volume implements storage.Messages.
func (s *Store) Volume(ctx context.Context) (total, claimed int, err error) {
	err = s.Survey(ctx, func(_ messaging.QueueRef, t, c int) { total, claimed = total+t, claimed+c })
	return total, claimed, err
}

// Survey implements storage.Surveyor.
func (s *Store) Survey(ctx context.Context, each func(q messaging.QueueRef, total, claimed int)) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.queuemu.RLock()
	queues := make([]*queue, 0, len(s.queues))
	for ref, q := range s.queues {
		if ref.Part == "" {
			queues = append(queues, q)
		}
	}
	s.queuemu.RUnlock()
	now := s.now()
	for _, q := range queues {
		q.mu.Lock()
		q.catchUp(now)
		total, claimed := q.live, q.claimed
		q.mu.Unlock()
		if total > 0 {
			each(q.ref, total, claimed)
		}
	}
	return nil
}

// Parts implements storage.PartLister.
func (s *Store) Parts(ctx context.Context, each func(messaging.QueueRef)) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	var parts []messaging.QueueRef
	s.queuemu.RLock()
	for ref := range s.queues {
		if ref.Part != "" {
			parts = append(parts, ref)
		}
	}
	s.queuemu.RUnlock()
	for _, ref := range parts {
		each(ref)
	}
	return nil
}

// counts are what was found expired.
type counts struct{ messages, claims, subscriptions atomic.Int64 }

// news returns how much of a count was not told yet.
func news(count, told *atomic.Int64) int {
	for {
		before := told.Load()
		if now := count.Load(); told.CompareAndSwap(before, now) {
			return int(now - before)
		}
	}
}
