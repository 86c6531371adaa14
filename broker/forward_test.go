package broker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/storage"
)

// appends notes what a store is asked to append.
type appends struct {
	storage.Data
	calls [][]messaging.QueueRef
	notes []string
}

func (a *appends) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, d []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	a.calls = append(a.calls, append([]messaging.QueueRef{q}, o.Also...))
	if o.Announce != nil {
		a.notes = append(a.notes, string(o.Announce.Note))
	}
	return a.Data.Append(ctx, q, by, d, o)
}

func of(p messaging.Project, name string) messaging.QueueRef {
	return messaging.QueueRef{Project: p, Name: name}
}

// Queues with the same rules get a message in one step of the store, others by
// their own rules.
func TestForward(t *testing.T) {
	w := newWorld(t, withKeys("k"))
	w.create(of("p", "late"), `{"_default_message_delay":30}`)
	w.create(of("p", "sealed"), `{"_enable_encrypt_messages":true}`)
	w.create(of("p", "small"), `{"_max_messages_post_size":5}`)
	for name, accepts := range map[string]string{"all": `"*"`, "us": `["x","p"]`, "them": `["x"]`, "nobody": `[]`} {
		if _, err := w.store.CreateQueue(t.Context(), of("other", name), object(t, `{"_accept_from":`+accepts+`}`)); err != nil {
			t.Fatal(err)
		}
	}
	data := &appends{Data: w.store}
	b := w.brokerOn(w.store, data, config(withKeys("k")))
	to := []messaging.QueueRef{of("p", "new"), of("p", "late"), of("p", "new2"), of("p", "sealed"), of("p", "small"),
		of("other", "all"), of("other", "us"), of("other", "them"), of("other", "nobody"), of("other", "none"), of("p", "bad name")}
	errs := b.Forward(t.Context(), broker.Forward{From: "p", To: to, Body: []byte(`"hello"`), TTL: 5, Note: delivery.Note{Hops: 3}})
	for i, want := range []error{nil, nil, nil, nil, messaging.Invalid, nil, nil, messaging.Denied, messaging.Denied, messaging.Denied, messaging.Invalid} {
		if !errors.Is(errs[i], want) {
			t.Errorf("%v: %v, want %v", to[i], errs[i], want)
		}
	}
	want := [][]messaging.QueueRef{{to[0], to[2], to[5], to[6]}, {to[1]}, {to[3]}}
	if !slices.EqualFunc(data.calls, want, slices.Equal[[]messaging.QueueRef]) {
		t.Errorf("appended to %v, want %v", data.calls, want)
	}
	for _, text := range data.notes { // they are one message wherever it comes
		note := delivery.ReadNote([]byte(text))
		if note.Hops != 3 || note.Origin == "" || text != data.notes[0] {
			t.Errorf("notes %q", data.notes)
		}
	}
	for _, q := range []messaging.QueueRef{to[0], to[1], to[3]} {
		who := w.who
		page, err := b.ListMessages(t.Context(), who, q, broker.ListMessages{Echo: true, IncludeDelayed: true})
		if err != nil || len(page.List) != 1 || string(page.List[0].Body) != `"hello"` || page.List[0].TTL != 60 {
			t.Errorf("%s holds %+v, %v", q.Name, page.List, err)
		}
	}
	if raw, err := w.store.Scan(t.Context(), to[3], storage.Scan{Limit: 1}); err != nil || strings.Contains(string(raw[0].Body), "hello") {
		t.Errorf("%+v, %v", raw, err)
	}
}

// A message comes to a queue once, however many ways lead there from the first
// queue that it was forwarded to. Who failed may try again.
func TestForwardOnce(t *testing.T) {
	w := newWorld(t)
	w.create(of("p", "small"), `{"_max_messages_post_size":1}`)
	forward := func(note delivery.Note, to ...messaging.QueueRef) []error {
		return w.Broker.Forward(t.Context(), broker.Forward{From: "p", To: to, Body: []byte(`"hello"`), TTL: 60, Note: note})
	}
	count := func(q messaging.QueueRef) int {
		raw, err := w.store.Scan(t.Context(), q, storage.Scan{Limit: 100, Claimed: true})
		if err != nil {
			t.Fatal(err)
		}
		return len(raw)
	}
	q, small := of("p", "q"), of("p", "small")
	note := delivery.Note{Hops: 2, Origin: "o"}
	if errs := forward(note, q, q); errors.Join(errs...) != nil || count(q) != 1 {
		t.Errorf("two ways at once: %v, %d messages", errs, count(q))
	}
	if errs := forward(delivery.Note{Hops: 7, Origin: "o"}, q); errors.Join(errs...) != nil || count(q) != 1 {
		t.Errorf("another way: %v, %d messages", errs, count(q))
	}
	forward(delivery.Note{Hops: 2, Origin: "another"}, q)
	forward(delivery.Note{Hops: 1, Origin: "o"}, q) // a first step, a replay maybe
	forward(delivery.Note{Hops: 2}, q)              // of whom it is not known
	if count(q) != 4 {
		t.Errorf("%d messages, want 4", count(q))
	}
	for range 2 {
		if errs := forward(note, small); !errors.Is(errs[0], messaging.Invalid) {
			t.Errorf("a message that is too large: %v", errs)
		}
	}
	w.clock.move(3600)
	if forward(note, q); count(q) != 1 {
		t.Errorf("an hour later: %d messages, want 1", count(q)) // the others have expired
	}
}

func TestAcceptFromIsChecked(t *testing.T) {
	w := newWorld(t)
	for value, right := range map[string]bool{`"*"`: true, `["a"]`: true, `["*"]`: true, `[]`: true, `null`: true,
		`"a"`: false, `[1]`: false, `[""]`: false, `{}`: false, `true`: false} {
		_, err := w.CreateQueue(w.ctx(), w.who, q, object(t, `{"_accept_from":`+value+`}`))
		if (err == nil) != right {
			t.Errorf("%s: %v", value, err)
		}
		_ = w.DeleteQueue(w.ctx(), w.who, q)
	}
}
