package broker

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/storage"
)

// Forward is a message that the server itself brings to queues: one for
// subscribers that are queues, a dead letter, or word to an owner.
type Forward struct {
	From messaging.Project // whose queue or topic it comes from
	To   []messaging.QueueRef
	Body []byte // JSON text, plain
	TTL  int64  // seconds; it is brought within what the server allows
	Note delivery.Note
}

// forwarder is who posts what is forwarded.
const forwarder = messaging.ClientID("zaqar-notifier")

// Unseal makes the body of a stored message of the project plain, if it is not.
func (b *Broker) Unseal(p messaging.Project, m *messaging.Message) error {
	return b.active.Load().keys.open(p, m)
}

// Accepts says whether a queue takes what a queue or topic of the project has
// for its subscribers: nil, or Denied. A queue of the same project does, others
// name in their metadata whom they take something from.
func (b *Broker) Accepts(ctx context.Context, from messaging.Project, to messaging.QueueRef) error {
	if !messaging.ValidName(to.Name) {
		return invalid("The queue name must be 1 to %d letters, digits, '_', '-' or '.' of ASCII, not %s.", messaging.MaxNameLength, quoted(to.Name))
	}
	if from == to.Project {
		return nil
	}
	q, err := b.control.Queue(ctx, to)
	if err != nil && !is(err, messaging.NotFound) {
		return fault(err)
	}
	if err == nil && acceptsFrom(q.Metadata, from) {
		return nil
	}
	// Whether it exists is none of a stranger's business.
	return messaging.E(messaging.Denied, "The queue of the other project takes no messages from this one: its metadata "+messaging.KeyAcceptFrom+" does not name it.")
}

func acceptsFrom(m *messaging.Metadata, from messaging.Project) bool {
	for _, member := range m.Members() {
		if member.Name == messaging.KeyAcceptFrom {
			projects, everybody, _ := messaging.Projects(member.Value)
			return everybody || slices.Contains(projects, from)
		}
	}
	return false
}

// Forward stores a message in each of the queues, which are created if they are
// missing, as a post without a ttl of its own would: with the default delay,
// encryption, quota, subscribers and waiting requests of each. Where the rules of
// the queues agree they get it in one step of the store, all or none. It
// returns an error for each that did not get it, in the order of the queues.
//
// A queue that got it before, on another way from the first queue that it was
// forwarded to, does not get it again.
func (b *Broker) Forward(ctx context.Context, f Forward) []error {
	s := b.active.Load()
	failed := make([]error, len(f.To))
	if f.Note.Hops < 2 || f.Note.Origin == "" {
		f.Note.Origin = strings.ToLower(rand.Text()[:originSize])
	}
	groups := map[agreement][]int{}
	var order []agreement
	for i, q := range f.To {
		a, err := b.agreement(ctx, s, f, q)
		if err != nil {
			failed[i] = fault(err)
			continue
		}
		if !b.arrived.first(f.Note.Origin, q, b.now()) {
			continue
		}
		if groups[a] == nil {
			order = append(order, a)
		}
		groups[a] = append(groups[a], i)
	}
	for _, a := range order {
		err := b.forwardTo(ctx, s, f, a, groups[a])
		for _, i := range groups[a] {
			failed[i] = err
			if err != nil {
				b.arrived.not(f.Note.Origin, f.To[i])
			}
		}
	}
	return failed
}

// originSize is how much of a random text names an origin: 80 bits.
const originSize = 16

// agreement is what queues must have in common to get the same drafts.
type agreement struct {
	delay  int64
	sealed messaging.Project // empty: plain
}

func (b *Broker) agreement(ctx context.Context, s *setup, f Forward, q messaging.QueueRef) (agreement, error) {
	if err := b.Accepts(ctx, f.From, q); err != nil {
		return agreement{}, err
	}
	r, err := b.record(ctx, q)
	if err != nil {
		return agreement{}, err
	}
	if limit := s.postLimit(r); int64(len(f.Body)) > limit {
		return agreement{}, invalid("The message has %d bytes, and queue %s takes %d at most.", len(f.Body), quoted(q.Name), limit)
	}
	a := agreement{delay: s.delay(r.Settings)}
	if r.Encrypt {
		a.sealed = q.Project
	}
	return a, nil
}

// forwardTo stores the message in those queues that agree.
func (b *Broker) forwardTo(ctx context.Context, s *setup, f Forward, a agreement, which []int) error {
	ttl := min(max(f.TTL, minMessageTTL), s.MaxMessageTTL)
	d := drafts{}
	r := record{Settings: messaging.Settings{DefaultDelay: &a.delay, Encrypt: a.sealed != ""}}
	to := make([]messaging.QueueRef, len(which))
	for k, i := range which {
		to[k] = f.To[i]
	}
	if err := d.fill(s, messaging.QueueRef{Project: a.sealed}, r, []Post{{TTL: &ttl, Body: f.Body}}); err != nil {
		return err
	}
	for _, q := range to {
		if _, err := b.createQueue(ctx, q, nil); err != nil {
			return err
		}
		hold, err := b.holdDrafts(ctx, q, &d)
		if err != nil {
			return err
		}
		defer hold.Done()
	}
	began := b.now()
	o := storage.AppendOptions{Also: to[1:], Announce: &storage.Announcement{Note: f.Note.Append(nil), TTL: ttl}}
	if _, err := b.data.Append(ctx, to[0], forwarder, d.list, o); err != nil {
		return fault(err)
	}
	for _, q := range to {
		b.keepListed(ctx, q)
		b.announce(q, d.list, began)
		b.counters.countPosts(d.list)
	}
	return nil
}

// keepListed makes the record of a queue anew if somebody deleted it while
// something was stored in the queue.
func (b *Broker) keepListed(ctx context.Context, q messaging.QueueRef) {
	if err := b.intoQueue(context.WithoutCancel(ctx), q, true, func() error { return nil }); err != nil {
		b.log.WarnContext(ctx, "cannot tell whether the queue of a new message is listed", "project", q.Project, noun(q), q.Name, "error", err)
	}
}
