package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// world is a store on a faulty disk and a client that remembers what it was
// told. It does one thing at a time.
type world struct {
	disk  *faultdisk.Disk
	store *Store
	size  int64 // of segments
	now   int64 // ms
	ledger
}

// ledger is what the client knows.
type ledger struct {
	posted  []letter // everything posted, in order
	bodies  map[messaging.MessageID]string
	gone    map[messaging.MessageID]bool // deleted for good
	eternal map[messaging.MessageID]bool // there, and outliving every test
	claims  []lease
	subs    []subscribed
	highest messaging.MessageID // id given out last
}

type letter struct {
	id    messaging.MessageID
	queue messaging.QueueRef
}

type lease struct {
	id    messaging.ClaimID
	queue messaging.QueueRef
	ids   []messaging.MessageID
}

type subscribed struct {
	id    messaging.SubscriptionID
	queue messaging.QueueRef
}

const forever = 1_000_000 // seconds

var (
	boxes = []messaging.QueueRef{
		{Project: "p1", Name: "inbox"}, {Project: "p1", Name: "outbox"},
		{Project: "p1", Name: "dead"}, {Project: "p2", Name: "inbox"}, {Project: "p1", Name: "inbox", Topic: true},
	}
	projects   = []messaging.Project{"p1", "p2"}
	clients    = []messaging.ClientID{"30387f00-39a0-11e2-be4b-a8d15f34bae2", "c0ffee00-39a0-11e2-be4b-a8d15f34bae2", "not a uuid"}
	everything = storage.Scan{Limit: 1 << 20, Claimed: true, Delayed: true}
)

func newWorld(d *faultdisk.Disk) *world {
	return &world{disk: d, size: smallestSize, now: 1_900_000_000_000, ledger: ledger{
		bodies: map[messaging.MessageID]string{}, gone: map[messaging.MessageID]bool{}, eternal: map[messaging.MessageID]bool{},
	}}
}

// on returns the same client in front of another disk, with no store open.
func (w *world) on(d *faultdisk.Disk) *world {
	return &world{disk: d, size: w.size, now: w.now, ledger: w.ledger.clone()}
}

func (l ledger) clone() ledger {
	l.posted, l.claims, l.subs = slices.Clone(l.posted), slices.Clone(l.claims), slices.Clone(l.subs)
	l.bodies, l.gone, l.eternal = maps.Clone(l.bodies), maps.Clone(l.gone), maps.Clone(l.eternal)
	return l
}

func (w *world) open() (err error) {
	env := storage.Env{Now: func() time.Time { return time.UnixMilli(w.now) }}
	w.store, err = open("store", Config{FS: w.disk, SegmentSize: w.size, SweepEvery: -1}, env)
	return err
}

// close ends the store, on a disk that may have crashed.
func (w *world) close() error {
	if w.store == nil {
		return nil
	}
	err := w.store.Close()
	w.store = nil
	return err
}

// act is one thing the client does.
type act struct {
	text string
	do   func(w *world) error
}

// run does the acts one after the other. It returns how many were done before
// one failed because the store or its disk did.
func (w *world) run(acts []act) (done int, err error) {
	for i, a := range acts {
		if err := a.do(w); failed(err) {
			return i, fmt.Errorf("%s: %w", a.text, err)
		}
	}
	return len(acts), nil
}

// failed tells errors of the store from answers.
func failed(err error) bool {
	return err != nil && !errors.Is(err, messaging.NotFound) && !errors.Is(err, messaging.Conflict) &&
		!errors.Is(err, messaging.Claimed) && !errors.Is(err, messaging.NotClaimed)
}

// dump writes down everything that can be seen of the store.
func (w *world) dump() (string, error) {
	var b strings.Builder
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	for _, q := range boxes {
		w.dumpBox(&b, q, note)
	}
	w.dumpControl(&b, note)
	for _, err := range errs {
		if failed(err) {
			return "", err
		}
	}
	return b.String(), nil
}

