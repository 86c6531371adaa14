package broker_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
)

func TestPagesOfQueues(t *testing.T) {
	w := newWorld(t)
	want := ""
	for i := range 12 {
		w.create(queue(fmt.Sprintf("q%02d", i)), `{}`)
		want += fmt.Sprintf(" q%02d", i)
	}
	want = want[1:]
	w.create(topic("a-topic"), `{}`)
	other := w.who
	other.Project = "p2"
	if _, err := w.CreateQueue(w.ctx(), other, messaging.QueueRef{Project: "p2", Name: "q00x"}, nil); err != nil {
		t.Fatal(err)
	}

	page, err := w.ListQueues(w.ctx(), w.who, broker.ListQueues{})
	if err != nil || names(page) != want[:len("q00 ")*10-1] || page.Count != 0 {
		t.Errorf("default page: %s, count %d (%v)", names(page), page.Count, err)
	}
	for _, limit := range []int{1, 5, 12, 20} {
		var all []string
		marker := ""
		for {
			page, err := w.ListQueues(w.ctx(), w.who, broker.ListQueues{Limit: &limit, Marker: marker})
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Queues) == 0 {
				break
			}
			all = append(all, names(page))
			marker = page.Queues[len(page.Queues)-1].Ref.Name
		}
		wantEqual(t, fmt.Sprintf("pages of %d", limit), strings.Join(all, " "), want)
	}
	for _, limit := range []int{0, -1, 21} {
		_, err := w.ListQueues(w.ctx(), w.who, broker.ListQueues{Limit: &limit})
		wantKind(t, err, messaging.Invalid, "limit %d", limit)
		wantText(t, err, "limit", "1 and 20", fmt.Sprint(limit))
	}
	page, _ = w.ListQueues(w.ctx(), w.who, broker.ListQueues{Marker: "q099", Limit: ptr(1)})
	wantEqual(t, "page after a marker that names no queue", names(page), "q10")
	page, _ = w.ListQueues(w.ctx(), w.who, broker.ListQueues{Topics: true, Count: true})
	wantEqual(t, "topics", names(page), "a-topic")
	wantEqual(t, "count of topics", page.Count, 0)
}

func TestDefaultPageIsNotAboveTheMaximum(t *testing.T) {
	w := newWorld(t, func(c *broker.Config) { c.MaxQueuesPerPage, c.MaxMessagesPerPage, c.MaxMessagesPerClaimOrPop = 3, 2, 4 })
	for i := range 5 {
		w.create(queue(fmt.Sprintf("q%d", i)), `{}`)
	}
	page, err := w.ListQueues(w.ctx(), w.who, broker.ListQueues{})
	if err != nil || len(page.Queues) != 3 {
		t.Errorf("%d queues (%v)", len(page.Queues), err)
	}
	w.post(q, "1", "2", "3", "4", "5")
	wantEqual(t, "messages", w.list(q, broker.ListMessages{Echo: true}), "1 2")
	view, err := w.CreateClaim(w.ctx(), w.who, q, broker.CreateClaim{})
	if err != nil || bodies(view.Messages) != "1 2 3 4" {
		t.Errorf("claimed %s (%v)", bodies(view.Messages), err)
	}
}

func TestCreateAndShowQueue(t *testing.T) {
	w := newWorld(t)
	show := func() string {
		m, err := w.ShowQueue(w.ctx(), w.who, q)
		if err != nil {
			t.Fatal(err)
		}
		return string(m.JSON())
	}
	wantEqual(t, "missing queue", show(), `{`+queueDefaults+`}`)
	wantEqual(t, "queues after showing a missing one", w.names(false), "")
	for i, want := range []bool{true, false, false} {
		created, err := w.CreateQueue(w.ctx(), w.who, q, object(t, fmt.Sprintf(`{"try":%d}`, i)))
		if err != nil || created != want {
			t.Errorf("try %d: created %v (%v)", i, created, err)
		}
	}
	wantEqual(t, "queue created again", show(), `{"try":0,`+queueDefaults+`}`)
	_, err := w.CreateQueue(w.ctx(), w.who, q, object(t, `{"_default_message_ttl":1}`))
	wantKind(t, err, messaging.Invalid, "bad metadata for an existing queue")
	if created, err := w.CreateQueue(w.ctx(), w.who, queue("nil"), nil); !created || err != nil {
		t.Errorf("create without metadata: %v, %v", created, err)
	}
}

