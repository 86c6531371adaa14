package keystone

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
)

// redirectTo answers validations at any path and tells the path.
func redirectTo(f *fake, path chan<- string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/auth/tokens") {
			return false
		}
		path <- r.URL.Path
		f.validate(w, r)
		return true
	}
}

// TestTheQuestion looks at what Keystone is asked.
func TestTheQuestion(t *testing.T) {
	f := newFake(t)
	f.issue("tok-a", "p1", time.Hour)
	f.issue("tok-s", "service", time.Hour, "service")
	i, _ := f.identity()
	f.want(i, nil, "X-Auth-Token: tok-a", "X-Service-Token: tok-s")
	bare, _ := f.identity(func(c *Config) { c.Catalog = false })
	f.want(bare, nil, "X-Auth-Token: tok-a")
	if v, _ := f.asked(); v != 3 {
		t.Fatalf("%d validations", v)
	}
	for n, want := range []struct{ token, query string }{{"tok-s", ""}, {"tok-a", "allow_expired=1"}, {"tok-a", "nocatalog=1"}} {
		r := f.validations[n]
		if r.Header.Get("X-Subject-Token") != want.token || r.URL.RawQuery != want.query ||
			r.Header.Get("OpenStack-Identity-Access-Rules") != "1" || !strings.HasPrefix(r.Header.Get("X-Auth-Token"), "own-") {
			t.Errorf("question %d: %s %v", n, r.URL, r.Header)
		}
	}
}

func TestServiceTokens(t *testing.T) {
	f := newFake(t)
	f.issue("tok-user", "p1", time.Hour)
	f.issue("tok-old", "p1", -time.Hour)
	f.issue("tok-service", "service", time.Hour, "Other", "service")
	f.issue("tok-member", "p1", time.Hour, "member", "SERVICE")
	f.issue("tok-old-service", "service", -time.Hour, "service")
	lax := func(c *Config) { c.ServiceRolesRequired = false }
	for _, c := range []struct {
		user, service string
		change        func(*Config)
		kind          error
	}{
		{"tok-user", "tok-service", nil, nil},
		{"tok-user", "tok-member", nil, messaging.Unauthenticated},
		{"tok-user", "tok-member", lax, nil},
		{"tok-user", "tok-guess", nil, messaging.Unauthenticated},
		{"tok-user", "tok-guess", lax, messaging.Unauthenticated},
		{"tok-user", "tok-old-service", lax, messaging.Unauthenticated},
		{"tok-user", "", nil, nil},
		{"tok-old", "tok-service", nil, nil},
		{"tok-old", "tok-member", lax, messaging.Unauthenticated},
		{"tok-old", "", nil, messaging.Unauthenticated},
		{"tok-guess", "tok-service", nil, messaging.Unauthenticated},
		{"", "tok-service", nil, messaging.Unauthenticated},
	} {
		t.Run(c.user+"+"+c.service, func(t *testing.T) {
			i, _ := f.identity(func(k *Config) {
				if c.change != nil {
					c.change(k)
				}
			})
			for range 2 {
				who := f.want(i, c.kind, "X-Auth-Token: "+c.user, "X-Service-Token: "+c.service)
				if c.kind == nil && who.Project != "p1" {
					t.Errorf("project %q", who.Project)
				}
			}
		})
	}
}

// TestExpiredTokensPassForServicesAlone caches one for a service and then
// brings it without one.
func TestExpiredTokensPassForServicesAlone(t *testing.T) {
	f := newFake(t)
	f.issue("tok-old", "p1", -time.Hour)
	f.issue("tok-service", "service", time.Hour, "service")
	i, _ := f.identity()
	f.want(i, messaging.Unauthenticated, "X-Auth-Token: tok-old")
	f.want(i, nil, "X-Auth-Token: tok-old", "X-Service-Token: tok-service")
	f.want(i, messaging.Unauthenticated, "X-Auth-Token: tok-old")
	f.want(i, nil, "X-Auth-Token: tok-old", "X-Service-Token: tok-service")
	f.wantAsked(3, 1)
}

