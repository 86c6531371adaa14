package embedded

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"zaqar/messaging"
)

// PutQuota implements storage.Quotas.
func (s *Store) PutQuota(ctx context.Context, q messaging.Quota) error {
	value := detachedQuota(&q)
	return s.putRecord(ctx, tableQuotas, string(q.Project), &value)
}

// detachedQuota is a copy that shares nothing.
func detachedQuota(q *messaging.Quota) messaging.Quota {
	return messaging.Quota{Project: q.Project, Limits: maps.Clone(q.Limits)}
}

// Quota implements storage.Quotas.
func (s *Store) Quota(ctx context.Context, p messaging.Project) (messaging.Quota, error) {
	return oneRecord(ctx, s, tableQuotas, string(p), detachedQuota, "The project has no quota of its own.")
}

// Quotas implements storage.Quotas.
func (s *Store) Quotas(ctx context.Context, after messaging.Project, limit int) ([]messaging.Quota, error) {
	return manyRecords(ctx, s, tableQuotas, "", string(after), limit, detachedQuota)
}

// DeleteQuota implements storage.Quotas.
func (s *Store) DeleteQuota(ctx context.Context, p messaging.Project) error {
	return s.deleteRecord(ctx, tableQuotas, string(p))
}

// account sums up what a project has in all its queues, and knows when the
// sweeper has to look at them.
type account struct {
	queues   int // that count here; guarded by Store.queuemu
	messages atomic.Int64
	bytes    atomic.Int64 // of their bodies

	sweeping sync.Mutex // held while its queues are brought to the present

	mu      sync.Mutex // taken under queue.mu and before Store.watchmu
	watches heap[*queue]
	watched int64 // when the sweeper looks at the account, ms; 0: not at all
}

// count notes that so many messages with bodies of so many bytes came, or went.
// The caller holds q.mu.
func (q *queue) count(messages int, bytes int64) {
	q.live += messages
	q.bytes += bytes
	if q.account != nil && q.ref.Part == "" { // without account it is being recovered, see join
		q.account.messages.Add(int64(messages))
		q.account.bytes.Add(bytes)
	}
}

// join has the queue count for its project. The caller holds s.queuemu, or is
// alone, as recovery is.
func (s *Store) join(q *queue) {
	a := s.projects[q.ref.Project]
	if a == nil {
		a = new(account)
		s.projects[q.ref.Project] = a
	}
	a.queues++
	q.account = a
	if q.ref.Part == "" {
		a.messages.Add(int64(q.live))
		a.bytes.Add(q.bytes)
	}
}

// part forgets the account of a queue that is gone, if it was the last one. The
// caller holds s.queuemu.
func (s *Store) part(q *queue) {
	if q.account.queues--; q.account.queues == 0 {
		delete(s.projects, q.ref.Project)
	}
}

// Stored implements storage.Messages.
func (s *Store) Stored(ctx context.Context, p messaging.Project) (messaging.Stored, error) {
	if err := s.enter(ctx); err != nil {
		return messaging.Stored{}, err
	}
	s.queuemu.RLock()
	a := s.projects[p]
	s.queuemu.RUnlock()
	if a == nil {
		return messaging.Stored{}, nil
	}
	now := s.now()
	s.sweepAccount(a, now, now)
	return messaging.Stored{Messages: a.messages.Load(), Bytes: a.bytes.Load()}, nil
}
