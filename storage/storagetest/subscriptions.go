package storagetest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

func subscriptionPromises() []promise {
	return []promise{
		{"S106 subscriptions are listed in order of creation, page by page", subscriptionPages},
		{"S107 the page after the only one is empty", subscriptionPageAfterOnly},
		{"S108 an unknown id is NotFound", subscriptionUnknown},
		{"S109 a subscription can be made, read, amended and removed", subscriptionLife},
		{"S110 a second one to the same subscriber is the first, per queue", subscriptionUnique},
		{"S111 through another queue it is not found, and not removed", subscriptionElsewhere},
		{"S112 a subscription to an absent queue can be made", subscriptionToAbsentQueue},
		{"S113 a subscriber that exists is a Conflict", subscriptionConflict},
		{"S117 an expired one is gone from the instant it expires", subscriptionExpires},
		{"S118 one of millennia is kept with its ttl and does not expire", subscriptionLongLife},
		{"S120 options come back byte for byte", subscriptionOptions},
		{"a subscriber that is gone can subscribe anew", subscriptionAgain},
		{"each expires at its own instant, whatever its neighbours do", subscriptionLives},
		{"removing all leaves other queues alone", subscriptionRemoveAll},
		{"dropping or deleting the queue leaves its subscriptions alone", subscriptionOutlivesQueue},
		{"concurrent subscribes to one subscriber make one", subscriptionConcurrent},
		{"Sweep counts the expired subscriptions", sweepSubscriptions},
		{"projects with awkward ids do not mix their subscriptions", subscriptionTenants},
		{"a page after an unknown id is empty", subscriptionPageAfterUnknown},
		{"a page after one that is gone goes on at its place", subscriptionPageAfterGone},
	}
}

// subscribe makes a subscription that must be new, for an hour.
func (s *subject) subscribe(q messaging.QueueRef, subscriber string) messaging.Subscription {
	s.Helper()
	return s.subscribeAs(messaging.Subscription{Source: q, Subscriber: subscriber, TTL: 3600, Options: []byte(`{}`)})
}

func (s *subject) subscribeAs(in messaging.Subscription) messaging.Subscription {
	s.Helper()
	sub, created, err := s.Subscribe(s.ctx(), in)
	s.ok(err)
	if !created {
		s.Fatalf("%s has subscribed to %v before", in.Subscriber, in.Source)
	}
	return sub
}

func (s *subject) subscription(q messaging.QueueRef, id messaging.SubscriptionID) messaging.Subscription {
	s.Helper()
	sub, err := s.Subscription(s.ctx(), q, id)
	s.ok(err)
	return sub
}

func (s *subject) subscriptions(q messaging.QueueRef, after messaging.SubscriptionID, limit int) []messaging.Subscription {
	s.Helper()
	list, err := s.Subscriptions(s.ctx(), q, after, limit)
	s.ok(err)
	return list
}

// unsubscribed checks that neither id nor subscriber is known in the queue.
func (s *subject) unsubscribed(q messaging.QueueRef, sub messaging.Subscription) {
	s.Helper()
	_, err := s.Subscription(s.ctx(), q, sub.ID)
	s.fails(err, messaging.NotFound)
	_, err = s.SubscriptionTo(s.ctx(), q, sub.Subscriber)
	s.fails(err, messaging.NotFound)
	_, err = s.AmendSubscription(s.ctx(), q, sub.ID, func(x *messaging.Subscription) error {
		x.TTL++
		return nil
	})
	s.fails(err, messaging.NotFound)
	for _, x := range s.subscriptions(q, "", 1000) {
		if x.ID == sub.ID {
			s.Fatalf("%s is still listed", sub.ID)
		}
	}
}

func subscriptionPages(s *subject) {
	var want []messaging.Subscription
	for i := range 15 {
		want = append(want, s.subscribe(inbox, fmt.Sprintf("http://%x", (i*7)%15)))
		s.subscribe(alien, fmt.Sprintf("http://%x", i))
		s.clock.Advance(time.Millisecond)
	}
	s.restartIfItCan()
	s.pass(1)
	page := s.subscriptions(inbox, "", 10)
	s.same("first page", page, want[:10])
	for _, sub := range page {
		if sub.Age(s.clock.Now()) < 1 || sub.Source != inbox {
			s.Errorf("%+v is of age %d", sub, sub.Age(s.clock.Now()))
		}
	}
	s.same("second page", s.subscriptions(inbox, page[9].ID, 10), want[10:])
	s.ok(s.Unsubscribe(s.ctx(), inbox, want[3].ID))
	s.same("a page across a gap", s.subscriptions(inbox, want[1].ID, 2), []messaging.Subscription{want[2], want[4]})
}

