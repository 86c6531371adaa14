package rest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/storage"
)

// on runs a test over both stores, for a queue and for a topic.
func on(t *testing.T, run func(s *server, n *notices, q messaging.QueueRef, at string)) {
	for name, open := range map[string]open{"memory": openMemory, "embedded": openEmbedded} {
		for _, topic := range []bool{false, true} {
			q, at := messaging.QueueRef{Project: project, Name: "q", Topic: topic}, "/v2/queues/q"
			if topic {
				at = "/v2/topics/q"
			}
			t.Run(name+strings.ReplaceAll(at, "/", "_"), func(t *testing.T) {
				n := new(notices)
				run(newServer(t, open, signing, func(set *setup) { set.notifier = n }), n, q, at)
			})
		}
	}
}

func TestDeliveries(t *testing.T) {
	on(t, func(s *server, _ *notices, q messaging.QueueRef, at string) {
		id := s.subscribe(at, hook)
		one := at + "/subscriptions/" + id
		now := s.clock.Now()
		state := delivery.State{Failing: now.Add(-time.Minute), Attempts: 5, Delivered: 3, GivenUp: 1}
		for i := range 3 {
			state.Log = append(state.Log, delivery.Attempt{At: now.Add(time.Duration(i) * time.Millisecond), Took: 1500 * time.Millisecond,
				Kind: delivery.Notification, Message: "m1", Number: i + 1, Outcome: delivery.Retried, Status: 503, Error: "The subscriber answered 503."})
		}
		state.Log[0] = delivery.Attempt{At: now, Kind: delivery.SubscriptionConfirmation, Message: "c1", Number: 1, Outcome: delivery.Delivered}
		s.remember(q, id, state)
		s.fill(q.In(messaging.Backlog(messaging.SubscriptionID(id))), 2)
		s.fill(q.In(messaging.Failed(messaging.SubscriptionID(id))), 3)
		attempt := func(ms, n int) string {
			return fmt.Sprintf(`{"at": "2031-05-04T10:00:00.%03dZ", "kind": "Notification", "message_id": "m1", "attempt": %d, "status": 503, "latency_ms": 1500,
				"error": "The subscriber answered 503.", "outcome": "retried"}`, ms, n)
		}
		s.get(one + "/deliveries").want(200).wantJSON(`{"state": "failing", "failing_since": "2031-05-04T09:59:00.000Z", "disabled_since": null, "disabled_reason": null,
			"delivered": 3, "failed": 1, "pending": 2, "failed_pending": 3, "attempts": [` + attempt(2, 3) + `, ` + attempt(1, 2) + `,
			{"at": "2031-05-04T10:00:00.000Z", "kind": "SubscriptionConfirmation", "message_id": "c1", "attempt": 1, "status": null, "latency_ms": 0, "error": null, "outcome": "delivered"}]}`)
		state.Disabled, state.Reason = now, "The subscriber is gone (410)."
		s.remember(q, id, state)
		r := s.get(one + "/deliveries").want(200)
		equal(s.t, "state", r.str("state"), "disabled")
		equal(s.t, "since", r.str("disabled_since"), "2031-05-04T10:00:00.000Z")
		equal(s.t, "reason", r.str("disabled_reason"), "The subscriber is gone (410).")

		s.do("PATCH", one, `{"ttl": 7200, "options": {}}`).want(204) // changes nothing about that
		equal(s.t, "state", s.get(one+"/deliveries").str("state"), "disabled")
		equal(s.t, "members of the subscription", s.get(one).keys(""), "age confirmed id options source subscriber ttl")
		for _, path := range []string{strings.Replace(one, "/q/", "/p/", 1), at + "/subscriptions/x"} {
			s.get(path + "/deliveries").want(404)
		}
		s.get(one+"/deliveries", "X-Project-ID: other").want(404)
	})
}

