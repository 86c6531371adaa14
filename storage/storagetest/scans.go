package storagetest

import (
	"fmt"
	"math"
	"strconv"

	"zaqar/messaging"
	"zaqar/storage"
)

func scanPromises() []promise {
	return []promise{
		{"S37 a scan that hides the poster shows none of his messages", scanHides},
		{"S38 a page has up to the limit", scanLimit},
		{"S39 the page after the first has the rest", scanNextPage},
		{"S45 a page after an unknown id is empty", scanAfterUnknown},
		{"S46 a page after the first message starts at the second", scanAfterFirst},
		{"S47 a page after a message that is gone continues at its place", scanAfterGone},
		{"S48 a message's id and position are the same marker", scanIDOrPosition},
		{"S49 claimed messages are shown without a marker", scanClaimedFromStart},
		{"filters apply before the page is cut", scanFiltersFirst},
		{"a filtered scan pages through all that match", scanPagesWithFilters},
		{"positions of a queue grow strictly and are never used twice", positionsGrow},
		{"positions are below 1<<53, and a scan after the largest number is empty", positionsBounded},
	}
}

// follow reads the queue page by page as a client does and returns all of it.
func (s *subject) follow(q messaging.QueueRef, f storage.Scan) []messaging.Message {
	s.Helper()
	var list []messaging.Message
	for range 10_000 {
		page := s.scan(q, f)
		if len(page) == 0 {
			return list
		}
		if len(page) > f.Limit {
			s.Fatalf("a page of %d has %d", f.Limit, len(page))
		}
		list = append(list, page...)
		f.After, f.AfterID = page[len(page)-1].Position, ""
	}
	s.Fatal("the pages never end")
	return nil
}

func scanHides(s *subject) {
	s.post(inbox, 15)
	s.same("what alice sees", s.scan(inbox, storage.Scan{Limit: 20, Hide: alice}), []messaging.Message{})
	others := s.postAs(inbox, bob, 2)
	s.same("what alice sees", ids(s.scan(inbox, storage.Scan{Limit: 20, Hide: alice})), others)
	if n := len(s.scan(inbox, storage.Scan{Limit: 20})); n != 17 {
		s.Errorf("%d messages when none are hidden, want 17", n)
	}
	s.postAs(outbox, "", 1)
	if n := len(s.scan(outbox, storage.Scan{Limit: 20})); n != 1 {
		s.Error("an empty Hide hides the messages of an empty client id")
	}
}

func scanLimit(s *subject) {
	list := s.post(inbox, 15)
	s.same("limit 20", ids(s.scan(inbox, storage.Scan{Limit: 20})), list)
	s.same("limit 10", ids(s.scan(inbox, storage.Scan{Limit: 10})), list[:10])
	s.same("limit 1", ids(s.scan(inbox, storage.Scan{Limit: 1})), list[:1])
}

func scanNextPage(s *subject) {
	list := s.post(inbox, 15)
	first := s.scan(inbox, storage.Scan{Limit: 10})
	rest := s.scan(inbox, storage.Scan{Limit: 10, After: first[9].Position})
	s.same("second page", ids(rest), list[10:])
	s.same("third page", s.scan(inbox, storage.Scan{Limit: 10, After: rest[4].Position}), []messaging.Message{})
	s.same("all pages of 4", ids(s.follow(inbox, storage.Scan{Limit: 4})), list)
}

func scanAfterUnknown(s *subject) {
	s.post(inbox, 3)
	for _, id := range nonsense {
		list := s.scan(inbox, storage.Scan{AfterID: messaging.MessageID(id), Limit: 10})
		s.same(fmt.Sprintf("page after %q", id), list, []messaging.Message{})
	}
	foreign := s.h.Open(s.T, s.env)
	defer foreign.Close()
	put, err := foreign.Append(s.ctx(), inbox, alice, []messaging.Draft{draft(60, 0, "1")}, storage.AppendOptions{})
	id := put.IDs
	s.ok(err)
	s.same("page after an id of another store", s.scan(inbox, storage.Scan{AfterID: id[0], Limit: 10}), []messaging.Message{})
}

func scanAfterFirst(s *subject) {
	list := s.post(inbox, 3)
	first := s.one(inbox, list[0])
	s.same("page after the position", ids(s.scan(inbox, storage.Scan{After: first.Position, Limit: 10})), list[1:])
	s.same("page after the id", ids(s.scan(inbox, storage.Scan{AfterID: first.ID, Limit: 10})), list[1:])
	s.same("page after the last", s.scan(inbox, storage.Scan{AfterID: list[2], Limit: 10}), []messaging.Message{})
	s.same("page after 0", ids(s.scan(inbox, storage.Scan{After: 0, Limit: 10})), list)
	s.same("page after the largest position", s.scan(inbox, storage.Scan{After: 1<<64 - 1, Limit: 10}), []messaging.Message{})
}

