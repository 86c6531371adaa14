package storagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"zaqar/messaging"
)

// operation makes steps of one sort. Weights say how often, relatively.
type operation struct {
	weight  int
	make    func(*maker) step
	restart bool
}

func operations() []operation {
	list := []operation{
		{weight: 12, make: passTime},
		{weight: 3, make: restart, restart: true},
		{weight: 3, make: sweep},
	}
	return slices.Concat(list, messageOperations(), subscriptionOperations(), controlOperations())
}

// maker makes up steps. It remembers what earlier steps may have made, to
// refer to it.
type maker struct {
	*rand.Rand
	number        int // of the step being made
	posts         []made
	claims        []made
	subscriptions []made
}

// made is something an earlier step made in a queue.
type made struct {
	name  string
	queue messaging.QueueRef
}

func pick[T any](m *maker, list []T) T { return list[m.IntN(len(list))] }

// chance is true in so many of 100 cases.
func (m *maker) chance(percent int) bool { return m.IntN(100) < percent }

func (m *maker) queue() messaging.QueueRef {
	return pick(m, []messaging.QueueRef{inbox, inbox, inbox, outbox, alien, topic})
}

func (m *maker) ttl() int64 { return pick(m, []int64{1, 2, 5, 10, 30, 60, 600}) }

// one names something made in the queue, mostly; something else at times.
func (m *maker) one(list []made, q messaging.QueueRef) string {
	if len(list) == 0 || m.chance(4) {
		return pick(m, nonsense)
	}
	for range 20 {
		at := len(list) - 1 - min(m.IntN(len(list)), m.IntN(len(list))) // rather a late one
		if list[at].queue == q || m.chance(3) {
			return list[at].name
		}
	}
	return list[len(list)-1].name
}

func (m *maker) several(list []made, q messaging.QueueRef) []string {
	var names []string
	for range 1 + m.IntN(4) {
		names = append(names, m.one(list, q))
	}
	return names
}

func passTime(m *maker) step {
	const ms, s = time.Millisecond, time.Second
	d := pick(m, []time.Duration{ms, 500 * ms, 999 * ms, s, s, s, 2 * s, 2 * s, 5 * s, 5 * s, 10 * s, 10 * s, 30 * s, 60 * s, 600 * s})
	return step{
		text: fmt.Sprintf("%v pass", d),
		pass: d,
		run:  func(x *side) string { return "now " + x.instant(x.clock.Now()) },
	}
}

func restart(*maker) step {
	return step{text: "restart", run: func(x *side) string {
		x.restart()
		x.restarted = true
		return ""
	}}
}

// sweep compares the counts by the rule that a store counts nothing that the
// model does not: what expired and was then deleted in some other way may be
// counted or not. Nothing is known of the first Sweep after a restart.
func sweep(*maker) step {
	return step{
		text: "Sweep",
		run: func(x *side) string {
			var err error
			x.swept, err = x.Sweep(background())
			x.sweptBefore, x.restarted = !x.restarted, false
			return x.result(err, "done")
		},
		judge: func(driver, model *side) string {
			d, m := driver.swept, model.swept
			if driver.sweptBefore && (d.Messages > m.Messages || d.Claims > m.Claims || d.Subscriptions > m.Subscriptions) {
				return fmt.Sprintf("store: %+v\nmodel: %+v at most", d, m)
			}
			return ""
		},
	}
}

// lookAtAll compares everything that can be seen. It ends every history.
func lookAtAll() step {
	return step{text: "look at everything", run: func(x *side) string {
		var b strings.Builder
		for _, q := range []messaging.QueueRef{inbox, outbox, alien, topic} {
			list, err := x.Scan(background(), q, everything)
			fmt.Fprintf(&b, "%s: %s\n", ref(q), x.result(err, x.messages(q, list)))
			t, err := x.Tally(background(), q)
			fmt.Fprintf(&b, "%s: %s\n", ref(q), x.result(err, x.tally(t)))
			subs, err := x.Subscriptions(background(), q, "", 1000)
			fmt.Fprintf(&b, "%s: %s\n", ref(q), x.result(err, x.subscriptions(subs)))
			queues, err := x.Queues(background(), q.Project, q.Topic, "", 1000)
			fmt.Fprintf(&b, "%s: %s\n", ref(q), x.result(err, join(queues, queueWords)))
			placements, err := x.Placements(background(), q.Project)
			fmt.Fprintf(&b, "%s: %s\n", ref(q), x.result(err, join(placements, placementWords)))
			sum, err := x.Stored(background(), q.Project)
			fmt.Fprintf(&b, "%s: %s\n", q.Project, x.result(err, fmt.Sprintf("%+v", sum)))
		}
		pools, err := x.Pools(background(), "", 0)
		fmt.Fprintf(&b, "pools: %s\n", x.result(err, join(pools, poolWords)))
		return b.String()
	}}
}
