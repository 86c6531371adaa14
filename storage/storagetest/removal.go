package storagetest

import (
	"fmt"
	"strconv"
	"sync/atomic"

	"zaqar/messaging"
	"zaqar/storage"
)

func removalPromises() []promise {
	return []promise{
		{"S53 deleting with another claim is Claimed and keeps the message", removeWithOtherClaim},
		{"S54 deleting with its claim deletes", removeWithItsClaim},
		{"S55 repeating that succeeds", removeTwice},
		{"S56 deleting with a released claim is NotClaimed", removeWithReleasedClaim},
		{"S57 deleting with a claim that never was is refused", removeWithNonsenseClaim},
		{"S58 deleting a claimed message as unclaimed is Claimed", removeUnclaimed},
		{"S59 after its claim expired a message can be deleted without it", removeAfterExpiry},
		{"S60 deleting an unclaimed message with a live claim is NotClaimed", removeFreeWithClaim},
		{"S61 deleting in an absent queue succeeds", removeInAbsentQueue},
		{"S62 fetching in an absent queue gives none", fetchInAbsentQueue},
		{"S63 popping 1 of 3 takes exactly one", popOne},
		{"S64 pop takes the oldest available messages", popOldest},
		{"S65 pop takes no more than there are", popMoreThanThere},
		{"S66 pop counts no claim and passes nothing over for its count", popCountsNothing},
		{"S67 one message that does not fit the condition keeps all", removeAllOrNone},
		{"S68 an id works in its own queue and project only", removeElsewhere},
		{"S69 concurrent pops take every message exactly once", popConcurrently},
		{"S70 Sweep counts the expired messages", sweepMessages},
		{"Claimed is reported in preference to NotClaimed", removePrefersClaimed},
		{"all claims named count in a conditional delete", removeWithSeveralClaims},
		{"an unconditional delete ignores claims", removeAnyway},
		{"a delayed message can be deleted", removeDelayed},
		{"pop leaves messages whose key the caller lacks", popKeys},
		{"purge keeps what is under a live claim", purgeKeepsClaimed},
		{"drop deletes all messages and dissolves all claims", dropDeletesAll},
		{"projects with awkward ids do not mix their messages", messageTenants},
	}
}

// by is the condition that one of the claims holds the message.
func by(claims ...messaging.ClaimID) storage.Hold { return storage.Hold{By: claims} }

var unclaimed = storage.Hold{Unclaimed: true}

// two posts 6 messages and claims the first two and the next two.
func (s *subject) two() (posted []messaging.MessageID, a, b messaging.ClaimID) {
	s.Helper()
	posted = s.post(inbox, 6)
	a, b = s.take(inbox, 2).Claim.ID, s.take(inbox, 2).Claim.ID
	if a == "" || b == "" || a == b {
		s.Fatalf("claims %q and %q", a, b)
	}
	return posted, a, b
}

func removeWithOtherClaim(s *subject) {
	id, _, b := s.two()
	s.refuses(messaging.Claimed, inbox, by(b), id[0])
}

func removeWithItsClaim(s *subject) {
	id, a, _ := s.two()
	s.remove(inbox, by(a), id[0])
	s.gone(inbox, id[0])
	s.counts(inbox, 2, 3)
}

func removeTwice(s *subject) {
	id, a, _ := s.two()
	s.remove(inbox, by(a), id[0])
	s.remove(inbox, by(a), id[0])
	s.remove(inbox, by(a), id[1])
	s.remove(inbox, by(a), id[0], id[1]) // the claim is gone with its messages
	s.remove(inbox, unclaimed, id[0], id[1])
}

func removeWithReleasedClaim(s *subject) {
	id, a, _ := s.two()
	s.remove(inbox, by(a), id[0])
	s.release(inbox, a, 1)
	s.refuses(messaging.NotClaimed, inbox, by(a), id[1])
	c := s.take(inbox, 1).Claim.ID // the same message again
	s.refuses(messaging.Claimed, inbox, by(a), id[1])
	s.remove(inbox, by(c), id[1])
}

func removeWithNonsenseClaim(s *subject) {
	id, _, _ := s.two()
	for _, claim := range nonsense {
		s.refuses(messaging.Claimed, inbox, by(messaging.ClaimID(claim)), id[0])
		s.refuses(messaging.NotClaimed, inbox, by(messaging.ClaimID(claim)), id[5])
	}
	s.refuses(messaging.NotClaimed, inbox, by(""), id[5])
	s.refuses(messaging.Claimed, inbox, by(""), id[0])
}

func removeUnclaimed(s *subject) {
	id, a, _ := s.two()
	s.refuses(messaging.Claimed, inbox, unclaimed, id[0])
	s.remove(inbox, unclaimed, id[4])
	s.release(inbox, a, 2)
	s.remove(inbox, unclaimed, id[0])
}

