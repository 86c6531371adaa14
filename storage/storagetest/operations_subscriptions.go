package storagetest

import (
	"errors"
	"fmt"

	"zaqar/messaging"
)

func subscriptionOperations() []operation {
	return []operation{
		{weight: 6, make: subscribe},
		{weight: 1, make: readSubscription},
		{weight: 1, make: readSubscriptionTo},
		{weight: 2, make: listSubscriptions},
		{weight: 5, make: amendSubscription},
		{weight: 1, make: unsubscribe},
		{weight: 1, make: unsubscribeAll},
	}
}

// errRefused is what edits of a history fail with.
var errRefused = errors.New("the edit refuses")

// edited writes the answer of an amend.
func (x *side) edited(err error, words string) string {
	if errors.Is(err, errRefused) {
		return "refused by the edit"
	}
	return x.result(err, words)
}

func (m *maker) subscriber() string {
	return pick(m, []string{"http://a", "http://a", "http://b", "http://b", "mailto:c@d"})
}

// source is a queue that has subscriptions; few have, so that they meet.
func (m *maker) source() messaging.QueueRef {
	return pick(m, []messaging.QueueRef{inbox, inbox, inbox, inbox, inbox, alien, topic})
}

func (m *maker) subscriptionTTL() int64 { return pick(m, []int64{5, 60, 600, 3600, 86400}) }

func (m *maker) options() []byte { return []byte(pick(m, []string{`{}`, `{"a":1}`, ""})) }

func subscribe(m *maker) step {
	name := fmt.Sprintf("s%d", m.number)
	in := messaging.Subscription{Source: m.source(), Subscriber: m.subscriber(), TTL: m.subscriptionTTL(), Options: m.options(), Confirmed: m.chance(10)}
	m.subscriptions = append(m.subscriptions, made{name, in.Source})
	return step{
		text: fmt.Sprintf("Subscribe to %s: %s ttl %d options %q confirmed %v", ref(in.Source), in.Subscriber, in.TTL, in.Options, in.Confirmed),
		run: func(x *side) string {
			got, created, err := x.Subscribe(background(), in)
			if created {
				x.born(name, string(got.ID))
			}
			return x.result(err, fmt.Sprintf("%s, new %v", x.subscription(got), created))
		},
	}
}

func readSubscription(m *maker) step {
	q := m.source()
	name := m.one(m.subscriptions, q)
	return step{text: fmt.Sprintf("Subscription of %s %q", ref(q), name), run: func(x *side) string {
		got, err := x.Subscription(background(), q, messaging.SubscriptionID(x.id(name)))
		return x.result(err, x.subscription(got))
	}}
}

func readSubscriptionTo(m *maker) step {
	q, to := m.source(), m.subscriber()
	return step{text: fmt.Sprintf("SubscriptionTo %s from %s", to, ref(q)), run: func(x *side) string {
		got, err := x.SubscriptionTo(background(), q, to)
		return x.result(err, x.subscription(got))
	}}
}

func listSubscriptions(m *maker) step {
	q, limit, after := m.source(), 1+m.IntN(3), ""
	if m.chance(50) {
		after = m.one(m.subscriptions, q)
	}
	return step{text: fmt.Sprintf("Subscriptions of %s limit %d after %q", ref(q), limit, after), run: func(x *side) string {
		list, err := x.Subscriptions(background(), q, messaging.SubscriptionID(x.id(after)), limit)
		n, errCount := x.CountSubscriptions(background(), q.Project)
		return x.result(errors.Join(err, errCount), fmt.Sprintf("%s; %d of the project", x.subscriptions(list), n))
	}}
}

func amendSubscription(m *maker) step {
	q := m.source()
	name, to, ttl, confirmed, what := m.one(m.subscriptions, q), m.subscriber(), m.subscriptionTTL(), m.chance(50), pick(m, []int{0, 0, 0, 1, 2, 3, 4})
	text := []string{"subscriber " + to, fmt.Sprint("ttl ", ttl), fmt.Sprint("confirmed ", confirmed), "all", "an error"}[what]
	return step{text: fmt.Sprintf("AmendSubscription of %s %q: %s", ref(q), name, text), run: func(x *side) string {
		got, err := x.AmendSubscription(background(), q, messaging.SubscriptionID(x.id(name)), func(s *messaging.Subscription) error {
			if what == 0 || what >= 3 {
				s.Subscriber = to
			}
			if what == 1 || what >= 3 {
				s.TTL = ttl
			}
			if what == 2 || what >= 3 {
				s.Confirmed = confirmed
			}
			if what == 4 {
				return errRefused
			}
			return nil
		})
		return x.edited(err, x.subscription(got))
	}}
}

func unsubscribe(m *maker) step {
	q := m.source()
	name := m.one(m.subscriptions, q)
	return step{text: fmt.Sprintf("Unsubscribe from %s %q", ref(q), name), run: func(x *side) string {
		return x.result(x.Unsubscribe(background(), q, messaging.SubscriptionID(x.id(name))), "done")
	}}
}

func unsubscribeAll(m *maker) step {
	q := m.source()
	return step{text: "UnsubscribeAll from " + ref(q), run: func(x *side) string {
		return x.result(x.UnsubscribeAll(background(), q), "done")
	}}
}
