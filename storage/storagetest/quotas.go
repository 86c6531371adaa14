package storagetest

import (
	"fmt"
	"strings"

	"zaqar/messaging"
	"zaqar/storage"
)

func quotaPromises() []promise {
	return []promise{
		{"a quota comes back as stored", quotaKept},
		{"putting a quota again replaces it", quotaReplaced},
		{"a project without a quota is NotFound, deleting none succeeds", quotaUnknown},
		{"quotas are listed by project, page by page", quotaPages},
		{"a quota is detached from what was passed and returned", quotaDetached},
		{"stored messages are counted, and bytes of bodies", storedCounts},
		{"what is deleted, popped, purged or dropped stops counting at once", storedRemoved},
		{"what expires stops counting at that instant", storedExpires},
		{"nobody is told of what has expired, however many ask", storedExpiresForAll},
		{"claims, releases and extensions do not change what is stored", storedClaimed},
		{"a moved message counts once", storedMoved},
		{"what is stored is the same after a restart", storedRestart},
		{"concurrent posts and deletes count exactly", storedConcurrent},
		{"projects with awkward ids count apart", storedTenants},
		{"subscriptions are counted per project until they expire", subscriptionsCounted},
	}
}

func (s *subject) putQuota(p messaging.Project, l messaging.Limits) {
	s.Helper()
	s.ok(s.PutQuota(s.ctx(), messaging.Quota{Project: p, Limits: l}))
}

func (s *subject) quotaIs(p messaging.Project, want messaging.Limits) {
	s.Helper()
	got, err := s.Quota(s.ctx(), p)
	s.ok(err)
	s.same("quota", got, messaging.Quota{Project: p, Limits: want})
}

func (s *subject) noQuota(p messaging.Project) {
	s.Helper()
	_, err := s.Quota(s.ctx(), p)
	s.fails(err, messaging.NotFound)
}

func quotaKept(s *subject) {
	all := messaging.Limits{}
	for i, l := range messaging.AllLimits() {
		all[l] = int64(i) - 1
	}
	all[messaging.LimitMessageBytes] = messaging.MaxLimit
	s.putQuota("p1", all)
	s.putQuota("p/2", messaging.Limits{})
	s.restartIfItCan()
	s.quotaIs("p1", all)
	s.quotaIs("p/2", nil)
}

func quotaReplaced(s *subject) {
	s.putQuota("p1", messaging.Limits{messaging.LimitQueues: 1, messaging.LimitTopics: 2})
	s.putQuota("p1", messaging.Limits{messaging.LimitQueues: 3})
	s.quotaIs("p1", messaging.Limits{messaging.LimitQueues: 3})
	s.noQuota("p2")
}

func quotaUnknown(s *subject) {
	s.noQuota("p1")
	s.ok(s.DeleteQuota(s.ctx(), "p1"))
	s.putQuota("p1", messaging.Limits{messaging.LimitQueues: 1})
	s.ok(s.DeleteQuota(s.ctx(), "p1"))
	s.restartIfItCan()
	s.noQuota("p1")
}

func quotaPages(s *subject) {
	long := messaging.Project(strings.Repeat("z", messaging.MaxProjectLength))
	projects := []messaging.Project{"A", "a", "a/b", "aa", "ü", long}
	for _, p := range projects {
		s.putQuota(p, messaging.Limits{messaging.LimitQueues: int64(len(p))})
	}
	list := func(after messaging.Project, limit int) (found []messaging.Project) {
		quotas, err := s.Quotas(s.ctx(), after, limit)
		s.ok(err)
		for _, q := range quotas {
			s.same("limits", q.Limits, messaging.Limits{messaging.LimitQueues: int64(len(q.Project))})
			found = append(found, q.Project)
		}
		return found
	}
	s.same("all", list("", 100), []messaging.Project{"A", "a", "a/b", "aa", long, "ü"})
	s.same("the second page", list("a", 2), []messaging.Project{"a/b", "aa"})
	s.same("after one that is not there", list("a0", 1), []messaging.Project{"aa"})
}

