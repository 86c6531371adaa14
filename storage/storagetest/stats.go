package storagetest

import (
	"fmt"

	"zaqar/messaging"
	"zaqar/storage"
)

func statsPromises() []promise {
	return []promise{
		{"S21 an unused queue counts nothing and has no oldest or newest", statsEmpty},
		{"S22 oldest and newest are the first and the last posted", statsEnds},
		{"S23 deleting 5 of 10 leaves 5", statsDeleteFive},
		{"S24 an unknown id among the deleted does not matter", statsDeleteWithUnknown},
		{"S25 deleting one of 10 leaves 9", statsDeleteOne},
		{"S26 a claim counts until its messages are deleted with it", statsClaimed},
		{"S27 deleting claimed messages unconditionally lowers both counts", statsDeleteClaimed},
		{"S28 releasing the claim frees what is left", statsReleased},
		{"S29 an expired claim counts nothing", statsClaimExpired},
		{"S30 expired messages count nowhere", statsExpired},
		{"S31 delayed messages are total and free", statsDelayed},
		{"S32 an absent queue counts nothing", statsAbsent},
		{"S33 oldest and newest may be claimed or delayed", statsEndsAnyState},
		{"S50 the oldest and newest of 12 are the first and the last", statsFirstAndLast},
		{"the volume counts all queues of all projects", statsVolume},
	}
}

// ends checks the oldest and newest message of a Tally.
func (s *subject) ends(q messaging.QueueRef, oldest, newest messaging.MessageID) {
	s.Helper()
	t := s.tally(q)
	outline := func(id messaging.MessageID) *messaging.Message {
		m := s.one(q, id)
		return &messaging.Message{ID: m.ID, Posted: m.Posted, TTL: m.TTL}
	}
	s.same("oldest", t.Oldest, outline(oldest))
	s.same("newest", t.Newest, outline(newest))
}

func (s *subject) volumeIs(total, claimed int) {
	s.Helper()
	t, c, err := s.Volume(s.ctx())
	s.ok(err)
	if t != total || c != claimed {
		s.Fatalf("volume %d, claimed %d; want %d, %d", t, c, total, claimed)
	}
	s.surveyIs(total, claimed)
}

// surveyIs checks what a store that is a Surveyor says of each queue.
func (s *subject) surveyIs(total, claimed int) {
	s.Helper()
	surveyor, ok := s.Store.(storage.Surveyor)
	if !ok {
		return
	}
	found := map[messaging.QueueRef][2]int{}
	s.ok(surveyor.Survey(s.ctx(), func(q messaging.QueueRef, t, c int) {
		if _, again := found[q]; again || t == 0 {
			s.Errorf("the survey tells of %v again or for nothing: %d messages", q, t)
		}
		found[q] = [2]int{t, c}
	}))
	for q, n := range found {
		if t := s.tally(q); t.Total != n[0] || t.Claimed != n[1] {
			s.Errorf("the survey says %v of %v, the tally %d and %d", n, q, t.Total, t.Claimed)
		}
		total, claimed = total-n[0], claimed-n[1]
	}
	if total != 0 || claimed != 0 {
		s.Errorf("the survey lacks %d messages, %d of them claimed", total, claimed)
	}
}

func statsEmpty(s *subject) {
	s.create(inbox, `{}`)
	s.same("tally", s.tally(inbox), messaging.Tally{})
}

func statsEnds(s *subject) {
	first := s.post(inbox, 6)
	s.pass(1.5)
	last := s.post(inbox, 6)
	s.counts(inbox, 12, 0)
	s.ends(inbox, first[0], last[5])
	t := s.tally(inbox)
	now := s.clock.Now()
	if age := t.Oldest.Age(now); age != 1 {
		s.Errorf("the oldest is %d s old, want 1", age)
	}
	if !t.Oldest.Posted.Before(t.Newest.Posted) || t.Newest.Posted.After(now) {
		s.Errorf("posted at %v and %v, now %v", t.Oldest.Posted, t.Newest.Posted, now)
	}
}

