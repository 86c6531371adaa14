package quota

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"zaqar/messaging"
)

// Bounds of what is kept of projects.
const (
	// MaxProjects is of how many projects state is kept when nothing of theirs
	// is under way.
	MaxProjects = shards * perShard
	// IdleTime is how long it is kept after the last request.
	IdleTime = time.Minute

	shards   = 64
	perShard = 1024
	sampled  = 8 // how many are looked at to make room for one
)

// account is what is kept of one project.
type account struct {
	project messaging.Project
	pins    atomic.Int32 // who holds it; 0: it may be forgotten
	used    atomic.Int64 // when it was last asked for, ns

	terms    atomic.Pointer[terms] // in force; nil at first
	read     atomic.Int64          // when they were, ns; 0: they are to be read again
	reading  sync.Mutex            // one reads at a time
	requests bucket
	bytes    bucket
	conns    atomic.Int64
	waiting  atomic.Int64
	stock    [stocks]atomic.Pointer[stock] // made when something is limited
}

// of returns the stock of a kind.
func (a *account) of(k kind) *stock {
	if s := a.stock[k].Load(); s != nil {
		return s
	}
	a.stock[k].CompareAndSwap(nil, newStock())
	return a.stock[k].Load()
}

// unpin lets go of the account.
func (a *account) unpin() { a.pins.Add(-1) }

// table finds accounts by project.
type table struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu       sync.RWMutex
	accounts map[messaging.Project]*account
	swept    atomic.Int64 // when those idle were last forgotten, ns
}

func (t *table) init() {
	t.seed = maphash.MakeSeed()
	for i := range t.shards {
		t.shards[i].accounts = map[messaging.Project]*account{}
	}
}

// get returns the account of the project, pinned.
func (t *table) get(p messaging.Project, now int64) *account {
	s := &t.shards[maphash.String(t.seed, string(p))%shards]
	if swept := s.swept.Load(); now-swept >= int64(IdleTime) && s.swept.CompareAndSwap(swept, now) {
		s.sweep(now)
	}
	s.mu.RLock()
	a := s.accounts[p]
	if a != nil {
		a.pins.Add(1)
	}
	s.mu.RUnlock()
	if a == nil {
		a = s.add(p, now)
	}
	a.used.Store(now)
	return a
}

// add makes an account, in place of one that has not been used for long if
// there are many.
func (s *shard) add(p messaging.Project, now int64) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[p]
	if a == nil {
		if len(s.accounts) >= perShard {
			s.makeRoom()
		}
		a = &account{project: p}
		a.used.Store(now)
		s.accounts[p] = a
	}
	a.pins.Add(1)
	return a
}

// makeRoom forgets the one used least recently of some. Those that somebody
// holds stay, and are as many as there are requests and connections at most.
func (s *shard) makeRoom() {
	var oldest *account
	n := 0
	for _, a := range s.accounts { // in an order that differs each time
		if n++; n > sampled {
			break
		}
		if a.pins.Load() == 0 && (oldest == nil || a.used.Load() < oldest.used.Load()) {
			oldest = a
		}
	}
	if oldest != nil {
		delete(s.accounts, oldest.project)
	}
}

// sweep forgets those that are idle and owe nothing. They hold when they are
// asked for the next time what a new one would.
func (s *shard) sweep(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.accounts)
	for p, a := range s.accounts {
		if a.pins.Load() == 0 && now-a.used.Load() >= int64(IdleTime) && a.requests.idle(now) && a.bytes.idle(now) {
			delete(s.accounts, p)
		}
	}
	if before >= 64 && len(s.accounts) < before/4 { // a map keeps the room of its best days
		rest := make(map[messaging.Project]*account, len(s.accounts))
		for p, a := range s.accounts {
			rest[p] = a
		}
		s.accounts = rest
	}
}

// all lists the accounts.
func (t *table) all() (list []*account) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, a := range s.accounts {
			list = append(list, a)
		}
		s.mu.RUnlock()
	}
	return list
}
