package embedded

import (
	"context"
	"math"

	"zaqar/storage"
)

// Sweep implements storage.Lifecycle.
func (s *Store) Sweep(ctx context.Context) (storage.Swept, error) {
	if err := s.enter(ctx); err != nil {
		return storage.Swept{}, err
	}
	s.sweep(s.now())
	if err := s.sweepSubscriptions(); err != nil {
		return storage.Swept{}, err
	}
	return storage.Swept{
		Messages:      news(&s.swept.messages, &s.told.messages),
		Claims:        news(&s.swept.claims, &s.told.claims),
		Subscriptions: news(&s.swept.subscriptions, &s.told.subscriptions),
	}, nil
}

// watch has the sweeper look at the queue when something in it expires. The
// caller holds q.mu.
func (q *queue) watch() {
	due := q.soonest
	if len(q.expiry.items) > 0 {
		due = min(due, q.expiry.items[0].at)
	}
	if due == math.MaxInt64 || q.watched != 0 && q.watched <= due {
		return
	}
	q.watched = max(due, 1)
	a := q.account
	a.mu.Lock()
	a.watches.push(q.watched, q)
	q.store.watchAccount(a)
	a.mu.Unlock()
}

// watchAccount has the sweeper look at the account when something in one of its
// queues expires. The caller holds a.mu.
func (s *Store) watchAccount(a *account) {
	if len(a.watches.items) == 0 {
		return
	}
	due := a.watches.items[0].at
	if a.watched != 0 && a.watched <= due {
		return
	}
	a.watched = due
	s.watchmu.Lock()
	s.watches.push(due, a)
	s.watchmu.Unlock()
}

// sweepSlack is by how many ms the housekeeper lags behind the clock, so that
// expired messages of a busy queue are swept in lots.
const sweepSlack = 1000

// sweep reclaims what has expired, visiting only queues that have some.
// due is the instant by which they had to be expired, ms.
func (s *Store) sweep(due int64) {
	now := s.now()
	var found []*account
	s.watchmu.Lock()
	for s.watches.due(due) {
		found = append(found, s.watches.pop())
	}
	s.watchmu.Unlock()
	for _, a := range found {
		s.sweepAccount(a, due, now)
	}
}

// sweepAccount does so in the queues of one project. Nobody else is at it when
// it returns.
func (s *Store) sweepAccount(a *account, due, now int64) {
	a.sweeping.Lock()
	defer a.sweeping.Unlock()
	var found []heapItem[*queue]
	a.mu.Lock()
	for a.watches.due(due) {
		found = append(found, a.watches.items[0])
		a.watches.pop()
	}
	if a.watched <= due {
		a.watched = 0
		s.watchAccount(a)
	}
	a.mu.Unlock()
	for _, w := range found {
		q := w.value
		q.mu.Lock()
		if q.watched == w.at {
			q.watched = 0
			q.catchUp(now)
			q.watch()
		}
		q.mu.Unlock()
	}
}
