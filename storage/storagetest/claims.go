package storagetest

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

func claimPromises() []promise {
	return []promise{
		{"S71 a claim takes up to its limit", claimLimit},
		{"S72 a claim shows what it holds, in order", claimShows},
		{"S73 renewing sets the new lifetime and keeps the messages", claimRenew},
		{"S74 a released claim does not exist", claimReleased},
		{"S75 claims in turn take the queue in turn", claimInTurn},
		{"S80 a claim of an empty queue is empty", claimOfEmptyQueue},
		{"S81 an expired claim does not exist", claimExpired},
		{"S82 claims that never were do not exist, releasing them succeeds", claimNonsenseID},
		{"S83 a claim of an absent queue is empty", claimOfAbsentQueue},
		{"S84 dropping the queue ends its claims", claimOfDroppedQueue},
		{"S85 claims hide messages from scans that do not ask for them", claimHides},
		{"S86 releasing the head does not hand out what others hold", claimAfterRelease},
		{"S87 a delayed message behind a free one is not taken", claimSkipsDelayed},
		{"S88 concurrent claims take every message exactly once", claimConcurrently},
		{"S89 claims are oldest first, and released messages return to their place", claimOrder},
		{"S90 renewing keeps the id and restarts the age", claimRenewAge},
		{"S91 a claim whose messages are gone does not exist", claimEmptied},
		{"S92 all views agree on claim and count", claimViewsAgree},
		{"S93 Sweep counts the expired claims", sweepClaims},
		{"release says how many messages are free again", claimReleaseCounts},
		{"a message freed by expiry can be claimed at that instant", claimAtExpiry},
		{"a claim never holds a message of a later claim", claimLateHolder},
		{"due is when the first claimed or delayed message becomes available", dueInstants},
	}
}

func claimLimit(s *subject) {
	s.post(inbox, 20)
	if n := len(s.take(inbox, 15).Messages); n != 15 {
		s.Errorf("%d messages, want 15", n)
	}
	s.counts(inbox, 5, 15)
}

func claimShows(s *subject) {
	posted := s.post(inbox, 20)
	now := s.clock.Now()
	lease := s.claim(inbox, storage.Terms{TTL: 70, Grace: 60, Limit: 15})
	want := messaging.Claim{ID: lease.Claim.ID, TTL: 70, Renewed: now, Expires: now.Add(70 * time.Second)}
	s.same("claim", lease.Claim, want)
	s.same("messages", ids(lease.Messages), posted[:15])
	s.same("spent", lease.Spent, []messaging.Message{})
	s.pass(3)
	c, held := s.held(inbox, lease.Claim.ID)
	s.same("claim later", c, want)
	s.same("held", held, lease.Messages)
	for _, m := range held {
		if m.Claim != c.ID || m.Claims != 1 {
			s.Errorf("%s is under %q, claimed %d times", m.ID, m.Claim, m.Claims)
		}
	}
	if age := c.Age(s.clock.Now()); age != 3 {
		s.Errorf("age %d, want 3", age)
	}
}

func claimRenew(s *subject) {
	s.post(inbox, 20)
	lease := s.take(inbox, 15)
	s.pass(50)
	s.renew(inbox, lease.Claim.ID, 100, 60)
	c, held := s.held(inbox, lease.Claim.ID)
	now := s.clock.Now()
	s.same("claim", c, messaging.Claim{ID: lease.Claim.ID, TTL: 100, Renewed: now, Expires: now.Add(100 * time.Second)})
	s.same("held", held, lease.Messages)
	s.pass(99.999)
	s.counts(inbox, 5, 15)
	s.pass(0.001)
	s.counts(inbox, 20, 0)
}

func claimReleased(s *subject) {
	s.post(inbox, 3)
	id := s.take(inbox, 2).Claim.ID
	s.release(inbox, id, 2)
	s.dead(inbox, id)
	s.release(inbox, id, 0)
	s.counts(inbox, 3, 0)
}