func statsDeleteFive(s *subject) {
	s.remove(inbox, storage.Hold{}, s.post(inbox, 10)[:5]...)
	s.counts(inbox, 5, 0)
}

func statsDeleteWithUnknown(s *subject) {
	given := append(s.post(inbox, 10)[:5], "nope")
	s.remove(inbox, storage.Hold{}, given...)
	s.counts(inbox, 5, 0)
}

func statsDeleteOne(s *subject) {
	list := s.post(inbox, 10)
	s.remove(inbox, storage.Hold{}, list[4])
	s.counts(inbox, 9, 0)
	s.ends(inbox, list[0], list[9])
}

func statsClaimed(s *subject) {
	s.post(inbox, 15)
	lease := s.take(inbox, 10)
	s.counts(inbox, 5, 10)
	s.remove(inbox, storage.Hold{By: []messaging.ClaimID{lease.Claim.ID}}, lease.Messages[3].ID)
	s.counts(inbox, 5, 9)
}

func statsDeleteClaimed(s *subject) {
	s.post(inbox, 15)
	lease := s.take(inbox, 10)
	s.remove(inbox, storage.Hold{}, lease.Messages[0].ID, lease.Messages[9].ID)
	s.counts(inbox, 5, 8)
}

func statsReleased(s *subject) {
	s.post(inbox, 15)
	lease := s.take(inbox, 10)
	s.remove(inbox, storage.Hold{}, lease.Messages[5].ID)
	s.release(inbox, lease.Claim.ID, 9)
	s.counts(inbox, 14, 0)
}

func statsClaimExpired(s *subject) {
	s.post(inbox, 5)
	s.claim(inbox, storage.Terms{TTL: 60, Limit: 3})
	s.pass(59.999)
	s.counts(inbox, 2, 3)
	s.pass(0.001)
	s.counts(inbox, 5, 0)
}

func statsExpired(s *subject) {
	s.put(inbox, alice, draft(60, 0, "1"), draft(30, 0, "2"), draft(60, 0, "3"))
	s.pass(30)
	s.counts(inbox, 2, 0)
	s.pass(30)
	s.same("tally", s.tally(inbox), messaging.Tally{})
}

func statsDelayed(s *subject) {
	s.put(inbox, alice, draft(60, 10, "1"), draft(60, 0, "2"))
	s.counts(inbox, 2, 0)
}

func statsAbsent(s *subject) {
	s.post(alien, 1)
	s.post(topic, 1)
	s.same("tally", s.tally(inbox), messaging.Tally{})
}

func statsEndsAnyState(s *subject) {
	posted := s.put(inbox, alice, draft(90, 0, "claimed"), draft(80, 0, "free"), draft(70, 10, "delayed"))
	s.take(inbox, 1)
	s.ends(inbox, posted[0], posted[2])
}

func statsFirstAndLast(s *subject) {
	list := s.post(inbox, 12)
	s.ends(inbox, list[0], list[11])
	s.remove(inbox, storage.Hold{}, list[0], list[11])
	s.ends(inbox, list[1], list[10])
	s.remove(inbox, storage.Hold{}, list[1:10]...)
	s.ends(inbox, list[10], list[10])
}

func statsVolume(s *subject) {
	s.volumeIs(0, 0)
	for i, q := range []messaging.QueueRef{inbox, outbox, alien, topic} {
		s.post(q, i+1)
	}
	s.put(inbox, alice, draft(30, 20, "delayed"), draft(30, 0, "short"))
	s.take(outbox, 1)
	s.take(topic, 3)
	s.volumeIs(12, 4)
	s.pass(30)
	s.volumeIs(10, 4)
	s.pass(30)
	s.volumeIs(10, 0)
	s.ok(s.Drop(s.ctx(), topic))
	s.volumeIs(6, 0)
	for i := range 20 {
		s.post(messaging.QueueRef{Project: "p3", Name: fmt.Sprint("q", i)}, 1)
	}
	s.volumeIs(26, 0)
}
