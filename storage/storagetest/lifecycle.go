package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

func lifecyclePromises() []promise {
	return []promise{
		{"S18 a store that is closed answers Unavailable, not emptiness", closedIsUnavailable},
		{"S148 ping tells whether the store serves", pingTells},
		{"S150 a restart keeps messages and claims", restartKeepsMessages},
		{"S150 a restart keeps subscriptions", restartKeepsSubscriptions},
		{"S150 a restart keeps queues, pools, flavors and placements", restartKeepsControl},
		{"S150 a restart brings nothing back", restartRevivesNothing},
		{"what expires while the store is down is gone", expiredWhileDown},
		{"ids and positions go on after a restart", restartContinues},
		{"a store can be restarted many times", restartManyTimes},
		{"closing twice succeeds", closeTwice},
		{"capabilities are listed in order, each once", capabilitiesInOrder},
	}
}

// calls are all operations of a store, for checks that concern each.
func calls(ctx context.Context, s Store) map[string]error {
	errs := map[string]error{}
	note := func(name string, err error) { errs[name] = err }

	_, err := s.Append(ctx, inbox, alice, []messaging.Draft{draft(60, 0, "1")}, storage.AppendOptions{})
	note("Append", err)
	_, err = s.Scan(ctx, inbox, everything)
	note("Scan", err)
	_, err = s.Fetch(ctx, inbox, []messaging.MessageID{"x"})
	note("Fetch", err)
	note("Remove", s.Remove(ctx, inbox, []messaging.MessageID{"x"}, storage.Hold{}))
	_, err = s.Pop(ctx, inbox, storage.Take{Limit: 1})
	note("Pop", err)
	_, err = s.Move(ctx, inbox, []messaging.MessageID{"x"}, "x", outbox, 60)
	note("Move", err)
	_, err = s.Tally(ctx, inbox)
	note("Tally", err)
	_, _, err = s.Volume(ctx)
	note("Volume", err)
	_, err = s.Stored(ctx, "p1")
	note("Stored", err)
	note("Purge", s.Purge(ctx, inbox))
	note("Drop", s.Drop(ctx, inbox))
	_, _, err = s.Due(ctx, inbox)
	note("Due", err)
	if lister, ok := s.(storage.PartLister); ok {
		note("Parts", lister.Parts(ctx, func(messaging.QueueRef) {}))
	}

	_, err = s.Claim(ctx, inbox, storage.Terms{TTL: 60, Limit: 1})
	note("Claim", err)
	_, _, err = s.Held(ctx, inbox, "x")
	note("Held", err)
	note("Renew", s.Renew(ctx, inbox, "x", storage.Terms{TTL: 60}))
	_, err = s.Release(ctx, inbox, "x")
	note("Release", err)

	_, _, err = s.Subscribe(ctx, messaging.Subscription{Source: inbox, Subscriber: "http://new", TTL: 60})
	note("Subscribe", err)
	_, err = s.Subscription(ctx, inbox, "x")
	note("Subscription", err)
	_, err = s.SubscriptionTo(ctx, inbox, "http://x")
	note("SubscriptionTo", err)
	_, err = s.Subscriptions(ctx, inbox, "", 10)
	note("Subscriptions", err)
	_, err = s.CountSubscriptions(ctx, "p1")
	note("CountSubscriptions", err)
	_, err = s.AmendSubscription(ctx, inbox, "x", func(*messaging.Subscription) error { return nil })
	note("AmendSubscription", err)
	note("Unsubscribe", s.Unsubscribe(ctx, inbox, "x"))
	note("UnsubscribeAll", s.UnsubscribeAll(ctx, inbox))

	note("Ping", s.Ping(ctx))
	_, err = s.Sweep(ctx)
	note("Sweep", err)
	controlCalls(ctx, s, note)
	return errs
}

