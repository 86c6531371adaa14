package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"zaqar/messaging"
	"zaqar/storage"
)

// The acts. What they concern is chosen by numbers, so that the same act means
// the same on a store in the same state.

func post(q messaging.QueueRef, n int, ttl, delay int64, size int) act {
	return act{fmt.Sprintf("post %d to %v ttl %d delay %d of %d bytes", n, q, ttl, delay, size), func(w *world) error {
		var drafts []messaging.Draft
		for i := range n {
			body := fmt.Sprintf(`"%d.%d%s"`, len(w.posted), i, strings.Repeat("x", size))
			d := messaging.Draft{TTL: ttl, Delay: delay, Body: []byte(body)}
			if i%3 == 1 {
				d.Checksum = "MD5:d41d8cd98f00b204e9800998ecf8427e"
			}
			if len(w.posted)%5 == 4 {
				d.Key = "k1"
			}
			drafts = append(drafts, d)
		}
		put, err := w.store.Append(context.Background(), q, clients[len(w.posted)%len(clients)], drafts, storage.AppendOptions{})
		ids := put.IDs
		if err != nil {
			return err
		}
		for i, id := range ids {
			if id <= w.highest {
				return fmt.Errorf("%w: id %s given out behind %s", errWrong, id, w.highest)
			}
			w.highest = id
			w.posted = append(w.posted, letter{id, q})
			w.bodies[id] = string(drafts[i].Body)
			if ttl >= forever {
				w.eternal[id] = true
			}
		}
		return nil
	}}
}

// announce posts to two queues, and to the outbox of the first if that has
// subscriptions: all of it or nothing.
func announce(n, size int) act {
	return act{fmt.Sprintf("announce %d of %d bytes", n, size), func(w *world) error {
		drafts := slices.Repeat([]messaging.Draft{{TTL: forever, Body: []byte(strings.Repeat("9", size))}}, n)
		got, err := w.store.Append(context.Background(), boxes[0], clients[0], drafts, storage.AppendOptions{
			Announce: &storage.Announcement{Note: []byte("n"), TTL: forever}, Also: []messaging.QueueRef{boxes[1]}})
		if err != nil {
			return err
		}
		for i, id := range got.IDs {
			w.highest = id
			w.posted = append(w.posted, letter{id, boxes[0]})
			w.bodies[id], w.eternal[id] = string(drafts[i].Body), true
		}
		for _, q := range boxes[1:] {
			list, err := w.store.Scan(context.Background(), q, everything)
			if err != nil {
				return err
			}
			if len(list) > 0 {
				w.highest = max(w.highest, list[len(list)-1].ID)
			}
		}
		return nil
	}}
}

// errWrong is an answer no store may give.
var errWrong = errors.New("wrong answer")

func claimSome(q messaging.QueueRef, t storage.Terms) act {
	return act{fmt.Sprintf("claim from %v %+v", q, t), func(w *world) error {
		got, err := w.store.Claim(context.Background(), q, t)
		if err != nil || got.Claim.ID == "" {
			return err
		}
		c := lease{id: got.Claim.ID, queue: q}
		for _, list := range [][]messaging.Message{got.Messages, got.Spent} {
			for i := range list {
				if w.gone[list[i].ID] {
					return fmt.Errorf("%w: claim of deleted message %s", errWrong, list[i].ID)
				}
				c.ids = append(c.ids, list[i].ID)
			}
		}
		w.claims = append(w.claims, c)
		return nil
	}}
}

// claim returns one the client knows, rather a late one.
func (w *world) claim(k int) lease {
	if len(w.claims) == 0 {
		return lease{id: "none", queue: boxes[0]}
	}
	return w.claims[max(0, len(w.claims)-1-k%5)]
}

func (w *world) letter(k int) letter {
	if len(w.posted) == 0 {
		return letter{"none", boxes[0]}
	}
	return w.posted[k%len(w.posted)]
}

func renew(k int, t storage.Terms) act {
	return act{fmt.Sprintf("renew claim -%d %+v", k%5, t), func(w *world) error {
		c := w.claim(k)
		return w.store.Renew(context.Background(), c.queue, c.id, t)
	}}
}

func release(k int) act {
	return act{fmt.Sprintf("release claim -%d", k%5), func(w *world) error {
		c := w.claim(k)
		_, err := w.store.Release(context.Background(), c.queue, c.id)
		return err
	}}
}

// removeClaimed deletes n messages of a claim, on proof of it.
func removeClaimed(k, n int) act {
	return act{fmt.Sprintf("remove %d of claim -%d", n, k%5), func(w *world) error {
		c := w.claim(k)
		ids := c.ids[:min(n, len(c.ids))]
		err := w.store.Remove(context.Background(), c.queue, ids, storage.Hold{By: []messaging.ClaimID{c.id}})
		if err == nil {
			w.removed(c.queue, ids)
		}
		return err
	}}
}

// removed notes a delete. A message that had moved away is untouched by it.
func (w *world) removed(q messaging.QueueRef, ids []messaging.MessageID) {
	for _, m := range w.posted {
		if m.queue == q && slices.Contains(ids, m.id) {
			w.delivered(m.id)
		}
	}
}

