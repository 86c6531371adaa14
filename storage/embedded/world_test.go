package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
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
		{Project: "p1", Name: "inbox", Part: messaging.Outbox}, {Project: "p1", Name: "outbox", Part: messaging.Outbox},
	}
	queues     = boxes[:5]
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
	if q.Part != "" && len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "%s: %d/%d\n", name(q), tally.Claimed, tally.Total)
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

func name(q messaging.QueueRef) string {
	s := fmt.Sprintf("{%s %s %v}", q.Project, q.Name, q.Topic)
	if q.Part != "" {
		s += "/" + string(q.Part)
	}
	return s
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
				show("queue", fmt.Sprint(name(q.Ref), string(q.Metadata.JSON())), err)
			}
			n, err := w.store.CountQueues(ctx, p, topics)
			show("count", n, err)
		}
		flavors, err := w.store.Flavors(ctx, p, "", 1000)
		show("flavors", flavors, err)
		placements, err := w.store.Placements(ctx, p)
		show("placements", placements, err)
	}
	for _, q := range queues {
		subs, err := w.store.Subscriptions(ctx, q, "", 1000)
		for _, s := range subs {
			show("subscription", fmt.Sprint(s.ID, name(s.Source), s.Subscriber, s.TTL, string(s.Options), s.Confirmed, s.Created.UnixMilli(), s.Expires.UnixMilli()), err)
		}
		stored, err := w.store.Queue(ctx, q)
		show("queue", fmt.Sprint(name(stored.Ref), string(stored.Metadata.JSON())), err)
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ready returns a world with an open store.
func ready(t *testing.T) *world {
	t.Helper()
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	must(t, w.open())
	t.Cleanup(func() { _ = w.close() })
	return w
}

// does runs acts that must succeed.
func (w *world) does(t *testing.T, acts ...act) {
	t.Helper()
	if _, err := w.run(acts); err != nil {
		t.Fatal(err)
	}
}

// Damage returns what recovery found unreadable.
func (s *Store) Damage() []Damage { return s.damage }