func controlCalls(ctx context.Context, s storage.Control, note func(string, error)) {
	_, err := s.CreateQueue(ctx, inbox, nil)
	note("CreateQueue", err)
	_, err = s.Queue(ctx, outbox)
	note("Queue", err)
	_, err = s.AmendQueue(ctx, outbox, func(m *messaging.Metadata) (*messaging.Metadata, error) { return m, nil })
	note("AmendQueue", err)
	note("DeleteQueue", s.DeleteQueue(ctx, inbox))
	_, err = s.Queues(ctx, "p1", false, "", 10)
	note("Queues", err)
	_, err = s.CountQueues(ctx, "p1", false)
	note("CountQueues", err)

	gold := messaging.FlavorRef{Project: "p1", Name: "gold"}
	note("PutPool", s.PutPool(ctx, messaging.Pool{Name: "a", URI: "mem://a"}))
	_, err = s.Pool(ctx, "x")
	note("Pool", err)
	_, err = s.Pools(ctx, "", 0)
	note("Pools", err)
	_, err = s.PoolsOf(ctx, gold)
	note("PoolsOf", err)
	_, err = s.AmendPool(ctx, "x", func(*messaging.Pool) error { return nil })
	note("AmendPool", err)
	note("DeletePool", s.DeletePool(ctx, "a"))
	note("PutFlavor", s.PutFlavor(ctx, messaging.Flavor{Ref: gold}))
	_, err = s.Flavor(ctx, messaging.FlavorRef{Project: "p1", Name: "x"})
	note("Flavor", err)
	_, err = s.Flavors(ctx, "p1", "", 10)
	note("Flavors", err)
	note("DeleteFlavor", s.DeleteFlavor(ctx, gold))
	note("Place", s.Place(ctx, messaging.Placement{Queue: inbox, Pool: "a"}))
	_, err = s.PlaceNew(ctx, messaging.Placement{Queue: inbox, Pool: "a"})
	note("PlaceNew", err)
	_, err = s.Placement(ctx, outbox)
	note("Placement", err)
	_, err = s.Placements(ctx, "p1")
	note("Placements", err)
	_, err = s.PlacedOn(ctx, "a", 10)
	note("PlacedOn", err)
	note("Unplace", s.Unplace(ctx, inbox))

	note("PutQuota", s.PutQuota(ctx, messaging.Quota{Project: "p1"}))
	_, err = s.Quota(ctx, "p2")
	note("Quota", err)
	_, err = s.Quotas(ctx, "", 10)
	note("Quotas", err)
	note("DeleteQuota", s.DeleteQuota(ctx, "p1"))
}

func closedIsUnavailable(s *subject) {
	s.post(inbox, 3)
	s.create(inbox, `{}`)
	s.ok(s.Close())
	for name, err := range calls(s.ctx(), s.Store) {
		if !errors.Is(err, messaging.Unavailable) {
			s.Errorf("%s on a closed store: %v", name, err)
		}
	}
}

func closeTwice(s *subject) {
	s.post(inbox, 1)
	s.ok(s.Close())
	s.ok(s.Close())
}

func pingTells(s *subject) {
	s.ok(s.Ping(s.ctx()))
	s.post(inbox, 1)
	s.ok(s.Ping(s.ctx()))
	s.ok(s.Close())
	s.fails(s.Ping(s.ctx()), messaging.Unavailable)
}

// snapshot is all that can be seen of the Data plane of one queue.
type snapshot struct {
	Messages      []messaging.Message
	Tally         messaging.Tally
	Claims        map[messaging.ClaimID]messaging.Claim
	Subscriptions []messaging.Subscription
}

func (s *subject) snapshot(q messaging.QueueRef) snapshot {
	s.Helper()
	shot := snapshot{Messages: s.all(q), Tally: s.tally(q), Claims: map[messaging.ClaimID]messaging.Claim{}}
	for _, m := range shot.Messages {
		if m.Claim != "" {
			shot.Claims[m.Claim], _ = s.held(q, m.Claim)
		}
	}
	shot.Subscriptions = s.subscriptions(q, "", 1000)
	return shot
}

