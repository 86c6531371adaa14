package rest_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"zaqar/api/rest"
	"zaqar/internal/testlog"
)

// audited starts a server and returns what does a request and returns the
// audit record of it, nil if there is none.
func audited(t *testing.T, changes ...func(*setup)) (*server, func(method, target, body string, headers ...string) map[string]any) {
	t.Helper()
	logs := new(testlog.Buffer)
	served := make(chan rest.Served, 1)
	s := newServer(t, openMemory, append(changes, func(set *setup) {
		set.rest.Audit = slog.New(slog.NewJSONHandler(logs, nil))
		set.rest.Served = func(d rest.Served) { served <- d } // after the record is written
	})...)
	seen := 0
	return s, func(method, target, body string, headers ...string) map[string]any {
		t.Helper()
		r := s.do(method, target, body, headers...)
		<-served
		text := logs.String()[seen:]
		seen += len(text)
		if text == "" {
			return nil
		}
		var record map[string]any
		if err := json.Unmarshal([]byte(text), &record); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if record["request_id"] != r.header.Get("X-OpenStack-Request-ID") || record["msg"] != "audit" || record["status"] != float64(r.status) {
			t.Errorf("%s %s: status %d, record %v", method, target, r.status, record)
		}
		for _, key := range []string{"request_id", "msg", "time", "level", "status"} {
			delete(record, key)
		}
		return record
	}
}

func TestAuditOfChanges(t *testing.T) {
	_, do := audited(t, withPolicy("\"queues:delete\": \"role:admin\""))
	who := []string{"X-User-Id: u1", "X-Roles: member, reader"}
	record := func(action, outcome, method, route, thing string, more ...any) map[string]any {
		m := map[string]any{"action": action, "outcome": outcome, "method": method, "route": route, "project": project,
			"user": "u1", "roles": []any{"member", "reader"}, "address": "127.0.0.1", "client": clientA}
		if kind, name, ok := strings.Cut(thing, "="); ok {
			m[kind] = name
		}
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	const queue, topic = "/v2/queues/{queue_name}", "/v2/topics/{topic_name}"
	patch := "Content-Type: application/openstack-messaging-v2.0-json-patch"
	for _, c := range []struct {
		method, target, body string
		headers              []string
		want                 map[string]any
	}{
		{"PUT", "/v2/queues/q1", `{"secret": "metadata"}`, nil, record("queues:create", "success", "PUT", queue, "queue=q1")},
		{"PUT", "/v2/queues/q1", `{"_default_message_ttl": "x"}`, nil, record("queues:create", "failure", "PUT", queue, "queue=q1")},
		{"PATCH", "/v2/queues/q1", `[{"op":"add","path":"/metadata/a","value":1}]`, []string{patch}, record("queues:update", "success", "PATCH", queue, "queue=q1")},
		{"PATCH", "/v2/queues/none", `[{"op":"add","path":"/metadata/a","value":1}]`, []string{patch}, record("queues:update", "failure", "PATCH", queue, "queue=none")},
		{"POST", "/v2/queues/q1/purge", `{"resource_types":["messages"]}`, nil, record("queues:purge", "success", "POST", queue+"/purge", "queue=q1")},
		{"POST", "/v2/queues/q1/share", `{}`, nil, record("queues:share", "failure", "POST", queue+"/share", "queue=q1")},
		{"PUT", "/v2/topics/t1", ``, nil, record("topics:create", "success", "PUT", topic, "topic=t1")},
		{"DELETE", "/v2/topics/t1", ``, nil, record("topics:delete", "success", "DELETE", topic, "topic=t1")},
		{"DELETE", "/v2/queues/q1", ``, nil, record("queues:delete", "refused", "DELETE", queue, "queue=q1",
			"reason", "The policy does not permit queues:delete to this caller.")},
		{"DELETE", "/v2/queues/q1", ``, []string{"X-OpenStack-Request-ID: req-" + clientB, "X-Roles: admin"},
			record("queues:delete", "success", "DELETE", queue, "queue=q1", "roles", []any{"admin"}, "caller_request_id", "req-"+clientB)},
		// Messages and looks leave no record.
		{"POST", "/v2/queues/q2/messages", `{"messages":[{"body":1}]}`, nil, record("queues:create", "success", "POST", queue+"/messages", "queue=q2", "by", "messages:create")},
		{"POST", "/v2/topics/t2/messages", `{"messages":[{"body":1}]}`, nil, record("topics:create", "success", "POST", topic+"/messages", "topic=t2", "by", "messages:create")},
		{"POST", "/v2/queues/q2/messages", `{"messages":[{"body":1}]}`, nil, nil},
		{"POST", "/v2/queues/q3/messages", `{"messages":[{"body":1}`, nil, nil},
		{"POST", "/v2/queues/q1/claims", `{}`, nil, nil},
		{"DELETE", "/v2/queues/q1/messages?pop=1", ``, nil, nil},
		{"GET", "/v2/queues/q1", ``, nil, nil},
		{"GET", "/v2/queues/q1/stats", ``, nil, nil},
		{"GET", "/v2/queues", ``, nil, nil},
		{"GET", "/nothing", ``, nil, nil},
		{"OPTIONS", "/v2/queues/q1", ``, nil, nil},
	} {
		equal(t, c.method+" "+c.target, do(c.method, c.target, c.body, append(who, c.headers...)...), c.want)
	}
}

func TestAuditOfRefusals(t *testing.T) {
	_, do := audited(t, withKeystone(t))
	base := func(more ...any) map[string]any {
		m := map[string]any{"outcome": "refused", "address": "127.0.0.1", "method": "GET"}
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	forged := []string{"X-Auth-Token: a-secret-token", "X-Roles: admin", "X-User-Id: root"}
	got := do("GET", "/v2/queues/q/messages?echo=true", "", forged...)
	if reason, _ := got["reason"].(string); reason == "" || strings.Contains(reason, "secret") {
		t.Errorf("reason %q", reason)
	}
	delete(got, "reason")
	equal(t, "a bad token", got, base("action", "messages:get_all", "route", "/v2/queues/{queue_name}/messages", "queue", "q"))

	got = do("GET", "/v2/queues/a-secret%20in%20the%20path", "", forged...)
	delete(got, "reason")
	equal(t, "an impossible name", got, base("action", "queues:get", "route", "/v2/queues/{queue_name}"))

	got = do("BREW", "/unknown/secret", "", forged...)
	delete(got, "reason")
	equal(t, "an unknown path", got, base("method", "other"))

	got = do("GET", "/v2/queues/q/messages", "", "URL-Signature: a-secret-signature", "URL-Expires: 2099-01-01T00:00:00",
		"URL-Methods: GET", "URL-Paths: /v2/queues/q/messages")
	equal(t, "a bad signature", got, base("action", "messages:get_all", "route", "/v2/queues/{queue_name}/messages", "queue", "q",
		"reason", "The pre-signed URL is not valid for this request."))

	if got := do("GET", "/v2/queues", "", "X-Auth-Token: token-member"); got != nil {
		t.Errorf("a good token: %v", got)
	}
	if got := do("GET", "/v2/queues", "", "X-Auth-Token: token-unlucky"); got != nil {
		t.Errorf("Keystone failed, and that is a refusal: %v", got)
	}
}
