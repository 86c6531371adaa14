package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"zaqar/messaging"
)

func controlOperations() []operation {
	return []operation{
		{weight: 3, make: createQueue},
		{weight: 1, make: readQueue},
		{weight: 2, make: amendQueue},
		{weight: 1, make: deleteQueue},
		{weight: 1, make: listQueues},
		{weight: 3, make: putPool},
		{weight: 1, make: readPools},
		{weight: 2, make: amendPool},
		{weight: 2, make: deletePool},
		{weight: 2, make: putFlavor},
		{weight: 1, make: deleteFlavor},
		{weight: 1, make: readFlavors},
		{weight: 3, make: placeQueue},
		{weight: 1, make: unplaceQueue},
		{weight: 1, make: readPlacements},
	}
}

func (m *maker) metadata() *messaging.Metadata {
	md, err := messaging.DecodeMetadata([]byte(pick(m, []string{`{}`, `{"b":1,"a":[2.50]}`, `{"_default_message_ttl":60}`})))
	if err != nil {
		panic(err) // the texts above are well-formed
	}
	return md
}

func createQueue(m *maker) step {
	q, md := m.queue(), m.metadata()
	return step{text: fmt.Sprintf("CreateQueue %s %s", ref(q), md.JSON()), run: func(x *side) string {
		created, err := x.CreateQueue(background(), q, md)
		return x.result(err, fmt.Sprint("new ", created))
	}}
}

func readQueue(m *maker) step {
	q := m.queue()
	return step{text: "Queue " + ref(q), run: func(x *side) string {
		got, err := x.Queue(background(), q)
		return x.result(err, queueWords(got))
	}}
}

func amendQueue(m *maker) step {
	q, md, refuse := m.queue(), m.metadata(), m.chance(20)
	return step{text: fmt.Sprintf("AmendQueue %s to %s, refused %v", ref(q), md.JSON(), refuse), run: func(x *side) string {
		var old string
		got, err := x.AmendQueue(background(), q, func(was *messaging.Metadata) (*messaging.Metadata, error) {
			old = string(was.JSON())
			if refuse {
				return md, errRefused
			}
			return md, nil
		})
		return "was " + old + ", " + x.edited(err, queueWords(got))
	}}
}

func deleteQueue(m *maker) step {
	q := m.queue()
	return step{text: "DeleteQueue " + ref(q), run: func(x *side) string {
		return x.result(x.DeleteQueue(background(), q), "done")
	}}
}

func listQueues(m *maker) step {
	q, after, limit := m.queue(), pick(m, []string{"", "inbox", "j"}), 1+m.IntN(3)
	return step{text: fmt.Sprintf("Queues of %s topics %v after %q limit %d", q.Project, q.Topic, after, limit), run: func(x *side) string {
		list, err := x.Queues(background(), q.Project, q.Topic, after, limit)
		n, errCount := x.CountQueues(background(), q.Project, q.Topic)
		return x.result(errors.Join(err, errCount), fmt.Sprintf("%s of %d", join(list, queueWords), n))
	}}
}

func (m *maker) poolName() string { return pick(m, []string{"pool1", "pool2", "pool3"}) }

func (m *maker) flavor() messaging.FlavorRef {
	return pick(m, []messaging.FlavorRef{{}, {Project: "p1", Name: "gold"}, {Project: "p2", Name: "gold"}})
}

func (m *maker) uri() string { return pick(m, []string{"mem://1", "mem://2", "mem://3", "mem://4"}) }

func putPool(m *maker) step {
	p := messaging.Pool{Name: m.poolName(), Weight: int64(m.IntN(3)), URI: m.uri(), Flavor: m.flavor(), Options: m.options()}
	return step{text: "PutPool " + poolWords(p), run: func(x *side) string {
		return x.result(x.PutPool(background(), p), "done")
	}}
}