func quotaDetached(s *subject) {
	l := messaging.Limits{messaging.LimitQueues: 1}
	s.putQuota("p1", l)
	l[messaging.LimitQueues] = 2
	got, err := s.Quota(s.ctx(), "p1")
	s.ok(err)
	got.Limits[messaging.LimitQueues] = 3
	list, err := s.Quotas(s.ctx(), "", 1)
	s.ok(err)
	list[0].Limits[messaging.LimitQueues] = 4
	s.quotaIs("p1", messaging.Limits{messaging.LimitQueues: 1})
}

func (s *subject) storedIs(p messaging.Project, messages, bytes int64) {
	s.Helper()
	got, err := s.Stored(s.ctx(), p)
	s.ok(err)
	s.same("stored", got, messaging.Stored{Messages: messages, Bytes: bytes})
}

func storedCounts(s *subject) {
	s.storedIs("p1", 0, 0)
	s.put(inbox, alice, draft(60, 0, `""`), draft(60, 10, `"12345678"`))
	s.put(outbox, "", messaging.Draft{TTL: 60, Body: []byte("sealed"), Key: "k1", Checksum: "MD5:0"})
	s.put(topic, bob, draft(60, 0, strings.Repeat("1", 100_000)))
	s.put(alien, alice, draft(60, 0, "1"))
	s.storedIs("p1", 4, 2+10+6+100_000)
	s.storedIs("p2", 1, 1)
	s.storedIs("p3", 0, 0)
}

func storedRemoved(s *subject) {
	list := s.put(inbox, alice, draft(60, 0, "1"), draft(60, 0, "22"), draft(60, 0, "333"), draft(60, 0, "4444"), draft(60, 0, "55555"))
	s.remove(inbox, storage.Hold{}, list[0], list[0], "nope")
	s.storedIs("p1", 4, 14)
	s.same("popped", bodies(s.pop(inbox, 1)), []string{"22"})
	s.storedIs("p1", 3, 12)
	s.take(inbox, 1)
	s.ok(s.Purge(s.ctx(), inbox))
	s.storedIs("p1", 1, 3)
	s.put(outbox, alice, draft(60, 0, "1"))
	s.ok(s.Drop(s.ctx(), inbox))
	s.storedIs("p1", 1, 1)
	s.put(inbox, alice, draft(60, 0, "22"))
	s.storedIs("p1", 2, 3)
}

func storedExpires(s *subject) {
	for i := range 10 {
		q := messaging.QueueRef{Project: "p1", Name: fmt.Sprint("q", i)}
		s.put(q, alice, draft(int64(10+i), 0, "1"), draft(forever, 0, "22"))
	}
	s.put(alien, alice, draft(10, 0, "1"))
	s.storedIs("p1", 20, 30)
	s.pass(9.999)
	s.storedIs("p1", 20, 30)
	s.pass(0.001)
	s.storedIs("p1", 19, 29)
	s.pass(4)
	s.storedIs("p1", 15, 25)
	s.sweep()
	s.pass(5)
	s.storedIs("p1", 10, 20)
	s.storedIs("p2", 0, 0)
}

func storedExpiresForAll(s *subject) {
	for round := range 5 {
		for i := range 20 {
			var drafts []messaging.Draft
			for range 200 {
				drafts = append(drafts, draft(10, 0, "1"))
			}
			s.put(messaging.QueueRef{Project: "p1", Name: fmt.Sprint("q", i)}, alice, drafts...)
		}
		s.pass(10)
		s.together(8, func(i int) error {
			if i == 0 {
				_, err := s.Sweep(s.ctx())
				return err
			}
			got, err := s.Stored(s.ctx(), "p1")
			if err == nil && got != (messaging.Stored{}) {
				err = fmt.Errorf("round %d: %+v", round, got)
			}
			return err
		})
	}
}

