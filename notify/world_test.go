package notify_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// world is a store with notifiers and subscribers that do as they are told.
type world struct {
	t        *testing.T
	config   notify.Config
	data     storage.Data
	store    *memory.Store
	notifier *notify.Notifier
	sender   *sender
	senders  map[string]notify.Sender // nil: sender for all
	stop     func()

	posting sync.Mutex
	posted  []letter // by the notifier; read when it is quiet
}

// letter is what the notifier posted.
type letter struct {
	to   messaging.QueueRef
	body string
}

// sender is a Sender whose subscribers are functions.
type sender struct {
	mu       sync.Mutex
	begun    time.Time
	got      []arrival
	behave   map[string]func(context.Context, *notify.Delivery) (notify.Receipt, error) // by host
	inflight map[string]int
	most     map[string]int // at a time
}

// arrival is an attempt that a subscriber saw.
type arrival struct {
	at      time.Duration // since the beginning
	host    string
	text    string // the body of the message
	attempt int
	notify.Delivery
}

func (s *sender) Check(context.Context, *url.URL, *delivery.Options) error { return nil }

func (s *sender) Send(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
	host := d.Subscriber.Host
	s.mu.Lock()
	s.got = append(s.got, arrival{time.Since(s.begun), host, string(d.Body), d.Attempt, *d})
	behave := s.behave[host]
	s.inflight[host]++
	s.inflight[""]++
	s.most[host] = max(s.most[host], s.inflight[host])
	s.most[""] = max(s.most[""], s.inflight[""])
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.inflight[host]--
		s.inflight[""]--
		s.mu.Unlock()
	}()
	if behave == nil {
		return notify.Receipt{Status: 200}, nil
	}
	return behave(ctx, d)
}

// all returns what all hosts got.
func (s *sender) all() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// forget drops what came so far.
func (s *sender) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = nil
}

// atOnce returns how many deliveries to a host were in flight at most, to all
// if it is empty.
func (s *sender) atOnce(host string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most[host]
}

// recovers makes a host answer well from now on.
func (s *sender) recovers(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.behave, host)
}

// of returns what a host got.
func (s *sender) of(host string) (got []arrival) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.got {
		if a.host == host {
			got = append(got, a)
		}
	}
	return got
}

// flying returns how many attempts at a host are under way.
func (s *sender) flying(host string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inflight[host]
}

func texts(got []arrival) (list []string) {
	for _, a := range got {
		list = append(list, a.text)
	}
	return list
}

func fails(status int) func(context.Context, *notify.Delivery) (notify.Receipt, error) {
	return func(context.Context, *notify.Delivery) (notify.Receipt, error) {
		return notify.Receipt{}, &notify.Failure{Status: status, What: fmt.Sprintf("The answer was %d.", status)}
	}
}

func takes(d time.Duration) func(context.Context, *notify.Delivery) (notify.Receipt, error) {
	return func(ctx context.Context, _ *notify.Delivery) (notify.Receipt, error) {
		select {
		case <-time.After(d):
			return notify.Receipt{Status: 200}, nil
		case <-ctx.Done():
			return notify.Receipt{}, &notify.Failure{What: "cut off", Err: ctx.Err()}
		}
	}
}

// inWorld runs a test in a bubble of time.
func inWorld(t *testing.T, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, config: notify.Defaults()}
		w.store = memory.New(storage.Env{Now: time.Now})
		w.data = w.store
		w.sender = &sender{begun: time.Now(), inflight: map[string]int{}, most: map[string]int{}, behave: map[string]func(context.Context, *notify.Delivery) (notify.Receipt, error){}}
		defer func() {
			if w.stop != nil {
				w.stop()
			}
		}()
		test(w)
	})
}

// parts are those of a notifier of the world.
func (w *world) parts() notify.Parts {
	senders := w.senders
	if senders == nil {
		senders = map[string]notify.Sender{"http": w.sender}
	}
	return notify.Parts{
		Data: w.data, Queues: w.store, Senders: senders,
		Open: func(messaging.Project, *messaging.Message) error { return nil },
		Post: func(_ context.Context, q messaging.QueueRef, p notify.Post) error {
			w.posting.Lock()
			defer w.posting.Unlock()
			w.posted = append(w.posted, letter{q, string(p.Body)})
			return nil
		},
		Render: func(_ context.Context, sub *messaging.Subscription, kind delivery.Kind, _ time.Time) ([]byte, error) {
			return fmt.Appendf(nil, `{"Message_Type":%q}`, kind), nil
		},
		Now: time.Now,
	}
}

// start runs a notifier, until stop.
func (w *world) start() *notify.Notifier {
	w.t.Helper()
	n, stop := w.run()
	w.notifier, w.stop = n, stop
	return n
}

func (w *world) run() (*notify.Notifier, func()) {
	w.t.Helper()
	n, err := notify.New(w.config, w.parts())
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		n.Run(ctx)
		close(ended)
	}()
	return n, sync.OnceFunc(func() {
		cancel()
		<-ended
	})
}

func queue(name string) messaging.QueueRef { return messaging.QueueRef{Project: "p", Name: name} }

func (w *world) subscribe(q messaging.QueueRef, subscriber string, options ...string) messaging.Subscription {
	w.t.Helper()
	sub := messaging.Subscription{Source: q, Subscriber: subscriber, TTL: 1 << 30}
	if len(options) > 0 {
		sub.Options = []byte(options[0])
	}
	stored, _, err := w.data.Subscribe(w.t.Context(), sub)
	if err != nil {
		w.t.Fatal(err)
	}
	return stored
}

// post posts bodies together.
func (w *world) post(q messaging.QueueRef, bodies ...string) {
	w.t.Helper()
	var drafts []messaging.Draft
	for _, b := range bodies {
		drafts = append(drafts, messaging.Draft{TTL: 300, Body: []byte(b)})
	}
	var store storage.Messages = w.data
	if w.notifier != nil {
		store = w.notifier.Announcing(w.data, func(context.Context) string { return "" })
	}
	o := storage.AppendOptions{Announce: &storage.Announcement{TTL: 1 << 20}}
	if _, err := store.Append(w.t.Context(), q, "c", drafts, o); err != nil {
		w.t.Fatal(err)
	}
}

// settled waits until nothing happens any more for the time.
func settled(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// left returns what is in a part.
func (w *world) left(q messaging.QueueRef, p messaging.Part) (entries []messaging.Message) {
	w.t.Helper()
	entries, err := w.data.Scan(context.Background(), q.In(p), storage.Scan{Limit: 100_000, Claimed: true, Delayed: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return entries
}

// state returns what is remembered about a subscription.
func (w *world) state(sub messaging.Subscription) delivery.State {
	w.t.Helper()
	s, err := w.data.Subscription(context.Background(), sub.Source, sub.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return delivery.ReadState(s.State)
}

func numbers(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func partOf(sub messaging.Subscription) messaging.Part { return messaging.Part(sub.ID) }

// of returns a queue of a project.
func queueOf(p messaging.Project, name string) messaging.QueueRef {
	return messaging.QueueRef{Project: p, Name: name}
}
