package broker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/auth/policy"
	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// clock is a clock that tests move, or in a synctest bubble that of the bubble.
type clock struct {
	at     time.Time
	bubble bool
}

func (c *clock) now() time.Time {
	if c.bubble {
		return time.Now()
	}
	return c.at
}

func (c *clock) move(seconds int) { c.at = c.at.Add(time.Duration(seconds) * time.Second) }

// world is a broker on a memory store, with the project's one client.
type world struct {
	testing.TB
	*broker.Broker
	clock *clock
	store *memory.Store
	log   *strings.Builder
	who   messaging.Caller
}

var q = messaging.QueueRef{Project: "p", Name: "q"}

// newWorld returns a world with the default configuration, changed by edits.
func newWorld(t testing.TB, edits ...func(*broker.Config)) *world {
	t.Helper()
	return worldAt(t, &clock{at: time.Date(2031, 5, 4, 10, 0, 0, 0, time.UTC)}, edits...)
}

func worldAt(t testing.TB, c *clock, edits ...func(*broker.Config)) *world {
	t.Helper()
	store := memory.New(storage.Env{Now: c.now})
	w := &world{TB: t, clock: c, store: store, log: &strings.Builder{},
		who: messaging.Caller{Project: "p", Client: "me", Roles: []string{"admin"}}}
	w.Broker = w.brokerOn(store, store, config(edits...))
	return w
}

// brokerOn returns another broker in the same world.
func (w *world) brokerOn(control storage.Control, data storage.Data, c broker.Config) *broker.Broker {
	w.Helper()
	b, err := broker.New(c, broker.Parts{Control: control, Data: data, Policy: policy.Default(),
		Now: w.clock.now, Log: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(b.Close)
	return b
}

func config(edits ...func(*broker.Config)) broker.Config {
	c := broker.Defaults()
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

// ctx returns the context of a request.
func (w *world) ctx() context.Context { return w.Context() }

// client returns the project's caller with another client id.
func (w *world) client(id messaging.ClientID) messaging.Caller {
	who := w.who
	who.Client = id
	return who
}

// create creates the queue with the metadata, a JSON object text.
func (w *world) create(q messaging.QueueRef, metadata string) {
	w.Helper()
	if _, err := w.CreateQueue(w.ctx(), w.who, q, object(w.TB, metadata)); err != nil {
		w.Fatalf("create %s with %s: %v", q.Name, metadata, err)
	}
}

func object(t testing.TB, text string) *messaging.Metadata {
	t.Helper()
	m, err := messaging.DecodeMetadata([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// post posts messages with the bodies, JSON texts.
func (w *world) post(q messaging.QueueRef, bodies ...string) []messaging.MessageID {
	w.Helper()
	var posts []broker.Post
	for _, body := range bodies {
		posts = append(posts, broker.Post{Body: []byte(body)})
	}
	return w.postAll(q, posts...)
}

func (w *world) postAll(q messaging.QueueRef, posts ...broker.Post) []messaging.MessageID {
	w.Helper()
	ids, err := w.PostMessages(w.ctx(), w.who, q, posts)
	if err != nil {
		w.Fatalf("post: %v", err)
	}
	if len(ids) != len(posts) {
		w.Fatalf("post of %d messages gave %d ids", len(posts), len(ids))
	}
	return ids
}

// claim claims up to limit messages for 60 seconds.
func (w *world) claim(q messaging.QueueRef, limit int) broker.ClaimView {
	w.Helper()
	view, err := w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{Limit: &limit, TTL: ptr[int64](60)})
	if err != nil {
		w.Fatalf("claim: %v", err)
	}
	if (view.Claim.ID == "") != (len(view.List) == 0) {
		w.Fatalf("claim %q holds %d messages", view.Claim.ID, len(view.List))
	}
	return view
}

// list returns the bodies that a list shows, all of them.
func (w *world) list(q messaging.QueueRef, in broker.ListMessages) string {
	w.Helper()
	page, err := w.ListMessages(w.ctx(), w.who, q, in)
	if err != nil {
		w.Fatalf("list: %v", err)
	}
	return bodies(page)
}

// everything asks for all messages of a queue.
func everything() broker.ListMessages {
	return broker.ListMessages{Limit: ptr(20), Echo: true, IncludeClaimed: true, IncludeDelayed: true}
}

// bodies joins the bodies of the messages.
func bodies(m broker.Messages) string {
	var list []string
	for _, m := range m.List {
		list = append(list, string(m.Body))
	}
	return strings.Join(list, " ")
}

func ids(m broker.Messages) []messaging.MessageID {
	var list []messaging.MessageID
	for _, m := range m.List {
		list = append(list, m.ID)
	}
	return list
}

// names returns the names of all queues of the world's project.
func (w *world) names(topics bool) string {
	w.Helper()
	page, err := w.ListQueues(w.ctx(), w.who, broker.ListQueues{Topics: topics, Limit: ptr(20)})
	if err != nil {
		w.Fatal(err)
	}
	return names(page)
}

func names(page broker.QueuePage) string {
	var list []string
	for _, q := range page.Queues {
		list = append(list, q.Ref.Name)
	}
	return strings.Join(list, " ")
}

// withKeys configures encryption keys, the first of which seals.
func withKeys(ids ...string) func(*broker.Config) {
	return func(c *broker.Config) {
		c.Keys = nil
		for _, id := range ids {
			c.Keys = append(c.Keys, broker.Key{ID: id, Secret: secret(id)})
		}
	}
}

func secret(id string) []byte { return []byte((id + strings.Repeat(".", 32))[:32]) }

func topic(name string) messaging.QueueRef {
	return messaging.QueueRef{Project: "p", Name: name, Topic: true}
}

func queue(name string) messaging.QueueRef {
	return messaging.QueueRef{Project: "p", Name: name}
}

// ptr returns a pointer to the number, as an int or int64.
func ptr[T int | int64](n T) *T { return &n }

// wantKind reports an error that is not of the kind; "" wants none. Errors
// must be messaging.Errors with a text for the client.
func wantKind(t testing.TB, err error, kind messaging.Kind, format string, args ...any) {
	t.Helper()
	if kind == "" {
		if err != nil {
			t.Errorf(format+": %v", append(args, err)...)
		}
		return
	}
	var e *messaging.Error
	if !errors.Is(err, kind) || !errors.As(err, &e) || e.Kind != kind {
		t.Errorf(format+": got %v, want the kind %q", append(args, err, kind)...)
		return
	}
	if e.What == "" && kind != messaging.Internal {
		t.Errorf(format+": the error %v has no text for the client", append(args, err)...)
	}
}

// wantText reports an error whose text for the client lacks one of the words.
func wantText(t testing.TB, err error, words ...string) {
	t.Helper()
	var e *messaging.Error
	if !errors.As(err, &e) {
		t.Errorf("got %v, want a messaging.Error", err)
		return
	}
	for _, w := range words {
		if !strings.Contains(e.What, w) {
			t.Errorf("the text %q does not say %q", e.What, w)
		}
	}
}

func wantEqual(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