func TestDeleteQueueRemovesWhatItHolds(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_default_message_delay":100,"team":"a"}`)
	w.postAll(q, broker.Post{Body: []byte("1"), Delay: []byte("0")}, broker.Post{Body: []byte("2"), Delay: []byte("0")},
		broker.Post{Body: []byte("3")})
	claim := w.claim(q, 1)
	other := topic("q")
	w.post(other, "kept")
	if _, _, err := w.store.Subscribe(w.ctx(), messaging.Subscription{Source: q, Subscriber: "http://x", TTL: 60}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.DeleteQueue(w.ctx(), w.who, q); err != nil {
			t.Fatal(err)
		}
	}
	tally, now, err := w.QueueStats(w.ctx(), w.who, q)
	if err != nil || !now.Equal(w.clock.at) {
		t.Errorf("stats at %v: %v", now, err)
	}
	wantEqual(t, "stats", tally, messaging.Tally{})
	wantEqual(t, "queues", w.names(false), "")
	_, err = w.ShowClaim(w.ctx(), w.who, q, claim.Claim.ID)
	wantKind(t, err, messaging.NotFound, "claim of a deleted queue")
	wantKind(t, w.UpdateClaim(w.ctx(), w.who, q, claim.Claim.ID, broker.UpdateClaim{}), messaging.NotFound, "renewal")
	wantKind(t, w.ReleaseClaim(w.ctx(), w.who, q, claim.Claim.ID), "", "release")
	w.create(q, `{}`)
	wantEqual(t, "messages of the new queue", w.list(q, everything()), "")
	wantEqual(t, "messages of the topic with the name", w.list(other, everything()), "kept")
	if subs, err := w.store.Subscriptions(w.ctx(), q, "", 10); err != nil || len(subs) != 1 {
		t.Errorf("%d subscriptions are left (%v), want 1", len(subs), err)
	}
}

func TestQueueStats(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_default_message_delay":100}`)
	w.post(q, "delayed")
	tally, _, err := w.QueueStats(w.ctx(), w.who, q)
	if err != nil || tally.Total != 1 || tally.Oldest == nil || tally.Newest == nil {
		t.Errorf("a queue of one delayed message: %+v (%v)", tally, err)
	}
	w.clock.move(100)
	second := w.post(q, "a", "b")
	w.claim(q, 1)
	tally, _, _ = w.QueueStats(w.ctx(), w.who, q)
	wantEqual(t, "numbers", []int{tally.Total, tally.Claimed, tally.Free()}, []int{3, 1, 2})
	wantEqual(t, "newest", tally.Newest.ID, second[1])
	wantEqual(t, "age of the oldest", tally.Oldest.Age(w.clock.at), int64(100))
	w.clock.move(60)
	tally, _, _ = w.QueueStats(w.ctx(), w.who, q)
	wantEqual(t, "claimed after the claim has ended", tally.Claimed, 0)
}