func claimInTurn(s *subject) {
	posted := s.post(inbox, 51)
	for i := range 5 {
		s.same(fmt.Sprint("claim ", i), ids(s.take(inbox, 10).Messages), posted[10*i:10*i+10])
	}
	s.same("the last claim", ids(s.take(inbox, 10).Messages), posted[50:])
}

func claimOfEmptyQueue(s *subject) {
	s.post(inbox, 1)
	s.pop(inbox, 1)
	lease := s.take(inbox, 1)
	s.same("lease", lease, storage.Lease{})
	s.dead(inbox, lease.Claim.ID)
	s.release(inbox, lease.Claim.ID, 0)
}

func claimExpired(s *subject) {
	s.post(inbox, 2)
	id := s.claim(inbox, storage.Terms{TTL: 1, Limit: 2}).Claim.ID
	s.pass(0.999)
	s.held(inbox, id)
	s.pass(0.001)
	s.dead(inbox, id)
	s.release(inbox, id, 0)
}

func claimNonsenseID(s *subject) {
	posted := s.post(inbox, 2)
	id := s.take(inbox, 1).Claim.ID
	for _, n := range append(nonsense, "", string(posted[0]), string(posted[1])) {
		s.dead(inbox, messaging.ClaimID(n))
		s.release(inbox, messaging.ClaimID(n), 0)
	}
	s.gone(inbox, messaging.MessageID(id))
	s.counts(inbox, 1, 1)
}

func claimOfAbsentQueue(s *subject) {
	s.post(alien, 1)
	s.post(topic, 1)
	s.same("lease", s.take(inbox, 5), storage.Lease{})
}

func claimOfDroppedQueue(s *subject) {
	s.post(inbox, 2)
	id := s.take(inbox, 2).Claim.ID
	s.ok(s.Drop(s.ctx(), inbox))
	s.dead(inbox, id)
	s.release(inbox, id, 0)
}

func claimHides(s *subject) {
	posted := s.post(inbox, 12)
	s.take(inbox, 10)
	s.same("with claimed", ids(s.scan(inbox, storage.Scan{Limit: 20, Claimed: true})), posted)
	s.same("without", ids(s.scan(inbox, storage.Scan{Limit: 20})), posted[10:])
	s.same("second claim", ids(s.take(inbox, 10).Messages), posted[10:])
	s.same("third claim", s.take(inbox, 10), storage.Lease{})
}

func claimAfterRelease(s *subject) {
	posted := s.post(inbox, 6)
	a := s.take(inbox, 2)
	b, c := s.take(inbox, 2), s.take(inbox, 2)
	s.release(inbox, a.Claim.ID, 2)
	s.same("claimed", ids(s.take(inbox, 6).Messages), posted[:2])
	for _, other := range []storage.Lease{b, c} {
		_, held := s.held(inbox, other.Claim.ID)
		s.same("held by the others", held, other.Messages)
	}
}

func claimSkipsDelayed(s *subject) {
	posted := s.put(inbox, alice, draft(60, 0, "0"), draft(60, 5, "1"), draft(60, 0, "2"), draft(60, 9, "3"))
	s.same("claimed", ids(s.take(inbox, 9).Messages), []messaging.MessageID{posted[0], posted[2]})
	s.pass(5)
	s.same("claimed later", ids(s.take(inbox, 9).Messages), posted[1:2])
}

