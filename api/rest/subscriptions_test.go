package rest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/filter"
)

// Bodies that nobody sends by mistake: each is refused for its form, and makes
// nothing.
func TestHostileSubscriptions(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	bodies := map[string]string{
		"a subscriber of 1 MiB":        `{"subscriber": "http://` + strings.Repeat("x", 1<<20) + `"}`,
		"a subscriber of 5 KiB":        `{"subscriber": "http://` + strings.Repeat("x", 5<<10) + `"}`,
		"options of 1 MiB":             `{"subscriber": "http://x", "options": {"a": "` + strings.Repeat("x", 1<<20) + `"}}`,
		"deep options":                 `{"subscriber": "http://x", "options": ` + deep(300) + `}`,
		"a document that is deep":      deep(100_00),
		"a huge number":                `{"subscriber": "http://x", "ttl": 1` + strings.Repeat("0", 5000) + `}`,
		"a huge number in the options": `{"subscriber": "http://x", "options": {"a": 1` + strings.Repeat("0", 500) + `}}`,
		"NUL in the subscriber":        `{"subscriber": "http://x` + "\\u0000" + `"}`,
		"a raw NUL":                    "{\"subscriber\": \"http://x\x00\"}",
		"a line feed":                  `{"subscriber": "http://x\r\nHost: y"}`,
		"no UTF-8":                     "{\"subscriber\": \"http://\xc3\x28\"}",
		"half a surrogate":             `{"subscriber": "http://\ud800"}`,
		"text behind it":               `{"subscriber": "http://x"} {}`,
		"NaN":                          `{"subscriber": "http://x", "ttl": NaN}`,
		"a header that is two":         `{"subscriber": "http://x", "options": {"post_headers": {"A": "b\r\nC: d"}}}`,
		"UTF-16":                       "\xff\xfe{\x00}\x00",
	}
	s := newServer(t, openMemory)
	for name, body := range bodies {
		s.post("/v2/queues/q/subscriptions", body).want(400)
		s.post("/v2/queues/q/subscriptions", body, "Content-Type: text/plain").want(400)
		if s.exists("q") {
			t.Fatalf("%s has made the queue", name)
		}
	}
	one := "/v2/queues/q/subscriptions/" + s.subscribe("/v2/queues/q", hook)
	before := s.get(one).body
	for _, body := range bodies {
		s.do("PATCH", one, body).want(400)
		s.put(one+"/confirm", body).want(400)
		s.post(one+"/replay", body).want(400)
	}
	equal(t, "the subscription", string(s.get(one).body), string(before))
	for _, id := range []string{"%00", "%2e%2e", "..", "x%2Fy", strings.Repeat("x", 5000), "%ff", "*", "'", "%25"} {
		at := "/v2/queues/q/subscriptions/" + id
		s.get(at).want(404)
		s.delete(at).want(204)
		s.put(at+"/confirm", confirmed).want(404)
		s.do("PATCH", at, `{"ttl": 60}`).want(404)
		s.get(at + "/secret").want(404)
	}
	// Of members with one name the last counts, whatever the ones before are.
	id := s.subscribe("/v2/queues/q", `{"subscriber": "http://a", "options": {"x": 1, "y": {"z": 1, "z": 2}, "x": 2}, "subscriber": "http://b"}`)
	r := s.get("/v2/queues/q/subscriptions/" + id)
	equal(t, "subscriber", r.str("subscriber"), "http://b")
	if !strings.Contains(string(r.body), `"options":{"x":2,"y":{"z": 1, "z": 2}}`) {
		t.Errorf("options: %s", r.body)
	}
}

// Changes of subscriptions are in the audit log, and so is the look at their
// keys; other reads are not.
func TestSubscriptionsAreAudited(t *testing.T) {
	s, do := audited(t)
	const at = "/v2/queues/q/subscriptions"
	if r := do("POST", at, hook); r["action"] != "queues:create" || r["by"] != "subscription:create" {
		t.Errorf("creating a queue by subscribing: %v", r)
	}
	q := messaging.QueueRef{Project: project, Name: "q"}
	list, err := s.data.Subscriptions(t.Context(), q, "", 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	one := at + "/" + string(list[0].ID)
	for _, c := range []struct{ method, path, body, action, outcome string }{
		{"GET", at, "", "", ""},
		{"GET", one, "", "", ""},
		{"GET", one + "/deliveries", "", "", ""},
		{"POST", at, `{"subscriber": "http://y"}`, "subscription:create", "success"},
		{"POST", at, `{"subscriber": "ftp://y"}`, "subscription:create", "failure"},
		{"PATCH", one, `{"ttl": 600}`, "subscription:update", "success"},
		{"PUT", one + "/confirm", confirmed, "subscription:confirm", "success"},
		{"GET", one + "/secret", "", "subscription:secret", "success"},
		{"POST", one + "/secret", "", "subscription:secret", "success"},
		{"POST", one + "/replay", `{"what": "all"}`, "subscription:replay", "failure"}, // nobody delivers
		{"DELETE", one, "", "subscription:delete", "success"},
	} {
		r := do(c.method, c.path, c.body)
		if c.action == "" {
			if r != nil {
				t.Errorf("%s %s is audited: %v", c.method, c.path, r)
			}
			continue
		}
		if r["action"] != c.action || r["outcome"] != c.outcome || r["queue"] != "q" {
			t.Errorf("%s %s: %v", c.method, c.path, r)
		}
		if strings.HasPrefix(c.path, one) && r["subscription_id"] != string(list[0].ID) {
			t.Errorf("%s %s names no subscription: %v", c.method, c.path, r)
		}
	}
}

// TestFilterPolicySizes has the largest filter policy that there may be, which a
// request can bring.
func TestFilterPolicySizes(t *testing.T) {
	s := newServer(t, openMemory)
	policy := func(size int) string {
		text := `{"a": [""]}`
		return strings.Replace(text, `""`, `"`+strings.Repeat("x", size-len(text))+`"`, 1)
	}
	subscribe := func(size int) *reply {
		return s.post("/v2/queues/q/subscriptions", fmt.Sprintf(`{"subscriber": "http://hook.example/%d", "options": {"filter_policy": %s}}`, size, policy(size)))
	}
	subscribe(filter.MaxSize).want(201)
	if r := subscribe(filter.MaxSize + 1).want(400); !strings.Contains(string(r.body), "options.filter_policy must have at most 61440 bytes, not 61441.") {
		t.Errorf("%s", r.body)
	}
}

// TestTooManyConfirmations tells clients to slow down.
func TestTooManyConfirmations(t *testing.T) {
	n := &notices{full: &messaging.Error{Kind: messaging.Exceeded, What: "Enough.", After: 90 * time.Second}}
	s := newServer(t, openMemory, confirming(n))
	s.post("/v2/queues/q/subscriptions", hook).want(429).wantHeader("Retry-After", "90")
	equal(t, "subscriptions", s.get("/v2/queues/q/subscriptions").count("subscriptions"), 0)
}