func scanAfterGone(s *subject) {
	var list []messaging.MessageID
	for i := range 6 {
		ttl := int64(forever)
		if i == 2 {
			ttl = 30
		}
		list = append(list, s.put(inbox, alice, draft(ttl, 0, strconv.Itoa(i)))...)
	}
	all := s.all(inbox)
	s.pop(inbox, 1)                          // 0
	s.remove(inbox, storage.Hold{}, list[1]) // 1
	s.pass(30)                               // 2
	s.remove(inbox, storage.Hold{}, list[5]) // 5
	check := func() {
		s.Helper()
		for i, left := range []int{3, 3, 3, 4, 5, 5} {
			want := list[left:5]
			s.same(fmt.Sprint("page after the position of ", i), ids(s.scan(inbox, storage.Scan{After: all[i].Position, Limit: 10})), want)
			if !s.h.Placeless {
				s.same(fmt.Sprint("page after the id of ", i), ids(s.scan(inbox, storage.Scan{AfterID: list[i], Limit: 10})), want)
			}
		}
	}
	check()
	s.sweep()
	check()
	s.restartIfItCan()
	check()
	late := s.post(inbox, 1)
	s.same("page after the last deleted", ids(s.scan(inbox, storage.Scan{After: all[5].Position, Limit: 10})), late)
}

func scanIDOrPosition(s *subject) {
	list := s.post(inbox, 12)
	for i, m := range s.all(inbox) {
		want := list[i+1:]
		s.same("page after the position", ids(s.scan(inbox, storage.Scan{After: m.Position, Limit: 20})), want)
		s.same("page after the id", ids(s.scan(inbox, storage.Scan{AfterID: m.ID, Limit: 20})), want)
		s.same("page when both are given", ids(s.scan(inbox, storage.Scan{After: 1 << 62, AfterID: m.ID, Limit: 20})), want)
	}
}

func scanClaimedFromStart(s *subject) {
	list := s.post(inbox, 3)
	s.take(inbox, 2)
	s.same("with claimed", ids(s.scan(inbox, storage.Scan{Limit: 10, Claimed: true})), list)
	s.same("without", ids(s.scan(inbox, storage.Scan{Limit: 10})), list[2:])
}

func scanFiltersFirst(s *subject) {
	for range 10 {
		s.postAs(inbox, alice, 3)
		s.postAs(inbox, bob, 1)
	}
	if n := len(s.scan(inbox, storage.Scan{Limit: 5, Hide: alice})); n != 5 {
		s.Errorf("a page of 5 has %d of bob's 10 messages", n)
	}
	s.take(inbox, 30)
	if n := len(s.scan(inbox, storage.Scan{Limit: 10})); n != 10 {
		s.Errorf("a page of 10 has %d of 10 unclaimed messages", n)
	}
}

func scanPagesWithFilters(s *subject) {
	want := map[string][]messaging.MessageID{}
	for i := range 60 {
		by, key := alice, "alice"
		if i%3 == 0 {
			by, key = bob, "bob"
		}
		id := s.put(inbox, by, draft(forever, int64(i%2)*10, strconv.Itoa(i)))[0]
		want["all"] = append(want["all"], id)
		if i%2 == 0 {
			want["undelayed of "+key] = append(want["undelayed of "+key], id)
		}
	}
	s.same("all", ids(s.follow(inbox, storage.Scan{Limit: 7, Delayed: true})), want["all"])
	s.same("bob's", ids(s.follow(inbox, storage.Scan{Limit: 7, Hide: alice})), want["undelayed of bob"])
	s.same("alice's", ids(s.follow(inbox, storage.Scan{Limit: 7, Hide: bob})), want["undelayed of alice"])
}

func positionsBounded(s *subject) {
	s.post(inbox, 3)
	for _, m := range s.all(inbox) {
		if m.Position == 0 || m.Position >= 1<<53 {
			s.Errorf("position %d", m.Position)
		}
	}
	for _, after := range []messaging.Position{1 << 53, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		s.same(fmt.Sprint("page after ", uint64(after)), len(s.scan(inbox, storage.Scan{After: after, Limit: 10})), 0)
	}
}

func positionsGrow(s *subject) {
	var last messaging.Position
	grows := func(n int) {
		s.Helper()
		var list []messaging.MessageID
		for range n {
			list = append(list, s.put(inbox, alice, draft(60, 0, "1"))...)
		}
		for _, m := range s.fetch(inbox, list...) {
			if m.Position <= last {
				s.Fatalf("position %d after %d", m.Position, last)
			}
			last = m.Position
		}
	}
	grows(3)
	s.pop(inbox, 10)
	grows(3)
	s.ok(s.Purge(s.ctx(), inbox))
	grows(3)
	s.ok(s.Drop(s.ctx(), inbox))
	grows(3)
	s.pass(60)
	s.sweep()
	grows(3)
	s.ok(s.Drop(s.ctx(), inbox))
	s.restartIfItCan()
	grows(3)
	s.pass(60)
	s.restartIfItCan()
	s.sweep()
	grows(3)
}
