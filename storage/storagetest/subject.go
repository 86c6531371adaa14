package storagetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"zaqar/messaging"
	"zaqar/storage"
)

// subject is the store under test with its clock. Its methods do one operation
// that must succeed; operations that may fail are called on the Store.
type subject struct {
	*testing.T
	Store
	h     Harness
	clock *Clock
	env   storage.Env
}

// The queues and clients most tests use.
var (
	inbox  = messaging.QueueRef{Project: "p1", Name: "inbox"}
	outbox = messaging.QueueRef{Project: "p1", Name: "outbox"}
	alien  = messaging.QueueRef{Project: "p2", Name: "inbox"}
	topic  = messaging.QueueRef{Project: "p1", Name: "inbox", Topic: true}
)

const (
	alice = messaging.ClientID("30387f00-39a0-11e2-be4b-a8d15f34bae2")
	bob   = messaging.ClientID("c0ffee00-39a0-11e2-be4b-a8d15f34bae2")
)

// nonsense are strings that no store ever gave out as an id.
var nonsense = []string{
	"0", "1", "nope", "; DROP TABLE queues", "ffffffffffffffffffffffff", "000000000000000000000000",
	"5d4e2b1a9c8f7e6d5c4b3a29", "..", "a/b", "\x00", "ü",
}

// forever is a lifetime no test outlives, in seconds.
const forever = 1_000_000

// everything shows all unexpired messages.
var everything = storage.Scan{Limit: 1_000_000, Claimed: true, Delayed: true}

func (s *subject) ctx() context.Context { return s.T.Context() }

// restart stops the store and starts it on the same data.
func (s *subject) restart() {
	s.Helper()
	if s.h.Reopen == nil {
		s.Skip("this store does not survive a restart")
	}
	s.Store = s.h.Reopen(s.T, s.env, s.Store)
}

// restartIfItCan restarts stores that survive it, for checks that make sense
// without.
func (s *subject) restartIfItCan() {
	s.Helper()
	if s.h.Reopen != nil {
		s.restart()
	}
}

// pass moves the clock by so many seconds.
func (s *subject) pass(seconds float64) { s.clock.Advance(span(seconds)) }

// span turns seconds into a duration of whole milliseconds, the resolution
// that stores must keep.
func span(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds*1000)) * time.Millisecond
}

func (s *subject) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("unexpected failure: %v", err)
	}
}

// fails checks that an error is of the kind.
func (s *subject) fails(err error, kind messaging.Kind) {
	s.Helper()
	if !errors.Is(err, kind) {
		s.Fatalf("error is %v, want kind %q", err, kind)
	}
}

