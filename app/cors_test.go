package app

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// crossOrigin are the headers of a reply that matter to other origins.
func crossOrigin(h http.Header) map[string]string {
	found := map[string]string{}
	for name := range h {
		if short, ok := strings.CutPrefix(name, "Access-Control-"); ok {
			found[short] = strings.Join(h[name], " | ")
		}
	}
	return found
}

// TestCrossOrigin has the cases of operations §7.1, and what attackers try.
func TestCrossOrigin(t *testing.T) {
	const a, b = "https://a.example.org", "https://b.example.org:8443"
	listed := Defaults().CORS
	listed.Origins = []string{a, b}
	anyone, bare := listed, listed
	anyone.Origins = []string{"*"}
	bare.Credentials, bare.MaxAge, bare.Exposed = false, 0, nil

	type headers = map[string]string
	exposed := "X-Auth-Token, X-Subject-Token, X-Service-Token, X-Openstack-Request-Id"
	read := func(origin string) headers {
		return headers{"Allow-Origin": origin, "Allow-Credentials": "true", "Expose-Headers": exposed}
	}
	may := func(origin, method string) headers {
		return headers{"Allow-Origin": origin, "Allow-Credentials": "true", "Allow-Methods": method, "Max-Age": "3600"}
	}
	for _, c := range []struct {
		name    string
		cors    CORS
		method  string
		headers []string // name, value, ...
		want    headers
	}{
		{"a listed origin", listed, "GET", []string{"Origin", a}, read(a)},
		{"another listed origin, with a port", listed, "POST", []string{"Origin", b}, read(b)},
		{"without a port", listed, "GET", []string{"Origin", "https://b.example.org"}, nil},
		{"another scheme", listed, "GET", []string{"Origin", "http://a.example.org"}, nil},
		{"a listed origin in front", listed, "GET", []string{"Origin", a + ".evil.example"}, nil},
		{"a listed origin behind", listed, "GET", []string{"Origin", "https://evil.example/" + a}, nil},
		{"a path", listed, "GET", []string{"Origin", a + "/"}, nil},
		{"no scheme", listed, "GET", []string{"Origin", "a.example.org"}, nil},
		{"null", listed, "GET", []string{"Origin", "null"}, nil},
		{"empty", listed, "GET", []string{"Origin", ""}, nil},
		{"a star", listed, "GET", []string{"Origin", "*"}, nil},
		{"a list", listed, "GET", []string{"Origin", a + ", https://evil.example"}, nil},
		{"no origin", listed, "GET", nil, nil},

		{"any origin is a star, which gives no credentials away", anyone, "GET", []string{"Origin", "https://evil.example"}, read("*")},
		{"null where all are allowed", anyone, "GET", []string{"Origin", "null"}, read("*")},

		{"a preflight", listed, "OPTIONS", []string{"Origin", a, "Access-Control-Request-Method", "PATCH"}, may(a, "PATCH")},
		{"a preflight of anybody", anyone, "OPTIONS", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET"}, may("*", "GET")},
		{"a preflight of another origin", listed, "OPTIONS", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET"}, nil},
		{"a preflight of null", listed, "OPTIONS", []string{"Origin", "null", "Access-Control-Request-Method", "GET"}, nil},
		{"a preflight without origin", listed, "OPTIONS", []string{"Access-Control-Request-Method", "GET"}, nil},
		{"a preflight for another method", listed, "OPTIONS", []string{"Origin", a, "Access-Control-Request-Method", "TRACE"}, nil},
		{"a preflight for a method in other letters", listed, "OPTIONS", []string{"Origin", a, "Access-Control-Request-Method", "patch"}, nil},
		{"a preflight for another header", listed, "OPTIONS", []string{"Origin", a, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "client-id,x-evil"}, nil},
		{"a preflight for a very long list", listed, "OPTIONS", []string{"Origin", a, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", strings.Repeat("client-id,", 5000)}, nil},
		{"a preflight for very many empty names", listed, "OPTIONS", []string{"Origin", a, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", strings.Repeat(",", 60_000)}, nil},
		{"a preflight from a public site to a private network", listed, "OPTIONS", []string{"Origin", a, "Access-Control-Request-Method", "GET", "Access-Control-Request-Private-Network", "true"}, may(a, "GET")},
		{"a preflight with little configured", bare, "OPTIONS", []string{"Origin", a, "Access-Control-Request-Method", "GET"}, headers{"Allow-Origin": a, "Allow-Methods": "GET"}},
		{"a request with little configured", bare, "GET", []string{"Origin", a}, headers{"Allow-Origin": a}},
		{"OPTIONS that is no preflight", listed, "OPTIONS", []string{"Origin", a}, read(a)},
	} {
		t.Run(c.name, func(t *testing.T) {
			reached := false
			h := c.cors.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
			w, r := httptest.NewRecorder(), httptest.NewRequest(c.method, "/v2/queues", nil)
			for i := 0; i < len(c.headers); i += 2 {
				r.Header.Add(c.headers[i], c.headers[i+1])
			}
			h.ServeHTTP(w, r)
			if c.want == nil {
				c.want = headers{}
			}
			if got := crossOrigin(w.Header()); !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			preflight := c.method == "OPTIONS" && r.Header["Access-Control-Request-Method"] != nil
			if reached == preflight || w.Code != 200 {
				t.Errorf("reached the API: %v, status %d", reached, w.Code)
			}
			if !strings.Contains(strings.Join(w.Header()["Vary"], ","), "Origin") {
				t.Errorf("Vary: %q; a cache would give this to other origins", w.Header()["Vary"])
			}
			if preflight && !strings.HasPrefix(w.Header().Get("X-OpenStack-Request-ID"), "req-") {
				t.Error("a preflight has no id")
			}
		})
	}
}

// TestPreflightHeaders asks for each header that the API knows, one by one and
// all together.
func TestPreflightHeaders(t *testing.T) {
	c := Defaults().CORS
	c.Origins = []string{"https://a.example.org"}
	h := c.wrap(http.NotFoundHandler())
	var names []string
	for _, n := range slices.Concat(c.Headers, simpleHeaders()) {
		names = append(names, strings.ToLower(n))
	}
	slices.Sort(names) // as browsers do
	for _, ask := range append(names, strings.Join(names, ",")) {
		w, r := httptest.NewRecorder(), httptest.NewRequest("OPTIONS", "/v2/queues", nil)
		r.Header.Set("Origin", "https://a.example.org")
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", ask)
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Access-Control-Allow-Headers"); got != ask {
			t.Errorf("asked for %q, may send %q", ask, got)
		}
	}
}
