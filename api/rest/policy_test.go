package rest_test

import (
	"slices"
	"strings"
	"testing"

	"zaqar/api/rest"
	"zaqar/auth/policy"
)

// unruled are the paths that no rule guards.
func unruled() []string { return []string{"/", "/v2/", "/openapi.yaml", "/healthcheck"} }

// TestRoutesHaveTheirRules holds the table of rules against the table of
// routes: what is answered is guarded, and what rules guard is answered, or
// will be.
func TestRoutesHaveTheirRules(t *testing.T) {
	rules := map[string][]string{}
	for _, r := range policy.Rules() {
		for _, o := range r.Operations {
			request := o.Method + " " + o.Path
			rules[request] = append(rules[request], r.Name)
		}
	}
	answered := map[string]bool{}
	for path, methods := range rest.Routes(rest.Config{Admin: true}) {
		for _, method := range methods {
			o := method + " " + path
			answered[o] = true
			if guarded := len(rules[o]) > 0; guarded == slices.Contains(unruled(), path) {
				t.Errorf("%s: the rules are %q", o, rules[o])
			}
		}
	}
	for o, names := range rules {
		later := strings.Contains(o, "/v2/pools") || strings.Contains(o, "/v2/flavors") || strings.Contains(o, "/v2/quotas")
		if !answered[o] && !later {
			t.Errorf("%s, which %q guard, is not answered", o, names)
		}
	}
}

// denyAll is a file of rules by which nobody may do anything.
func denyAll() string {
	var b strings.Builder
	for _, r := range policy.Rules() {
		if strings.Contains(r.Name, ":") {
			b.WriteString(`"` + r.Name + `": "!"` + "\n")
		}
	}
	return b.String()
}

func TestEveryRouteAsks(t *testing.T) {
	s := newServer(t, openMemory, adminMode, withPolicy(denyAll()))
	for path, methods := range rest.Routes(rest.Config{Admin: true}) {
		at := path
		for _, v := range []string{"{queue_name}", "{topic_name}", "{message_id}", "{claim_id}", "{subscription_id}", "{project_id}"} {
			at = strings.ReplaceAll(at, v, "x")
		}
		for _, method := range methods {
			got := s.do(method, at, "{}", "X-Roles: admin").status
			if denied := got == 403; denied == slices.Contains(unruled(), path) {
				t.Errorf("%s %s: %d", method, path, got)
			}
		}
	}
}

// Nobody shares more than they may do themselves: grants are used without the
// roles by which these rules refuse.
func TestSharingIsNoWayAroundThePolicy(t *testing.T) {
	s := newServer(t, openMemory, signing, withPolicy(`
messages:create: "not role:reader"
claims:delete: "not role:reader"
subscription:confirm: "not role:reader"
`))
	for _, c := range []struct {
		body           string
		reader, others int
	}{
		{`{}`, 200, 200},
		{`{"methods": ["GET", "DELETE"]}`, 200, 200},
		{`{"methods": ["GET", "POST"]}`, 403, 200},
		{`{"methods": ["DELETE"], "paths": ["messages", "claims"]}`, 403, 200},
		{`{"methods": ["PATCH"], "paths": ["claims"]}`, 200, 200},
		{`{"methods": ["PUT"], "paths": ["subscriptions"]}`, 403, 200},
		{`{"methods": ["PUT"]}`, 200, 200},
		{`{"methods": ["post"]}`, 200, 200}, // no method of any request
		{`{"methods": 1}`, 400, 400},
	} {
		for role, want := range map[string]int{"reader": c.reader, "member": c.others} {
			if got := s.post("/v2/queues/q/share", c.body, "X-Roles: "+role).status; got != want {
				t.Errorf("%s shares %s: %d, want %d", role, c.body, got, want)
			}
		}
	}
}

// What is acted on is what the path names.
func TestTargetsOfPolicies(t *testing.T) {
	s := newServer(t, openMemory, adminMode, withPolicy(`
queues:get: "'mine':%(queue_name)s"
topics:get: "'mine':%(topic_name)s"
messages:get_all: "'mine':%(queue_name)s"
queues:get_all: "project_id:%(project_id)s and not 'mine':%(queue_name)s"
`))
	for _, c := range []struct {
		method, target string
		want           int
	}{
		{"GET", "/v2/queues/mine", 200}, {"GET", "/v2/queues/yours", 403}, {"GET", "/v2/topics/mine", 200}, {"GET", "/v2/topics/yours", 403},
		{"GET", "/v2/queues/mine/messages", 200}, {"GET", "/v2/topics/mine/messages", 403}, {"GET", "/v2/queues", 200},
	} {
		if got := s.do(c.method, c.target, "[]", "X-Roles: admin"); got.status != c.want {
			t.Errorf("%s %s: %d, want %d: %s", c.method, c.target, got.status, c.want, got.body)
		}
	}
}

// Who may not do something is told so before anything else that only those
// need to know who may (http-v2 §2.1).
func TestPolicyComesBeforeTheHandler(t *testing.T) {
	s := newServer(t, openMemory, withPolicy(denyAll()))
	for _, c := range []struct {
		method, target, body string
		headers              []string
		want                 int
	}{
		{"GET", "/v2/queues?limit=nonsense", "", nil, 403},
		{"PUT", "/v2/queues/q", "not JSON", nil, 403},
		{"PUT", "/v2/queues/q", strings.Repeat(" ", 1<<20), nil, 403},
		{"PATCH", "/v2/queues/q", "[]", []string{"Content-Type: text/plain"}, 403},
		{"POST", "/v2/queues/q/messages", "{}", nil, 403},
		{"POST", "/v2/queues/q/share", "", nil, 403},
		{"DELETE", "/v2/queues/q/messages", "", nil, 403},
		{"POST", "/v2/queues/q/messages", "{}", []string{"-Client-ID"}, 400},
		{"GET", "/v2/queues/not%20a%20name", "", nil, 400},
		{"GET", "/v2/queues", "", []string{"Accept: text/html"}, 406},
		{"POST", "/v2/queues/q", "{}", nil, 405},
		{"OPTIONS", "/v2/queues/q", "", nil, 200},
		{"GET", "/nope", "", nil, 404},
	} {
		if got := s.do(c.method, c.target, c.body, c.headers...); got.status != c.want {
			t.Errorf("%s %s %v: %d, want %d: %s", c.method, c.target, c.headers, got.status, c.want, got.body)
		}
	}
}