func removeAfterExpiry(s *subject) {
	id := s.post(inbox, 4)
	a := s.claim(inbox, storage.Terms{TTL: 2, Limit: 4}).Claim.ID
	s.pass(1.999)
	s.refuses(messaging.Claimed, inbox, unclaimed, id...)
	s.pass(0.001)
	s.refuses(messaging.NotClaimed, inbox, by(a), id[0])
	s.remove(inbox, unclaimed, id[0])
	s.remove(inbox, unclaimed, id[1:3]...)
	s.remove(inbox, storage.Hold{}, id[3])
	s.counts(inbox, 0, 0)
}

func removeFreeWithClaim(s *subject) {
	id, a, b := s.two()
	s.refuses(messaging.NotClaimed, inbox, by(a), id[4])
	s.refuses(messaging.NotClaimed, inbox, by(a, b), id[4], id[5])
}

func removeInAbsentQueue(s *subject) {
	id := s.post(alien, 2)
	for _, hold := range []storage.Hold{{}, unclaimed, by("nope")} {
		s.remove(inbox, hold, id[0], "nope")
		s.remove(inbox, hold)
	}
	s.ok(s.Purge(s.ctx(), inbox))
	s.ok(s.Drop(s.ctx(), inbox))
	s.same("the other queue", ids(s.all(alien)), id)
}

func fetchInAbsentQueue(s *subject) {
	s.gone(inbox, s.post(alien, 2)...)
	s.same("scanned", s.all(inbox), []messaging.Message{})
}

func popOne(s *subject) {
	id := s.post(inbox, 3)
	s.same("popped", ids(s.pop(inbox, 1)), id[:1])
	s.gone(inbox, id[0])
	s.same("left", ids(s.all(inbox)), id[1:])
}

func popOldest(s *subject) {
	id := s.put(inbox, alice,
		draft(600, 0, "0"), draft(600, 0, "1"), draft(600, 9, "2"), draft(600, 0, "3"), draft(600, 0, "4"))
	s.take(inbox, 1)
	want := s.fetch(inbox, id[1], id[3])
	s.same("popped", s.pop(inbox, 2), want)
	got, err := s.Pop(s.ctx(), inbox, storage.Take{Limit: 9, Delayed: true})
	s.ok(err)
	s.same("popped with delayed", ids(got), []messaging.MessageID{id[2], id[4]})
	s.same("left", ids(s.all(inbox)), id[:1])
}

func popMoreThanThere(s *subject) {
	s.same("popped of an absent queue", s.pop(inbox, 3), []messaging.Message{})
	id := s.post(inbox, 2)
	s.same("popped", ids(s.pop(inbox, 3)), id)
	s.same("popped of an empty queue", s.pop(inbox, 3), []messaging.Message{})
}

func popCountsNothing(s *subject) {
	s.post(inbox, 2)
	for range 3 {
		s.release(inbox, s.take(inbox, 1).Claim.ID, 1)
	}
	got := s.pop(inbox, 2)
	if len(got) != 2 || got[0].Claims != 3 || got[1].Claims != 0 || got[0].Claim != "" {
		s.Errorf("popped %+v; want claims 3 and 0, under none", got)
	}
}

func removeAllOrNone(s *subject) {
	id, a, b := s.two()
	s.refuses(messaging.Claimed, inbox, by(a), id[0], id[1], id[2])
	s.refuses(messaging.NotClaimed, inbox, by(a, b), id[0], id[2], id[4])
	s.refuses(messaging.Claimed, inbox, unclaimed, id[4], id[5], id[3])
	s.remove(inbox, by(a, b), id[0], "nope", id[2], id[0])
	s.same("left", ids(s.all(inbox)), []messaging.MessageID{id[1], id[3], id[4], id[5]})
}

func removeElsewhere(s *subject) {
	id := s.post(inbox, 3)
	a := s.take(inbox, 1).Claim.ID
	for _, q := range []messaging.QueueRef{outbox, alien, topic} {
		s.post(q, 1) // so that the queue is not absent
		s.gone(q, id...)
		s.remove(q, storage.Hold{}, id...)
		s.remove(q, by(a), id...)
		s.remove(q, unclaimed, id...)
		s.dead(q, a)
		s.release(q, a, 0)
		if n := s.move(q, a, outbox, 0, id...); n != 0 {
			s.Errorf("%d messages moved through another queue", n)
		}
	}
	s.same("left", ids(s.all(inbox)), id)
	s.counts(inbox, 2, 1)
}

func popConcurrently(s *subject) {
	s.post(inbox, 200)
	var seen [200]atomic.Int32
	s.together(20, func(int) error {
		list, err := s.Pop(s.ctx(), inbox, storage.Take{Limit: 10})
		for _, m := range list {
			i, _ := strconv.Atoi(string(m.Body))
			seen[i].Add(1)
		}
		if err == nil && len(list) != 10 {
			err = fmt.Errorf("a pop of 10 took %d", len(list))
		}
		return err
	})
	for i := range seen {
		if n := seen[i].Load(); n != 1 {
			s.Errorf("message %d was popped %d times", i, n)
		}
	}
	s.counts(inbox, 0, 0)
}

