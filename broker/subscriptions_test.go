package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"zaqar/auth/policy"
	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

const hook = "http://hook.example/"

func (w *world) subscribe(q messaging.QueueRef, subscriber string) messaging.SubscriptionID {
	w.Helper()
	made, err := w.CreateSubscription(w.ctx(), w.who, q, broker.CreateSubscription{Subscriber: subscriber})
	if err != nil {
		w.Fatalf("subscribe %s: %v", subscriber, err)
	}
	return made.ID
}

func (w *world) subscription(q messaging.QueueRef, id messaging.SubscriptionID) messaging.Subscription {
	w.Helper()
	sub, _, err := w.ShowSubscription(w.ctx(), w.who, q, id)
	if err != nil {
		w.Fatal(err)
	}
	return sub
}

// What the notifier refuses leaves nothing behind.
func TestSubscribeNeedsTheNotifier(t *testing.T) {
	for _, kind := range []messaging.Kind{messaging.Invalid, messaging.Unavailable} {
		w, n, _ := notified(t)
		n.refuse = messaging.E(kind, "No.")
		_, err := w.CreateSubscription(w.ctx(), w.who, q, broker.CreateSubscription{Subscriber: hook})
		wantKind(t, err, kind, "subscribe")
		wantEqual(t, "queues", w.names(false), "")
		page, err := w.ListSubscriptions(w.ctx(), w.who, q, broker.ListSubscriptions{})
		if err != nil || len(page.List) > 0 {
			t.Errorf("%v, %v", page.List, err)
		}
	}
}

// Trusts are kept exactly for what is stored, wherever the store fails.
func TestNoTrustIsLeftBehind(t *testing.T) {
	for n := 1; ; n++ {
		w, trusts, store := notified(t)
		store.fail = func(string) error {
			if len(store.calls) == n {
				return errBroken
			}
			return nil
		}
		_, err := w.CreateSubscription(w.ctx(), w.who, q, broker.CreateSubscription{Subscriber: hook})
		if err == nil && n > 3 {
			break
		}
		wantKind(t, err, messaging.Internal, "call %d fails: %v", n, store.calls)
		wantEqual(t, fmt.Sprintf("trusts after call %d failed", n), len(trusts.trusts), 0)
	}
	for n := 1; ; n++ {
		w, trusts, store := notified(t)
		id := w.subscribe(q, hook)
		store.calls = nil
		store.fail = func(string) error {
			if len(store.calls) == n {
				return errBroken
			}
			return nil
		}
		err := w.UpdateSubscription(w.ctx(), w.who, q, id, broker.UpdateSubscription{Subscriber: new("http://other.example/"), Options: []byte(`{"a":1}`)})
		store.fail = nil
		kept := len(trusts.trusts)
		o, _ := delivery.ParseOptions(w.subscription(q, id).Options)
		if kept != 1 || !trusts.trusts[o.TrustID] {
			t.Errorf("call %d fails (%v): the trusts are %v, the subscription has %s", n, err, trusts.trusts, o.TrustID)
		}
		if err == nil {
			wantEqual(t, "trust", o.TrustID, "t2")
			break
		}
	}
}

// Of two who subscribe the same at a time, one makes the subscription, and both
// get it.
func TestSubscribeRace(t *testing.T) {
	w, n, store := notified(t)
	var first messaging.Subscription
	store.after = func(method string) {
		if method != "CreateQueue" || first.ID != "" {
			return
		}
		var err error
		first, _, err = w.store.Subscribe(w.ctx(), messaging.Subscription{Source: q, Subscriber: hook, TTL: 600, Options: []byte(`{}`)})
		if err != nil {
			t.Error(err)
		}
	}
	made, err := w.CreateSubscription(w.ctx(), w.who, q, broker.CreateSubscription{Subscriber: hook})
	wantKind(t, err, "", "subscribe")
	wantEqual(t, "made", made, broker.Subscribed{ID: first.ID, Queue: true})
	wantEqual(t, "trusts", len(n.trusts), 0)
}