func (w *world) dumpBox(b *strings.Builder, q messaging.QueueRef, note func(error)) {
	ctx := context.Background()
	list, err := w.store.Scan(ctx, q, everything)
	note(err)
	tally, err := w.store.Tally(ctx, q)
	note(err)
	fmt.Fprintf(b, "%v: %d/%d\n", q, tally.Claimed, tally.Total)
	for i := range list {
		m := &list[i]
		fmt.Fprintf(b, "  %s@%d by %s at %d ttl %d until %d from %d key %q sum %q claim %s #%d: %d bytes %08x\n", m.ID, m.Position,
			m.Poster, m.Posted.UnixMilli(), m.TTL, m.Expires.UnixMilli(), max(0, m.Available.UnixMilli()), m.Key, m.Checksum,
			m.Claim, m.Claims, len(m.Body), crc32.ChecksumIEEE(m.Body))
	}
	var ids []messaging.MessageID
	for _, m := range w.posted {
		ids = append(ids, m.id)
	}
	fetched, err := w.store.Fetch(ctx, q, ids)
	note(err)
	var known []string
	for i := range fetched {
		known = append(known, string(fetched[i].ID))
	}
	slices.Sort(known)
	fmt.Fprintf(b, "  by id: %s\n", strings.Join(known, " "))
	for _, c := range w.claims {
		if c.queue != q {
			continue
		}
		cl, held, err := w.store.Held(ctx, q, c.id)
		if note(err); err == nil {
			fmt.Fprintf(b, "  claim %s ttl %d from %d until %d holds", cl.ID, cl.TTL, cl.Renewed.UnixMilli(), cl.Expires.UnixMilli())
			for i := range held {
				fmt.Fprintf(b, " %s", held[i].ID)
			}
			fmt.Fprintln(b)
		}
	}
}

func (w *world) dumpControl(b *strings.Builder, note func(error)) {
	ctx := context.Background()
	show := func(what string, v any, err error) {
		note(err)
		fmt.Fprintf(b, "%s: %v\n", what, v)
	}
	for _, p := range projects {
		for _, topics := range []bool{false, true} {
			queues, err := w.store.Queues(ctx, p, topics, "", 1000)
			for _, q := range queues {
				show("queue", fmt.Sprint(q.Ref, string(q.Metadata.JSON())), err)
			}
			n, err := w.store.CountQueues(ctx, p, topics)
			show("count", n, err)
		}
		flavors, err := w.store.Flavors(ctx, p, "", 1000)
		show("flavors", flavors, err)
		placements, err := w.store.Placements(ctx, p)
		show("placements", placements, err)
	}
	for _, q := range boxes {
		subs, err := w.store.Subscriptions(ctx, q, "", 1000)
		for _, s := range subs {
			show("subscription", fmt.Sprint(s.ID, s.Source, s.Subscriber, s.TTL, string(s.Options), s.Confirmed, s.Created.UnixMilli(), s.Expires.UnixMilli()), err)
		}
		stored, err := w.store.Queue(ctx, q)
		show("queue", fmt.Sprint(stored.Ref, string(stored.Metadata.JSON())), err)
	}
	pools, err := w.store.Pools(ctx, "", 1000)
	for _, p := range pools {
		show("pool", fmt.Sprint(p.Name, p.Weight, p.URI, p.Flavor, string(p.Options)), err)
	}
	total, claimed, err := w.store.Volume(ctx)
	show("volume", fmt.Sprint(total, claimed), err)
}

// audit checks what the client was told against what is there, without
// trusting anything the store remembers of itself, and then that.
func (w *world) audit() error {
	seen := map[messaging.MessageID]messaging.QueueRef{}
	for _, q := range boxes {
		list, err := w.store.Scan(context.Background(), q, everything)
		if err != nil {
			return err
		}
		last := messaging.Position(0)
		for i := range list {
			m := &list[i]
			body, known := w.bodies[m.ID]
			switch {
			case m.Position <= last:
				return fmt.Errorf("position %d behind %d in %v", m.Position, last, q)
			case known && body != string(m.Body):
				return fmt.Errorf("message %s has the body %.40q, not %.40q", m.ID, m.Body, body)
			case w.gone[m.ID]:
				return fmt.Errorf("message %s was deleted and is back in %v", m.ID, q)
			}
			if other, twice := seen[m.ID]; twice {
				return fmt.Errorf("message %s is in %v and in %v", m.ID, other, q)
			}
			last, seen[m.ID] = m.Position, q
		}
	}
	for id := range w.eternal {
		if _, ok := seen[id]; !ok {
			return fmt.Errorf("message %s is lost", id)
		}
	}
	return w.store.consistent()
}

// delivered notes messages that a delete took.
func (w *world) delivered(ids ...messaging.MessageID) {
	for _, id := range ids {
		w.gone[id] = true
		delete(w.eternal, id)
	}
}

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
		ids, err := w.store.Append(context.Background(), q, clients[len(w.posted)%len(clients)], drafts)
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
	q, ctx := boxes[k%len(boxes)], context.Background()
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

// randomActs makes up a history.
func randomActs(seed uint64, n int) []act {
	rng := rand.New(rand.NewPCG(seed, 1))
	box := func() messaging.QueueRef { return boxes[[]int{0, 0, 0, 1, 2, 3, 4}[rng.IntN(7)]] }
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
