package broker_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/memory"
)

var errBroken = errors.New("disk on fire at 0x5f")

// faulty is a store that notes the calls it gets and can fail at some.
type faulty struct {
	*memory.Store
	mu    sync.Mutex // guards calls
	calls []string
	// fail returns the error that the call shall give.
	fail func(method string) error
	// after runs when a call has been done.
	after func(method string)
}

func do[T any](f *faulty, method string, call func() (T, error)) (T, error) {
	f.mu.Lock()
	f.calls = append(f.calls, method)
	f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(method); err != nil {
			var none T
			return none, err
		}
	}
	v, err := call()
	if f.after != nil {
		f.after(method)
	}
	return v, err
}

// count returns how many calls of the method there were.
func (f *faulty) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, m := range f.calls {
		if m == method {
			n++
		}
	}
	return n
}

func (f *faulty) void(method string, call func() error) error {
	_, err := do(f, method, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

func (f *faulty) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	return do(f, "Append", func() (storage.Appended, error) { return f.Store.Append(ctx, q, by, drafts, o) })
}

func (f *faulty) Scan(ctx context.Context, q messaging.QueueRef, s storage.Scan) ([]messaging.Message, error) {
	return do(f, "Scan", func() ([]messaging.Message, error) { return f.Store.Scan(ctx, q, s) })
}

func (f *faulty) Fetch(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID) ([]messaging.Message, error) {
	return do(f, "Fetch", func() ([]messaging.Message, error) { return f.Store.Fetch(ctx, q, ids) })
}

func (f *faulty) Remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) error {
	return f.void("Remove", func() error { return f.Store.Remove(ctx, q, ids, hold) })
}

func (f *faulty) Pop(ctx context.Context, q messaging.QueueRef, t storage.Take) ([]messaging.Message, error) {
	return do(f, "Pop", func() ([]messaging.Message, error) { return f.Store.Pop(ctx, q, t) })
}

func (f *faulty) Move(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, held messaging.ClaimID, to messaging.QueueRef, ttl int64) (int, error) {
	return do(f, "Move", func() (int, error) { return f.Store.Move(ctx, q, ids, held, to, ttl) })
}

func (f *faulty) Tally(ctx context.Context, q messaging.QueueRef) (messaging.Tally, error) {
	return do(f, "Tally", func() (messaging.Tally, error) { return f.Store.Tally(ctx, q) })
}

func (f *faulty) Volume(ctx context.Context) (total, claimed int, err error) {
	err = f.void("Volume", func() (err error) { total, claimed, err = f.Store.Volume(ctx); return err })
	return total, claimed, err
}

func (f *faulty) Purge(ctx context.Context, q messaging.QueueRef) error {
	return f.void("Purge", func() error { return f.Store.Purge(ctx, q) })
}

func (f *faulty) Drop(ctx context.Context, q messaging.QueueRef) error {
	return f.void("Drop", func() error { return f.Store.Drop(ctx, q) })
}

func (f *faulty) Due(ctx context.Context, q messaging.QueueRef) (at time.Time, some bool, err error) {
	err = f.void("Due", func() (err error) { at, some, err = f.Store.Due(ctx, q); return err })
	return at, some, err
}

func (f *faulty) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	return do(f, "Claim", func() (storage.Lease, error) { return f.Store.Claim(ctx, q, t) })
}

func (f *faulty) Held(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) (c messaging.Claim, held []messaging.Message, err error) {
	err = f.void("Held", func() (err error) { c, held, err = f.Store.Held(ctx, q, id); return err })
	return c, held, err
}

func (f *faulty) Renew(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID, t storage.Terms) error {
	return f.void("Renew", func() error { return f.Store.Renew(ctx, q, id, t) })
}

func (f *faulty) Release(ctx context.Context, q messaging.QueueRef, id messaging.ClaimID) (int, error) {
	return do(f, "Release", func() (int, error) { return f.Store.Release(ctx, q, id) })
}

func (f *faulty) Subscribe(ctx context.Context, s messaging.Subscription) (stored messaging.Subscription, created bool, err error) {
	err = f.void("Subscribe", func() (err error) { stored, created, err = f.Store.Subscribe(ctx, s); return err })
	return stored, created, err
}

func (f *faulty) Subscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) (messaging.Subscription, error) {
	return do(f, "Subscription", func() (messaging.Subscription, error) { return f.Store.Subscription(ctx, q, id) })
}

func (f *faulty) SubscriptionTo(ctx context.Context, q messaging.QueueRef, subscriber string) (messaging.Subscription, error) {
	return do(f, "SubscriptionTo", func() (messaging.Subscription, error) { return f.Store.SubscriptionTo(ctx, q, subscriber) })
}

func (f *faulty) Subscriptions(ctx context.Context, q messaging.QueueRef, after messaging.SubscriptionID, limit int) ([]messaging.Subscription, error) {
	return do(f, "Subscriptions", func() ([]messaging.Subscription, error) { return f.Store.Subscriptions(ctx, q, after, limit) })
}

func (f *faulty) AmendSubscription(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID, edit func(*messaging.Subscription) error) (messaging.Subscription, error) {
	return do(f, "AmendSubscription", func() (messaging.Subscription, error) { return f.Store.AmendSubscription(ctx, q, id, edit) })
}

func (f *faulty) Unsubscribe(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) error {
	return f.void("Unsubscribe", func() error { return f.Store.Unsubscribe(ctx, q, id) })
}

func (f *faulty) UnsubscribeAll(ctx context.Context, q messaging.QueueRef) error {
	return f.void("UnsubscribeAll", func() error { return f.Store.UnsubscribeAll(ctx, q) })
}

func (f *faulty) CreateQueue(ctx context.Context, q messaging.QueueRef, m *messaging.Metadata) (bool, error) {
	return do(f, "CreateQueue", func() (bool, error) { return f.Store.CreateQueue(ctx, q, m) })
}

func (f *faulty) Queue(ctx context.Context, q messaging.QueueRef) (messaging.Queue, error) {
	return do(f, "Queue", func() (messaging.Queue, error) { return f.Store.Queue(ctx, q) })
}

func (f *faulty) AmendQueue(ctx context.Context, q messaging.QueueRef, edit func(*messaging.Metadata) (*messaging.Metadata, error)) (messaging.Queue, error) {
	return do(f, "AmendQueue", func() (messaging.Queue, error) { return f.Store.AmendQueue(ctx, q, edit) })
}

func (f *faulty) DeleteQueue(ctx context.Context, q messaging.QueueRef) error {
	return f.void("DeleteQueue", func() error { return f.Store.DeleteQueue(ctx, q) })
}

func (f *faulty) Queues(ctx context.Context, p messaging.Project, topics bool, after string, limit int) ([]messaging.Queue, error) {
	return do(f, "Queues", func() ([]messaging.Queue, error) { return f.Store.Queues(ctx, p, topics, after, limit) })
}

func (f *faulty) CountQueues(ctx context.Context, p messaging.Project, topics bool) (int, error) {
	return do(f, "CountQueues", func() (int, error) { return f.Store.CountQueues(ctx, p, topics) })
}

func (f *faulty) Ping(ctx context.Context) error {
	return f.void("Ping", func() error { return f.Store.Ping(ctx) })
}