func restartKeepsMessages(s *subject) {
	s.put(inbox, alice, draft(600, 0, "0"), draft(600, 30, "1"), draft(20, 0, "2"), draft(600, 0, "3"))
	s.post(inbox, 6)
	s.clock.Advance(1234 * time.Millisecond)
	s.post(outbox, 3)
	s.claim(inbox, storage.Terms{TTL: 50, Grace: 10, Limit: 2}) // extends the third
	b := s.claim(inbox, storage.Terms{TTL: 60, Limit: 3})
	s.clock.Advance(777 * time.Millisecond)
	s.renew(inbox, b.Claim.ID, 90, 5)
	s.remove(inbox, by(b.Claim.ID), b.Messages[1].ID)
	s.release(inbox, s.take(inbox, 1).Claim.ID, 1)
	s.move(outbox, s.take(outbox, 1).Claim.ID, inbox, 70, s.all(outbox)[0].ID)
	queues := []messaging.QueueRef{inbox, outbox, topic}
	check := func() {
		s.Helper()
		var before []snapshot
		for _, q := range queues {
			before = append(before, s.snapshot(q))
		}
		s.restart()
		for i, q := range queues {
			s.same(fmt.Sprintf("%+v after the restart", q), s.snapshot(q), before[i])
		}
	}
	check()
	s.same("claims, the delayed one not yet", bodies(s.take(inbox, 20).Messages)[0], "2")
	s.pass(30)
	check()
	s.pass(21) // the first claim has expired
	check()
	s.pass(300)
	check()
}

func restartKeepsSubscriptions(s *subject) {
	for i := range 5 {
		s.subscribeAs(messaging.Subscription{
			Source: inbox, Subscriber: fmt.Sprint("http://", i), TTL: int64(60 * (i + 1)), Options: []byte(`{"n":1}`)})
		s.clock.Advance(333 * time.Millisecond)
	}
	list := s.subscriptions(inbox, "", 10)
	s.amend(list[1], func(x *messaging.Subscription) { x.TTL, x.Confirmed = 999, true })
	s.amend(list[2], func(x *messaging.Subscription) { x.Subscriber = "mailto:x" })
	s.ok(s.Unsubscribe(s.ctx(), inbox, list[3].ID))
	before := s.snapshot(inbox)
	s.same("number", len(before.Subscriptions), 4)
	s.restart()
	s.same("after the restart", s.snapshot(inbox), before)
	got, err := s.SubscriptionTo(s.ctx(), inbox, "mailto:x")
	s.ok(err)
	s.same("by subscriber", got, before.Subscriptions[2])
}

func restartKeepsControl(s *subject) {
	s.fifteen()
	s.create(topic, `{"topic":true}`)
	_, err := s.AmendQueue(s.ctx(), messaging.QueueRef{Project: "p1", Name: "q03"}, func(*messaging.Metadata) (*messaging.Metadata, error) {
		return messaging.DecodeMetadata([]byte(`{"amended":[1,2.50]}`))
	})
	s.ok(err)
	s.ok(s.DeleteQueue(s.ctx(), messaging.QueueRef{Project: "p1", Name: "q07"}))
	gold := s.putFlavor("p1", "gold")
	s.putFlavor("p1", "gone")
	s.putPool("a", "mem://a", gold)
	s.putPool("b", "mem://b", messaging.FlavorRef{})
	s.putPool("c", "mem://c", messaging.FlavorRef{})
	s.ok(s.DeletePool(s.ctx(), "c"))
	s.ok(s.DeleteFlavor(s.ctx(), messaging.FlavorRef{Project: "p1", Name: "gone"}))
	s.place(inbox, "a")
	s.place(topic, "b")
	s.place(alien, "b")
	s.ok(s.Unplace(s.ctx(), alien))
	view := func() []any {
		flavors, err := s.Flavors(s.ctx(), "p1", "", 10)
		s.ok(err)
		return []any{
			s.queues("p1", false, "", 100), s.queues("p1", true, "", 100), s.queues("p2", false, "", 100),
			s.pools("", 0), flavors, s.placements("p1"), s.placements("p2"),
		}
	}
	before := view()
	s.restart()
	s.same("after the restart", view(), before)
	s.metadataIs(messaging.QueueRef{Project: "p1", Name: "q03"}, `{"amended":[1,2.50]}`)
	s.countIs("p1", false, 14)
	s.fails(s.DeletePool(s.ctx(), "a"), messaging.Conflict)
	s.fails(s.PutPool(s.ctx(), messaging.Pool{Name: "z", URI: "mem://a"}), messaging.Conflict)
}

