package storagetest

import (
	"fmt"
	"strings"

	"zaqar/messaging"
	"zaqar/storage"
)

func messageOperations() []operation {
	return []operation{
		{weight: 8, make: post},
		{weight: 8, make: scan},
		{weight: 4, make: fetch},
		{weight: 8, make: remove},
		{weight: 5, make: pop},
		{weight: 4, make: move},
		{weight: 3, make: tally},
		{weight: 1, make: volume},
		{weight: 1, make: purge},
		{weight: 1, make: drop},
		{weight: 4, make: due},
		{weight: 12, make: claim},
		{weight: 4, make: held},
		{weight: 5, make: renew},
		{weight: 5, make: release},
	}
}

func post(m *maker) step {
	q, by := m.queue(), pick(m, []messaging.ClientID{alice, bob, ""})
	var names []string
	var drafts []messaging.Draft
	for i := range 1 + m.IntN(3) {
		d := messaging.Draft{TTL: m.ttl(), Body: fmt.Appendf(nil, "%d.%d", m.number, i)}
		if m.chance(25) {
			d.Delay = pick(m, []int64{1, 2, 5, 10, 30})
		}
		if m.chance(10) {
			d.Key, d.Checksum = pick(m, []string{"k1", "k2"}), "MD5:00"
		}
		if m.chance(10) {
			d.Body = append(d.Body, strings.Repeat("\x00\xff😀\n", m.IntN(1000))...)
		}
		name := fmt.Sprintf("m%d.%d", m.number, i)
		names, drafts = append(names, name), append(drafts, d)
		m.posts = append(m.posts, made{name, q})
	}
	return postOf(q, by, names, drafts)
}

func postOf(q messaging.QueueRef, by messaging.ClientID, names []string, drafts []messaging.Draft) step {
	var words []string
	for _, d := range drafts {
		words = append(words, fmt.Sprintf("{ttl %d, delay %d, key %q, body %s}", d.TTL, d.Delay, d.Key, abbreviate(d.Body)))
	}
	st := step{
		text: fmt.Sprintf("Append to %s by %q: %s", ref(q), by, strings.Join(words, " ")),
		run: func(x *side) string {
			put, err := x.Append(background(), q, by, drafts, storage.AppendOptions{})
			list := put.IDs
			for i := range min(len(list), len(names)) {
				x.born(names[i], string(list[i]))
			}
			return x.result(err, fmt.Sprintf("%d ids for %q", len(list), names))
		},
	}
	if len(drafts) > 1 {
		for i := range drafts {
			st.smaller = append(st.smaller, postOf(q, by, names[i:i+1], drafts[i:i+1]))
		}
	}
	return st
}

func scan(m *maker) step {
	q := m.queue()
	f := storage.Scan{Limit: 1 + m.IntN(6), Claimed: m.chance(50), Delayed: m.chance(50)}
	if m.chance(30) {
		f.Hide = pick(m, []messaging.ClientID{alice, bob})
	}
	text := fmt.Sprintf("Scan %s limit %d hide %q claimed %v delayed %v", ref(q), f.Limit, f.Hide, f.Claimed, f.Delayed)
	run := func(x *side, f storage.Scan) string {
		list, err := x.Scan(background(), q, f)
		return x.result(err, x.messages(q, list))
	}
	after := m.one(m.posts, q)
	switch m.IntN(3) {
	case 0:
		return step{text: text, run: func(x *side) string { return run(x, f) }}
	case 1:
		return step{text: text + fmt.Sprintf(" after the place of %q", after), run: func(x *side) string {
			f := f
			f.After = x.at[place{q, after}]
			return run(x, f)
		}}
	default:
		posted := false // a place only this queue can have given it
		for _, p := range m.posts {
			posted = posted || p == made{after, q}
		}
		if !posted {
			after = pick(m, nonsense)
		}
		return step{text: text + fmt.Sprintf(" after id %q", after), run: func(x *side) string {
			f := f
			f.AfterID = x.marker(q, after)
			return run(x, f)
		}}
	}
}

// marker returns the id of a message to start a page after. Where only what is
// there can be one, it is an unknown id if the message is gone.
func (x *side) marker(q messaging.QueueRef, name string) messaging.MessageID {
	id := messaging.MessageID(x.id(name))
	if x.placeless {
		if list, err := x.Fetch(background(), q, []messaging.MessageID{id}); err != nil || len(list) == 0 {
			return "nope"
		}
	}
	return id
}

func fetch(m *maker) step {
	q := m.queue()
	names := m.several(m.posts, q)
	return step{text: fmt.Sprintf("Fetch from %s %q", ref(q), names), run: func(x *side) string {
		list, err := x.Fetch(background(), q, x.messageIDs(names))
		return x.result(err, x.messages(q, list))
	}}
}

func remove(m *maker) step {
	q := m.queue()
	names := m.several(m.posts, q)
	unclaimed := m.chance(40)
	var claims []string
	if m.chance(40) {
		claims = m.several(m.claims, q)
	}
	return step{
		text: fmt.Sprintf("Remove from %s %q on condition unclaimed %v, by %q", ref(q), names, unclaimed, claims),
		run: func(x *side) string {
			hold := storage.Hold{Unclaimed: unclaimed, By: x.claimIDs(claims)}
			return x.result(x.Remove(background(), q, x.messageIDs(names), hold), "done")
		},
	}
}