func claimConcurrently(s *subject) {
	var batch []messaging.Draft
	for i := range 1000 {
		batch = append(batch, draft(forever, 0, strconv.Itoa(i)))
	}
	s.put(inbox, alice, batch...)
	var mu sync.Mutex
	holder := map[messaging.MessageID]messaging.ClaimID{}
	s.together(10, func(int) error {
		for {
			lease, err := s.Claim(s.ctx(), inbox, storage.Terms{TTL: 60, Limit: 5})
			if err != nil || lease.Claim.ID == "" {
				return err
			}
			mu.Lock()
			for _, m := range lease.Messages {
				if other, taken := holder[m.ID]; taken {
					err = fmt.Errorf("%s is under %s and %s", m.ID, other, lease.Claim.ID)
				}
				holder[m.ID] = lease.Claim.ID
			}
			mu.Unlock()
			if err == nil && len(lease.Messages) == 0 {
				err = fmt.Errorf("claim %s is empty", lease.Claim.ID)
			}
			if err != nil {
				return err
			}
		}
	})
	if len(holder) != 1000 {
		s.Errorf("%d of 1000 messages were claimed", len(holder))
	}
	for _, m := range s.all(inbox) {
		if m.Claim != holder[m.ID] || m.Claims != 1 {
			s.Fatalf("%s is under %q, claimed %d times; want %q, once", m.ID, m.Claim, m.Claims, holder[m.ID])
		}
	}
}

func claimOrder(s *subject) {
	posted := s.post(inbox, 9)
	s.take(inbox, 3)
	b := s.take(inbox, 3)
	s.release(inbox, b.Claim.ID, 3)
	s.same("scanned", ids(s.scan(inbox, storage.Scan{Limit: 9})), posted[3:])
	s.same("claimed again", ids(s.take(inbox, 4).Messages), posted[3:7])
}

func claimRenewAge(s *subject) {
	s.post(inbox, 1)
	id := s.take(inbox, 1).Claim.ID
	s.pass(20)
	s.renew(inbox, id, 60, 60)
	s.pass(2)
	c, _ := s.held(inbox, id)
	if c.ID != id || c.Age(s.clock.Now()) != 2 {
		s.Errorf("claim %s of age %d, want %s of 2", c.ID, c.Age(s.clock.Now()), id)
	}
}

func claimEmptied(s *subject) {
	s.post(inbox, 9)
	a, b, c := s.take(inbox, 2), s.take(inbox, 2), s.take(inbox, 2)
	s.remove(inbox, by(a.Claim.ID), ids(a.Messages)...)
	s.remove(inbox, storage.Hold{}, ids(b.Messages)...)
	s.move(inbox, c.Claim.ID, outbox, 0, ids(c.Messages)...)
	for _, lease := range []storage.Lease{a, b, c} {
		s.dead(inbox, lease.Claim.ID)
		s.release(inbox, lease.Claim.ID, 0)
	}
	s.counts(inbox, 3, 0)
}

func claimViewsAgree(s *subject) {
	s.post(inbox, 4)
	s.release(inbox, s.take(inbox, 1).Claim.ID, 1)
	lease := s.take(inbox, 2)
	check := func() {
		s.Helper()
		list := s.all(inbox)
		_, held := s.held(inbox, lease.Claim.ID)
		s.same("claim and held", held, lease.Messages)
		s.same("claim and scan", list[:2], lease.Messages)
		s.same("claim and fetch", s.fetch(inbox, ids(lease.Messages)...), lease.Messages)
		for i, want := range []struct {
			claim messaging.ClaimID
			times int
		}{{lease.Claim.ID, 2}, {lease.Claim.ID, 1}, {"", 0}, {"", 0}} {
			if m := list[i]; m.Claim != want.claim || m.Claims != want.times {
				s.Errorf("message %d is under %q, claimed %d times; want %+v", i, m.Claim, m.Claims, want)
			}
		}
	}
	check()
	s.restartIfItCan()
	check()
}

func sweepClaims(s *subject) {
	s.post(inbox, 20)
	s.claim(inbox, storage.Terms{TTL: 1, Limit: 1})
	s.pass(1)
	s.sweptIs(storage.Swept{Claims: 1})
	for range 5 {
		s.claim(inbox, storage.Terms{TTL: 10, Limit: 2})
	}
	s.release(inbox, s.claim(inbox, storage.Terms{TTL: 10, Limit: 1}).Claim.ID, 1)
	for range 2 {
		s.claim(inbox, storage.Terms{TTL: 100, Limit: 1})
	}
	s.pass(10)
	s.counts(inbox, 18, 2)
	s.sweptIs(storage.Swept{Claims: 5})
	s.sweptIs(storage.Swept{})
	s.counts(inbox, 18, 2)

	s.post(outbox, 1) // claims that end in other ways do not expire
	emptied := s.claim(outbox, storage.Terms{TTL: 10, Limit: 1})
	s.remove(outbox, storage.Hold{}, emptied.Messages[0].ID)
	s.post(alien, 1)
	s.claim(alien, storage.Terms{TTL: 10, Limit: 1})
	s.ok(s.Drop(s.ctx(), alien))
	s.pass(10)
	s.sweptIs(storage.Swept{})
}

