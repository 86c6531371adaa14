package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"zaqar/bench/process"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded"
)

// subscribersEach is how many subscriptions each of many queues has.
const subscribersEach = 10

// crowded is the queue that has a hundredth of all subscriptions.
var crowded = messaging.QueueRef{Project: "crowd", Name: "crowded"}

// manySubscriptions measures what very many subscriptions cost at the start, in
// memory and while nothing happens, and how soon messages are delivered then.
func manySubscriptions(ctx context.Context, b *bench, r *receiver) (err error) {
	empty, _, stop, err := b.startNotifying(ctx, "")
	if err != nil {
		return err
	}
	memory := process.UsageOf(empty.Pid()).Private
	if err := stop(); err != nil {
		return err
	}
	dir, crowd := filepath.Join(b.work, "many.data"), max(b.many/100, 1)
	if err := makeSubscriptions(ctx, dir, r.addr, crowd, b.many-crowd); err != nil {
		return err
	}
	s, c, stop, err := b.startNotifying(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	what := fmt.Sprintf("many: %d subscriptions, ", b.many)
	u := process.UsageOf(s.Pid())
	b.tell(what+"processor time until the first answer", "s", u.CPU.Seconds())
	b.tell(what+"memory for each then", "B", float64(u.Private-memory)/float64(b.many))
	for _, to := range []struct {
		queue messaging.QueueRef
		subs  int
	}{{tenantQueue(0), min(subscribersEach, b.many-crowd)}, {crowded, crowd}} {
		post := caller(s.Addr, string(to.queue.Project), 0).request("POST", "/v2/queues/"+to.queue.Name+"/messages", posting(1, 1<<10))
		var took []float64
		for range b.rounds {
			begun, before := time.Now(), r.count()
			if _, err := ask(c, post, http.StatusCreated); err != nil {
				return err
			}
			if err := r.await(ctx, before+to.subs); err != nil {
				return err
			}
			took = append(took, time.Since(begun).Seconds()*1000)
		}
		b.median(what+fmt.Sprintf("a post until all %d of its queue have it", to.subs), "ms", took)
	}
	return b.watchIdle(ctx, s, what)
}

// watchIdle measures a server that has nothing to do, after it has written down
// what it did.
func (b *bench) watchIdle(ctx context.Context, s *server, what string) error {
	if b.idle <= 0 {
		return nil
	}
	for _, d := range []time.Duration{30 * time.Second, b.idle} {
		before := process.UsageOf(s.Pid()).CPU
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return ctx.Err()
		}
		if d == b.idle {
			b.tell(what+"processor time of an idle server", "ms/min", float64((process.UsageOf(s.Pid()).CPU-before).Milliseconds())/d.Minutes())
		}
	}
	return nil
}

// makeSubscriptions makes some subscriptions of the receiver at the address to
// the crowded queue, and others to many queues.
func makeSubscriptions(ctx context.Context, dir, addr string, crowd, others int) error {
	store, err := embedded.Open(dir, embedded.Config{}, storage.Env{Now: time.Now})
	if err != nil {
		return err
	}
	err = many(crowd+others, func(i int) error {
		q := crowded
		if i >= crowd {
			q = tenantQueue((i - crowd) / subscribersEach)
		}
		_, _, err := store.Subscribe(ctx, messaging.Subscription{Source: q, Subscriber: fmt.Sprintf("http://%s/%d", addr, i), TTL: 1 << 30})
		return err
	})
	return errors.Join(err, store.Close())
}