func TestAccessRules(t *testing.T) {
	f := newFake(t)
	token := f.issue("tok-limited", "p1", time.Hour)
	token["application_credential"] = object{"id": "c", "access_rules": []any{
		object{"id": "1", "service": "messaging", "method": "GET", "path": "/v2/queues"},
		object{"id": "2", "service": "messaging", "method": "POST", "path": "/v2/queues/{queue}/messages"},
		object{"id": "3", "service": "messaging", "method": "GET", "path": "/v2/queues/open/**"},
		object{"id": "4", "service": "compute", "method": "DELETE", "path": "/v2/queues"},
	}}
	token["catalog"] = []any{object{"type": "messaging", "endpoints": []any{}}}
	elsewhere := f.issue("tok-elsewhere", "p1", time.Hour)
	elsewhere["application_credential"], elsewhere["catalog"] = token["application_credential"], []any{object{"type": "compute"}}
	shut := f.issue("tok-shut", "p1", time.Hour)
	shut["application_credential"], shut["catalog"] = object{"id": "c", "access_rules": []any{}}, token["catalog"]
	free := f.issue("tok-free", "p1", time.Hour)
	free["application_credential"] = object{"id": "c"}
	f.issue("tok-service", "service", time.Hour, "service")

	i, _ := f.identity(func(c *Config) { c.ServiceType = "messaging" })
	untyped, _ := f.identity()
	for _, c := range []struct {
		i                   *Identity
		token, method, path string
		passes, chained     bool
	}{
		{i, "tok-limited", "GET", "/v2/queues", true, false},
		{i, "tok-limited", "GET", "/v2/queues?limit=1", true, false},
		{i, "tok-limited", "POST", "/v2/queues", false, false},
		{i, "tok-limited", "DELETE", "/v2/queues", false, false},
		{i, "tok-limited", "POST", "/v2/queues/q/messages", true, false},
		{i, "tok-limited", "POST", "/v2/queues/q%2Fr/messages", false, false},
		{i, "tok-limited", "POST", "/v2/queues//messages", false, false},
		{i, "tok-limited", "GET", "/v2/queues/q/messages", false, false},
		{i, "tok-limited", "GET", "/v2/queues/open/messages/1", true, false},
		{i, "tok-limited", "GET", "/v2/queues/open/../shut/messages", false, false},
		{i, "tok-limited", "GET", "/v2/queues/open/%2e%2e/shut/messages", false, false},
		{i, "tok-limited", "GET", "/v2/queues/open%2Fmessages", false, false},
		{i, "tok-limited", "DELETE", "/v2/queues/q", true, true}, // a chain of requests
		{i, "tok-elsewhere", "GET", "/v2/queues", false, false},
		{i, "tok-elsewhere", "GET", "/v2/queues", false, true},
		{i, "tok-shut", "GET", "/v2/queues", false, false},
		{i, "tok-free", "DELETE", "/v2/queues/q", true, false},
		{untyped, "tok-limited", "GET", "/v2/queues", false, false},
		{untyped, "tok-limited", "GET", "/v2/queues", false, true},
		{untyped, "tok-free", "DELETE", "/v2/queues/q", true, false},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Header.Set("X-Auth-Token", c.token)
		if c.chained {
			r.Header.Set("X-Service-Token", "tok-service")
		}
		_, err := c.i.Identify(t.Context(), r)
		if passes := err == nil; passes != c.passes {
			t.Errorf("%s %s %s (chained %t): passes %t, want %t", c.token, c.method, c.path, c.chained, passes, c.passes)
		}
		if !c.passes {
			wantKind(t, err, messaging.Unauthenticated)
		}
	}
}

// TestAccessRulesBehindAPrefix has a proxy that takes /messaging off.
func TestAccessRulesBehindAPrefix(t *testing.T) {
	f := newFake(t)
	token := f.issue("tok-limited", "p1", time.Hour)
	token["application_credential"] = object{"access_rules": []any{
		object{"service": "messaging", "method": "GET", "path": "/messaging/v2/queues"},
		object{"service": "messaging", "method": "GET", "path": "/v2/topics"},
	}}
	token["catalog"] = []any{object{"type": "messaging"}}
	for prefix, want := range map[string]map[string]bool{
		"":           {"/v2/queues": false, "/v2/topics": true, "/messaging/v2/queues": true},
		"/messaging": {"/v2/queues": true, "/v2/topics": true, "/v2/ping": false},
		"/other":     {"/v2/queues": false, "/v2/topics": true},
	} {
		i, _ := f.identity(func(c *Config) {
			c.ServiceType = "messaging"
			c.Prefix = func(*http.Request) string { return prefix }
		})
		for path, passes := range want {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("X-Auth-Token", "tok-limited")
			if _, err := i.Identify(t.Context(), r); (err == nil) != passes {
				t.Errorf("prefix %q, path %s: error %v", prefix, path, err)
			}
		}
	}
}

