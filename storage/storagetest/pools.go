package storagetest

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"

	"zaqar/messaging"
)

func poolPromises() []promise {
	return []promise{
		{"S121 putting a pool again replaces it", poolReplaced},
		{"S122 a pool comes back as stored", poolKept},
		{"S123 an unknown pool is NotFound", poolUnknown},
		{"S124 a pool can be amended and deleted, an absent one deleted too", poolAmend},
		{"S125 pools are listed by name, page by page, all for limit 0", poolPages},
		{"S126 the last pool of an existing flavor cannot be deleted", poolLastOfFlavor},
		{"S128 a URI that another pool has is a Conflict", poolConflict},
		{"S129 a pool with placements cannot be deleted", poolInUse},
		{"S130 a placement is kept, listed by project, and removed", placementLife},
		{"S131 placing again changes the pool, an unplaced queue is NotFound", placementChange},
		{"S132 placing a placed queue replaces the mapping", placementReplace},
		{"S133 flavors can be made, replaced, read and deleted", flavorLife},
		{"S134 flavors are listed by name, page by page, per project", flavorPages},
		{"S138 a queue that is placed stays where it is when placed as new", placementNew},
		{"pools of a flavor, and of none, are listed by name", poolsOfFlavor},
		{"deleting a flavor clears it from its pools only", flavorDeleteClears},
		{"an amend whose edit fails changes nothing", poolAmendFails},
		{"concurrent amends of one pool lose nothing", poolConcurrentAmend},
		{"of concurrent first placements one wins", placementConcurrent},
		{"placements on a pool are listed in a stable order", placementsOnPool},
		{"projects with awkward ids do not mix their placements and flavors", poolTenants},
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

func (s *subject) putFlavor(project messaging.Project, name string) messaging.FlavorRef {
	s.Helper()
	ref := messaging.FlavorRef{Project: project, Name: name}
	s.ok(s.PutFlavor(s.ctx(), messaging.Flavor{Ref: ref, Capabilities: []messaging.Capability{messaging.FIFO, messaging.Claims}}))
	return ref
}

func (s *subject) place(q messaging.QueueRef, pool string) {
	s.Helper()
	s.ok(s.Place(s.ctx(), messaging.Placement{Queue: q, Pool: pool}))
}

func (s *subject) placedIn(q messaging.QueueRef, pool string) {
	s.Helper()
	got, err := s.Placement(s.ctx(), q)
	s.ok(err)
	s.same("placement", got, messaging.Placement{Queue: q, Pool: pool})
}

func (s *subject) unplaced(q messaging.QueueRef) {
	s.Helper()
	_, err := s.Placement(s.ctx(), q)
	s.fails(err, messaging.NotFound)
}

func (s *subject) placements(p messaging.Project) []messaging.Placement {
	s.Helper()
	list, err := s.Placements(s.ctx(), p)
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

func poolInUse(s *subject) {
	a := s.putPool("a", "mem://a", messaging.FlavorRef{})
	s.putPool("b", "mem://b", messaging.FlavorRef{})
	s.place(inbox, "a")
	s.place(topic, "a")
	s.fails(s.DeletePool(s.ctx(), "a"), messaging.Conflict)
	s.place(inbox, "b")
	s.fails(s.DeletePool(s.ctx(), "a"), messaging.Conflict)
	s.poolIs(a)
	s.ok(s.Unplace(s.ctx(), topic))
	s.ok(s.DeletePool(s.ctx(), "a"))
	s.fails(s.DeletePool(s.ctx(), "b"), messaging.Conflict)
	s.place(alien, "absent")
	s.ok(s.DeletePool(s.ctx(), "absent"))
}

func placementLife(s *subject) {
	s.same("at first", s.placements("p1"), []messaging.Placement{})
	s.putPool("a", "mem://a", messaging.FlavorRef{})
	s.putPool("b", "mem://b", messaging.FlavorRef{})
	s.place(topic, "b")
	s.place(outbox, "a")
	s.place(alien, "b")
	s.place(inbox, "b")
	s.restartIfItCan()
	s.placedIn(inbox, "b")
	s.placedIn(outbox, "a")
	s.same("of the project", s.placements("p1"),
		[]messaging.Placement{{Queue: inbox, Pool: "b"}, {Queue: outbox, Pool: "a"}, {Queue: topic, Pool: "b"}})
	s.ok(s.Unplace(s.ctx(), inbox))
	s.unplaced(inbox)
	s.placedIn(topic, "b")
	s.placedIn(alien, "b")
	s.ok(s.Unplace(s.ctx(), inbox))
}

func placementChange(s *subject) {
	s.unplaced(inbox)
	s.place(alien, "a")
	s.unplaced(inbox)
	s.place(inbox, "a")
	s.place(inbox, "b")
	s.placedIn(inbox, "b")
	s.placedIn(alien, "a")
}

func placementReplace(s *subject) {
	s.place(inbox, "a")
	s.place(inbox, "b")
	s.same("of the project", s.placements("p1"), []messaging.Placement{{Queue: inbox, Pool: "b"}})
	on, err := s.PlacedOn(s.ctx(), "a", 10)
	s.ok(err)
	s.same("on the old pool", on, []messaging.Placement{})
}

func placementNew(s *subject) {
	for _, pool := range []string{"a", "b", "a", "c"} {
		got, err := s.PlaceNew(s.ctx(), messaging.Placement{Queue: inbox, Pool: pool})
		s.ok(err)
		s.same("what holds", got, messaging.Placement{Queue: inbox, Pool: "a"})
	}
	s.placedIn(inbox, "a")
	s.ok(s.Unplace(s.ctx(), inbox))
	got, err := s.PlaceNew(s.ctx(), messaging.Placement{Queue: inbox, Pool: "b"})
	s.ok(err)
	s.same("what holds", got, messaging.Placement{Queue: inbox, Pool: "b"})
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

func placementConcurrent(s *subject) {
	for round := range 10 {
		q := messaging.QueueRef{Project: "p1", Name: fmt.Sprint("q", round)}
		var won atomic.Pointer[messaging.Placement]
		s.together(8, func(i int) error {
			got, err := s.PlaceNew(s.ctx(), messaging.Placement{Queue: q, Pool: fmt.Sprint("pool", i)})
			if err == nil && !won.CompareAndSwap(nil, &got) && *won.Load() != got {
				err = fmt.Errorf("placed as %+v and %+v", *won.Load(), got)
			}
			return err
		})
		s.placedIn(q, won.Load().Pool)
	}
}

func placementsOnPool(s *subject) {
	s.place(alien, "b")
	s.place(outbox, "a")
	s.place(topic, "a")
	s.place(inbox, "a")
	all, err := s.PlacedOn(s.ctx(), "a", 10)
	s.ok(err)
	found := map[messaging.Placement]bool{}
	for _, p := range all {
		found[p] = true
	}
	s.same("set", found, map[messaging.Placement]bool{
		{Queue: outbox, Pool: "a"}: true, {Queue: topic, Pool: "a"}: true, {Queue: inbox, Pool: "a"}: true})
	s.restartIfItCan()
	for limit := 1; limit <= 4; limit++ {
		got, err := s.PlacedOn(s.ctx(), "a", limit)
		s.ok(err)
		s.same(fmt.Sprint("first ", limit), got, all[:min(limit, 3)])
	}
	none, err := s.PlacedOn(s.ctx(), "c", 10)
	s.ok(err)
	s.same("on an unknown pool", none, []messaging.Placement{})
}

func poolTenants(s *subject) {
	pool := func(i int) string { return fmt.Sprint("pool", i) }
	for i, q := range awkward() {
		s.place(q, pool(i))
		s.ok(s.PutFlavor(s.ctx(), messaging.Flavor{
			Ref: messaging.FlavorRef{Project: q.Project, Name: q.Name}, Capabilities: make([]messaging.Capability, 0)}))
	}
	s.restartIfItCan()
	projects := map[messaging.Project]int{}
	flavors := map[messaging.FlavorRef]bool{}
	for i, q := range awkward() {
		s.placedIn(q, pool(i))
		projects[q.Project]++
		flavors[messaging.FlavorRef{Project: q.Project, Name: q.Name}] = true
	}
	n := 0
	for p, want := range projects {
		s.same(fmt.Sprintf("placements of %q", p), len(s.placements(p)), want)
		list, err := s.Flavors(s.ctx(), p, "", 100)
		s.ok(err)
		n += len(list)
	}
	s.same("flavors of all projects", n, len(flavors))
}
