package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/internal/checksum"
	"zaqar/messaging"
	"zaqar/pipeline"
	"zaqar/storage"
	"zaqar/storage/memory"
	"zaqar/storage/storagetest"
)

var (
	queue = messaging.QueueRef{Project: "p", Name: "q"}
	topic = messaging.QueueRef{Project: "p", Name: "q", Topic: true}
)

// world is a store with stages before it, and what they saw.
type world struct {
	data    storage.Data
	control storage.Control
	store   *memory.Store
	seen    []string
	log     bytes.Buffer
}

func env(w *world) pipeline.Env {
	return pipeline.Env{Now: time.Now, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Store: w.store}
}

func newWorld(t *testing.T, c pipeline.Config, stages pipeline.Stages) *world {
	t.Helper()
	w := &world{}
	w.store = memory.New(storage.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { w.store.Close() })
	if stages == nil {
		stages = pipeline.Stages{"one": w.witness("one"), "two": w.witness("two")}
	}
	p, err := pipeline.New(c, stages, pipeline.Stage{Messages: func(next pipeline.MessageStore) pipeline.MessageStore {
		return &witness{MessageStore: next, name: "builtin", w: w}
	}}, env(w))
	if err != nil {
		t.Fatal(err)
	}
	w.data, w.control = p.Wrap(w.store, w.store)
	return w
}

func (w *world) saw(what string) { w.seen = append(w.seen, what) }

func (w *world) want(t *testing.T, what string) {
	t.Helper()
	if d := cmp.Diff(strings.Fields(what), w.seen); d != "" && what+strings.Join(w.seen, "") != "" {
		t.Errorf("stages saw (-want +got):\n%s", d)
	}
	w.seen = nil
}

// witness is a stage that says what passes it.
type witness struct {
	pipeline.MessageStore
	pipeline.ClaimStore
	pipeline.SubscriptionStore
	pipeline.QueueStore
	name string
	w    *world
}

func (w *world) witness(name string) func(pipeline.Env) (pipeline.Stage, error) {
	return func(pipeline.Env) (pipeline.Stage, error) {
		w.saw("made:" + name)
		return pipeline.Stage{
			Messages: func(next pipeline.MessageStore) pipeline.MessageStore {
				return &witness{MessageStore: next, name: name, w: w}
			},
			Claims: func(next pipeline.ClaimStore) pipeline.ClaimStore {
				return &witness{ClaimStore: next, name: name, w: w}
			},
			Subscriptions: func(next pipeline.SubscriptionStore) pipeline.SubscriptionStore {
				return &witness{SubscriptionStore: next, name: name, w: w}
			},
			Queues: func(next pipeline.QueueStore) pipeline.QueueStore {
				return &witness{QueueStore: next, name: name, w: w}
			},
		}, nil
	}
}

func (s *witness) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	s.w.saw(s.name + ":Append")
	done, err := s.MessageStore.Append(ctx, q, by, drafts, o)
	s.w.saw(s.name + ":appended")
	return done, err
}

func (s *witness) Claim(ctx context.Context, q messaging.QueueRef, t storage.Terms) (storage.Lease, error) {
	s.w.saw(s.name + ":Claim")
	return s.ClaimStore.Claim(ctx, q, t)
}

func (s *witness) Unsubscribe(ctx context.Context, q messaging.QueueRef, id messaging.SubscriptionID) error {
	s.w.saw(s.name + ":Unsubscribe")
	return s.SubscriptionStore.Unsubscribe(ctx, q, id)
}

func (s *witness) CreateQueue(ctx context.Context, q messaging.QueueRef, m *messaging.Metadata) (bool, error) {
	s.w.saw(s.name + ":CreateQueue")
	return s.QueueStore.CreateQueue(ctx, q, m)
}

func post(t *testing.T, d storage.Data, q messaging.QueueRef) {
	t.Helper()
	if _, err := d.Append(t.Context(), q, "", []messaging.Draft{{TTL: 60, Body: []byte("1")}}, storage.AppendOptions{}); err != nil {
		t.Error(err)
	}
}