func claimReleaseCounts(s *subject) {
	s.post(inbox, 5)
	lease := s.take(inbox, 4)
	s.remove(inbox, storage.Hold{}, lease.Messages[0].ID)
	s.move(inbox, lease.Claim.ID, outbox, 0, lease.Messages[1].ID)
	s.release(inbox, lease.Claim.ID, 2)
}

func claimAtExpiry(s *subject) {
	posted := s.post(inbox, 2)
	a := s.claim(inbox, storage.Terms{TTL: 5, Limit: 2}).Claim.ID
	s.pass(4.999)
	s.same("before", s.take(inbox, 2), storage.Lease{})
	s.pass(0.001)
	lease := s.take(inbox, 2)
	s.same("at the instant", ids(lease.Messages), posted)
	if lease.Claim.ID == a || lease.Messages[0].Claims != 2 {
		s.Errorf("claim %s after %s, count %d", lease.Claim.ID, a, lease.Messages[0].Claims)
	}
}

func claimLateHolder(s *subject) {
	posted := s.post(inbox, 2)
	a := s.claim(inbox, storage.Terms{TTL: 5, Limit: 2}).Claim.ID
	s.pass(5)
	b := s.take(inbox, 1).Claim.ID
	s.dead(inbox, a)
	s.release(inbox, a, 0)
	s.refuses(messaging.Claimed, inbox, by(a), posted[0])
	if n := s.move(inbox, a, outbox, 0, posted...); n != 0 {
		s.Errorf("an expired claim moves %d messages", n)
	}
	_, held := s.held(inbox, b)
	s.same("held", ids(held), posted[:1])
}

// dueIs checks the instant at which something becomes available, in seconds
// from now; negative: never.
func (s *subject) dueIs(seconds float64) {
	s.Helper()
	now := s.clock.Now()
	at, some, err := s.Due(s.ctx(), inbox)
	s.ok(err)
	if some && !at.After(now) {
		s.Fatalf("due at %v, which is not after now, %v", at, now)
	}
	if seconds < 0 {
		return // some instant is early, which is allowed
	}
	if want := now.Add(span(seconds)); !some || at.After(want) {
		s.Fatalf("due at %v (%v), want %v at the latest", at, some, want)
	}
}

func dueInstants(s *subject) {
	if at, some, err := s.Due(s.ctx(), inbox); err != nil || some {
		s.Errorf("due of an absent queue: %v, %v, %v", at, some, err)
	}
	s.post(inbox, 3)
	if at, some, err := s.Due(s.ctx(), inbox); err != nil || some {
		s.Errorf("due of free messages: %v, %v, %v", at, some, err)
	}
	a := s.claim(inbox, storage.Terms{TTL: 30, Limit: 1}).Claim.ID
	s.dueIs(30)
	b := s.claim(inbox, storage.Terms{TTL: 20, Limit: 1}).Claim.ID
	s.dueIs(20)
	s.put(inbox, alice, draft(60, 10, "delayed"))
	s.dueIs(10)
	s.restartIfItCan()
	s.dueIs(10)
	s.pass(10)
	s.dueIs(10)
	s.renew(inbox, b, 40, 0)
	s.dueIs(20)
	s.renew(inbox, b, 5, 0)
	s.dueIs(5)
	s.pass(5)
	s.dueIs(15)
	s.release(inbox, a, 1)
	s.dueIs(-1)
}