// TestNobodyIsTheirOwnService brings the token with access rules once more, as
// that of a service.
func TestNobodyIsTheirOwnService(t *testing.T) {
	f := newFake(t)
	token := f.issue("tok-limited", "p1", time.Hour, "member")
	token["application_credential"] = object{"access_rules": []any{object{"service": "messaging", "method": "GET", "path": "/v2/queues"}}}
	token["catalog"] = []any{object{"type": "messaging"}}
	i, _ := f.identity(func(c *Config) { c.ServiceType, c.ServiceRolesRequired = "messaging", false })
	for method, kind := range map[string]error{"GET": nil, "DELETE": messaging.Unauthenticated} {
		r := httptest.NewRequest(method, "/v2/queues", nil)
		r.Header.Set("X-Auth-Token", "tok-limited")
		r.Header.Set("X-Service-Token", "tok-limited")
		if _, err := i.Identify(t.Context(), r); !errors.Is(err, kind) {
			t.Errorf("%s: error %v, want %v", method, err, kind)
		}
	}
}

// Whoever has rules chooses their patterns as well as the path they are held
// against.
func TestRulesAreNotHeldAgainstEndlessPaths(t *testing.T) {
	l := limits{Services: []string{"messaging"}, Rules: []rule{{Service: "messaging", Method: "GET", Path: "**"}}}
	for n, want := range map[int]bool{256: true, 60_000: false} {
		if got := l.admit(httptest.NewRequest("GET", "/v2/quotas/"+strings.Repeat("x", n), nil), "", "messaging", false); got != want {
			t.Errorf("a path of %d bytes: %t", n, got)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"", "", true},
		{"", "/", false},
		{"/v2", "/v2", true},
		{"/v2", "/v2/", false},
		{"/v2", "/v", false},
		{"/v2/*", "/v2/q", true},
		{"/v2/*", "/v2/", false},
		{"/v2/*", "/v2/q/r", false},
		{"/v2/*/stats", "/v2/q/stats", true},
		{"/v2/{name}/stats", "/v2/q/stats", true},
		{"/v2/{name}/stats", "/v2/q/r/stats", false},
		{"/v2/{name", "/v2/{name", true},
		{"/v2/{}", "/v2/q", true},
		{"/v2/pre-*", "/v2/pre-q", true},
		{"/v2/**", "/v2/", true},
		{"/v2/**", "/v2/q/r", true},
		{"/v2/**", "/v2", false},
		{"**", "/anything", true},
		{"/v2/**/stats", "/v2/a/b/stats", true},
		{"/v2/.", "/v2/q", false},
		{"/v2/a+", "/v2/aa", false},
		{"/v2/*", "/v2/é", true},
		{"/é", "/é", true},
		{"/**s", "/é/s", true},
		{strings.Repeat("*", 100), strings.Repeat("a", 1000) + "/", true},
		{strings.Repeat("*a", 100), strings.Repeat("a", 1000) + "/", false},
	} {
		if got := matches(c.pattern, c.path); got != c.want {
			t.Errorf("%q matches %q: %t", c.pattern, c.path, got)
		}
	}
}

// FuzzRead reads what a Keystone might answer.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"token":{"user":{"id":"u","domain":{"id":"d"}},"project":{"id":"p"},"roles":[{"name":"r"}],"expires_at":"2031-05-04T10:00:00.000000Z",` +
		`"catalog":[{"type":"identity","endpoints":[{"interface":"internal","url":"http://k"}]}],"application_credential":{"access_rules":[{"path":"/**"}]}}}`))
	f.Add([]byte(`{"token":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := read(body)
		if err != nil {
			return
		}
		if who := d.caller(); who.User == "" {
			t.Error("a caller without user")
		}
		if l := d.limits(); l != nil {
			l.admit(httptest.NewRequest("GET", "/v2/queues", nil), "", "messaging", false)
		}
		if e := d.endpoint("internal", ""); e != "" && !strings.HasSuffix(e, "/v3") {
			t.Errorf("endpoint %q", e)
		}
	})
}

// FuzzMatches compares with patterns taken literally.
func FuzzMatches(f *testing.F) {
	f.Add("/v2/{q}/**", "/v2/a/b")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(pattern) > 200 || len(path) > 1000 {
			return
		}
		got := matches(pattern, path)
		if !strings.ContainsAny(pattern, "*{") && got != (pattern == path) {
			t.Errorf("%q matches %q: %t", pattern, path, got)
		}
	})
}