func removeAny(k, n int, hold storage.Hold) act {
	return act{fmt.Sprintf("remove %d from letter %d, unclaimed only: %v", n, k, hold.Unclaimed), func(w *world) error {
		q := w.letter(k).queue
		var ids []messaging.MessageID
		for i := range n {
			if m := w.letter(k + i); m.queue == q {
				ids = append(ids, m.id)
			}
		}
		err := w.store.Remove(context.Background(), q, ids, hold)
		if err == nil {
			w.removed(q, ids)
		}
		return err
	}}
}

func pop(q messaging.QueueRef, n int) act {
	return act{fmt.Sprintf("pop %d from %v", n, q), func(w *world) error {
		list, err := w.store.Pop(context.Background(), q, storage.Take{Limit: n, Keys: []string{"k1"}})
		if err != nil {
			return err
		}
		for i := range list {
			if w.gone[list[i].ID] {
				return fmt.Errorf("%w: pop of deleted message %s", errWrong, list[i].ID)
			}
			w.delivered(list[i].ID)
		}
		return nil
	}}
}

func move(k int, to messaging.QueueRef, ttl int64) act {
	return act{fmt.Sprintf("move claim -%d to %v ttl %d", k%5, to, ttl), func(w *world) error {
		c := w.claim(k)
		var still []messaging.MessageID // under the claim, as the store says
		if _, held, err := w.store.Held(context.Background(), c.queue, c.id); err == nil {
			for i := range held {
				still = append(still, held[i].ID)
			}
		}
		n, err := w.store.Move(context.Background(), c.queue, c.ids, c.id, to, ttl)
		if err != nil {
			return err
		}
		if n != len(still) {
			return fmt.Errorf("%w: %d moved of %d held", errWrong, n, len(still))
		}
		for i := range w.posted {
			if slices.Contains(still, w.posted[i].id) {
				w.posted[i].queue = to
				if ttl > 0 && ttl < forever {
					delete(w.eternal, w.posted[i].id)
				}
			}
		}
		return nil
	}}
}

// purge notes what it deleted by looking before: nothing else happens meanwhile.
func purge(q messaging.QueueRef) act {
	return act{fmt.Sprintf("purge %v", q), func(w *world) error {
		list, err := w.store.Scan(context.Background(), q, storage.Scan{Limit: 1 << 20, Delayed: true})
		if err != nil {
			return err
		}
		if err := w.store.Purge(context.Background(), q); err != nil {
			return err
		}
		for i := range list {
			w.delivered(list[i].ID)
		}
		return nil
	}}
}

func drop(q messaging.QueueRef) act {
	return act{fmt.Sprintf("drop %v", q), func(w *world) error {
		if err := w.store.Drop(context.Background(), q); err != nil {
			return err
		}
		for _, m := range w.posted {
			if m.queue == q {
				w.delivered(m.id)
			}
		}
		return nil
	}}
}

func pass(ms int64) act {
	return act{fmt.Sprintf("%d ms pass", ms), func(w *world) error { w.now += ms; return nil }}
}

var (
	compact = act{"compact", func(w *world) error { return w.store.Compact() }}
	relieve = act{"relieve", func(w *world) error { w.store.look(); return w.store.relieve() }}
	tend    = act{"tend", func(w *world) error { w.store.tend(); return nil }}
	sweep   = act{"sweep", func(w *world) error { _, err := w.store.Sweep(context.Background()); return err }}
	restart = act{"restart", func(w *world) error {
		if err := w.close(); err != nil {
			return err
		}
		return w.open()
	}}
)

func metadata(k int) *messaging.Metadata {
	m, err := messaging.DecodeMetadata(fmt.Appendf(nil, `{"n":%d,"pad":"%s"}`, k, strings.Repeat("y", k%200)))
	if err != nil {
		panic(err)
	}
	return m
}

