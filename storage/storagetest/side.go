package storagetest

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// side is one of the two stores of a replay, with the names that the history
// gives to its ids.
type side struct {
	Store
	restart func()
	clock   *Clock
	began   time.Time
	real    map[string]string // by name
	names   map[string]string // by id

	at   map[place]messaging.Position // where a message was last seen
	seen []sighting                   // in this step

	due     time.Time // what the last Due said
	someDue bool

	swept       storage.Swept // what the last Sweep said
	sweptBefore bool          // and there was no restart since the one before
	restarted   bool          // since the last Sweep

	placeless bool // the id of what is gone is no marker
}

// place is a message in a queue.
type place struct {
	queue   messaging.QueueRef
	message string
}

// sighting is a message shown at a position.
type sighting struct {
	place
	position messaging.Position
}

func newSide(s Store, clock *Clock, h Harness) *side {
	return &side{
		Store: s, clock: clock, began: clock.Now(), placeless: h.Placeless,
		real: map[string]string{}, names: map[string]string{}, at: map[place]messaging.Position{},
	}
}

func background() context.Context { return context.Background() }

// born records the id of something that a step made.
func (x *side) born(name, id string) {
	x.real[name], x.names[id] = id, name
}

// id returns the id of what the history calls name; the name itself if nothing
// is called that.
func (x *side) id(name string) string {
	if id, known := x.real[name]; known {
		return id
	}
	return name
}

func (x *side) messageIDs(names []string) []messaging.MessageID {
	var list []messaging.MessageID
	for _, n := range names {
		list = append(list, messaging.MessageID(x.id(n)))
	}
	return list
}

func (x *side) claimIDs(names []string) []messaging.ClaimID {
	var list []messaging.ClaimID
	for _, n := range names {
		list = append(list, messaging.ClaimID(x.id(n)))
	}
	return list
}

// name is the inverse of id.
func (x *side) name(id string) string {
	switch name, known := x.names[id]; {
	case known:
		return name
	case id == "":
		return ""
	default:
		return "an id that was never given out"
	}
}

// Answers in words. They show every field, so that equal words are equal
// answers.

func (x *side) result(err error, words string) string {
	if err == nil {
		return words
	}
	for _, k := range messaging.Kinds() {
		if errors.Is(err, k) {
			return "error: " + string(k)
		}
	}
	return "error of no kind: " + err.Error()
}

func (x *side) instant(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	ms := t.UnixMilli() - x.began.UnixMilli()
	return fmt.Sprintf("%d.%03d", ms/1000, ms%1000)
}

func (x *side) messages(q messaging.QueueRef, list []messaging.Message) string {
	words := make([]string, len(list))
	for i := range list {
		m := &list[i]
		p := place{q, x.name(string(m.ID))}
		x.at[p] = m.Position
		x.seen = append(x.seen, sighting{p, m.Position})
		words[i] = x.message(m)
	}
	return fmt.Sprintf("%d messages [%s]", len(list), strings.Join(words, ", "))
}

func (x *side) message(m *messaging.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s{%s by %.8s, posted %s, ttl %d until %s", x.name(string(m.ID)), abbreviate(m.Body), m.Poster,
		x.instant(m.Posted), m.TTL, x.instant(m.Expires))
	if !m.Available.IsZero() {
		fmt.Fprintf(&b, ", delayed until %s", x.instant(m.Available))
	}
	if m.Key != "" || m.Checksum != "" {
		fmt.Fprintf(&b, ", key %q, checksum %q", m.Key, m.Checksum)
	}
	if m.Claim != "" || m.Claims != 0 {
		fmt.Fprintf(&b, ", claims %d, now %q", m.Claims, x.name(string(m.Claim)))
	}
	b.WriteString("}")
	return b.String()
}

func abbreviate(body []byte) string {
	if len(body) <= 20 {
		return fmt.Sprintf("%q", body)
	}
	return fmt.Sprintf("%.8q… (%d bytes, sum %08x)", body, len(body), crc32.ChecksumIEEE(body))
}

func (x *side) claim(c messaging.Claim) string {
	return fmt.Sprintf("claim %q ttl %d from %s until %s", x.name(string(c.ID)), c.TTL, x.instant(c.Renewed), x.instant(c.Expires))
}

func (x *side) tally(t messaging.Tally) string {
	words := fmt.Sprintf("total %d, claimed %d", t.Total, t.Claimed)
	for _, m := range []*messaging.Message{t.Oldest, t.Newest} {
		if m != nil {
			words += " " + x.message(m)
		}
	}
	return words
}

func (x *side) subscription(s messaging.Subscription) string {
	return fmt.Sprintf("%s{%s to %s, ttl %d until %s, made %s, confirmed %v, options %q}", x.name(string(s.ID)),
		ref(s.Source), s.Subscriber, s.TTL, x.instant(s.Expires), x.instant(s.Created), s.Confirmed, s.Options)
}

func (x *side) subscriptions(list []messaging.Subscription) string {
	return join(list, x.subscription)
}

func ref(q messaging.QueueRef) string {
	if q.Topic {
		return fmt.Sprintf("%s/%s(topic)", q.Project, q.Name)
	}
	return fmt.Sprintf("%s/%s", q.Project, q.Name)
}

func queueWords(q messaging.Queue) string { return ref(q.Ref) + string(q.Metadata.JSON()) }

func poolWords(p messaging.Pool) string {
	return fmt.Sprintf("%s{weight %d, uri %s, flavor %s, options %q}", p.Name, p.Weight, p.URI, flavorName(p.Flavor), p.Options)
}

func flavorName(f messaging.FlavorRef) string { return fmt.Sprintf("%s/%s", f.Project, f.Name) }

func flavorWords(f messaging.Flavor) string {
	return fmt.Sprintf("%s%v", flavorName(f.Ref), f.Capabilities)
}

func placementWords(p messaging.Placement) string { return ref(p.Queue) + " on " + p.Pool }

func join[T any](list []T, words func(T) string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = words(v)
	}
	return fmt.Sprintf("%d [%s]", len(list), strings.Join(out, ", "))
}

// placesInOrder holds, by queue, the positions under which the two stores have
// shown the same message. They must be in the same order.
type placesInOrder map[messaging.QueueRef][][2]messaging.Position

// check adds what a step has shown. The answers being equal, both stores have
// shown the same messages in the same order.
func (o placesInOrder) check(driver, model []sighting) string {
	for i := range min(len(driver), len(model)) {
		d, m := driver[i], model[i]
		known := false
		for _, pair := range o[m.queue] {
			if (d.position < pair[0]) != (m.position < pair[1]) || (d.position == pair[0]) != (m.position == pair[1]) {
				return fmt.Sprintf("store: %s is at %d, which is not in order: another place of the queue is %d\nmodel: %d and %d",
					m.message, d.position, pair[0], m.position, pair[1])
			}
			known = known || m.position == pair[1]
		}
		if !known {
			o[m.queue] = append(o[m.queue], [2]messaging.Position{d.position, m.position})
		}
	}
	return ""
}