func readPools(m *maker) step {
	name, f, limit := m.poolName(), m.flavor(), m.IntN(3)
	return step{text: fmt.Sprintf("Pool %s, Pools after it limit %d, PoolsOf %s", name, limit, flavorName(f)), run: func(x *side) string {
		one, errOne := x.Pool(background(), name)
		list, errList := x.Pools(background(), name, limit)
		of, errOf := x.PoolsOf(background(), f)
		return x.result(errOne, poolWords(one)) + "; " + x.result(errList, join(list, poolWords)) + "; " + x.result(errOf, join(of, poolWords))
	}}
}

func amendPool(m *maker) step {
	name, uri, f, refuse := m.poolName(), m.uri(), m.flavor(), m.chance(20)
	return step{text: fmt.Sprintf("AmendPool %s to %s %s, refused %v", name, uri, flavorName(f), refuse), run: func(x *side) string {
		got, err := x.AmendPool(background(), name, func(p *messaging.Pool) error {
			p.URI, p.Flavor = uri, f
			if refuse {
				return errRefused
			}
			return nil
		})
		return x.edited(err, poolWords(got))
	}}
}

func deletePool(m *maker) step {
	name := m.poolName()
	return step{text: "DeletePool " + name, run: func(x *side) string {
		return x.result(x.DeletePool(background(), name), "done")
	}}
}

func putFlavor(m *maker) step {
	f := messaging.Flavor{Ref: m.flavor(), Capabilities: []messaging.Capability{messaging.FIFO, messaging.Claims}[:m.IntN(3)]}
	f.Ref.Project, f.Ref.Name = max(f.Ref.Project, "p1"), "gold"
	return step{text: "PutFlavor " + flavorWords(f), run: func(x *side) string {
		return x.result(x.PutFlavor(background(), f), "done")
	}}
}

func deleteFlavor(m *maker) step {
	f := m.flavor()
	f.Project, f.Name = max(f.Project, "p1"), "gold"
	return step{text: "DeleteFlavor " + flavorName(f), run: func(x *side) string {
		return x.result(x.DeleteFlavor(background(), f), "done")
	}}
}

func readFlavors(m *maker) step {
	f := m.flavor()
	return step{text: fmt.Sprintf("Flavor %s, Flavors of p1", flavorName(f)), run: func(x *side) string {
		one, errOne := x.Flavor(background(), f)
		list, err := x.Flavors(background(), "p1", "", 10)
		return x.result(errOne, flavorWords(one)) + "; " + x.result(err, join(list, flavorWords))
	}}
}

func placeQueue(m *maker) step {
	p := messaging.Placement{Queue: m.queue(), Pool: m.poolName()}
	if m.chance(50) {
		return step{text: "PlaceNew " + placementWords(p), run: func(x *side) string {
			got, err := x.PlaceNew(background(), p)
			return x.result(err, placementWords(got))
		}}
	}
	return step{text: "Place " + placementWords(p), run: func(x *side) string {
		return x.result(x.Place(background(), p), "done")
	}}
}

func unplaceQueue(m *maker) step {
	q := m.queue()
	return step{text: "Unplace " + ref(q), run: func(x *side) string {
		return x.result(x.Unplace(background(), q), "done")
	}}
}

func readPlacements(m *maker) step {
	q, pool := m.queue(), m.poolName()
	return step{text: fmt.Sprintf("Placement %s, Placements of p1, PlacedOn %s", ref(q), pool), run: func(x *side) string {
		one, errOne := x.Placement(background(), q)
		list, errList := x.Placements(background(), "p1")
		on, errOn := x.PlacedOn(background(), pool, 100)
		slices.SortFunc(on, func(a, b messaging.Placement) int { return strings.Compare(placementWords(a), placementWords(b)) })
		return x.result(errOne, placementWords(one)) + "; " + x.result(errList, join(list, placementWords)) + "; " + x.result(errOn, join(on, placementWords))
	}}
}
