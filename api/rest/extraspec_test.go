package rest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"zaqar/api/rest"
	"zaqar/messaging"
)

// A program can tie requests to a proof of its own, such as a code that a
// subscriber was sent.
func TestTasks(t *testing.T) {
	var seen []rest.Proof
	s := newServer(t, openMemory, func(set *setup) {
		set.rest.Tasks = map[string]rest.Verifier{
			"code": func(_ context.Context, p rest.Proof) error {
				seen = append(seen, p)
				switch p.Data {
				case "wrong":
					return errors.New("the secret is 4711")
				case "late":
					return messaging.E(messaging.Conflict, "The code is too old.")
				}
				return nil
			},
			"messagecode": func(context.Context, rest.Proof) error { return errors.New("no") },
		}
	})
	id := s.subscribe("/v2/queues/q", hook)
	one := "/v2/queues/q/subscriptions/" + id
	for spec, want := range map[string]int{"code:right": 204, "code:": 204, " code:a:b ": 204, "code": 204, "code:wrong": 403, "code:late": 409,
		"messagecode:1": 403, "other:right": 400, "Code:right": 400, "": 204, ":code": 204} {
		r := s.put(one+"/confirm", confirmed, "EXTRA-SPEC: "+spec).want(want)
		if strings.Contains(string(r.body), "4711") {
			t.Errorf("%s: the error shows: %s", spec, r.body)
		}
	}
	seen = nil
	s.put(one+"/confirm", confirmed, "EXTRA-SPEC: code:a:b").want(204)
	s.get("/v2/queues/q/messages", "EXTRA-SPEC: code:c").want(200)
	s.get("/v2/queues/a%20b", "EXTRA-SPEC: code:d").want(400) // names first
	s.post("/v2/queues/q", "", "EXTRA-SPEC: code:wrong").want(403)
	s.post("/v2/queues/q", "", "EXTRA-SPEC: code:e").want(405) // methods later
	var told []string
	for _, p := range seen {
		told = append(told, fmt.Sprint(p.Method, " ", p.Path, " ", p.Queue.Name, " ", p.Subscription == messaging.SubscriptionID(id), " ", p.Caller.Project == project, " ", p.Task, " ", p.Data))
	}
	equal(t, "proofs", told, []string{"PUT " + one + "/confirm q true true code a:b", "GET /v2/queues/q/messages q false true code c",
		"POST /v2/queues/q q false true code wrong", "POST /v2/queues/q q false true code e"})
}
