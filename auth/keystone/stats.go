package keystone

import (
	"sync/atomic"
	"time"
)

// Stats is what happened since the start.
type Stats struct {
	Hits         uint64 // tokens found valid in the cache of the process
	RefusedHits  uint64 // tokens found refused in it
	Misses       uint64 // tokens that were not in it; several may wait for one validation
	SharedHits   uint64 // tokens found in memcached
	SharedErrors uint64 // failures of memcached

	// Answers of Keystone about tokens, by outcome, and how long they took
	// together, with logins and further tries.
	Valid, Refused, Failed uint64
	Took                   time.Duration

	Logins, LoginFailures uint64 // of this service at Keystone: what succeeded, and what did not
	Entries               int    // valid tokens in the cache of the process
	RefusedEntries        int    // refused ones
}

type counts struct {
	misses                 atomic.Uint64
	valid, refused, failed atomic.Uint64
	took                   atomic.Int64
}

// Stats returns the counters.
func (i *Identity) Stats() Stats {
	s := Stats{
		Misses: i.counts.misses.Load(),
		Valid:  i.counts.valid.Load(), Refused: i.counts.refused.Load(), Failed: i.counts.failed.Load(),
		Took:   time.Duration(i.counts.took.Load()),
		Logins: i.sessions.logins.Load(), LoginFailures: i.sessions.failures.Load(),
	}
	s.SharedHits, s.SharedErrors = i.shared.count()
	s.Entries, s.Hits = i.valid.count()
	s.RefusedEntries, s.RefusedHits = i.refused.count()
	return s
}
