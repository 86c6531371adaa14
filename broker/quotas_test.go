package broker_test

import (
	"testing"

	"zaqar/auth/policy"
	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/quota"
)

// within gives the world a broker with limits for every project.
func (w *world) within(l messaging.Limits) {
	w.Helper()
	g, err := quota.New(quota.Config{Defaults: l}, quota.Parts{Control: w.store, Data: w.store, Now: w.clock.now})
	if err != nil {
		w.Fatal(err)
	}
	w.Broker, err = broker.New(config(), broker.Parts{Control: w.store, Data: w.store, Policy: policy.Default(), Quotas: g, Now: w.clock.now})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(w.Broker.Close)
}

// TestQueueQuotaOfSlowPosts begins posts to queues that are deleted before their
// bodies have come: each would bring its queue back.
func TestQueueQuotaOfSlowPosts(t *testing.T) {
	w := newWorld(t)
	w.within(messaging.Limits{messaging.LimitQueues: 1})
	names := []string{"a", "b", "c"}
	var posts []broker.Posting
	for _, name := range names {
		w.create(queue(name), `{}`)
		p, err := w.BeginPost(w.ctx(), w.who, queue(name))
		if err != nil {
			t.Fatal(err)
		}
		posts = append(posts, p)
		if err := w.DeleteQueue(w.ctx(), w.who, queue(name)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range posts {
		_, err := posts[i].Store(w.ctx(), []broker.Post{{Body: []byte("1")}})
		if i == 0 && err != nil {
			t.Errorf("there is room for %s: %v", names[i], err)
		}
		if i > 0 {
			wantKind(t, err, messaging.OverQuota, "post to %s", names[i])
		}
	}
	wantEqual(t, "queues", w.names(false), "a")
	if s, err := w.store.Stored(w.ctx(), "p"); err != nil || s.Messages != 1 {
		t.Errorf("stored: %v, %v", s, err)
	}
}