// same checks that two values are alike. Instants are compared as such, empty
// and nil slices are alike.
func (s *subject) same(what string, got, want any) {
	s.Helper()
	if d := diff(got, want); d != "" {
		s.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func diff(got, want any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

// Messages.

// post appends n messages with the bodies 0, 1, … one by one.
func (s *subject) post(q messaging.QueueRef, n int) []messaging.MessageID {
	s.Helper()
	return s.postAs(q, alice, n)
}

func (s *subject) postAs(q messaging.QueueRef, by messaging.ClientID, n int) []messaging.MessageID {
	s.Helper()
	var ids []messaging.MessageID
	for i := range n {
		ids = append(ids, s.put(q, by, draft(forever, 0, strconv.Itoa(i)))...)
	}
	return ids
}

// put appends one batch.
func (s *subject) put(q messaging.QueueRef, by messaging.ClientID, drafts ...messaging.Draft) []messaging.MessageID {
	s.Helper()
	put, err := s.Append(s.ctx(), q, by, drafts, storage.AppendOptions{})
	ids := put.IDs
	s.ok(err)
	if len(ids) != len(drafts) {
		s.Fatalf("%d ids for %d messages", len(ids), len(drafts))
	}
	return ids
}

func draft(ttl, delay int64, body string) messaging.Draft {
	return messaging.Draft{TTL: ttl, Delay: delay, Body: []byte(body)}
}

func (s *subject) scan(q messaging.QueueRef, f storage.Scan) []messaging.Message {
	s.Helper()
	list, err := s.Scan(s.ctx(), q, f)
	s.ok(err)
	return list
}

// all returns every unexpired message of the queue.
func (s *subject) all(q messaging.QueueRef) []messaging.Message {
	s.Helper()
	return s.scan(q, everything)
}

func (s *subject) fetch(q messaging.QueueRef, ids ...messaging.MessageID) []messaging.Message {
	s.Helper()
	list, err := s.Fetch(s.ctx(), q, ids)
	s.ok(err)
	return list
}

// one fetches a message that must exist.
func (s *subject) one(q messaging.QueueRef, id messaging.MessageID) messaging.Message {
	s.Helper()
	list := s.fetch(q, id)
	if len(list) != 1 || list[0].ID != id {
		s.Fatalf("fetching %s gives %s", id, brief(list))
	}
	return list[0]
}

// gone checks that none of the ids is known in the queue.
func (s *subject) gone(q messaging.QueueRef, ids ...messaging.MessageID) {
	s.Helper()
	if list := s.fetch(q, ids...); len(list) > 0 {
		s.Fatalf("still there: %s", brief(list))
	}
}

func (s *subject) remove(q messaging.QueueRef, hold storage.Hold, ids ...messaging.MessageID) {
	s.Helper()
	s.ok(s.Remove(s.ctx(), q, ids, hold))
}

// refuses checks that a Remove fails with the kind and deletes nothing.
func (s *subject) refuses(kind messaging.Kind, q messaging.QueueRef, hold storage.Hold, ids ...messaging.MessageID) {
	s.Helper()
	before := s.all(q)
	s.fails(s.Remove(s.ctx(), q, ids, hold), kind)
	s.same("messages after a refused delete", s.all(q), before)
}

func (s *subject) pop(q messaging.QueueRef, limit int) []messaging.Message {
	s.Helper()
	list, err := s.Pop(s.ctx(), q, storage.Take{Limit: limit})
	s.ok(err)
	return list
}

func (s *subject) tally(q messaging.QueueRef) messaging.Tally {
	s.Helper()
	t, err := s.Tally(s.ctx(), q)
	s.ok(err)
	return t
}

// counts checks the numbers of a Tally.
func (s *subject) counts(q messaging.QueueRef, free, claimed int) {
	s.Helper()
	t := s.tally(q)
	if t.Free() != free || t.Claimed != claimed || t.Total != free+claimed {
		s.Fatalf("free %d, claimed %d, total %d; want %d, %d, %d", t.Free(), t.Claimed, t.Total, free, claimed, free+claimed)
	}
}

func (s *subject) sweep() storage.Swept {
	s.Helper()
	swept, err := s.Sweep(s.ctx())
	s.ok(err)
	return swept
}

// Claims.

// take claims up to limit messages for a minute.
func (s *subject) take(q messaging.QueueRef, limit int) storage.Lease {
	s.Helper()
	return s.claim(q, storage.Terms{TTL: 60, Grace: 60, Limit: limit})
}

func (s *subject) claim(q messaging.QueueRef, t storage.Terms) storage.Lease {
	s.Helper()
	lease, err := s.Claim(s.ctx(), q, t)
	s.ok(err)
	return lease
}

func (s *subject) held(q messaging.QueueRef, id messaging.ClaimID) (messaging.Claim, []messaging.Message) {
	s.Helper()
	c, list, err := s.Held(s.ctx(), q, id)
	s.ok(err)
	return c, list
}

func (s *subject) renew(q messaging.QueueRef, id messaging.ClaimID, ttl, grace int64) {
	s.Helper()
	s.ok(s.Renew(s.ctx(), q, id, storage.Terms{TTL: ttl, Grace: grace}))
}

func (s *subject) release(q messaging.QueueRef, id messaging.ClaimID, freed int) {
	s.Helper()
	n, err := s.Release(s.ctx(), q, id)
	s.ok(err)
	if n != freed {
		s.Fatalf("released %d messages, want %d", n, freed)
	}
}

// dead checks that the claim neither answers nor can be renewed.
func (s *subject) dead(q messaging.QueueRef, id messaging.ClaimID) {
	s.Helper()
	_, _, err := s.Held(s.ctx(), q, id)
	s.fails(err, messaging.NotFound)
	s.fails(s.Renew(s.ctx(), q, id, storage.Terms{TTL: 60, Grace: 60}), messaging.NotFound)
}

func (s *subject) move(q messaging.QueueRef, held messaging.ClaimID, to messaging.QueueRef, ttl int64, ids ...messaging.MessageID) int {
	s.Helper()
	n, err := s.Move(s.ctx(), q, ids, held, to, ttl)
	s.ok(err)
	return n
}

// Looking at results.

func ids(list []messaging.Message) []messaging.MessageID {
	var out []messaging.MessageID
	for _, m := range list {
		out = append(out, m.ID)
	}
	return out
}

func bodies(list []messaging.Message) []string {
	var out []string
	for _, m := range list {
		out = append(out, string(m.Body))
	}
	return out
}

// brief writes messages for a failure text.
func brief(list []messaging.Message) string {
	out := fmt.Sprintf("%d messages", len(list))
	for _, m := range list {
		out += fmt.Sprintf(" %s@%d(%.20q)", m.ID, m.Position, m.Body)
	}
	return out
}

// numbers writes from, from+1, … below to.
func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, strconv.Itoa(i))
	}
	return out
}

// together runs do n times at once and returns when all are done. The first
// error fails the test.
func (s *subject) together(n int, do func(i int) error) {
	s.Helper()
	errs := make([]error, n)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-begin
			errs[i] = do(i)
		})
	}
	close(begin)
	all.Wait()
	s.ok(errors.Join(errs...))
}