func sweepMessages(s *subject) {
	s.sweptIs(storage.Swept{})
	for range 10 {
		var batch []messaging.Draft
		for i := range 10 {
			batch = append(batch, draft(1, 0, strconv.Itoa(i)))
		}
		s.put(inbox, alice, batch...)
	}
	s.put(alien, alice, draft(1, 0, "1"), draft(60, 0, "2"))
	s.pass(1)
	s.counts(inbox, 0, 0)
	s.sweptIs(storage.Swept{Messages: 101})
	s.sweptIs(storage.Swept{})
	s.counts(alien, 1, 0)
	s.pop(alien, 1)
	s.pass(60)
	s.sweptIs(storage.Swept{})
}

// sweptIs sweeps and checks the counts, of stores that can count.
func (s *subject) sweptIs(want storage.Swept) {
	s.Helper()
	if got := s.sweep(); !s.h.Uncounted {
		s.same("swept", got, want)
	}
}

func removePrefersClaimed(s *subject) {
	id, a, b := s.two()
	for _, order := range [][]messaging.MessageID{{id[2], id[4]}, {id[4], id[2]}, {id[0], id[4], id[2]}} {
		s.refuses(messaging.Claimed, inbox, by(a), order...)
	}
	both := storage.Hold{Unclaimed: true, By: []messaging.ClaimID{b}}
	s.refuses(messaging.Claimed, inbox, both, id[2])
	s.refuses(messaging.NotClaimed, inbox, both, id[4])
}

func removeWithSeveralClaims(s *subject) {
	id, a, b := s.two()
	s.remove(inbox, by("nope", b, a, a), id[:4]...)
	s.same("left", ids(s.all(inbox)), id[4:])
	s.dead(inbox, a)
}

func removeAnyway(s *subject) {
	id, _, b := s.two()
	s.remove(inbox, storage.Hold{}, id[0], id[1], id[2], id[4])
	s.same("left", ids(s.all(inbox)), []messaging.MessageID{id[3], id[5]})
	_, held := s.held(inbox, b)
	s.same("held", ids(held), id[3:4])
}

func removeDelayed(s *subject) {
	id := s.put(inbox, alice, draft(60, 30, "1"), draft(60, 30, "2"))
	s.remove(inbox, unclaimed, id[0])
	s.remove(inbox, storage.Hold{}, id[1])
	s.counts(inbox, 0, 0)
	s.pass(30)
	s.same("popped", s.pop(inbox, 2), []messaging.Message{})
}

func popKeys(s *subject) {
	sealed := func(key string) messaging.Draft { return messaging.Draft{TTL: 60, Body: []byte(key), Key: key} }
	s.put(inbox, alice, sealed("k1"), sealed(""), sealed("k2"), sealed("k1"), sealed("k3"), sealed(""))
	pop := func(limit int, keys ...string) []string {
		list, err := s.Pop(s.ctx(), inbox, storage.Take{Limit: limit, Keys: keys})
		s.ok(err)
		return bodies(list)
	}
	s.same("popped with k2", pop(2, "k2"), []string{"", "k2"})
	s.same("popped without keys", pop(9), []string{""})
	s.same("popped with k1 and k3", pop(2, "k3", "k1"), []string{"k1", "k1"})
	s.same("left", bodies(s.all(inbox)), []string{"k3"})
}

func purgeKeepsClaimed(s *subject) {
	id, a, b := s.two()
	s.put(inbox, alice, draft(60, 30, "delayed"))
	s.release(inbox, a, 2)
	s.post(outbox, 1)
	s.ok(s.Purge(s.ctx(), inbox))
	s.same("left", ids(s.all(inbox)), id[2:4])
	_, held := s.held(inbox, b)
	s.same("held", ids(held), id[2:4])
	s.counts(outbox, 1, 0)
	s.ok(s.Purge(s.ctx(), inbox))
	s.counts(inbox, 0, 2)
}

func dropDeletesAll(s *subject) {
	id, a, b := s.two()
	s.put(inbox, alice, draft(60, 30, "delayed"))
	other := s.post(topic, 2)
	s.ok(s.Drop(s.ctx(), inbox))
	s.gone(inbox, id...)
	s.same("tally", s.tally(inbox), messaging.Tally{})
	s.dead(inbox, a)
	s.dead(inbox, b)
	s.same("the topic of that name", ids(s.all(topic)), other)
	again := s.post(inbox, 2)
	s.same("posted after the drop", ids(s.all(inbox)), again)
	s.refuses(messaging.NotClaimed, inbox, by(a), again[0])
}

func messageTenants(s *subject) {
	posted := map[messaging.QueueRef][]messaging.MessageID{}
	for i, q := range awkward() {
		posted[q] = s.post(q, i%3+1)
	}
	check := func() {
		s.Helper()
		for q, id := range posted {
			s.same(fmt.Sprintf("messages of %+v", q), ids(s.all(q)), id)
		}
	}
	check()
	for i, q := range awkward()[:len(awkward())/2] {
		switch i % 3 {
		case 0:
			s.ok(s.Drop(s.ctx(), q))
		case 1:
			s.ok(s.Purge(s.ctx(), q))
		case 2:
			s.pop(q, 10)
		}
		posted[q] = nil
	}
	check()
	s.restartIfItCan()
	check()
}