func restartRevivesNothing(s *subject) {
	posted := s.post(inbox, 12)
	a := s.take(inbox, 4)
	s.remove(inbox, by(a.Claim.ID), posted[0], posted[1])
	s.remove(inbox, storage.Hold{}, posted[2], posted[5])
	s.move(inbox, a.Claim.ID, outbox, 0, posted[3])
	s.pop(inbox, 2) // 4 and 6
	b := s.take(inbox, 2)
	s.release(inbox, b.Claim.ID, 2)
	s.post(topic, 3)
	s.ok(s.Purge(s.ctx(), topic))
	s.post(alien, 3)
	c := s.take(alien, 2)
	s.ok(s.Drop(s.ctx(), alien))
	kept := s.post(alien, 1)
	sub := s.subscribe(inbox, "http://a")
	s.ok(s.UnsubscribeAll(s.ctx(), inbox))
	for range 2 {
		s.restart()
		s.same("inbox", ids(s.all(inbox)), posted[7:])
		s.counts(inbox, 5, 0)
		s.same("outbox", ids(s.all(outbox)), posted[3:4])
		s.counts(topic, 0, 0)
		s.same("dropped queue", ids(s.all(alien)), kept)
		s.dead(inbox, a.Claim.ID)
		s.dead(inbox, b.Claim.ID)
		s.dead(alien, c.Claim.ID)
		s.unsubscribed(inbox, sub)
	}
}

// reopenLater restarts the store with the clock moved while it is down.
func (s *subject) reopenLater(seconds float64) {
	s.Helper()
	if s.h.Reopen == nil {
		s.Skip("this store does not survive a restart")
	}
	s.ok(s.Close())
	s.pass(seconds)
	s.restart()
}

func expiredWhileDown(s *subject) {
	posted := s.put(inbox, alice, draft(60, 0, "0"), draft(600, 0, "1"), draft(600, 80, "2"), draft(600, 0, "3"))
	s.remove(inbox, storage.Hold{}, posted[3])
	sub := s.subscribeAs(messaging.Subscription{Source: inbox, Subscriber: "http://a", TTL: 90})
	a := s.claim(inbox, storage.Terms{TTL: 50, Limit: 2}).Claim.ID
	s.reopenLater(50)
	s.dead(inbox, a)
	s.counts(inbox, 3, 0)
	s.reopenLater(10)
	s.same("left", ids(s.all(inbox)), posted[1:3])
	s.same("available", ids(s.scan(inbox, storage.Scan{Limit: 9})), posted[1:2])
	s.reopenLater(20)
	s.same("available, the delay being over", ids(s.scan(inbox, storage.Scan{Limit: 9})), posted[1:3])
	s.reopenLater(10)
	s.unsubscribed(inbox, sub)
}

func restartContinues(s *subject) {
	s.post(inbox, 3)
	seen := map[string]bool{}
	add := func(id string) {
		s.Helper()
		if seen[id] {
			s.Fatalf("id %s is used twice", id)
		}
		seen[id] = true
	}
	var last messaging.Position
	for range 4 {
		for _, id := range s.post(inbox, 2) {
			add(string(id))
		}
		lease := s.take(inbox, 1)
		add(string(lease.Claim.ID))
		add(string(s.subscribe(inbox, fmt.Sprint("http://", len(seen))).ID))
		s.move(inbox, lease.Claim.ID, inbox, 0, lease.Messages[0].ID)
		list := s.all(inbox)
		tail := list[len(list)-3:]
		for _, m := range tail {
			if m.Position <= last {
				s.Fatalf("position %d after %d", m.Position, last)
			}
			last = m.Position
		}
		s.remove(inbox, storage.Hold{}, ids(tail[1:])...)
		s.restart()
	}
}

func restartManyTimes(s *subject) {
	for i := range 12 {
		s.put(inbox, alice, draft(forever, 0, strconv.Itoa(i)))
		s.restart()
		s.same("messages", bodies(s.all(inbox)), numbers(0, i+1))
	}
}

func capabilitiesInOrder(s *subject) {
	all := []messaging.Capability{
		messaging.FIFO, messaging.Claims, messaging.Durability, messaging.AtLeastOnce, messaging.HighThroughput}
	last := -1
	for _, c := range s.Capabilities() {
		at := slices.Index(all, c)
		if at <= last {
			s.Errorf("capabilities are %v", s.Capabilities())
		}
		last = at
	}
}