func subscriptionPageAfterOnly(s *subject) {
	only := s.subscribe(inbox, "http://a")
	s.same("page", s.subscriptions(inbox, only.ID, 10), []messaging.Subscription{})
}

func subscriptionPageAfterUnknown(s *subject) {
	s.subscribe(inbox, "http://a")
	other := s.subscribe(alien, "http://b")
	message := s.post(inbox, 1)[0]
	for _, id := range append(nonsense, string(other.ID), string(message)) {
		s.same("page after "+id, s.subscriptions(inbox, messaging.SubscriptionID(id), 10), []messaging.Subscription{})
	}
}

func subscriptionPageAfterGone(s *subject) {
	var list []messaging.Subscription
	for i := range 5 {
		list = append(list, s.subscribe(inbox, fmt.Sprint("http://", i)))
	}
	s.ok(s.Unsubscribe(s.ctx(), inbox, list[1].ID))
	s.ok(s.Unsubscribe(s.ctx(), inbox, list[4].ID))
	s.restartIfItCan()
	s.same("page", s.subscriptions(inbox, list[1].ID, 10), list[2:4])
	s.same("page after the last", s.subscriptions(inbox, list[4].ID, 10), []messaging.Subscription{})
}

func subscriptionUnknown(s *subject) {
	s.subscribe(inbox, "http://a")
	for _, id := range append(nonsense, "") {
		s.unsubscribed(inbox, messaging.Subscription{ID: messaging.SubscriptionID(id), Subscriber: "http://" + id})
		s.ok(s.Unsubscribe(s.ctx(), inbox, messaging.SubscriptionID(id)))
	}
	if n := len(s.subscriptions(inbox, "", 10)); n != 1 {
		s.Errorf("%d subscriptions are left, want 1", n)
	}
}

func subscriptionLife(s *subject) {
	now := s.clock.Now()
	sub := s.subscribeAs(messaging.Subscription{
		ID: "mine", Source: inbox, Subscriber: "http://a", TTL: 3600, Options: []byte(`{"a":1}`), Created: now.Add(time.Hour),
	})
	want := messaging.Subscription{
		ID: sub.ID, Source: inbox, Subscriber: "http://a", TTL: 3600, Options: []byte(`{"a":1}`),
		Created: now, Expires: now.Add(time.Hour),
	}
	s.same("made", sub, want)
	if sub.ID == "mine" {
		s.Error("the id is the caller's, not the store's")
	}
	s.pass(2)
	s.same("read", s.subscription(inbox, sub.ID), want)
	to, err := s.SubscriptionTo(s.ctx(), inbox, "http://a")
	s.ok(err)
	s.same("read by subscriber", to, want)
	want.Subscriber, want.Options = "http://b", []byte(`{"b":2}`)
	got := s.amend(sub, func(x *messaging.Subscription) { x.Subscriber, x.Options = want.Subscriber, want.Options })
	s.same("amended", got, want)
	_, err = s.SubscriptionTo(s.ctx(), inbox, "http://a")
	s.fails(err, messaging.NotFound)
	s.ok(s.Unsubscribe(s.ctx(), inbox, sub.ID))
	s.unsubscribed(inbox, got)
	s.ok(s.Unsubscribe(s.ctx(), inbox, sub.ID))
}

func subscriptionUnique(s *subject) {
	first := s.subscribe(inbox, "http://a")
	other := s.subscribe(outbox, "http://a")
	again, created, err := s.Subscribe(s.ctx(), messaging.Subscription{Source: inbox, Subscriber: "http://a", TTL: 60, Options: []byte(`{"x":1}`)})
	s.ok(err)
	s.same("the second one", again, first)
	if created {
		s.Error("a second one to the same subscriber is reported as new")
	}
	for _, want := range []messaging.Subscription{first, other} {
		got, err := s.SubscriptionTo(s.ctx(), want.Source, "http://a")
		s.ok(err)
		s.same("by subscriber", got, want)
	}
	s.same("listed", s.subscriptions(inbox, "", 10), []messaging.Subscription{first})
}