func TestPurge(t *testing.T) {
	for _, tt := range []struct {
		purge         broker.Purge
		messages      string
		subscriptions int
	}{
		{broker.Purge{}, "1 2 3", 25},
		{broker.Purge{Messages: true}, "1", 25},
		{broker.Purge{Subscriptions: true}, "1 2 3", 0},
		{broker.Purge{Messages: true, Subscriptions: true}, "1", 0},
	} {
		w := newWorld(t)
		w.create(q, `{"_default_message_delay":100,"team":"a"}`)
		w.postAll(q, broker.Post{Body: []byte("1"), Delay: []byte("0")})
		w.claim(q, 1)
		w.postAll(q, broker.Post{Body: []byte("2"), Delay: []byte("0")}, broker.Post{Body: []byte("3")})
		w.post(topic("q"), "x")
		for i := range 25 {
			s := messaging.Subscription{Source: q, Subscriber: fmt.Sprintf("http://%d", i), TTL: 60}
			if _, _, err := w.store.Subscribe(w.ctx(), s); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.PurgeQueue(w.ctx(), w.who, q, tt.purge); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, fmt.Sprintf("messages after %+v", tt.purge), w.list(q, everything()), tt.messages)
		wantEqual(t, "messages of the topic with the name", w.list(topic("q"), everything()), "x")
		subs, err := w.store.Subscriptions(w.ctx(), q, "", 100)
		if err != nil || len(subs) != tt.subscriptions {
			t.Errorf("%+v leaves %d subscriptions, want %d (%v)", tt.purge, len(subs), tt.subscriptions, err)
		}
		show, _ := w.ShowQueue(w.ctx(), w.who, q)
		if !strings.HasPrefix(string(show.JSON()), `{"_default_message_delay":100,"team":"a"`) {
			t.Errorf("metadata after a purge: %s", show.JSON())
		}
	}
	w := newWorld(t)
	wantKind(t, w.PurgeQueue(w.ctx(), w.who, q, broker.Purge{Messages: true, Subscriptions: true}), "", "purge of a missing queue")
	wantEqual(t, "queues", w.names(false), "")
}

// everyUseCase calls each use case once, on a queue or on a topic.
func everyUseCase(w *world, who messaging.Caller, q messaging.QueueRef, each func(name, rule string, err error)) {
	ctx := w.Context()
	own := "queues:"
	if q.Topic {
		own = "topics:"
	}
	_, err := w.ListQueues(ctx, who, broker.ListQueues{Topics: q.Topic})
	each("ListQueues", own+"get_all", err)
	_, err = w.CreateQueue(ctx, who, q, nil)
	each("CreateQueue", own+"create", err)
	_, err = w.ShowQueue(ctx, who, q)
	each("ShowQueue", own+"get", err)
	_, err = w.PatchQueue(ctx, who, q, nil)
	each("PatchQueue", own+"update", err)
	_, _, err = w.QueueStats(ctx, who, q)
	each("QueueStats", own+"stats", err)
	each("PurgeQueue", own+"purge", w.PurgeQueue(ctx, who, q, broker.Purge{}))
	_, err = w.BeginPost(ctx, who, q)
	each("BeginPost", "messages:create", err)
	ids, err := w.PostMessages(ctx, who, q, []broker.Post{{Body: []byte("1")}})
	each("PostMessages", "messages:create", err)
	if ids == nil {
		ids = []messaging.MessageID{"x"}
	}
	_, err = w.ListMessages(ctx, who, q, broker.ListMessages{})
	each("ListMessages", "messages:get_all", err)
	_, err = w.GetMessages(ctx, who, q, ids)
	each("GetMessages", "messages:get_all", err)
	_, err = w.GetMessage(ctx, who, q, ids[0])
	each("GetMessage", "messages:get", err)
	each("DeleteMessage", "messages:delete", w.DeleteMessage(ctx, who, q, "x", ""))
	each("DeleteMessages", "messages:delete_all", w.DeleteMessages(ctx, who, q, []messaging.MessageID{"x"}, nil))
	if !q.Topic {
		view, err := w.CreateClaim(ctx, who, q, broker.CreateClaim{})
		each("CreateClaim", "claims:create", err)
		_, err = w.ShowClaim(ctx, who, q, view.Claim.ID)
		each("ShowClaim", "claims:get", err)
		each("UpdateClaim", "claims:update", w.UpdateClaim(ctx, who, q, view.Claim.ID, broker.UpdateClaim{}))
		each("ReleaseClaim", "claims:delete", w.ReleaseClaim(ctx, who, q, view.Claim.ID))
	}
	_, err = w.PopMessages(ctx, who, q, 1)
	each("PopMessages", "messages:delete_all", err)
	each("DeleteQueue", own+"delete", w.DeleteQueue(ctx, who, q))
	each("Ping", "ping:get", w.Ping(ctx, who))
	_, err = w.Health(ctx, who)
	each("Health", "health:get", err)
}

// rules is a policy that notes what it is asked and denies some.
type rules struct {
	asked []string
	deny  bool
}

