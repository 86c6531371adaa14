package storagetest

import (
	"fmt"

	"zaqar/messaging"
)

func flavorPromises() []promise {
	return []promise{
		{"S126 the last pool of an existing flavor cannot be deleted", poolLastOfFlavor},
		{"S133 flavors can be made, replaced, read and deleted", flavorLife},
		{"S134 flavors are listed by name, page by page, per project", flavorPages},
		{"pools of a flavor, and of none, are listed by name", poolsOfFlavor},
		{"deleting a flavor clears it from its pools only", flavorDeleteClears},
	}
}

func (s *subject) putFlavor(project messaging.Project, name string) messaging.FlavorRef {
	s.Helper()
	ref := messaging.FlavorRef{Project: project, Name: name}
	s.ok(s.PutFlavor(s.ctx(), messaging.Flavor{Ref: ref, Capabilities: []messaging.Capability{messaging.FIFO, messaging.Claims}}))
	return ref
}

func poolLastOfFlavor(s *subject) {
	gold := s.putFlavor("p1", "gold")
	s.putPool("a", "mem://a", gold)
	s.putPool("b", "mem://b", gold)
	s.putPool("c", "mem://c", messaging.FlavorRef{Project: "p2", Name: "gold"}) // no such flavor
	s.putPool("d", "mem://d", messaging.FlavorRef{})
	s.ok(s.DeletePool(s.ctx(), "b"))
	s.fails(s.DeletePool(s.ctx(), "a"), messaging.Conflict)
	s.ok(s.DeletePool(s.ctx(), "c"))
	s.ok(s.DeletePool(s.ctx(), "d"))
	s.same("left", len(s.pools("", 0)), 1)
	s.ok(s.DeleteFlavor(s.ctx(), gold))
	s.ok(s.DeletePool(s.ctx(), "a"))
	s.noPool("a")
}

func flavorLife(s *subject) {
	ref := messaging.FlavorRef{Project: "p1", Name: "gold"}
	_, err := s.Flavor(s.ctx(), ref)
	s.fails(err, messaging.NotFound)
	s.ok(s.DeleteFlavor(s.ctx(), ref))
	for _, capabilities := range [][]messaging.Capability{{messaging.FIFO}, {messaging.Claims, messaging.Durability}, nil} {
		want := messaging.Flavor{Ref: ref, Capabilities: capabilities}
		s.ok(s.PutFlavor(s.ctx(), want))
		s.restartIfItCan()
		got, err := s.Flavor(s.ctx(), ref)
		s.ok(err)
		s.same("flavor", got, want)
	}
	_, err = s.Flavor(s.ctx(), messaging.FlavorRef{Project: "p2", Name: "gold"})
	s.fails(err, messaging.NotFound)
	s.ok(s.DeleteFlavor(s.ctx(), messaging.FlavorRef{Project: "p2", Name: "gold"}))
	_, err = s.Flavor(s.ctx(), ref)
	s.ok(err)
	s.ok(s.DeleteFlavor(s.ctx(), ref))
	_, err = s.Flavor(s.ctx(), ref)
	s.fails(err, messaging.NotFound)
}

func flavorPages(s *subject) {
	for i := range 15 {
		s.putFlavor("p1", fmt.Sprintf("f%x", (i*4)%15))
		s.putFlavor("p2", fmt.Sprintf("f%xx", i))
	}
	names := func(after string, limit int) string {
		list, err := s.Flavors(s.ctx(), "p1", after, limit)
		s.ok(err)
		var out string
		for _, f := range list {
			if f.Ref.Project != "p1" || len(f.Capabilities) != 2 {
				s.Errorf("listed %+v", f)
			}
			out += f.Ref.Name[1:]
		}
		return out
	}
	s.same("10", names("", 10), "0123456789")
	s.same("5", names("", 5), "01234")
	s.same("after", names("f9", 10), "abcde")
	s.same("after a name that is none", names("f35", 2), "45")
}

func poolsOfFlavor(s *subject) {
	gold, silver := s.putFlavor("p1", "gold"), s.putFlavor("p1", "silver")
	b := s.putPool("b", "mem://b", gold)
	c := s.putPool("c", "mem://c", silver)
	a := s.putPool("a", "mem://a", gold)
	e := s.putPool("e", "mem://e", messaging.FlavorRef{})
	d := s.putPool("d", "mem://d", messaging.FlavorRef{})
	for _, tt := range []struct {
		of   messaging.FlavorRef
		want []messaging.Pool
	}{
		{gold, []messaging.Pool{a, b}},
		{silver, []messaging.Pool{c}},
		{messaging.FlavorRef{}, []messaging.Pool{d, e}},
		{messaging.FlavorRef{Project: "p2", Name: "gold"}, nil},
	} {
		got, err := s.PoolsOf(s.ctx(), tt.of)
		s.ok(err)
		s.same(fmt.Sprintf("pools of %+v", tt.of), got, tt.want)
	}
}

func flavorDeleteClears(s *subject) {
	gold := s.putFlavor("p1", "gold")
	other := s.putFlavor("p2", "gold")
	a := s.putPool("a", "mem://a", gold)
	b := s.putPool("b", "mem://b", other)
	c := s.putPool("c", "mem://c", gold)
	s.ok(s.DeleteFlavor(s.ctx(), gold))
	a.Flavor, c.Flavor = messaging.FlavorRef{}, messaging.FlavorRef{}
	s.restartIfItCan()
	s.same("pools", s.pools("", 0), []messaging.Pool{a, b, c})
	absent := messaging.FlavorRef{Project: "p1", Name: "absent"}
	d := s.putPool("d", "mem://d", absent)
	s.ok(s.DeleteFlavor(s.ctx(), absent))
	d.Flavor = messaging.FlavorRef{}
	s.poolIs(d)
}