func subscriptionElsewhere(s *subject) {
	sub := s.subscribe(inbox, "http://a")
	for _, q := range []messaging.QueueRef{outbox, alien, topic} {
		s.unsubscribed(q, sub)
		s.ok(s.Unsubscribe(s.ctx(), q, sub.ID))
		s.ok(s.UnsubscribeAll(s.ctx(), q))
	}
	s.same("still there", s.subscription(inbox, sub.ID), sub)
}

func subscriptionToAbsentQueue(s *subject) {
	s.subscribe(inbox, "http://a")
	_, err := s.Queue(s.ctx(), inbox)
	s.fails(err, messaging.NotFound)
}

func subscriptionConflict(s *subject) {
	a, b := s.subscribe(inbox, "http://a"), s.subscribe(inbox, "http://b")
	s.subscribe(outbox, "http://c")
	_, err := s.AmendSubscription(s.ctx(), inbox, b.ID, func(x *messaging.Subscription) error {
		x.Subscriber, x.TTL = "http://a", 60
		return nil
	})
	s.fails(err, messaging.Conflict)
	s.same("refused", s.subscription(inbox, b.ID), b)
	s.amend(b, func(x *messaging.Subscription) { x.Subscriber = "http://c" })
	s.amend(a, func(x *messaging.Subscription) { x.Subscriber = "http://b" })
	s.amend(a, func(x *messaging.Subscription) { x.Subscriber = "http://b" })
}

func subscriptionExpires(s *subject) {
	short := s.subscribeAs(messaging.Subscription{Source: inbox, Subscriber: "http://a", TTL: 60})
	long := s.subscribe(inbox, "http://b")
	s.pass(59.999)
	s.same("before", s.subscriptions(inbox, "", 10), []messaging.Subscription{short, long})
	s.pass(0.001)
	s.same("listed", s.subscriptions(inbox, "", 10), []messaging.Subscription{long})
	s.unsubscribed(inbox, short)
	s.amend(long, func(x *messaging.Subscription) { x.Subscriber = "http://a" })
}

func subscriptionLongLife(s *subject) {
	for i, ttl := range []int64{220367260800, 68719476736, 1 << 40} {
		sub := s.subscribeAs(messaging.Subscription{Source: inbox, Subscriber: fmt.Sprint("http://", i), TTL: ttl})
		s.same("ttl", sub.TTL, ttl)
		if !sub.Expires.After(s.clock.Now()) {
			s.Errorf("a life of %d s ends at %v", ttl, sub.Expires)
		}
	}
	s.restartIfItCan()
	s.clock.Advance(250 * 365 * 24 * time.Hour)
	s.sweptIs(storage.Swept{})
	s.restartIfItCan()
	var ttls []int64
	for _, sub := range s.subscriptions(inbox, "", 10) {
		ttls = append(ttls, sub.TTL)
	}
	s.same("ttls", ttls, []int64{220367260800, 68719476736, 1 << 40})
}

func subscriptionAgain(s *subject) {
	a := s.subscribeAs(messaging.Subscription{Source: inbox, Subscriber: "http://a", TTL: 60})
	b := s.subscribe(inbox, "http://b")
	s.pass(60)
	again := s.subscribe(inbox, "http://a")
	s.ok(s.Unsubscribe(s.ctx(), inbox, b.ID))
	againB := s.subscribe(inbox, "http://b")
	if again.ID == a.ID || againB.ID == b.ID {
		s.Error("an id is used twice")
	}
	s.same("listed", s.subscriptions(inbox, "", 10), []messaging.Subscription{again, againB})
	s.unsubscribed(inbox, messaging.Subscription{ID: a.ID, Subscriber: "http://nobody"})
}