// remember stores what a notifier remembers.
func (s *server) remember(q messaging.QueueRef, id string, state delivery.State) {
	s.t.Helper()
	_, err := s.data.AmendSubscription(context.Background(), q, messaging.SubscriptionID(id), func(sub *messaging.Subscription) error {
		sub.State = state.Append(nil)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// fill puts messages into a part of a queue.
func (s *server) fill(q messaging.QueueRef, n int) {
	s.t.Helper()
	for range n {
		if _, err := s.data.Append(context.Background(), q, "", []messaging.Draft{{TTL: 600, Body: []byte("1")}}, storage.AppendOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestReplay(t *testing.T) {
	on(t, func(s *server, n *notices, _ messaging.QueueRef, at string) {
		one := at + "/subscriptions/" + s.subscribe(at, hook)
		for body, want := range map[string]string{
			`{"what": "failed"}`:             "failed 0001-01-01T00:00:00Z",
			`{"what": "all", "since": null}`: "all 0001-01-01T00:00:00Z",
			`{"what": "all", "x": 1, "since": "2031-05-04T12:00:00.5+02:00"}`: "all 2031-05-04T10:00:00.5Z",
		} {
			s.post(one+"/replay", body).want(202).wantJSON(`{"replayed": 7}`)
			equal(s.t, body, n.told(), "replay "+want+" of http://hook.example/1")
		}
		for _, body := range []string{``, `{}`, `[]`, `{"what": null}`, `{"what": "ALL"}`, `{"what": 1}`, `{"what": "all", "since": 5}`, `{"what": "all", "since": ""}`,
			`{"what": "all", "since": "2031-05-04"}`, `{"what": "all", "since": "2031-05-04T10:00:00"}`, `{"since": "2031-05-04T10:00:00Z"}`} {
			s.post(one+"/replay", body).want(400)
		}
		s.post(strings.Replace(one, "/q/", "/p/", 1)+"/replay", `{"what": "all"}`).want(404)
		s.post(one+"/replay", `{"what": "all"}`, "X-Project-ID: other").want(404)
		s.get(one + "/replay").want(405)
		equal(s.t, "told", n.told(), "")
	})
	t.Run("nobody delivers", func(t *testing.T) {
		s := newServer(t, openMemory)
		one := "/v2/queues/q/subscriptions/" + s.subscribe("/v2/queues/q", hook)
		s.post(one+"/replay", `{"what": "all"}`).want(400)
	})
}

func TestSecrets(t *testing.T) {
	on(t, func(s *server, n *notices, q messaging.QueueRef, at string) {
		id := s.subscribe(at, hook)
		one := at + "/subscriptions/" + id
		first := s.get(one+"/secret").want(200).wantHeader("Cache-Control", "no-store")
		key := first.str("keys.0.key")
		if _, err := delivery.ParseKey(key); err != nil {
			t.Errorf("key %s: %v", key, err)
		}
		first.wantJSON(`{"keys": [{"key": "` + key + `", "created": "2031-05-04T10:00:00.000Z", "expires": null}]}`)
		other := s.subscribe(at, `{"subscriber": "http://hook.example/2"}`)
		if s.get(at+"/subscriptions/"+other+"/secret").str("keys.0.key") == key {
			t.Error("two subscriptions have one key")
		}
		for range 2 { // nothing else makes another one
			s.do("PATCH", one, `{"subscriber": "http://hook.example/1", "ttl": 999999, "options": {"a": 1}}`).want(204)
			s.put(one+"/confirm", confirmed).want(204)
		}
		equal(s.t, "key", s.get(one+"/secret").str("keys.0.key"), key)
		for _, r := range []*reply{s.get(one), s.get(at + "/subscriptions"), s.get(one + "/deliveries")} {
			if strings.Contains(string(r.body), "whsec") || strings.Contains(string(r.body), strings.TrimPrefix(key, "whsec_")) {
				t.Errorf("%s shows the key: %s", r.what, r.body)
			}
		}

		s.advance(100)
		n.told()
		next := s.post(one+"/secret", "").want(200).wantHeader("Cache-Control", "no-store")
		equal(s.t, "told", n.told(), "resume http://hook.example/1")
		equal(s.t, "keys", next.count("keys"), 2)
		equal(s.t, "the former one", next.str("keys.1.key"), key)
		equal(s.t, "signs until", next.str("keys.1.expires"), "2031-05-05T10:01:40.000Z")
		equal(s.t, "shown again", s.get(one+"/secret").body, next.body)
		s.advance(86400)
		equal(s.t, "a day later", s.get(one+"/secret").count("keys"), 1)
		if s.get(one+"/secret").str("keys.0.key") == key {
			t.Error("the key of before is still there")
		}
		s.get(one+"/secret", "X-Project-ID: other").want(404)
		s.post(strings.Replace(one, "/q/", "/p/", 1)+"/secret", "").want(404)
		if q.Topic {
			return
		}
		// A grant opens subscriptions, and not their keys.
		grant := s.shared("q", `{"paths": ["subscriptions"], "methods": ["GET", "POST", "PUT", "DELETE"]}`)
		s.withGrant(grant, "GET", one).want(200)
		s.withGrant(grant, "GET", one+"/deliveries").want(200)
		s.withGrant(grant, "GET", one+"/secret").want(403)
		s.withGrant(grant, "POST", one+"/secret").want(403)
		s.withGrant(grant, "DELETE", one).want(204)
	})
}