// control returns an act on the control plane.
func control(what, k, j int) act {
	q, ctx := queues[k%len(queues)], context.Background()
	pool, flavor := fmt.Sprint("pool", k%3), messaging.FlavorRef{Project: projects[k%2], Name: fmt.Sprint("flavor", k%2)}
	acts := []act{
		{"create", func(w *world) error { _, err := w.store.CreateQueue(ctx, q, metadata(j)); return err }},
		{"amend", func(w *world) error {
			_, err := w.store.AmendQueue(ctx, q, func(*messaging.Metadata) (*messaging.Metadata, error) { return metadata(j), nil })
			return err
		}},
		{"delete", func(w *world) error { return w.store.DeleteQueue(ctx, q) }},
		{"subscribe", func(w *world) error {
			s, _, err := w.store.Subscribe(ctx, messaging.Subscription{Source: q, Subscriber: fmt.Sprint("http://s", j%4), TTL: int64(30 + j%100), Options: []byte("{}")})
			if err == nil {
				w.subs = append(w.subs, subscribed{s.ID, q})
			}
			return err
		}},
		{"amend subscription", func(w *world) error {
			if len(w.subs) == 0 {
				return nil
			}
			s := w.subs[j%len(w.subs)]
			_, err := w.store.AmendSubscription(ctx, s.queue, s.id, func(s *messaging.Subscription) error {
				s.TTL, s.Confirmed = int64(40+j%100), !s.Confirmed
				return nil
			})
			return err
		}},
		{"unsubscribe", func(w *world) error {
			if len(w.subs) == 0 {
				return nil
			}
			s := w.subs[j%len(w.subs)]
			return w.store.Unsubscribe(ctx, s.queue, s.id)
		}},
		{"unsubscribe all", func(w *world) error { return w.store.UnsubscribeAll(ctx, q) }},
		{"put pool", func(w *world) error {
			return w.store.PutPool(ctx, messaging.Pool{Name: pool, Weight: int64(j), URI: fmt.Sprint("mem://", pool), Flavor: flavor, Options: []byte("{}")})
		}},
		{"delete pool", func(w *world) error { return w.store.DeletePool(ctx, pool) }},
		{"put flavor", func(w *world) error { return w.store.PutFlavor(ctx, messaging.Flavor{Ref: flavor}) }},
		{"delete flavor", func(w *world) error { return w.store.DeleteFlavor(ctx, flavor) }},
		{"place", func(w *world) error { return w.store.Place(ctx, messaging.Placement{Queue: q, Pool: pool}) }},
		{"unplace", func(w *world) error { return w.store.Unplace(ctx, q) }},
	}
	a := acts[what%len(acts)]
	a.text = fmt.Sprintf("%s %d %d", a.text, k, j)
	return a
}

// someActs is a history with every kind of act for seed 0, and one made up for
// others.
func someActs(seed uint64, n int) []act {
	if seed == 0 {
		return everyAct()
	}
	return randomActs(seed, n)
}

// randomActs makes up a history.
func randomActs(seed uint64, n int) []act {
	rng := rand.New(rand.NewPCG(seed, 1))
	box := func() messaging.QueueRef { return boxes[[]int{0, 0, 0, 1, 2, 3, 4, 5}[rng.IntN(8)]] }
	size := func() int { return []int{3, 40, 200, 900, 3000, 6000}[min(rng.IntN(8), rng.IntN(8), 5)] }
	ttl := func() int64 { return []int64{forever, forever, forever, 1, 10, 60}[rng.IntN(6)] }
	terms := func() storage.Terms {
		return storage.Terms{TTL: int64(1 + rng.IntN(60)), Grace: int64(rng.IntN(30)), Limit: 1 + rng.IntN(4), MaxClaims: int64(rng.IntN(3)), Delayed: rng.IntN(4) == 0}
	}
	menu := []struct {
		weight int
		make   func() act
	}{
		{8, func() act { return post(box(), 1, ttl(), 0, size()) }},
		{5, func() act { return post(box(), 2+rng.IntN(4), ttl(), 0, size()) }},
		{2, func() act { return post(box(), 1, ttl(), int64(1+rng.IntN(30)), size()) }},
		{4, func() act { return announce(1+rng.IntN(3), size()) }},
		{8, func() act { return claimSome(box(), terms()) }},
		{4, func() act { return renew(rng.IntN(20), terms()) }},
		{3, func() act { return release(rng.IntN(20)) }},
		{6, func() act { return removeClaimed(rng.IntN(20), 1+rng.IntN(4)) }},
		{3, func() act { return removeAny(rng.IntN(200), 1+rng.IntN(3), storage.Hold{}) }},
		{3, func() act { return removeAny(rng.IntN(200), 1+rng.IntN(3), storage.Hold{Unclaimed: true}) }},
		{4, func() act { return pop(box(), 1+rng.IntN(3)) }},
		{6, func() act { return move(rng.IntN(20), box(), []int64{0, 0, 20, forever}[rng.IntN(4)]) }},
		{1, func() act { return purge(box()) }},
		{1, func() act { return drop(box()) }},
		{9, func() act { return control(rng.IntN(100), rng.IntN(100), rng.IntN(1000)) }},
		{6, func() act { return compact }},
		{3, func() act { return relieve }},
		{6, func() act { return tend }},
		{2, func() act { return sweep }},
		{1, func() act { return restart }},
		{5, func() act { return pass(int64(rng.IntN([]int{10, 3000, 30000}[rng.IntN(3)]))) }},
	}
	// Every history leaves some things out, so that the others meet more often.
	var choice []int
	for i := range menu {
		for range menu[i].weight * []int{0, 1, 1, 2}[rng.IntN(4)] {
			choice = append(choice, i)
		}
	}
	acts := []act{post(boxes[0], 3, forever, 0, 100)}
	for len(acts) < n {
		at := 0
		if len(choice) > 0 && rng.IntN(6) > 0 {
			at = choice[rng.IntN(len(choice))]
		}
		acts = append(acts, menu[at].make())
	}
	return acts
}

// story writes a history down.
func story(acts []act) string {
	var b strings.Builder
	for i, a := range acts {
		fmt.Fprintf(&b, "%4d %s\n", i, a.text)
	}
	return b.String()
}