// The order of the checks: the first that fails answers, and no queue is made.
func TestSubscriptionChecks(t *testing.T) {
	bad := []byte(`{"_retry_policy": 1}`)
	for _, c := range []struct {
		in   broker.CreateSubscription
		says string
	}{
		{broker.CreateSubscription{Subscriber: "ftp://x", Options: bad, TTL: ptr[int64](1)}, "subscriber"},
		{broker.CreateSubscription{Subscriber: "http://x\x00", Options: bad}, "control characters"},
		{broker.CreateSubscription{Subscriber: "http://" + strings.Repeat("x", 4096), Options: bad}, "4096"},
		{broker.CreateSubscription{Subscriber: hook, Options: bad, TTL: ptr[int64](1)}, "options"},
		{broker.CreateSubscription{Subscriber: hook, Options: []byte(`{"post_data": 1}`)}, "post_data"},
		{broker.CreateSubscription{Subscriber: hook, Options: []byte(`{"post_headers": {"a b": "c"}}`)}, "post_headers"},
		{broker.CreateSubscription{Subscriber: hook, Options: []byte(`{"dead_letter_queue": "q"}`)}, "itself"},
		{broker.CreateSubscription{Subscriber: hook, Options: []byte(`{"dead_letter_queue": "a b"}`)}, "dead_letter_queue"},
		{broker.CreateSubscription{Subscriber: hook, TTL: ptr[int64](59)}, "ttl"},
	} {
		w := newWorld(t)
		_, err := w.CreateSubscription(w.ctx(), w.who, q, c.in)
		wantKind(t, err, messaging.Invalid, "%+v", c.in)
		wantText(t, err, c.says)
		wantEqual(t, "queues", w.names(false), "")
		update := broker.UpdateSubscription{Subscriber: &c.in.Subscriber, TTL: c.in.TTL, Options: c.in.Options}
		err = w.UpdateSubscription(w.ctx(), w.who, q, "nope", update)
		wantKind(t, err, messaging.Invalid, "update %+v", c.in) // before anything is looked up
	}
	w := newWorld(t)
	made, err := w.CreateSubscription(w.ctx(), w.who, topic("q"), broker.CreateSubscription{Subscriber: hook, Options: []byte(` {"b" : 1, "dead_letter_queue": "q", "b":2 }`)})
	wantKind(t, err, "", "the queue of a topic's name is another one")
	wantEqual(t, "options", string(w.subscription(topic("q"), made.ID).Options), `{"b":2,"dead_letter_queue":"q"}`)
}