func (r *rules) Allow(_ context.Context, _ messaging.Caller, rule string, _ messaging.QueueRef) error {
	r.asked = append(r.asked, rule)
	if r.deny {
		return messaging.E(messaging.Denied, "No.")
	}
	return nil
}

func TestPolicyIsAskedFirst(t *testing.T) {
	for _, q := range []messaging.QueueRef{q, topic("t")} {
		w := newWorld(t)
		everyUseCase(w, w.who, q, func(name, rule string, err error) {
			wantKind(t, err, "", "%s under the default policy", name)
		})
		p := &rules{}
		store := &faulty{Store: w.store}
		b, err := broker.New(broker.Defaults(), broker.Parts{Control: store, Data: store, Policy: p, Now: w.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		w.Broker = b
		for _, p.deny = range []bool{false, true} {
			p.asked = nil
			everyUseCase(w, w.who, q, func(name, rule string, err error) {
				wantEqual(t, name+" asks", p.asked, []string{rule})
				p.asked = nil
				if !p.deny {
					wantKind(t, err, "", "%s when permitted", name)
					store.calls = nil
					return
				}
				wantKind(t, err, messaging.Denied, "%s when denied", name)
				wantEqual(t, name+" touches the store", store.calls, []string(nil))
			})
		}
	}
}

func TestHealthIsTheAdministrators(t *testing.T) {
	w := newWorld(t)
	everyUseCase(w, messaging.Caller{Project: "p"}, q, func(name, rule string, err error) {
		want := messaging.Kind("")
		if name == "Health" {
			want = messaging.Denied
		}
		wantKind(t, err, want, "%s without a role", name)
	})
}

func TestOtherProjectsAreOutOfReach(t *testing.T) {
	w := newWorld(t)
	w.post(q, "1")
	stranger := messaging.Caller{Project: "p2", Roles: []string{"admin"}}
	everyUseCase(w, stranger, q, func(name, rule string, err error) {
		want := messaging.Denied
		if name == "ListQueues" || name == "Ping" || name == "Health" {
			want = "" // they name no queue
		}
		wantKind(t, err, want, "%s on a queue of another project", name)
	})
	own := messaging.QueueRef{Project: "p2", Name: "q"}
	ids := ids(mustList(w, q))
	_, err := w.GetMessage(w.ctx(), stranger, own, ids[0])
	wantKind(t, err, messaging.NotFound, "message of another project by id")
	wantKind(t, w.DeleteMessage(w.ctx(), stranger, own, ids[0], ""), "", "its deletion")
	wantKind(t, w.DeleteMessages(w.ctx(), stranger, own, ids, nil), "", "its deletion by ids")
	wantEqual(t, "messages", w.list(q, everything()), "1")
}

func mustList(w *world, q messaging.QueueRef) broker.Messages {
	w.Helper()
	page, err := w.ListMessages(w.ctx(), w.who, q, everything())
	if err != nil {
		w.Fatal(err)
	}
	return page
}

func TestBadNamesAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"", ".", "..", "a b", "a@b", "é", "x\n", "a/b", strings.Repeat("a", 65)} {
		for _, r := range []messaging.QueueRef{queue(name), topic(name)} {
			everyUseCase(w, w.who, r, func(use, rule string, err error) {
				if slices.Contains([]string{"ListQueues", "Ping", "Health"}, use) {
					return
				}
				wantKind(t, err, messaging.Invalid, "%s on %q", use, name)
				wantText(t, err, noun(r), "64")
			})
		}
	}
	for _, name := range []string{"a", "Service.test_queue", "-", strings.Repeat("a", 64)} {
		everyUseCase(w, w.who, queue(name), func(use, rule string, err error) {
			wantKind(t, err, "", "%s on %q", use, name)
		})
	}
}

func TestReadingCreatesNoQueue(t *testing.T) {
	w := newWorld(t)
	everyUseCase(w, w.who, q, func(name, _ string, _ error) {
		switch name {
		case "CreateQueue", "PostMessages": // which do
			if err := w.DeleteQueue(w.ctx(), w.who, q); err != nil {
				t.Fatal(err)
			}
		default:
			wantEqual(t, "queues after "+name, w.names(false), "")
		}
	})
}
