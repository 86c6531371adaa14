package embedded

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// What is done to the subscriptions of a queue costs the same however many
// messages it has, and what is done to its messages leaves them alone.
func TestSubscriptionsBesideManyMessages(t *testing.T) {
	const batches, subs = 100, 2000
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	w.size = defaultSegment
	must(t, w.open())
	defer func() { must(t, w.close()) }()
	full, other := boxes[0], boxes[3]
	draft := messaging.Draft{TTL: forever, Body: []byte(`"x"`)}
	for range batches {
		_, err := w.store.Append(t.Context(), full, clients[0], slices.Repeat([]messaging.Draft{draft}, 1000), storage.AppendOptions{})
		must(t, err)
	}
	var ids []messaging.SubscriptionID
	for i := range subs {
		for _, q := range []messaging.QueueRef{full, other} {
			sub, created, err := w.store.Subscribe(t.Context(), messaging.Subscription{Source: q, Subscriber: fmt.Sprint("http://x/", i), TTL: forever})
			if must(t, err); !created {
				t.Fatal("not created")
			}
			if q == full {
				ids = append(ids, sub.ID)
			}
		}
	}
	count := func(q messaging.QueueRef) int {
		t.Helper()
		all, err := w.store.Subscriptions(t.Context(), q, "", 2*subs)
		must(t, err)
		return len(all)
	}
	cheap := func(what string, most int64, do func() error) {
		t.Helper()
		before := w.disk.Stats()
		must(t, do())
		after := w.disk.Stats()
		if read, written := after.BytesRead-before.BytesRead, after.BytesWritten-before.BytesWritten; read > 0 || written > most {
			t.Errorf("%s: %d bytes read, %d written", what, read, written)
		}
	}
	const one = 256 + aheadBytes // a record, with the zeros that may be written ahead
	cheap("one goes", one, func() error { return w.store.Unsubscribe(t.Context(), full, ids[7]) })
	if n := count(full); n != subs-1 {
		t.Errorf("%d subscriptions are left", n)
	}
	cheap("all go", subs*64+one, func() error { return w.store.UnsubscribeAll(t.Context(), full) })
	if n, tally := count(full), w.tallied(t, full); n != 0 || tally.Total != batches*1000 {
		t.Errorf("%d subscriptions and %d messages are left", n, tally.Total)
	}
	_, _, err := w.store.Subscribe(t.Context(), messaging.Subscription{Source: full, Subscriber: "http://again/", TTL: forever})
	must(t, err)
	cheap("the messages go", one, func() error { return w.store.Drop(t.Context(), full) })

	for range 2 {
		if n, tally := count(full), w.tallied(t, full); n != 1 || tally.Total != 0 || count(other) != subs {
			t.Errorf("%d subscriptions and %d messages are left, and %d of the other queue", n, tally.Total, count(other))
		}
		w.now += int64(time.Minute / time.Millisecond)
		must(t, w.close())
		must(t, w.open())
	}
}

// tallied counts the messages of a queue.
func (w *world) tallied(t *testing.T, q messaging.QueueRef) messaging.Tally {
	t.Helper()
	tally, err := w.store.Tally(t.Context(), q)
	must(t, err)
	return tally
}
