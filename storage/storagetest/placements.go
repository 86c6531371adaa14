package storagetest

import (
	"fmt"
	"sync/atomic"

	"zaqar/messaging"
)

func placementPromises() []promise {
	return []promise{
		{"S129 a pool with placements cannot be deleted", poolInUse},
		{"S130 a placement is kept, listed by project, and removed", placementLife},
		{"S131 placing again changes the pool, an unplaced queue is NotFound", placementChange},
		{"S132 placing a placed queue replaces the mapping", placementReplace},
		{"S138 a queue that is placed stays where it is when placed as new", placementNew},
		{"of concurrent first placements one wins", placementConcurrent},
		{"placements on a pool are listed in a stable order", placementsOnPool},
		{"projects with awkward ids do not mix their placements and flavors", poolTenants},
	}
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