// Subscriptions end before the year 10000.
func TestLongestSubscription(t *testing.T) {
	w := newWorld(t)
	longest := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix() - w.clock.at.Unix()
	made, err := w.CreateSubscription(w.ctx(), w.who, q, broker.CreateSubscription{Subscriber: hook, TTL: &longest})
	wantKind(t, err, "", "the longest")
	wantEqual(t, "expires", w.subscription(q, made.ID).Expires.UTC(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
	for _, ttl := range []int64{longest + 1, 1 << 62, -1 << 63} {
		_, err = w.CreateSubscription(w.ctx(), w.who, q, broker.CreateSubscription{Subscriber: "http://x", TTL: &ttl})
		wantKind(t, err, messaging.Invalid, "%d seconds", ttl)
		wantKind(t, w.UpdateSubscription(w.ctx(), w.who, q, made.ID, broker.UpdateSubscription{TTL: &ttl}), messaging.Invalid, "update to %d seconds", ttl)
	}
	w.clock.move(1)
	err = w.UpdateSubscription(w.ctx(), w.who, q, made.ID, broker.UpdateSubscription{TTL: &longest})
	wantKind(t, err, messaging.Invalid, "the longest a second later")
}

func TestSubscriptionQuota(t *testing.T) {
	w := newWorld(t)
	w.within(messaging.Limits{messaging.LimitSubscriptions: 2, messaging.LimitQueues: 1})
	first := w.subscribe(q, hook)
	w.subscribe(topic("q"), hook)
	_, err := w.CreateSubscription(w.ctx(), w.who, q, broker.CreateSubscription{Subscriber: "http://x"})
	wantKind(t, err, messaging.OverQuota, "the third")
	wantEqual(t, "the same again", w.subscribe(q, hook), first)
	wantKind(t, w.DeleteSubscription(w.ctx(), w.who, q, first), "", "delete")
	_, err = w.CreateSubscription(w.ctx(), w.who, queue("other"), broker.CreateSubscription{Subscriber: "http://x"})
	wantKind(t, err, messaging.OverQuota, "a second queue")
	w.subscribe(q, "http://y")
	w.clock.move(3600)
	w.subscribe(q, "http://z") // those that ended make room
}

// Every use case asks its rule, and is about the caller's project only.
func TestSubscriptionRules(t *testing.T) {
	w := newWorld(t)
	id := w.subscribe(q, hook)
	for rule, do := range subscriptionUseCases(id) {
		rules, findings := policy.Compile([]policy.File{{Name: "p", Text: []byte(`"` + rule + `": "!"`)}}, "")
		if rules == nil {
			t.Fatal(findings)
		}
		b, err := broker.New(config(), broker.Parts{Control: w.store, Data: w.store, Policy: rules, Now: w.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		wantKind(t, do(b, w.who, q), messaging.Denied, "%s", rule)
		stranger := w.who
		stranger.Project = "other"
		wantKind(t, do(w.Broker, stranger, q), messaging.Denied, "%s of a stranger", rule)
		wantKind(t, do(w.Broker, w.who, queue("a/b")), messaging.Invalid, "%s on a wrong name", rule)
	}
	wantEqual(t, "confirmed", w.subscription(q, id).Confirmed, false)
}

// Who may subscribe cannot have written to queues to which he may not post.
func TestSubscribersThatAreForbiddenQueues(t *testing.T) {
	w := newWorld(t)
	text := "\"messages:create\": \"not 'audit':%(queue_name)s\""
	rules, findings := policy.Compile([]policy.File{{Name: "p", Text: []byte(text)}}, "")
	if rules == nil {
		t.Fatal(findings)
	}
	b, err := broker.New(config(func(c *broker.Config) { c.SubscriberTypes = []string{"http", "queue"} }),
		broker.Parts{Control: w.store, Data: w.store, Policy: rules, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	signed := w.who
	signed.Signed = true
	letters := []byte(`{"dead_letter_queue":"audit"}`)
	subscribe := func(who messaging.Caller, subscriber string, options []byte) (messaging.SubscriptionID, error) {
		made, err := b.CreateSubscription(w.ctx(), who, q, broker.CreateSubscription{Subscriber: subscriber, Options: options})
		return made.ID, err
	}
	for _, subscriber := range []string{"queue:audit", "QUEUE:%61udit", "queue:audit?", "queue:audit#", "queue:" + string(q.Project) + "/audit"} {
		_, err := subscribe(w.who, subscriber, nil)
		wantKind(t, err, messaging.Denied, "%s", subscriber)
	}
	_, err = subscribe(w.who, hook, letters)
	wantKind(t, err, messaging.Denied, "dead letters")
	for _, subscriber := range []string{"queue:copies", "queue:other/copies"} {
		_, err = subscribe(signed, subscriber, nil)
		wantKind(t, err, messaging.Denied, "%s, signed", subscriber)
	}
	_, err = subscribe(signed, hook, []byte(`{"dead_letter_queue":"letters"}`))
	wantKind(t, err, messaging.Denied, "dead letters, signed")

	id, err := subscribe(w.who, "queue:copies", []byte(`{"dead_letter_queue":"letters"}`))
	if err != nil {
		t.Fatal(err)
	}
	update := func(who messaging.Caller, in broker.UpdateSubscription) error {
		return b.UpdateSubscription(w.ctx(), who, q, id, in)
	}
	to := "queue:audit"
	wantKind(t, update(w.who, broker.UpdateSubscription{Subscriber: &to}), messaging.Denied, "a move")
	wantKind(t, update(w.who, broker.UpdateSubscription{Options: letters}), messaging.Denied, "other dead letters")
	if err := update(signed, broker.UpdateSubscription{TTL: ptr(int64(99))}); err != nil {
		t.Errorf("what stays as it is: %v", err)
	}
}

func subscriptionUseCases(id messaging.SubscriptionID) map[string]func(*broker.Broker, messaging.Caller, messaging.QueueRef) error {
	ctx := context.Background()
	return map[string]func(*broker.Broker, messaging.Caller, messaging.QueueRef) error{
		"subscription:get_all": func(b *broker.Broker, who messaging.Caller, q messaging.QueueRef) error {
			_, err := b.ListSubscriptions(ctx, who, q, broker.ListSubscriptions{})
			return err
		},
		"subscription:create": func(b *broker.Broker, who messaging.Caller, q messaging.QueueRef) error {
			_, err := b.CreateSubscription(ctx, who, q, broker.CreateSubscription{Subscriber: "http://new"})
			return err
		},
		"subscription:get": func(b *broker.Broker, who messaging.Caller, q messaging.QueueRef) error {
			_, _, err := b.ShowSubscription(ctx, who, q, id)
			return err
		},
		"subscription:update": func(b *broker.Broker, who messaging.Caller, q messaging.QueueRef) error {
			return b.UpdateSubscription(ctx, who, q, id, broker.UpdateSubscription{TTL: ptr[int64](60)})
		},
		"subscription:delete": func(b *broker.Broker, who messaging.Caller, q messaging.QueueRef) error {
			return b.DeleteSubscription(ctx, who, q, id)
		},
		"subscription:confirm": func(b *broker.Broker, who messaging.Caller, q messaging.QueueRef) error {
			return b.ConfirmSubscription(ctx, who, q, id, true)
		},
		"subscription:deliveries": func(b *broker.Broker, who messaging.Caller, q messaging.QueueRef) error {
			_, err := b.ShowDeliveries(ctx, who, q, id)
			return err
		},
		"subscription:replay": func(b *broker.Broker, who messaging.Caller, q messaging.QueueRef) error {
			_, err := b.ReplayDeliveries(ctx, who, q, id, delivery.Replay{What: delivery.AgainAll})
			return err
		},
		"subscription:secret": func(b *broker.Broker, who messaging.Caller, q messaging.QueueRef) error {
			_, err := b.ShowSecrets(ctx, who, q, id)
			_, again := b.RotateSecret(ctx, who, q, id)
			return errors.Join(err, again)
		},
	}
}

// Every call to the store that fails is reported.
func TestSubscriptionStoreFailures(t *testing.T) {
	sound, _, _ := notified(t)
	for rule := range subscriptionUseCases(sound.subscribe(q, hook)) {
		for n := 1; ; n++ {
			w, _, store := notified(t)
			do := subscriptionUseCases(w.subscribe(q, hook))[rule]
			store.calls = nil
			store.fail = func(string) error {
				if len(store.calls) == n {
					return errBroken
				}
				return nil
			}
			err := do(w.Broker, w.who, q)
			store.fail = nil
			if n > len(store.calls) {
				wantKind(t, err, "", "%s on a sound store", rule)
				break
			}
			if !errors.Is(err, messaging.Internal) || strings.Contains(clientText(err), "fire") {
				t.Errorf("%s, call %d (%v) fails: %v", rule, n, store.calls, err)
			}
		}
	}
}

// What was granted for one subscriber is given up with it, whatever the options
// go on saying.
func TestAnotherSubscriberGivesUpTheGrant(t *testing.T) {
	w, n, _ := notified(t)
	id := w.subscribe(q, hook)
	wantEqual(t, "trusts", len(n.trusts), 1)
	other := hook + "/other"
	wantKind(t, w.UpdateSubscription(w.ctx(), w.who, q, id, broker.UpdateSubscription{Subscriber: &other}), "", "update")
	wantEqual(t, "trusts after the change", len(n.trusts), 0)
}

// A purge tells the notifier about every subscription.
func TestPurgeForgets(t *testing.T) {
	w, n, store := notified(t)
	for i := range 250 {
		w.subscribe(q, fmt.Sprint(hook, i))
	}
	w.subscribe(topic("q"), hook)
	n.log, store.calls = nil, nil
	wantKind(t, w.PurgeQueue(w.ctx(), w.who, q, broker.Purge{Subscriptions: true}), "", "purge")
	wantEqual(t, "forgotten", len(n.log), 250)
	wantEqual(t, "trusts", len(n.trusts), 1)
	wantEqual(t, "pages", store.count("Subscriptions"), 3)
	if left, err := w.store.Subscriptions(w.ctx(), q, "", 10); err != nil || len(left) > 0 {
		t.Errorf("%d are left, %v", len(left), err)
	}
}
