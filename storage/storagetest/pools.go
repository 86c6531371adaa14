package storagetest

import (
	"cmp"
	"fmt"
	"slices"

	"zaqar/messaging"
)

func poolPromises() []promise {
	return []promise{
		{"S121 putting a pool again replaces it", poolReplaced},
		{"S122 a pool comes back as stored", poolKept},
		{"S123 an unknown pool is NotFound", poolUnknown},
		{"S124 a pool can be amended and deleted, an absent one deleted too", poolAmend},
		{"S125 pools are listed by name, page by page, all for limit 0", poolPages},
		{"S128 a URI that another pool has is a Conflict", poolConflict},
		{"an amend whose edit fails changes nothing", poolAmendFails},
		{"concurrent amends of one pool lose nothing", poolConcurrentAmend},
	}
}

func (s *subject) putPool(name, uri string, f messaging.FlavorRef) messaging.Pool {
	s.Helper()
	p := messaging.Pool{Name: name, Weight: 100, URI: uri, Flavor: f, Options: []byte(`{}`)}
	s.ok(s.PutPool(s.ctx(), p))
	return p
}

func (s *subject) poolIs(want messaging.Pool) {
	s.Helper()
	got, err := s.Pool(s.ctx(), want.Name)
	s.ok(err)
	s.same("pool", got, want)
}

func (s *subject) noPool(name string) {
	s.Helper()
	_, err := s.Pool(s.ctx(), name)
	s.fails(err, messaging.NotFound)
}

func (s *subject) pools(after string, limit int) []messaging.Pool {
	s.Helper()
	list, err := s.Pools(s.ctx(), after, limit)
	s.ok(err)
	return list
}

func poolReplaced(s *subject) {
	s.putPool("a", "mem://1", messaging.FlavorRef{Project: "p1", Name: "f"})
	p := messaging.Pool{Name: "a", Weight: 7, URI: "mem://2"}
	s.ok(s.PutPool(s.ctx(), p))
	s.poolIs(p)
	s.same("listed", s.pools("", 0), []messaging.Pool{p})
	s.putPool("b", "mem://1", messaging.FlavorRef{}) // the old URI is free again
}

func poolKept(s *subject) {
	p := messaging.Pool{
		Name: "a-b_c.d", Weight: 1<<32 - 1, URI: "redis://:s/e?c@[::1]:6379/?dbid=5",
		Flavor: messaging.FlavorRef{Project: "p/1", Name: "f.g"}, Options: []byte(`{"x": [1, "é"]}`),
	}
	s.ok(s.PutPool(s.ctx(), p))
	s.restartIfItCan()
	s.poolIs(p)
	s.same("listed", s.pools("", 10), []messaging.Pool{p})
}

func poolUnknown(s *subject) {
	s.noPool("a")
	_, err := s.AmendPool(s.ctx(), "a", func(*messaging.Pool) error { return nil })
	s.fails(err, messaging.NotFound)
	s.putPool("a", "mem://1", messaging.FlavorRef{})
	s.noPool("A")
	s.noPool("")
}

func poolAmend(s *subject) {
	p := s.putPool("a", "mem://1", messaging.FlavorRef{})
	p.Weight, p.URI, p.Options = 0, "mem://9", []byte(`{"b":2}`)
	got, err := s.AmendPool(s.ctx(), "a", func(x *messaging.Pool) error {
		x.Name, x.Weight, x.URI, x.Options = "z", p.Weight, p.URI, p.Options // the name stays
		return nil
	})
	s.ok(err)
	s.same("amended", got, p)
	s.restartIfItCan()
	s.poolIs(p)
	s.noPool("z")
	s.ok(s.DeletePool(s.ctx(), "a"))
	s.noPool("a")
	s.ok(s.DeletePool(s.ctx(), "a"))
	s.same("listed", s.pools("", 0), []messaging.Pool{})
}

func poolPages(s *subject) {
	var want []messaging.Pool
	for i := range 15 {
		want = append(want, s.putPool(fmt.Sprintf("p%x", (i*4)%15), fmt.Sprint("mem://", i), messaging.FlavorRef{}))
	}
	slices.SortFunc(want, func(a, b messaging.Pool) int { return cmp.Compare(a.Name, b.Name) })
	s.same("10", s.pools("", 10), want[:10])
	s.same("5", s.pools("", 5), want[:5])
	s.same("all", s.pools("", 0), want)
	s.same("after", s.pools("p9", 10), want[10:])
	s.same("all after", s.pools("p2", 0), want[3:])
	s.same("after a name that is none", s.pools("p21", 1), want[3:4])
}

func poolConflict(s *subject) {
	a := s.putPool("a", "mem://a", messaging.FlavorRef{})
	b := s.putPool("b", "mem://b", messaging.FlavorRef{})
	s.fails(s.PutPool(s.ctx(), messaging.Pool{Name: "c", URI: "mem://a"}), messaging.Conflict)
	s.fails(s.PutPool(s.ctx(), messaging.Pool{Name: "b", URI: "mem://a"}), messaging.Conflict)
	_, err := s.AmendPool(s.ctx(), "b", func(x *messaging.Pool) error {
		x.URI, x.Weight = "mem://a", 1
		return nil
	})
	s.fails(err, messaging.Conflict)
	s.same("pools", s.pools("", 0), []messaging.Pool{a, b})
	s.ok(s.PutPool(s.ctx(), a))
	s.ok(s.DeletePool(s.ctx(), "a"))
	s.ok(s.PutPool(s.ctx(), messaging.Pool{Name: "c", URI: "mem://a"}))
}

func poolAmendFails(s *subject) {
	p := s.putPool("a", "mem://a", messaging.FlavorRef{})
	_, err := s.AmendPool(s.ctx(), "a", func(x *messaging.Pool) error {
		x.Weight, x.Options[0] = 1, 'X'
		return messaging.E(messaging.Invalid, "no")
	})
	s.fails(err, messaging.Invalid)
	s.poolIs(p)
}

func poolConcurrentAmend(s *subject) {
	p := s.putPool("a", "mem://a", messaging.FlavorRef{})
	const workers, edits = 8, 5
	s.together(workers, func(int) error {
		for range edits {
			_, err := s.AmendPool(s.ctx(), "a", func(x *messaging.Pool) error {
				x.Weight++
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	p.Weight += workers * edits
	s.poolIs(p)
}