func storedClaimed(s *subject) {
	s.put(inbox, alice, draft(30, 0, "1"), draft(600, 0, "22"))
	lease := s.take(inbox, 2)
	s.storedIs("p1", 2, 3)
	s.pass(40) // beyond the life that the claim extended
	s.storedIs("p1", 2, 3)
	s.release(inbox, lease.Claim.ID, 2)
	s.storedIs("p1", 2, 3)
	lease = s.take(inbox, 1)
	s.remove(inbox, storage.Hold{By: []messaging.ClaimID{lease.Claim.ID}}, ids(lease.Messages)...)
	s.storedIs("p1", 1, 2)
}

func storedMoved(s *subject) {
	s.put(inbox, alice, draft(60, 0, "1"), draft(60, 0, "22"))
	lease := s.take(inbox, 2)
	s.move(inbox, lease.Claim.ID, outbox, 100, ids(lease.Messages)...)
	s.storedIs("p1", 2, 3)
	s.pass(99)
	s.storedIs("p1", 2, 3)
	s.pass(1)
	s.storedIs("p1", 0, 0)
}

func storedRestart(s *subject) {
	s.put(inbox, alice, draft(60, 0, "1"), draft(60, 0, "22"), draft(30, 0, "333"))
	gone := s.put(outbox, alice, draft(60, 5, "4444"), draft(60, 0, "55555"))
	s.remove(outbox, storage.Hold{}, gone[0])
	lease := s.take(inbox, 1)
	s.move(inbox, lease.Claim.ID, topic, 0, ids(lease.Messages)...)
	s.storedIs("p1", 4, 11)
	s.restart()
	s.storedIs("p1", 4, 11)
	s.ok(s.Drop(s.ctx(), outbox))
	s.pass(30)
	s.restart()
	s.storedIs("p1", 2, 3)
}

func storedConcurrent(s *subject) {
	const clients, rounds = 8, 25
	s.together(clients, func(i int) error {
		q := messaging.QueueRef{Project: "p1", Name: fmt.Sprint("q", i%3)}
		for range rounds {
			put, err := s.Append(s.ctx(), q, alice, []messaging.Draft{draft(forever, 0, "1"), draft(forever, 0, "22"), draft(forever, 0, "333")}, storage.AppendOptions{})
			kept := put.IDs
			if err != nil {
				return err
			}
			if err := s.Remove(s.ctx(), q, kept[1:], storage.Hold{}); err != nil {
				return err
			}
			if _, err := s.Stored(s.ctx(), "p1"); err != nil {
				return err
			}
		}
		return nil
	})
	s.storedIs("p1", clients*rounds, clients*rounds)
}

func storedTenants(s *subject) {
	want := map[messaging.Project]int64{}
	for i, q := range awkward() {
		s.put(q, alice, draft(forever, 0, strings.Repeat("1", i+1)))
		want[q.Project] += int64(i + 1)
	}
	for p, bytes := range want {
		got, err := s.Stored(s.ctx(), p)
		s.ok(err)
		s.same(fmt.Sprintf("bytes of %q", p), got.Bytes, bytes)
	}
}

func subscriptionsCounted(s *subject) {
	count := func(p messaging.Project, want int) {
		s.Helper()
		n, err := s.CountSubscriptions(s.ctx(), p)
		s.ok(err)
		s.same("subscriptions", n, want)
	}
	count("p1", 0)
	for i, q := range []messaging.QueueRef{inbox, inbox, outbox, topic, alien} {
		_, _, err := s.Subscribe(s.ctx(), messaging.Subscription{Source: q, Subscriber: fmt.Sprint("http://", i), TTL: int64(60 + i)})
		s.ok(err)
	}
	count("p1", 4)
	count("p2", 1)
	s.pass(60)
	count("p1", 3)
	s.sweep()
	count("p1", 3)
	s.ok(s.UnsubscribeAll(s.ctx(), outbox))
	s.restartIfItCan()
	count("p1", 2)
}