// The stages of each pipeline see what is done there, once and in their order.
func TestStagesSeeOperationsInOrder(t *testing.T) {
	w := newWorld(t, pipeline.Config{
		Message: []string{"two", pipeline.Notifier, "one"}, Claim: []string{"one"}, Subscription: []string{"two", "one"}, Queue: []string{"one"}, Topic: []string{"two"},
	}, nil)
	w.want(t, "made:one made:two")
	post(t, w.data, queue)
	w.want(t, "two:Append builtin:Append one:Append one:appended builtin:appended two:appended")
	post(t, w.data, topic)
	w.want(t, "two:Append builtin:Append one:Append one:appended builtin:appended two:appended")
	if _, err := w.data.Claim(t.Context(), queue, storage.Terms{TTL: 60, Limit: 1}); err != nil {
		t.Error(err)
	}
	w.want(t, "one:Claim")
	if err := w.data.Unsubscribe(t.Context(), queue, "s"); err != nil {
		t.Error(err)
	}
	w.want(t, "two:Unsubscribe one:Unsubscribe")
	for q, want := range map[messaging.QueueRef]string{queue: "one:CreateQueue", topic: "two:CreateQueue"} {
		if created, err := w.control.CreateQueue(t.Context(), q, nil); err != nil || !created {
			t.Error(created, err)
		}
		w.want(t, want)
	}
	// What is on its way to subscribers is not shown.
	post(t, w.data, queue.In(messaging.Outbox))
	if _, err := w.data.Claim(t.Context(), queue.In(messaging.Outbox), storage.Terms{TTL: 60, Limit: 1}); err != nil {
		t.Error(err)
	}
	w.want(t, "")
}

