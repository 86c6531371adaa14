package storagetest

import (
	"time"

	"zaqar/messaging"
)

func amendmentPromises() []promise {
	return []promise{
		{"S114 amending an unknown one is NotFound", subscriptionAmendUnknown},
		{"S115 a new one is unconfirmed, and can be confirmed and unconfirmed", subscriptionConfirm},
		{"S116 confirming through another queue is NotFound", subscriptionConfirmElsewhere},
		{"S119 amending the ttl keeps the rest and restarts the expiry", subscriptionAmendTTL},
		{"an edit that keeps the ttl keeps the expiry", subscriptionAmendKeepsExpiry},
		{"an edit cannot change id, source, creation or expiry", subscriptionAmendIdentity},
		{"an amend whose edit fails changes nothing", subscriptionAmendFails},
		{"concurrent amends of one subscription lose nothing", subscriptionConcurrentAmend},
		{"an edit that clears the expiry starts the lifetime anew", subscriptionAnew},
		{"secrets, state and moves are kept, whatever else is amended", subscriptionSecrets},
	}
}

func (s *subject) amend(sub messaging.Subscription, edit func(*messaging.Subscription)) messaging.Subscription {
	s.Helper()
	got, err := s.AmendSubscription(s.ctx(), sub.Source, sub.ID, func(x *messaging.Subscription) error {
		edit(x)
		return nil
	})
	s.ok(err)
	s.same("what amend stored", s.subscription(sub.Source, sub.ID), got)
	return got
}

func subscriptionAnew(s *subject) {
	sub := s.subscribe(inbox, "http://a")
	s.pass(1000)
	got := s.amend(sub, func(x *messaging.Subscription) { x.Expires = time.Time{} })
	sub.Expires = s.clock.Now().Add(3600 * time.Second)
	s.same("amended", got, sub)
	s.restartIfItCan()
	s.pass(3599)
	s.same("later", s.subscription(inbox, sub.ID), sub)
}

func subscriptionSecrets(s *subject) {
	sub := s.subscribeAs(messaging.Subscription{Source: inbox, Subscriber: "http://a", Moves: 1, TTL: 3600, Options: []byte(`{}`), Secrets: []byte("\x00s1"), State: []byte("\xfft")})
	s.restartIfItCan()
	s.same("subscription", s.subscription(inbox, sub.ID), sub)
	got := s.amend(sub, func(x *messaging.Subscription) { x.Options = []byte(`{"a":1}`) })
	sub.Options = []byte(`{"a":1}`)
	s.same("amended", got, sub)
	sub = s.amend(sub, func(x *messaging.Subscription) { x.Secrets, x.State, x.Moves = []byte("s2"), nil, 1<<31-1 })
	s.restartIfItCan()
	s.same("amended again", s.subscription(inbox, sub.ID), sub)
	clear(got.Secrets) // what was returned is the caller's
	s.same("after the caller changed his copy", string(s.subscription(inbox, sub.ID).Secrets), "s2")
}

func subscriptionAmendUnknown(s *subject) {
	for _, id := range nonsense {
		_, err := s.AmendSubscription(s.ctx(), inbox, messaging.SubscriptionID(id), func(*messaging.Subscription) error { return nil })
		s.fails(err, messaging.NotFound)
	}
	s.same("listed", s.subscriptions(inbox, "", 10), []messaging.Subscription{})
}

func subscriptionConfirm(s *subject) {
	sub := s.subscribe(inbox, "http://a")
	if sub.Confirmed {
		s.Error("a new subscription is confirmed")
	}
	for _, confirmed := range []bool{true, false, true} {
		s.amend(sub, func(x *messaging.Subscription) { x.Confirmed = confirmed })
		s.restartIfItCan()
		sub.Confirmed = confirmed
		s.same("amended", s.subscription(inbox, sub.ID), sub)
	}
}

func subscriptionConfirmElsewhere(s *subject) {
	sub := s.subscribe(inbox, "http://a")
	for _, q := range []messaging.QueueRef{outbox, alien, topic} {
		_, err := s.AmendSubscription(s.ctx(), q, sub.ID, func(x *messaging.Subscription) error {
			x.Confirmed = true
			return nil
		})
		s.fails(err, messaging.NotFound)
	}
	s.same("unchanged", s.subscription(inbox, sub.ID), sub)
}

func subscriptionAmendTTL(s *subject) {
	sub := s.subscribeAs(messaging.Subscription{Source: inbox, Subscriber: "http://a", TTL: 60, Options: []byte(`{"a":1}`)})
	sub = s.amend(sub, func(x *messaging.Subscription) { x.Confirmed = true })
	s.pass(30)
	got := s.amend(sub, func(x *messaging.Subscription) { x.TTL = 100 })
	sub.TTL, sub.Expires = 100, s.clock.Now().Add(100*time.Second)
	s.same("amended", got, sub)
	s.restartIfItCan()
	s.pass(99.999)
	s.same("later", s.subscription(inbox, sub.ID), sub)
	s.pass(0.001)
	s.unsubscribed(inbox, sub)
}

func subscriptionAmendKeepsExpiry(s *subject) {
	sub := s.subscribe(inbox, "http://a")
	s.pass(10)
	got := s.amend(sub, func(x *messaging.Subscription) { x.Confirmed, x.TTL = true, sub.TTL })
	sub.Confirmed = true
	s.same("amended", got, sub)
}

func subscriptionAmendIdentity(s *subject) {
	sub := s.subscribe(inbox, "http://a")
	got := s.amend(sub, func(x *messaging.Subscription) {
		*x = messaging.Subscription{ID: "x", Source: outbox, Subscriber: "http://z", TTL: sub.TTL, Options: sub.Options, Confirmed: true}
	})
	sub.Subscriber, sub.Confirmed = "http://z", true
	s.same("amended", got, sub)
	s.same("listed", s.subscriptions(inbox, "", 10), []messaging.Subscription{sub})
	s.same("of the other queue", s.subscriptions(outbox, "", 10), []messaging.Subscription{})
}

func subscriptionAmendFails(s *subject) {
	sub := s.subscribe(inbox, "http://a")
	_, err := s.AmendSubscription(s.ctx(), inbox, sub.ID, func(x *messaging.Subscription) error {
		x.Subscriber, x.TTL = "http://z", 1
		if len(x.Options) > 0 {
			x.Options[0] = 'X'
		}
		return messaging.E(messaging.Invalid, "no")
	})
	s.fails(err, messaging.Invalid)
	s.same("unchanged", s.subscription(inbox, sub.ID), sub)
}

func subscriptionConcurrentAmend(s *subject) {
	sub := s.subscribe(inbox, "http://a")
	const workers, edits = 8, 5
	s.together(workers, func(int) error {
		for range edits {
			_, err := s.AmendSubscription(s.ctx(), inbox, sub.ID, func(x *messaging.Subscription) error {
				x.TTL++
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	s.same("ttl", s.subscription(inbox, sub.ID).TTL, sub.TTL+workers*edits)
}
