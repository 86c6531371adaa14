package notify_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/notify"
)

// grouping is a sender that delivers together, except to those who fail.
type grouping struct {
	*sender
	groups [][]string
}

func (g *grouping) SendAll(ctx context.Context, ds []*notify.Delivery) []error {
	var hosts []string
	failed := make([]error, len(ds))
	for i, d := range ds {
		hosts = append(hosts, d.Subscriber.Host)
		_, failed[i] = g.Send(ctx, d)
	}
	g.groups = append(g.groups, hosts)
	return failed
}

// Subscribers of one post that can be served together are; who fails is tried
// again alone.
func TestGroups(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		g := &grouping{sender: w.sender}
		w.senders = map[string]notify.Sender{"queue": g, "http": w.sender}
		for _, h := range []string{"a", "b", "c"} {
			w.subscribe(q, "queue://"+h+"/")
		}
		w.subscribe(q, "http://d/")
		fewer := w.subscribe(q, "queue://e/", `{"filter_policy":{"n":[{"numeric":["<",2]}]}}`)
		fail := 2
		w.sender.behave["b"] = func(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
			if fail--; fail >= 0 {
				return fails(500)(ctx, d)
			}
			return notify.Receipt{}, nil
		}
		w.start()
		for i := range 3 {
			w.post(q, fmt.Sprintf(`{"n":%d}`, i))
			time.Sleep(time.Second)
		}
		settled(time.Minute)
		for _, h := range []string{"a", "c", "d"} {
			if got := len(w.sender.of(h)); got != 3 {
				t.Errorf("%s got %d", h, got)
			}
		}
		if got := len(w.sender.of("b")); got != 5 {
			t.Errorf("b was tried %d times", got)
		}
		if got := len(w.sender.of("e")); got != 2 {
			t.Errorf("e got %d, its filter lets two through (%s)", got, fewer.Options)
		}
		together := 0
		for _, hosts := range g.groups {
			if slices.Contains(hosts, "a") {
				together++
				if !slices.Contains(hosts, "b") || !slices.Contains(hosts, "c") {
					t.Errorf("a was served with %v", hosts)
				}
			}
		}
		if together != 3 {
			t.Errorf("%d groups of %v", together, g.groups)
		}
		if left := w.left(q, "outbox"); len(left) > 0 {
			t.Errorf("%d are left in the outbox", len(left))
		}
	})
}

// One of those that are delivered to together gets a subscriber of another kind
// while the delivery waits.
func TestGroupMemberMoves(t *testing.T) {
	for i := range 3 {
		inWorld(t, func(w *world) {
			w.config.InFlight, w.config.Stuck = 1, 0
			g := &grouping{sender: w.sender}
			w.senders = map[string]notify.Sender{"queue": g, "http": w.sender}
			w.sender.behave["slow"] = takes(10 * time.Second)
			w.subscribe(queue("first"), "http://slow/")
			var subs []messaging.Subscription
			for _, h := range []string{"a", "b", "c"} {
				subs = append(subs, w.subscribe(queue("q"), "queue://"+h+"/"))
			}
			w.start()
			w.post(queue("first"), "0")
			settled(time.Second)
			w.post(queue("q"), "1")
			settled(time.Second)
			w.give(subs[i], "http://moved/")
			settled(time.Minute)
			hosts := []string{"a", "b", "c"}
			hosts[i] = "moved"
			for _, h := range hosts {
				equal(t, h, texts(w.sender.of(h)), []string{"1"})
			}
			for _, together := range g.groups {
				if strings.Contains(fmt.Sprint(together), "moved") {
					t.Errorf("one group was %v", together)
				}
			}
		})
	}
}
