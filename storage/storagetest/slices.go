package storagetest

import (
	"zaqar/messaging"
)

func slicesAreNotShared(s *subject) {
	batch := []messaging.Draft{draft(60, 0, `"one"`), draft(60, 0, `"two"`)}
	list := s.put(inbox, alice, batch...)
	batch[0].Body[1], batch[1] = 'X', messaging.Draft{}
	want := []string{`"one"`, `"two"`}
	s.same("bodies", bodies(s.all(inbox)), want)

	asked := []messaging.MessageID{list[0], list[1]}
	for _, got := range [][]messaging.Message{s.fetch(inbox, asked...), s.all(inbox)} {
		got[0], got[1] = got[1], messaging.Message{}
		s.same("bodies", bodies(s.all(inbox)), want)
	}
	asked[0] = "x"
	lease := s.take(inbox, 2)
	lease.Messages[0], lease.Messages[1] = messaging.Message{}, messaging.Message{}
	_, held := s.held(inbox, lease.Claim.ID)
	s.same("held", bodies(held), want)

	s.controlSharesNothing()
	options := []byte(`{"a":1}`)
	sub, _, err := s.Subscribe(s.ctx(), messaging.Subscription{Source: inbox, Subscriber: "http://a", TTL: 60, Options: options})
	s.ok(err)
	options[1] = 'X'
	got, err := s.Subscription(s.ctx(), inbox, sub.ID)
	s.ok(err)
	s.same("options", string(got.Options), `{"a":1}`)
}

func (s *subject) controlSharesNothing() {
	s.Helper()
	pool := messaging.Pool{Name: "a", URI: "mem://a", Options: []byte(`{"a":1}`)}
	flavor := messaging.Flavor{Ref: messaging.FlavorRef{Project: "p1", Name: "gold"}, Capabilities: []messaging.Capability{messaging.FIFO}}
	s.ok(s.PutPool(s.ctx(), pool))
	s.ok(s.PutFlavor(s.ctx(), flavor))
	pool.Options[1], flavor.Capabilities[0] = 'X', messaging.Claims
	for range 2 {
		p, err := s.Pool(s.ctx(), "a")
		s.ok(err)
		s.same("options", string(p.Options), `{"a":1}`)
		f, err := s.Flavor(s.ctx(), flavor.Ref)
		s.ok(err)
		s.same("capabilities", f.Capabilities, []messaging.Capability{messaging.FIFO})
		f.Capabilities[0] = messaging.Claims
	}
}