// Without stages of others nothing stands between the service and the built-in
// one, or the store.
func TestNothingStandsBetween(t *testing.T) {
	w := newWorld(t, pipeline.Config{}, nil)
	if w.data != storage.Data(w.store) || w.control != storage.Control(w.store) {
		t.Errorf("%T, %T", w.data, w.control)
	}
	w = newWorld(t, pipeline.Config{Message: []string{pipeline.Notifier}}, nil)
	post(t, w.data, queue)
	w.want(t, "builtin:Append builtin:appended")
	if n := testing.AllocsPerRun(100, func() { _, _, _ = w.data.Due(context.Background(), queue) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A store keeps what it can do beside its contract.
func TestSurveyorsStaySurveyors(t *testing.T) {
	for _, c := range []pipeline.Config{{Message: []string{"one"}}, {Message: []string{pipeline.Notifier}}, {Claim: []string{"one"}}} {
		w := newWorld(t, c, nil)
		_, is := storage.Data(w.store).(storage.Surveyor)
		if _, still := w.data.(storage.Surveyor); still != is {
			t.Errorf("%+v: a surveyor: %v, with stages %v", c, is, still)
		}
	}
}

// stub is a stage of one function.
type stub struct {
	pipeline.MessageStore
	append func(ctx context.Context, next pipeline.MessageStore, drafts []messaging.Draft) (storage.Appended, error)
}

func (s stub) Append(ctx context.Context, _ messaging.QueueRef, _ messaging.ClientID, drafts []messaging.Draft, _ storage.AppendOptions) (storage.Appended, error) {
	return s.append(ctx, s.MessageStore, drafts)
}

func stubbed(append func(ctx context.Context, next pipeline.MessageStore, drafts []messaging.Draft) (storage.Appended, error)) pipeline.Stages {
	return pipeline.Stages{"stub": func(pipeline.Env) (pipeline.Stage, error) {
		return pipeline.Stage{Messages: func(next pipeline.MessageStore) pipeline.MessageStore { return stub{next, append} }}, nil
	}}
}

func TestStagesRefuseAnswerAndChange(t *testing.T) {
	c := pipeline.Config{Message: []string{"stub", "stub"}}
	drafts := []messaging.Draft{{TTL: 60, Body: []byte(`1`), Checksum: "MD5:x"}}
	w := newWorld(t, c, stubbed(func(context.Context, pipeline.MessageStore, []messaging.Draft) (storage.Appended, error) {
		return storage.Appended{}, messaging.E(messaging.Denied, "Not today.")
	}))
	if _, err := w.data.Append(t.Context(), queue, "", drafts, storage.AppendOptions{}); !errors.Is(err, messaging.Denied) {
		t.Errorf("refused: %v", err)
	}
	w = newWorld(t, c, stubbed(func(context.Context, pipeline.MessageStore, []messaging.Draft) (storage.Appended, error) {
		return storage.Appended{IDs: []messaging.MessageID{"made-up"}}, nil
	}))
	if done, err := w.data.Append(t.Context(), queue, "", drafts, storage.AppendOptions{}); err != nil || len(done.IDs) != 1 || done.IDs[0] != "made-up" {
		t.Errorf("answered: %v, %v", done, err)
	}
	if n, _ := w.store.Tally(t.Context(), queue); n.Total != 0 {
		t.Errorf("the store was asked all the same")
	}
	w = newWorld(t, c, stubbed(func(ctx context.Context, next pipeline.MessageStore, drafts []messaging.Draft) (storage.Appended, error) {
		other := drafts[0]
		if err := pipeline.SetBody(&other, append([]byte("1"), drafts[0].Body...)); err != nil {
			return storage.Appended{}, err
		}
		return next.Append(ctx, queue, "", []messaging.Draft{other}, storage.AppendOptions{})
	}))
	if _, err := w.data.Append(t.Context(), queue, "", drafts, storage.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	stored, err := w.store.Scan(t.Context(), queue, storage.Scan{Limit: 9})
	sum, _ := checksum.Of([]byte("111"))
	if err != nil || len(stored) != 1 || string(stored[0].Body) != "111" || stored[0].Checksum != sum {
		t.Errorf("changed: %+v, %v", stored, err)
	}
}

func TestSetBodyRefuses(t *testing.T) {
	sealed, open := messaging.Draft{Key: "k", Body: []byte("x")}, messaging.Draft{Body: []byte("1")}
	if err := pipeline.SetBody(&sealed, []byte("1")); !errors.Is(err, messaging.Invalid) || string(sealed.Body) != "x" {
		t.Errorf("sealed: %v", err)
	}
	if err := pipeline.SetBody(&open, []byte("{")); !errors.Is(err, messaging.Invalid) || string(open.Body) != "1" {
		t.Errorf("not JSON: %v", err)
	}
	if err := pipeline.SetBody(&open, []byte("2")); err != nil || open.Checksum != "" {
		t.Errorf("%v, a checksum where there was none: %q", err, open.Checksum)
	}
}

// A stage that panics fails the one operation.
func TestPanics(t *testing.T) {
	first := true
	w := newWorld(t, pipeline.Config{Message: []string{"stub"}}, stubbed(func(ctx context.Context, next pipeline.MessageStore, drafts []messaging.Draft) (storage.Appended, error) {
		if first {
			first = false
			panic("secret cause")
		}
		return next.Append(ctx, queue, "", drafts, storage.AppendOptions{})
	}))
	_, err := w.data.Append(t.Context(), queue, "", []messaging.Draft{{TTL: 60}}, storage.AppendOptions{})
	var e *messaging.Error
	if !errors.As(err, &e) || e.Kind != messaging.Internal || strings.Contains(e.What, "secret") {
		t.Errorf("%v", err)
	}
	if !strings.Contains(w.log.String(), "secret cause") || !strings.Contains(w.log.String(), "pipeline_test.go") {
		t.Errorf("the log does not say what panicked where: %s", w.log.String())
	}
	post(t, w.data, queue)
}

func TestNamesThatFitNothing(t *testing.T) {
	idle := pipeline.Stages{"idle": func(pipeline.Env) (pipeline.Stage, error) { return pipeline.Stage{}, nil }}
	for _, c := range []pipeline.Config{{Message: []string{"nobody"}}, {Topic: []string{"idle"}}} {
		w := newWorld(t, c, idle)
		post(t, w.data, queue)
		if log := w.log.String(); !strings.Contains(log, "WARN") || !strings.Contains(log, "_pipeline") {
			t.Errorf("%+v: %s", c, log)
		}
		c.Strict = true
		if _, err := pipeline.New(c, idle, pipeline.Stage{}, env(w)); err == nil || !strings.Contains(err.Error(), "_pipeline names") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	broken := pipeline.Stages{"broken": func(pipeline.Env) (pipeline.Stage, error) { return pipeline.Stage{}, io.ErrUnexpectedEOF }}
	if _, err := pipeline.New(pipeline.Config{Claim: []string{"broken"}}, broken, pipeline.Stage{}, env(&world{})); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a stage that cannot be made: %v", err)
	}
}

func TestCaller(t *testing.T) {
	if who, ok := pipeline.Caller(t.Context()); ok {
		t.Errorf("%+v out of nothing", who)
	}
	want := messaging.Caller{Project: "p", User: "u", Roles: []string{"r"}, Token: "t"}
	if who, ok := pipeline.Caller(pipeline.WithCaller(t.Context(), want)); !ok || !cmp.Equal(who, want, cmp.Comparer(func(a, b messaging.Caller) bool { return a.User == b.User && a.Project == b.Project })) || who.Token != "" || want.Token == "" {
		t.Errorf("%+v, %v", who, ok)
	}
}

// With stages that let everything pass, a store keeps every promise of its
// contract.
func TestContract(t *testing.T) {
	storagetest.Run(t, storagetest.Harness{Open: func(t testing.TB, e storage.Env) storagetest.Store {
		store := memory.New(e)
		idle := func(pipeline.Env) (pipeline.Stage, error) {
			return pipeline.Stage{
				Messages: func(next pipeline.MessageStore) pipeline.MessageStore { return struct{ pipeline.MessageStore }{next} },
				Claims:   func(next pipeline.ClaimStore) pipeline.ClaimStore { return struct{ pipeline.ClaimStore }{next} },
				Subscriptions: func(next pipeline.SubscriptionStore) pipeline.SubscriptionStore {
					return struct{ pipeline.SubscriptionStore }{next}
				},
				Queues: func(next pipeline.QueueStore) pipeline.QueueStore { return struct{ pipeline.QueueStore }{next} },
			}, nil
		}
		all := []string{"idle", "idle"}
		p, err := pipeline.New(pipeline.Config{Queue: all, Topic: all, Message: all, Claim: all, Subscription: all},
			pipeline.Stages{"idle": idle}, pipeline.Stage{}, pipeline.Env{Now: e.Now, Log: e.Log, Store: store})
		if err != nil {
			t.Fatal(err)
		}
		data, control := p.Wrap(store, store)
		return planes{data, control}
	}})
}

// keeper is a stage that does not let queues be deleted.
type keeper struct{ pipeline.QueueStore }

func (keeper) DeleteQueue(context.Context, messaging.QueueRef) error {
	return messaging.E(messaging.Denied, "It stays.")
}

// Where stages stand before queues, deleting one takes its messages along only
// if no stage objects.
func TestDeletingQueues(t *testing.T) {
	c := pipeline.Config{Queue: []string{"keeper"}, Topic: []string{"witness"}}
	w := newWorld(t, pipeline.Config{}, nil)
	p, err := pipeline.New(c, pipeline.Stages{"witness": w.witness("witness"), "keeper": func(pipeline.Env) (pipeline.Stage, error) {
		return pipeline.Stage{Queues: func(next pipeline.QueueStore) pipeline.QueueStore { return keeper{next} }}, nil
	}}, pipeline.Stage{}, env(w))
	if err != nil {
		t.Fatal(err)
	}
	w.data, w.control = p.Wrap(w.store, w.store)
	if _, ok := w.control.(interface{ DeletesMessages() }); !ok {
		t.Error("it does not say that it deletes messages")
	}
	for q, left := range map[messaging.QueueRef]int{queue: 1, topic: 0} {
		post(t, w.data, q)
		if err := w.control.DeleteQueue(t.Context(), q); (err != nil) != (left > 0) {
			t.Errorf("to delete %v: %v", q, err)
		}
		if n, err := w.data.Tally(t.Context(), q); err != nil || n.Total != left {
			t.Errorf("%d messages in %v are left, want %d (%v)", n.Total, q, left, err)
		}
	}
}

// planes are two planes that are closed as one.
type planes struct {
	storage.Data
	storage.Control
}

func (p planes) Close() error                                     { return p.Data.Close() }
func (p planes) Ping(ctx context.Context) error                   { return p.Data.Ping(ctx) }
func (p planes) Sweep(ctx context.Context) (storage.Swept, error) { return p.Data.Sweep(ctx) }
