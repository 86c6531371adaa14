package broker

import (
	"context"
	"time"

	"zaqar/messaging"
)

// finding is what one look into the store brought.
type finding struct {
	some bool // what was waited for is there
	all  bool // as much as was asked for, so there may be more
}

// await looks until something is found, for at most the given seconds. With 0
// it looks once. After the wait it looks a last time, because another node may
// have changed the store. What is found is kept by look itself; finding
// nothing is no error, and an error of look ends the wait. When ctx ends, the
// wait does at once.
func (b *Broker) await(ctx context.Context, q messaging.QueueRef, claimer bool, seconds int64, look func() (finding, error)) error {
	if found, err := look(); err != nil || found.some || seconds == 0 {
		return err
	}
	hold, err := b.quotas.HoldWait(ctx, q.Project)
	if err != nil {
		return err
	}
	defer hold.Done()
	s := b.waiters.take(q, claimer)
	if s == nil {
		return nil
	}
	defer s.leave()
	if err := s.prepare(ctx); err != nil {
		return fault(err)
	}
	end := time.NewTimer(time.Duration(seconds) * time.Second)
	defer end.Stop()
	for last := false; ; {
		v := s.watch()
		found, err := look()
		if err != nil {
			return err
		}
		s.looked(found.all)
		if found.some || last {
			return nil
		}
		select {
		case <-s.sleep(v):
		case <-end.C:
			last = true
		case <-b.waiters.closing.Done():
			return nil
		case <-ctx.Done():
			return fault(ctx.Err())
		}
	}
}

// Waiting returns how many requests wait for messages now.
func (b *Broker) Waiting() int { return int(b.waiters.seated.Load()) }

// checkWait refuses waits longer than configured.
func (s *setup) checkWait(seconds int64) error {
	return ranged("wait", seconds, 0, s.MaxWait)
}