func pop(m *maker) step {
	q := m.queue()
	t := storage.Take{Limit: 1 + m.IntN(3), Delayed: m.chance(20)}
	if m.chance(50) {
		t.Keys = []string{"k1"}
	}
	return step{
		text: fmt.Sprintf("Pop from %s limit %d delayed %v keys %q", ref(q), t.Limit, t.Delayed, t.Keys),
		run: func(x *side) string {
			list, err := x.Pop(background(), q, t)
			return x.result(err, x.messages(q, list))
		},
	}
}

func move(m *maker) step {
	q, to := m.queue(), m.queue()
	c := m.one(m.claims, q)
	names := m.several(m.posts, q)
	ttl := pick(m, []int64{0, 0, 5, 60})
	return step{
		text: fmt.Sprintf("Move from %s %q under %q to %s with ttl %d", ref(q), names, c, ref(to), ttl),
		run: func(x *side) string {
			n, err := x.Move(background(), q, x.messageIDs(names), messaging.ClaimID(x.id(c)), to, ttl)
			return x.result(err, fmt.Sprintf("%d moved", n))
		},
	}
}

func tally(m *maker) step {
	q := m.queue()
	return step{text: "Tally " + ref(q) + ", Stored of its project", run: func(x *side) string {
		sum, errSum := x.Stored(background(), q.Project) // first: Tally would bring the queue to the present
		t, err := x.Tally(background(), q)
		return x.result(err, x.tally(t)) + "; " + x.result(errSum, fmt.Sprintf("%+v", sum))
	}}
}

func volume(*maker) step {
	return step{text: "Volume", run: func(x *side) string {
		total, claimed, err := x.Volume(background())
		return x.result(err, fmt.Sprintf("total %d, claimed %d", total, claimed))
	}}
}

func purge(m *maker) step {
	q := m.queue()
	return step{text: "Purge " + ref(q), run: func(x *side) string {
		return x.result(x.Purge(background(), q), "done")
	}}
}

func drop(m *maker) step {
	q := m.queue()
	return step{text: "Drop " + ref(q), run: func(x *side) string {
		return x.result(x.Drop(background(), q), "done")
	}}
}

// due compares by the rule that a store may be early, never late.
func due(m *maker) step {
	q := m.queue()
	return step{
		text: "Due of " + ref(q),
		run: func(x *side) string {
			var err error
			x.due, x.someDue, err = x.Due(background(), q)
			return x.result(err, "an instant")
		},
		judge: func(driver, model *side) string {
			now := model.clock.Now()
			switch {
			case driver.someDue && !driver.due.After(now):
				return fmt.Sprintf("store: due at %s, which is not after now, %s", driver.instant(driver.due), driver.instant(now))
			case model.someDue && (!driver.someDue || driver.due.After(model.due)):
				return fmt.Sprintf("store: due at %s\nmodel: due at %s", driver.instant(driver.due), model.instant(model.due))
			}
			return ""
		},
	}
}

func (m *maker) terms() storage.Terms {
	return storage.Terms{TTL: m.ttl(), Grace: pick(m, []int64{0, 1, 5, 30})}
}

func claim(m *maker) step {
	q, t, name := m.queue(), m.terms(), fmt.Sprintf("c%d", m.number)
	t.Limit, t.MaxClaims, t.Delayed = 1+m.IntN(4), pick(m, []int64{0, 0, 1, 2}), m.chance(20)
	m.claims = append(m.claims, made{name, q})
	return step{
		text: fmt.Sprintf("Claim from %s %+v", ref(q), t),
		run: func(x *side) string {
			lease, err := x.Claim(background(), q, t)
			if lease.Claim.ID != "" {
				x.born(name, string(lease.Claim.ID))
			}
			return x.result(err, fmt.Sprintf("%s: %s, spent %s", x.claim(lease.Claim), x.messages(q, lease.Messages), x.messages(q, lease.Spent)))
		},
	}
}

func held(m *maker) step {
	q := m.queue()
	c := m.one(m.claims, q)
	return step{text: fmt.Sprintf("Held in %s by %q", ref(q), c), run: func(x *side) string {
		got, list, err := x.Held(background(), q, messaging.ClaimID(x.id(c)))
		return x.result(err, x.claim(got)+": "+x.messages(q, list))
	}}
}

func renew(m *maker) step {
	q, t := m.queue(), m.terms()
	c := m.one(m.claims, q)
	return step{text: fmt.Sprintf("Renew in %s %q for %d+%d", ref(q), c, t.TTL, t.Grace), run: func(x *side) string {
		return x.result(x.Renew(background(), q, messaging.ClaimID(x.id(c)), t), "done")
	}}
}

func release(m *maker) step {
	q := m.queue()
	c := m.one(m.claims, q)
	return step{text: fmt.Sprintf("Release in %s %q", ref(q), c), run: func(x *side) string {
		n, err := x.Release(background(), q, messaging.ClaimID(x.id(c)))
		return x.result(err, fmt.Sprintf("%d freed", n))
	}}
}
