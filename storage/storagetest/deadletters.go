package storagetest

import (
	"strconv"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

func deadLetterPromises() []promise {
	return []promise{
		{"S95 a message claimed often enough is spent and can be moved away", spentAndMoved},
		{"S96 a moved message keeps identity, starts afresh and lives the new ttl", moveKeepsIdentity},
		{"S97 only claims that took the message count", onlyClaimsCount},
		{"S98 without a limit claims are counted and nothing is spent", claimsWithoutLimit},
		{"S99 a claim is filled from behind the spent messages", claimFilledBehindSpent},
		{"S100 messages move between queues of any name", moveAnyName},
		{"S101 a delayed message is hidden until its delay has elapsed", delayHides},
		{"S102 each message has its own delay", delayEach},
		{"S103 a message without delay is available at once", delayNone},
		{"S104 scan, claim and pop heed the delay, or not if told so", delayOnDemand},
		{"S105 the delay does not prolong the life", delayLife},
		{"spent messages are leased, not counted and not extended", spentAreLeased},
		{"the search ends when the claim is full", spentBehindFullClaim},
		{"a claim may hold spent messages only", spentOnly},
		{"move takes only what the live claim holds", moveOnlyHeld},
		{"moved messages stand at the end in the order of the ids", moveOrder},
		{"without a new ttl a moved message keeps its life", moveKeepsLife},
		{"a message can move within its queue, and move again", moveWithin},
		{"a moved message is an ordinary one", movedIsOrdinary},
		{"a follower of the target sees moved messages exactly once", moveSeenByFollower},
	}
}

var letters = messaging.QueueRef{Project: "p1", Name: "inbox.dead"}

func spentAndMoved(s *subject) {
	id := s.put(inbox, alice, draft(600, 0, `"poison"`))[0]
	terms := storage.Terms{TTL: 3, Grace: 0, Limit: 5, MaxClaims: 2}
	for n := 1; n <= 2; n++ {
		lease := s.claim(inbox, terms)
		if len(lease.Messages) != 1 || lease.Messages[0].Claims != n || len(lease.Spent) != 0 {
			s.Fatalf("claim %d took %+v", n, lease)
		}
		s.pass(3)
	}
	lease := s.claim(inbox, terms)
	s.same("messages", lease.Messages, []messaging.Message{})
	s.same("spent", ids(lease.Spent), []messaging.MessageID{id})
	if n := s.move(inbox, lease.Claim.ID, letters, 9999, id); n != 1 {
		s.Fatalf("%d messages moved", n)
	}
	s.gone(inbox, id)
	s.counts(inbox, 0, 0)
	s.dead(inbox, lease.Claim.ID)
	if m := s.one(letters, id); m.TTL != 9999 || string(m.Body) != `"poison"` {
		s.Errorf("ttl %d, body %s", m.TTL, m.Body)
	}
}

func moveKeepsIdentity(s *subject) {
	s.post(letters, 2)
	now := s.clock.Now()
	d := messaging.Draft{TTL: 600, Delay: 5, Body: []byte("sealed"), Key: "k", Checksum: "MD5:00"}
	id := s.put(inbox, bob, d)[0]
	s.pass(5)
	s.release(inbox, s.take(inbox, 1).Claim.ID, 1)
	lease := s.take(inbox, 1)
	s.pass(5)
	s.move(inbox, lease.Claim.ID, letters, 9999, id)
	check := func() {
		s.Helper()
		list := s.all(letters)
		if len(list) != 3 || list[2].Position <= list[1].Position {
			s.Fatalf("not at the end: %s", brief(list))
		}
		s.same("moved", list[2], messaging.Message{
			ID: id, Position: list[2].Position, Poster: bob, Posted: now, TTL: 9999,
			Expires: now.Add((10 + 9999) * time.Second), Body: d.Body, Key: "k", Checksum: "MD5:00",
		})
		s.counts(letters, 3, 0)
		s.counts(inbox, 0, 0)
	}
	check()
	s.restartIfItCan()
	check()
	s.pass(9998.999)
	s.one(letters, id)
	s.pass(0.001)
	s.gone(letters, id)
}

func onlyClaimsCount(s *subject) {
	id := s.post(inbox, 1)[0]
	countIs := func(want int) {
		s.Helper()
		if m := s.one(inbox, id); m.Claims != want {
			s.Fatalf("claimed %d times, want %d", m.Claims, want)
		}
	}
	a := s.claim(inbox, storage.Terms{TTL: 5, Limit: 1}).Claim.ID
	countIs(1)
	s.renew(inbox, a, 5, 0)
	countIs(1)
	s.release(inbox, a, 1)
	countIs(1)
	s.claim(inbox, storage.Terms{TTL: 5, Limit: 1})
	s.pass(5)
	countIs(2)
	s.take(inbox, 1)
	s.take(inbox, 1) // takes nothing
	countIs(3)
	s.restartIfItCan()
	countIs(3)
}

func claimsWithoutLimit(s *subject) {
	s.post(inbox, 1)
	for n := 1; n <= 20; n++ {
		lease := s.claim(inbox, storage.Terms{TTL: 5, Limit: 1})
		if len(lease.Messages) != 1 || lease.Messages[0].Claims != n || len(lease.Spent) > 0 {
			s.Fatalf("claim %d took %+v", n, lease)
		}
		s.pass(5)
	}
}

func claimFilledBehindSpent(s *subject) {
	posted := s.post(inbox, 10)
	s.release(inbox, s.take(inbox, 4).Claim.ID, 4)
	lease := s.claim(inbox, storage.Terms{TTL: 60, Limit: 4, MaxClaims: 1})
	s.same("spent", ids(lease.Spent), posted[:4])
	s.same("messages", ids(lease.Messages), posted[4:8])
}

func moveAnyName(s *subject) {
	targets := awkward()
	posted := s.post(inbox, len(targets))
	lease := s.take(inbox, len(targets))
	for i, q := range targets {
		if n := s.move(inbox, lease.Claim.ID, q, 60, posted[i]); n != 1 {
			s.Errorf("%d messages moved to %+v", n, q)
		}
	}
	s.restartIfItCan()
	for i, q := range targets {
		s.same("messages of the target", ids(s.all(q)), posted[i:i+1])
	}
	s.counts(inbox, 0, 0)
}

func delayHides(s *subject) {
	id := s.put(inbox, alice, draft(60, 3, "1"))
	s.same("claimed", s.take(inbox, 1), storage.Lease{})
	s.same("scanned", s.scan(inbox, storage.Scan{Limit: 1}), []messaging.Message{})
	s.same("scanned with delayed", ids(s.scan(inbox, storage.Scan{Limit: 1, Delayed: true})), id)
	s.pass(2.999)
	s.same("claimed", s.take(inbox, 1), storage.Lease{})
	s.pass(0.001)
	s.same("scanned", ids(s.scan(inbox, storage.Scan{Limit: 1})), id)
	s.same("claimed", ids(s.take(inbox, 1).Messages), id)
}

func delayEach(s *subject) {
	id := s.put(inbox, alice, draft(60, 3, "1"), draft(60, 1, "2"), draft(60, 2, "3"))
	s.pass(1)
	s.same("after 1 s", ids(s.take(inbox, 3).Messages), id[1:2])
	s.pass(1)
	s.same("after 2 s", ids(s.take(inbox, 3).Messages), id[2:3])
	s.pass(1)
	s.same("after 3 s", ids(s.take(inbox, 3).Messages), id[:1])
}

func delayNone(s *subject) {
	id := s.put(inbox, alice, draft(60, 0, "1"))
	if m := s.one(inbox, id[0]); !m.Available.IsZero() {
		s.Errorf("available at %v, want the zero time", m.Available)
	}
	s.same("claimed", ids(s.take(inbox, 1).Messages), id)
}

func delayOnDemand(s *subject) {
	id := s.put(inbox, alice, draft(60, 9, "0"), draft(60, 9, "1"), draft(60, 9, "2"), draft(60, 0, "3"))
	pop := func(delayed bool, want ...messaging.MessageID) {
		s.Helper()
		list, err := s.Pop(s.ctx(), inbox, storage.Take{Limit: 1, Delayed: delayed})
		s.ok(err)
		s.same("popped", ids(list), want)
	}
	lease := s.claim(inbox, storage.Terms{TTL: 60, Limit: 1, Delayed: true})
	s.same("claimed with delayed", ids(lease.Messages), id[:1])
	s.same("scanned, still delayed", ids(s.scan(inbox, storage.Scan{Limit: 9})), id[3:])
	pop(true, id[1])
	pop(false, id[3])
	pop(false)
	s.same("claimed", s.take(inbox, 9), storage.Lease{})
	s.release(inbox, lease.Claim.ID, 1)
	s.same("scanned, released and still delayed", s.scan(inbox, storage.Scan{Limit: 9}), []messaging.Message{})
	s.restartIfItCan()
	s.same("claimed", s.take(inbox, 9), storage.Lease{})
	s.pass(9)
	s.same("claimed", ids(s.take(inbox, 9).Messages), []messaging.MessageID{id[0], id[2]})
}

func delayLife(s *subject) {
	id := s.put(inbox, alice, draft(60, 50, "1"), draft(60, 70, "2"))
	s.pass(50)
	s.same("claimable", ids(s.scan(inbox, storage.Scan{Limit: 9})), id[:1])
	s.pass(10)
	s.gone(inbox, id...)
}

func spentAreLeased(s *subject) {
	id := s.put(inbox, alice, draft(30, 0, "1"))[0]
	s.release(inbox, s.claim(inbox, storage.Terms{TTL: 5, Limit: 1}).Claim.ID, 1)
	lease := s.claim(inbox, storage.Terms{TTL: 50, Grace: 60, Limit: 1, MaxClaims: 1})
	m := s.one(inbox, id)
	s.same("spent", lease.Spent, []messaging.Message{m})
	if m.Claim != lease.Claim.ID || m.Claims != 1 || m.TTL != 30 {
		s.Errorf("under %q, claimed %d times, ttl %d; want %q, once, 30", m.Claim, m.Claims, m.TTL, lease.Claim.ID)
	}
	s.same("another claim", s.take(inbox, 1), storage.Lease{})
	s.same("popped", s.pop(inbox, 1), []messaging.Message{})
	s.refuses(messaging.Claimed, inbox, unclaimed, id)
	_, held := s.held(inbox, lease.Claim.ID)
	s.same("held", ids(held), []messaging.MessageID{id})
	s.release(inbox, lease.Claim.ID, 1)
	s.same("released", ids(s.take(inbox, 1).Messages), []messaging.MessageID{id})
}

func spentBehindFullClaim(s *subject) {
	posted := s.post(inbox, 3)
	s.release(inbox, s.take(inbox, 3).Claim.ID, 3)
	fresh := s.post(inbox, 2)
	s.remove(inbox, storage.Hold{}, posted[0])
	lease := s.claim(inbox, storage.Terms{TTL: 60, Limit: 1, MaxClaims: 1})
	s.same("spent", ids(lease.Spent), posted[1:])
	s.same("messages", ids(lease.Messages), fresh[:1])
	s.release(inbox, lease.Claim.ID, 3)
	lease = s.claim(inbox, storage.Terms{TTL: 60, Limit: 1, MaxClaims: 2})
	s.same("messages of a full claim", ids(lease.Messages), posted[1:2])
	s.counts(inbox, 3, 1)
}

func spentOnly(s *subject) {
	posted := s.post(inbox, 2)
	s.release(inbox, s.take(inbox, 2).Claim.ID, 2)
	lease := s.claim(inbox, storage.Terms{TTL: 60, Limit: 2, MaxClaims: 1})
	s.same("messages", lease.Messages, []messaging.Message{})
	s.same("spent", ids(lease.Spent), posted)
	if lease.Claim.ID == "" || lease.Claim.TTL != 60 {
		s.Errorf("claim is %+v", lease.Claim)
	}
	s.release(inbox, lease.Claim.ID, 2)
}

func moveOnlyHeld(s *subject) {
	id, a, b := s.two()
	if n := s.move(inbox, a, letters, 60, id...); n != 2 {
		s.Errorf("%d messages moved, want 2", n)
	}
	if n := s.move(inbox, "nope", letters, 60, id...); n != 0 {
		s.Errorf("no claim moves %d messages", n)
	}
	if n := s.move(inbox, "", letters, 60, id...); n != 0 {
		s.Errorf("the empty claim moves %d messages", n)
	}
	s.same("left", ids(s.all(inbox)), id[2:])
	s.same("moved", ids(s.all(letters)), id[:2])
	s.release(inbox, b, 2)
	if n := s.move(inbox, b, letters, 60, id...); n != 0 {
		s.Errorf("a released claim moves %d messages", n)
	}
	c := s.claim(inbox, storage.Terms{TTL: 5, Limit: 1}).Claim.ID
	s.pass(5)
	if n := s.move(inbox, c, letters, 60, id...); n != 0 {
		s.Errorf("an expired claim moves %d messages", n)
	}
}

func moveOrder(s *subject) {
	s.post(letters, 1)
	posted := s.post(inbox, 4)
	a := s.take(inbox, 4).Claim.ID
	n := s.move(inbox, a, letters, 60, posted[2], "nope", posted[0], posted[2], posted[3])
	if n != 3 {
		s.Errorf("%d messages moved, want 3", n)
	}
	s.same("target", ids(s.all(letters))[1:], []messaging.MessageID{posted[2], posted[0], posted[3]})
	_, held := s.held(inbox, a)
	s.same("held", ids(held), posted[1:2])
}

func moveKeepsLife(s *subject) {
	id := s.put(inbox, alice, draft(100, 0, "1"))[0]
	s.pass(40)
	before := s.take(inbox, 1)
	s.move(inbox, before.Claim.ID, letters, 0, id)
	m := s.one(letters, id)
	if m.TTL != 100 || !m.Expires.Equal(before.Messages[0].Expires) || m.Claims != 0 {
		s.Errorf("ttl %d until %v, claimed %d times", m.TTL, m.Expires, m.Claims)
	}
	s.pass(59.999)
	s.one(letters, id)
	s.pass(0.001)
	s.gone(letters, id)
}

func moveWithin(s *subject) {
	posted := s.post(inbox, 3)
	again := []messaging.MessageID{posted[1], posted[2], posted[0]}
	s.move(inbox, s.take(inbox, 1).Claim.ID, inbox, 0, posted[0])
	s.same("at the end of its own queue", ids(s.all(inbox)), again)
	s.counts(inbox, 3, 0)
	s.move(inbox, s.take(inbox, 1).Claim.ID, letters, 0, posted[1])
	s.move(letters, s.take(letters, 1).Claim.ID, inbox, 0, posted[1])
	again = append(again[1:], posted[1])
	s.same("there and back", ids(s.all(inbox)), again)
	s.counts(letters, 0, 0)
	s.restartIfItCan()
	s.same("after a restart", ids(s.all(inbox)), again)
	s.gone(letters, again...)
}

func movedIsOrdinary(s *subject) {
	posted := s.post(inbox, 6)
	s.move(inbox, s.take(inbox, 6).Claim.ID, letters, 600, posted...)
	s.restartIfItCan()
	list := s.all(letters)
	for i, m := range list {
		s.same("page after its id", ids(s.scan(letters, storage.Scan{AfterID: m.ID, Limit: 9})), posted[i+1:])
		s.same("page after its position", ids(s.scan(letters, storage.Scan{After: m.Position, Limit: 9})), posted[i+1:])
	}
	s.ends(letters, posted[0], posted[5])
	a := s.take(letters, 2)
	s.same("claimed", ids(a.Messages), posted[:2])
	s.remove(letters, by(a.Claim.ID), posted[0])
	s.remove(letters, unclaimed, posted[2])
	s.same("popped", ids(s.pop(letters, 1)), posted[3:4])
	s.ok(s.Purge(s.ctx(), letters))
	s.same("left", ids(s.all(letters)), posted[1:2])
	s.pass(600)
	s.counts(letters, 0, 0)
}

func moveSeenByFollower(s *subject) {
	var follower messaging.Position
	var seen []string
	for i := range 6 {
		if i%2 == 0 {
			id := s.put(inbox, alice, draft(600, 0, strconv.Itoa(i)))[0]
			s.move(inbox, s.take(inbox, 1).Claim.ID, letters, 0, id)
		} else {
			s.put(letters, alice, draft(600, 0, strconv.Itoa(i)))
		}
		for _, m := range s.scan(letters, storage.Scan{After: follower, Limit: 9}) {
			follower = m.Position
			seen = append(seen, string(m.Body))
		}
	}
	s.same("seen", seen, numbers(0, 6))
}