func subscriptionLives(s *subject) {
	var list []messaging.Subscription
	for i, seconds := range []int64{1000, 500, 500, 500, 30} {
		list = append(list, s.subscribeAs(messaging.Subscription{Source: inbox, Subscriber: fmt.Sprint("http://", i), TTL: seconds}))
	}
	left := func(want ...messaging.Subscription) {
		s.Helper()
		s.same("left", s.subscriptions(inbox, "", 10), want)
	}
	s.pass(30)
	left(list[:4]...)
	s.ok(s.Unsubscribe(s.ctx(), inbox, list[1].ID))
	list[2] = s.amend(list[2], func(x *messaging.Subscription) { x.TTL = 20 })
	list[3] = s.amend(list[3], func(x *messaging.Subscription) { x.TTL = 2000 })
	s.pass(20)
	s.unsubscribed(inbox, list[2])
	s.restartIfItCan()
	left(list[0], list[3])
	s.pass(950)
	left(list[3])
}

func subscriptionRemoveAll(s *subject) {
	a := s.subscribe(inbox, "http://a")
	s.subscribe(inbox, "http://b")
	other := s.subscribe(topic, "http://a")
	s.ok(s.UnsubscribeAll(s.ctx(), inbox))
	s.ok(s.UnsubscribeAll(s.ctx(), inbox))
	s.unsubscribed(inbox, a)
	s.same("of the topic", s.subscriptions(topic, "", 10), []messaging.Subscription{other})
}

func subscriptionOutlivesQueue(s *subject) {
	s.create(inbox, `{}`)
	s.post(inbox, 2)
	sub := s.subscribe(inbox, "http://a")
	s.ok(s.Drop(s.ctx(), inbox))
	s.ok(s.DeleteQueue(s.ctx(), inbox))
	s.ok(s.Purge(s.ctx(), inbox))
	s.restartIfItCan()
	s.same("still there", s.subscriptions(inbox, "", 10), []messaging.Subscription{sub})
}

func subscriptionConcurrent(s *subject) {
	for round := range 10 {
		var made atomic.Int32
		s.together(8, func(int) error {
			_, created, err := s.Subscribe(s.ctx(), messaging.Subscription{Source: inbox, Subscriber: fmt.Sprint("http://", round), TTL: 60})
			if created {
				made.Add(1)
			}
			return err
		})
		if n := made.Load(); n != 1 {
			s.Fatalf("%d subscriptions were made", n)
		}
	}
	s.same("number", len(s.subscriptions(inbox, "", 100)), 10)
}

func sweepSubscriptions(s *subject) {
	for i := range 5 {
		s.subscribeAs(messaging.Subscription{Source: inbox, Subscriber: fmt.Sprint("http://", i), TTL: int64(10 * (i + 1))})
	}
	s.subscribeAs(messaging.Subscription{Source: alien, Subscriber: "http://a", TTL: 10})
	removed := s.subscribeAs(messaging.Subscription{Source: alien, Subscriber: "http://b", TTL: 10})
	s.ok(s.Unsubscribe(s.ctx(), alien, removed.ID))
	s.pass(20)
	s.sweptIs(storage.Swept{Subscriptions: 3})
	s.sweptIs(storage.Swept{})
	s.same("left", len(s.subscriptions(inbox, "", 10)), 3)
}

func subscriptionTenants(s *subject) {
	want := map[messaging.QueueRef][]messaging.Subscription{}
	for _, q := range awkward() {
		want[q] = append(want[q], s.subscribe(q, "http://a"), s.subscribe(q, "http://b"))
	}
	gone := awkward()[0]
	s.ok(s.UnsubscribeAll(s.ctx(), gone))
	want[gone] = nil
	s.restartIfItCan()
	for q, list := range want {
		s.same(fmt.Sprintf("subscriptions of %+v", q), s.subscriptions(q, "", 10), list)
	}
}

func subscriptionOptions(s *subject) {
	for i, text := range []string{
		`{}`, `{"a":{"b":[1,2.50,null]}}`, ` { "x" : "\u00e9é😀" } `, "", `{"null":"\u0000"}`, `{"long":"` + strings.Repeat("x", 10_000) + `"}`,
	} {
		subscriber := fmt.Sprint("http://", i)
		sub := s.subscribeAs(messaging.Subscription{Source: inbox, Subscriber: subscriber, TTL: 60, Options: []byte(text)})
		s.restartIfItCan()
		s.same("options", string(s.subscription(inbox, sub.ID).Options), text)
	}
}
