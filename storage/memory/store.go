// Package memory is the reference store: both planes of the storage contract
// in the memory of one process, nothing durable.
//
// It is written to be obviously right, not to be fast. One mutex guards plain
// maps and slices, every operation first drops what has expired, and then
// reads like a sentence of the contract. Subscriptions are indexed all the same:
// tests of others make ten thousands of them. Other stores are compared with it
// (storagetest.Model); tests of other packages use it as their store.
//
// Ids are 24 lower-case hex digits: 8 of the store's random epoch, 16 of a
// number that the store gives out once. A message's Position is its number,
// until Move gives it a new one.
package memory

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// Store implements storage.Data and storage.Control.
type Store struct {
	env   storage.Env
	epoch string // 8 hex digits

	mu     sync.Mutex // guards everything below
	closed bool
	last   uint64 // the last number given out
	swept  storage.Swept

	messages      map[messaging.QueueRef]*box
	subscriptions map[messaging.QueueRef]*subscribers // none is empty between operations
	queues        map[messaging.QueueRef]*messaging.Metadata
	pools         map[string]messaging.Pool
	flavors       map[messaging.FlavorRef]messaging.Flavor
	placements    map[messaging.QueueRef]string
	quotas        map[messaging.Project]messaging.Limits
}

var (
	_ storage.Data       = (*Store)(nil)
	_ storage.Control    = (*Store)(nil)
	_ storage.PartLister = (*Store)(nil)
)

// New returns an empty store.
func New(env storage.Env) *Store {
	return &Store{
		env:           env,
		epoch:         newEpoch(),
		messages:      map[messaging.QueueRef]*box{},
		subscriptions: map[messaging.QueueRef]*subscribers{},
		queues:        map[messaging.QueueRef]*messaging.Metadata{},
		pools:         map[string]messaging.Pool{},
		flavors:       map[messaging.FlavorRef]messaging.Flavor{},
		placements:    map[messaging.QueueRef]string{},
		quotas:        map[messaging.Project]messaging.Limits{},
	}
}

// newEpoch draws the epoch of a store. Its first digit is never 0, so that an
// id without letters still exceeds 64 bits when read as a decimal number.
func newEpoch() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%08x", binary.BigEndian.Uint32(b[:])|1<<31)
}

// Capabilities says that the store keeps order, claims and delivers at least
// once. It is neither durable nor fast.
func (s *Store) Capabilities() []messaging.Capability {
	return []messaging.Capability{messaging.FIFO, messaging.Claims, messaging.AtLeastOnce}
}

// Ping implements storage.Lifecycle.
func (s *Store) Ping(ctx context.Context) error {
	return s.locked(ctx, func() error { return nil })
}

// Sweep implements storage.Lifecycle.
func (s *Store) Sweep(ctx context.Context) (swept storage.Swept, err error) {
	err = s.locked(ctx, func() error {
		now := s.now()
		for q := range s.messages {
			s.expireMessages(q, now)
			s.forgetEmpty(q)
		}
		for q := range s.subscriptions {
			s.expireSubscriptions(q, now)
			s.forgetNobody(q)
		}
		swept, s.swept = s.swept, storage.Swept{}
		return nil
	})
	return swept, err
}

// Close implements storage.Lifecycle.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// locked runs do alone. It does not run it on a closed store or for a caller
// that is gone.
func (s *Store) locked(ctx context.Context, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return messaging.E(messaging.Unavailable, "The store is closed.")
	}
	if err := ctx.Err(); err != nil {
		return messaging.Wrap(messaging.Unavailable, "The request was cancelled.", err)
	}
	return do()
}

// now reads the clock, without the monotonic part that no stored time has.
func (s *Store) now() time.Time { return s.env.Now().Round(0) }

// next gives out a number.
func (s *Store) next() uint64 {
	s.last++
	return s.last
}

// id writes the id with the number.
func (s *Store) id(number uint64) string { return fmt.Sprintf("%s%016x", s.epoch, number) }

// numberOf reads the number of an id that was given out, of whatever sort.
func (s *Store) numberOf(id string) (uint64, bool) {
	digits, ours := strings.CutPrefix(id, s.epoch)
	n, err := strconv.ParseUint(digits, 16, 64)
	given := ours && err == nil && 1 <= n && n <= s.last && s.id(n) == id
	return n, given
}

// after returns the instant the given seconds later, at most the end of time.
func after(now time.Time, seconds int64) time.Time {
	const end = math.MaxInt64 / 1000 // seconds; later instants have no UnixMilli
	sec := now.Unix()
	if seconds > end-sec {
		return time.Unix(end, 0).UTC()
	}
	return time.Unix(sec+seconds, int64(now.Nanosecond())).In(now.Location())
}

// page cuts a list to the limit; 0 leaves nothing.
func page[T any](list []T, limit int) []T {
	return list[:max(0, min(limit, len(list)))]
}
