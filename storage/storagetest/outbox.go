package storagetest

import (
	"fmt"
	"sync"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

func outboxPromises() []promise {
	return []promise{
		{"an announced post to a queue without subscriptions leaves no copies", outboxNobody},
		{"a post that is not announced leaves no copies", outboxSilent},
		{"an announced post leaves copies in its order, and says so", outboxCopies},
		{"a copy keeps its key, has no delay and lives as long as announced", outboxLifetime},
		{"a subscription to another queue, topic or project does not count", outboxElsewhere},
		{"a subscription counts from its creation to its removal", outboxWhile},
		{"the parts of a queue are queues of their own", outboxParts},
		{"what is in parts is not counted as stored", outboxUncounted},
		{"copies survive a restart, and so does what was claimed of them", outboxRestart},
		{"a post to several queues is in all of them, with ids of their own", alsoAll},
		{"each of several queues announces to its own subscribers", alsoAnnounce},
		{"concurrent announced posts leave a copy each", outboxConcurrent},
		{"sources are all that have subscriptions, page by page", sourcePages},
		{"a PartLister names the parts that hold messages, and none that was dropped", partsListed},
	}
}

// announce appends one batch and its copies.
func (s *subject) announce(q messaging.QueueRef, note string, ttl int64, drafts ...messaging.Draft) storage.Appended {
	s.Helper()
	out, err := s.Append(s.ctx(), q, alice, drafts, storage.AppendOptions{Announce: &storage.Announcement{Note: []byte(note), TTL: ttl}})
	s.ok(err)
	return out
}

// copies reads what is in the outbox of the queue.
func (s *subject) copies(q messaging.QueueRef) (list []storage.Copy) {
	s.Helper()
	for _, m := range s.all(q.In(messaging.Outbox)) {
		c, err := storage.ReadCopy(m.Body)
		s.ok(err)
		list = append(list, c)
	}
	return list
}

func (s *subject) announced(out storage.Appended, want bool) {
	s.Helper()
	if out.Announced != want {
		s.Errorf("announced is %v, want %v", out.Announced, want)
	}
}

func outboxNobody(s *subject) {
	s.announced(s.announce(inbox, "n", 600, draft(60, 0, "1")), false)
	s.same("copies", s.copies(inbox), []storage.Copy{})
	s.same("messages", bodies(s.all(inbox)), []string{"1"})
}

func outboxSilent(s *subject) {
	s.subscribe(inbox, "http://a")
	s.post(inbox, 1)
	s.same("copies", s.copies(inbox), []storage.Copy{})
}

func outboxCopies(s *subject) {
	s.subscribe(inbox, "http://a")
	s.subscribe(inbox, "http://b")
	first := s.announce(inbox, "", 600, draft(60, 0, "1"))
	second := s.announce(inbox, "{\"a\": 1} x", 600, draft(60, 0, "\"2\n\x00\xff\""), draft(70, 5, "3"))
	s.announced(first, true)
	s.announced(second, true)
	s.same("copies", s.copies(inbox), []storage.Copy{
		{ID: first.IDs[0], Index: 0, TTL: 60, Body: []byte("1")},
		{ID: second.IDs[0], Index: 0, TTL: 60, Note: []byte("{\"a\": 1} x"), Body: []byte("\"2\n\x00\xff\"")},
		{ID: second.IDs[1], Index: 1, TTL: 70, Delay: 5, Note: []byte("{\"a\": 1} x"), Body: []byte("3")},
	})
	s.same("messages", bodies(s.all(inbox)), []string{"1", "\"2\n\x00\xff\"", "3"})
}

func outboxLifetime(s *subject) {
	s.subscribe(inbox, "http://a")
	s.announce(inbox, "n", 100, messaging.Draft{TTL: 60, Delay: 30, Body: []byte("sealed"), Key: "k1", Checksum: "MD5:00"})
	list := s.all(inbox.In(messaging.Outbox))
	if len(list) != 1 {
		s.Fatalf("%d copies", len(list))
	}
	m := list[0]
	if m.Key != "k1" || m.TTL != 100 || !m.Available.IsZero() || m.Poster != alice || !m.Posted.Equal(s.clock.Now()) {
		s.Errorf("%+v", m)
	}
	lease, err := s.Claim(s.ctx(), inbox.In(messaging.Outbox), storage.Terms{TTL: 10, Limit: 1})
	s.ok(err)
	s.same("claimed", len(lease.Messages), 1)
	s.pass(99.999)
	s.same("shortly before its end", len(s.all(inbox.In(messaging.Outbox))), 1)
	s.pass(0.001)
	s.same("at its end", len(s.all(inbox.In(messaging.Outbox))), 0)
}

func outboxElsewhere(s *subject) {
	for _, q := range []messaging.QueueRef{outbox, alien, topic} {
		s.subscribe(q, "http://a")
	}
	s.announced(s.announce(inbox, "n", 600, draft(60, 0, "1")), false)
	s.announced(s.announce(topic, "n", 600, draft(60, 0, "2")), true)
	for q, want := range map[messaging.QueueRef]int{inbox: 0, outbox: 0, alien: 0, topic: 1} {
		s.same(fmt.Sprint("copies for ", q), len(s.copies(q)), want)
	}
}

func outboxWhile(s *subject) {
	for i := range 3 {
		a, b := s.subscribe(inbox, "http://a"), s.subscribe(inbox, "http://b")
		s.restartIfItCan()
		s.announced(s.announce(inbox, "n", 600, draft(60, 0, "1")), true)
		s.ok(s.Unsubscribe(s.ctx(), inbox, a.ID))
		s.announced(s.announce(inbox, "n", 600, draft(60, 0, "1")), true)
		if i == 1 {
			s.ok(s.UnsubscribeAll(s.ctx(), inbox))
		} else {
			s.ok(s.Unsubscribe(s.ctx(), inbox, b.ID))
		}
		s.announced(s.announce(inbox, "n", 600, draft(60, 0, "1")), false)
		s.restartIfItCan()
		s.announced(s.announce(inbox, "n", 600, draft(60, 0, "1")), false)
		s.same("copies", len(s.copies(inbox)), 2*(i+1))
	}
}

func outboxParts(s *subject) {
	sub := s.subscribe(inbox, "http://a")
	parts := []messaging.QueueRef{inbox, inbox.In(messaging.Outbox), inbox.In(messaging.Backlog(sub.ID)), inbox.In(messaging.Failed(sub.ID)),
		topic.In(messaging.Outbox), alien.In(messaging.Outbox)}
	for i, q := range parts {
		s.put(q, alice, draft(forever, 0, fmt.Sprint(i)))
	}
	s.restartIfItCan()
	for i, q := range parts {
		s.same(fmt.Sprint(q), bodies(s.all(q)), []string{fmt.Sprint(i)})
	}
	s.ok(s.Drop(s.ctx(), inbox))
	for i, q := range parts[1:] {
		s.same(fmt.Sprint(q, " after the queue is dropped"), bodies(s.all(q)), []string{fmt.Sprint(i + 1)})
	}
	s.ok(s.Drop(s.ctx(), parts[2]))
	s.same("a part that was dropped", len(s.all(parts[2])), 0)
	s.same("another one", len(s.all(parts[3])), 1)
	s.put(parts[2], alice, draft(forever, 0, "again"))
	s.same("the part again", bodies(s.all(parts[2])), []string{"again"})
}

func outboxUncounted(s *subject) {
	s.subscribe(inbox, "http://a")
	s.announce(inbox, "n", 600, draft(600, 0, "123"))
	s.put(inbox.In(messaging.Failed("x")), alice, draft(600, 0, "12345"))
	for range 2 {
		stored, err := s.Stored(s.ctx(), inbox.Project)
		s.ok(err)
		s.same("stored", stored, messaging.Stored{Messages: 1, Bytes: 3})
		total, claimed, err := s.Volume(s.ctx())
		s.ok(err)
		s.same("volume", []int{total, claimed}, []int{1, 0})
		s.restartIfItCan()
	}
	s.ok(s.Drop(s.ctx(), inbox.In(messaging.Outbox)))
	stored, err := s.Stored(s.ctx(), inbox.Project)
	s.ok(err)
	s.same("stored after a part is dropped", stored, messaging.Stored{Messages: 1, Bytes: 3})
}

func outboxRestart(s *subject) {
	s.subscribe(inbox, "http://a")
	out := s.announce(inbox, "n", forever, draft(60, 0, "1"), draft(60, 0, "2"))
	part := inbox.In(messaging.Outbox)
	lease, err := s.Claim(s.ctx(), part, storage.Terms{TTL: 30, Limit: 1})
	s.ok(err)
	s.restart()
	list := s.all(part)
	s.same("claims", []int{list[0].Claims, list[1].Claims}, []int{1, 0})
	s.same("claim", list[0].Claim, lease.Claim.ID)
	s.ok(s.Remove(s.ctx(), part, []messaging.MessageID{list[0].ID}, storage.Hold{By: []messaging.ClaimID{lease.Claim.ID}}))
	s.restart()
	s.same("copies", s.copies(inbox), []storage.Copy{{ID: out.IDs[1], Index: 1, TTL: 60, Note: []byte("n"), Body: []byte("2")}})
	s.same("messages", bodies(s.all(inbox)), []string{"1", "2"})
}

func alsoAll(s *subject) {
	out, err := s.Append(s.ctx(), inbox, alice, []messaging.Draft{draft(60, 0, "1"), draft(60, 10, "2")},
		storage.AppendOptions{Also: []messaging.QueueRef{outbox, alien, topic}})
	s.ok(err)
	s.announced(out, false)
	s.restartIfItCan()
	seen := map[messaging.MessageID]bool{}
	for _, q := range []messaging.QueueRef{inbox, outbox, alien, topic} {
		list := s.all(q)
		s.same(fmt.Sprint(q), bodies(list), []string{"1", "2"})
		s.same(fmt.Sprint(q, " without delayed ones"), bodies(s.scan(q, storage.Scan{Limit: 10})), []string{"1"})
		for _, m := range list {
			if seen[m.ID] {
				s.Errorf("%s is the id of two messages", m.ID)
			}
			seen[m.ID] = true
		}
	}
	for i, m := range s.all(inbox) {
		s.same("id", m.ID, out.IDs[i])
	}
}

func alsoAnnounce(s *subject) {
	s.subscribe(outbox, "http://a")
	s.subscribe(topic, "http://a")
	out, err := s.Append(s.ctx(), inbox, alice, []messaging.Draft{draft(60, 0, "1")},
		storage.AppendOptions{Announce: &storage.Announcement{TTL: 600}, Also: []messaging.QueueRef{outbox, alien, topic}})
	s.ok(err)
	s.announced(out, true)
	for q, want := range map[messaging.QueueRef]int{inbox: 0, outbox: 1, alien: 0, topic: 1} {
		list := s.copies(q)
		s.same(fmt.Sprint("copies for ", q), len(list), want)
		for _, c := range list {
			s.same("what is copied", c.ID, s.all(q)[0].ID)
		}
	}
}

func outboxConcurrent(s *subject) {
	s.subscribe(inbox, "http://a")
	const posters, posts = 8, 20
	var wait sync.WaitGroup
	var mu sync.Mutex
	want := map[messaging.MessageID]string{}
	for p := range posters {
		wait.Go(func() {
			for i := range posts {
				body := fmt.Sprint(p*1000 + i)
				out, err := s.Append(s.ctx(), inbox, alice, []messaging.Draft{draft(60, 0, body)}, storage.AppendOptions{
					Announce: &storage.Announcement{TTL: 600}, Also: []messaging.QueueRef{outbox}})
				if err != nil || !out.Announced {
					s.Errorf("announced %v, %v", out.Announced, err)
					return
				}
				mu.Lock()
				want[out.IDs[0]] = body
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	got := map[messaging.MessageID]string{}
	for _, c := range s.copies(inbox) {
		got[c.ID] = string(c.Body)
	}
	s.same("copies", got, want)
	s.same("the other queue", len(s.all(outbox)), posters*posts)
}

func sourcePages(s *subject) {
	none, err := s.Sources(s.ctx(), messaging.QueueRef{}, 10)
	s.ok(err)
	s.same("sources of none", none, []messaging.QueueRef{})
	want := map[messaging.QueueRef]bool{}
	for i, p := range []messaging.Project{"p1", "p/2", "ü", "p"} {
		for j, name := range []string{"a", "A", "aa", "z"} {
			q := messaging.QueueRef{Project: p, Name: name, Topic: (i+j)%2 == 0}
			want[q] = true
			for k := range 3 {
				s.subscribe(q, fmt.Sprint("http://", k))
			}
		}
	}
	gone := messaging.QueueRef{Project: "p1", Name: "gone"}
	s.subscribe(gone, "http://a")
	s.ok(s.UnsubscribeAll(s.ctx(), gone))
	s.restartIfItCan()
	for _, limit := range []int{1, 3, 100} {
		got := map[messaging.QueueRef]bool{}
		var after messaging.QueueRef
		for range 100 {
			page, err := s.Sources(s.ctx(), after, limit)
			s.ok(err)
			if len(page) == 0 {
				break
			}
			for _, q := range page {
				if got[q] {
					s.Errorf("%v is listed twice", q)
				}
				got[q], after = true, q
			}
		}
		delete(got, gone) // it may still be named
		s.same(fmt.Sprint("sources by pages of ", limit), got, want)
	}
	s.clock.Advance(2 * time.Hour)
	_, err = s.Sweep(s.ctx())
	s.ok(err)
}

func partsListed(s *subject) {
	if _, ok := s.Store.(storage.PartLister); !ok {
		s.Skip("the store cannot tell its parts")
	}
	check := func(what string, must, mustNot []messaging.QueueRef) {
		s.Helper()
		got := map[messaging.QueueRef]int{}
		s.ok(s.Store.(storage.PartLister).Parts(s.ctx(), func(q messaging.QueueRef) { got[q]++ }))
		for _, q := range must {
			if got[q] != 1 {
				s.Errorf("%s: %v is named %d times", what, q, got[q])
			}
		}
		for _, q := range mustNot {
			if got[q] != 0 {
				s.Errorf("%s: %v is named", what, q)
			}
		}
	}
	kinds := []messaging.Part{messaging.Outbox, messaging.Backlog("0123"), messaging.Failed("0123")}
	whole := append(awkward(), inbox, topic, alien)
	var parts []messaging.QueueRef
	for i, q := range whole {
		s.post(q, 1)
		part := q.In(kinds[i%len(kinds)])
		parts = append(parts, part)
		s.put(part, alice, draft(3600, int64(i%2), "x"))
	}
	s.claim(parts[0], storage.Terms{TTL: 60, Grace: 60, Limit: 1})
	check("full", parts, append(whole, inbox.In(messaging.Backlog("none"))))
	s.ok(s.Drop(s.ctx(), parts[1]))
	s.ok(s.Drop(s.ctx(), whole[2]))
	check("one is dropped", append(parts[2:], parts[0]), append(whole, parts[1]))
	s.restartIfItCan()
	check("a restart", append(parts[2:], parts[0]), append(whole, parts[1]))
	s.put(parts[1], alice, draft(60, 0, "y"))
	check("it is used again", parts, whole)
}
