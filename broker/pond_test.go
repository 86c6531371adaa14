package broker_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zaqar/broker"
	"zaqar/messaging"
)

// pond is a world in a synctest bubble, with its waiters.
type pond struct {
	*world
	store *faulty
	began time.Time
	wg    sync.WaitGroup
	aside bool          // waiters wait outside of the broker,
	after time.Duration // when they have waited inside for so long
}

// inBubble runs test on a pond and then checks that nobody is left behind:
// with waiters within the broker, and with such that wait outside.
func inBubble(t *testing.T, test func(p *pond), edits ...func(*broker.Config)) {
	t.Helper()
	t.Run("inside", func(t *testing.T) { onPond(t, &pond{}, test, edits...) })
	t.Run("outside", func(t *testing.T) { onPond(t, &pond{aside: true}, test, edits...) })
	t.Run("outside later", func(t *testing.T) { onPond(t, &pond{aside: true, after: 1500 * time.Millisecond}, test, edits...) })
}

func onPond(t *testing.T, p *pond, test func(p *pond), edits ...func(*broker.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		edits := append([]func(*broker.Config){func(c *broker.Config) { c.MaxWait = 1000 }}, edits...)
		w := worldAt(t, &clock{bubble: true}, edits...)
		p.world, p.store, p.began = w, &faulty{Store: w.store}, time.Now()
		w.Broker = w.brokerOn(p.store, p.store, config(edits...))
		test(p)
		p.wg.Wait()
		if n, m := p.Lobbies(), p.Seated(); n != 0 || m != 0 {
			t.Errorf("%d lobbies and %d seats are left", n, m)
		}
	})
}

// catch is what a waiter got.
type catch struct {
	bodies string
	after  time.Duration // since the pond began
	err    error
}

// claimer waits in a goroutine and sends what it got.
func (p *pond) claimer(ctx context.Context, q messaging.QueueRef, limit int, wait int64) <-chan catch {
	return p.waiter(ctx, func(w *broker.Waiter) (broker.Messages, error) {
		view, err := p.CreateClaim(ctx, p.who, q, broker.CreateClaim{Limit: &limit, TTL: ptr[int64](60), Wait: wait, Waiter: w})
		return view.Messages, err
	})
}

func (p *pond) lister(ctx context.Context, q messaging.QueueRef, in broker.ListMessages) <-chan catch {
	return p.waiter(ctx, func(w *broker.Waiter) (broker.Messages, error) {
		in := in
		in.Waiter = w
		return p.ListMessages(ctx, p.who, q, in)
	})
}

func (p *pond) waiter(ctx context.Context, use func(*broker.Waiter) (broker.Messages, error)) <-chan catch {
	c := make(chan catch, 1)
	p.wg.Go(func() {
		var w *broker.Waiter
		if p.aside {
			w = &broker.Waiter{Patience: p.after}
			defer w.Leave()
		}
		got, err := use(w)
		for w != nil && w.Waits() {
			call := make(chan struct{})
			w.Notify(func() { close(call) })
			select {
			case <-call:
			case <-time.After(w.Left()):
			case <-ctx.Done():
			}
			got, err = use(w)
		}
		c <- catch{bodies(got), time.Since(p.began), err}
	})
	return c
}

// want checks what a waiter got, and when.
func (p *pond) want(what string, c <-chan catch, bodies string, seconds int) {
	p.Helper()
	got := <-c
	if got.err != nil || got.bodies != bodies || got.after != time.Duration(seconds)*time.Second {
		p.Errorf("%s got %q after %v (%v), want %q after %d s", what, got.bodies, got.after, got.err, bodies, seconds)
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// longDelay is the metadata of a queue whose messages are delayed for long.
const longDelay = `{"_default_message_delay":900}`

// do fails the test on an error.
func (p *pond) do(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}
