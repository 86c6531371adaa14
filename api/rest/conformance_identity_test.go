package rest_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/auth/keystone"
)

// withKeystone makes a server know its callers by tokens of a Keystone that
// knows two: token-member, of the project, and token-unscoped.
func withKeystone(t *testing.T) func(*setup) {
	t.Helper()
	const user = `{"token":{"user":{"id":"u"},"expires_at":"2999-01-01T00:00:00Z"%s}}`
	identity := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("X-Subject-Token")
		switch {
		case r.Method == http.MethodPost:
			w.Header().Set("X-Subject-Token", "own")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, user, "")
		case token == "token-member":
			fmt.Fprintf(w, user, `,"project":{"id":"`+project+`"},"roles":[{"name":"member"}]`)
		case token == "token-unscoped":
			fmt.Fprintf(w, user, "")
		case token == "token-unlucky":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(identity.Close)
	c := keystone.Defaults()
	c.AuthURL, c.Public = identity.URL+"/v3", "http://keystone.example/v3"
	c.Login = keystone.Login{UserID: "zaqar", Password: "secret"}
	i, err := keystone.New(c, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return func(set *setup) { set.rest.Identity, set.rest.Challenge = i, c.Challenge() }
}

// wantUnauthenticated fails the test unless the reply is a 401 as clients of
// Keystone know it (http-v2 §2.2).
func (r *reply) wantUnauthenticated() {
	r.t.Helper()
	r.want(401)
	if got, want := r.header.Get("WWW-Authenticate"), `Keystone uri="http://keystone.example/v3"`; got != want {
		r.t.Errorf("%s: WWW-Authenticate %q, want %q", r.what, got, want)
	}
}

// forgeries are headers with which a caller might try to pass without a token.
func forgeries() [][]string {
	identity := []string{"X-Project-ID: " + project, "X-Roles: admin", "X-User-Id: root", "X-Identity-Status: Confirmed"}
	all := [][]string{nil, {"X-Auth-Token:"}, {"X-Auth-Token: guess"}}
	for _, signature := range []string{"", " ", "\t"} {
		all = append(all, []string{"URL-Signature: " + signature})
	}
	for _, spec := range []string{"", " ", ":", ":1", "messagecode", "messagecode:123", "nosuchtask:1"} {
		all = append(all, []string{"EXTRA-SPEC: " + spec}, []string{"EXTRA-SPEC: " + spec, "URL-Signature:"})
	}
	for i := range all {
		all[i] = slices.Concat(all[i], identity)
	}
	return all
}

func identityStatements() []statement {
	paths := []string{"/v2/", "/v2/ping", "/v2/health", "/v2/queues", "/v2/queues/q", "/v2/queues/q/messages", "/v2/topics",
		"/v2/queues/", "/v2/nope", "/v2", "/nope", "//v2/queues", "/%2f"}
	refused := func(s *server, marked string) {
		keystoned := s.another(withKeystone(s.t))
		for _, headers := range forgeries() {
			if !strings.Contains(strings.Join(headers, "\n"), marked) {
				continue
			}
			for _, path := range paths {
				keystoned.get(path, headers...).wantUnauthenticated()
				keystoned.get(path, append(headers, "-Client-ID")...).wantUnauthenticated()
			}
			keystoned.put("/v2/queues/forged", "", headers...).wantUnauthenticated()
		}
		if keystoned.exists("forged") {
			s.t.Error("a request without a token made a queue")
		}
	}
	return []statement{
		{24, "no_token", func(s *server) {
			refused(s, "")
			keystoned := s.another(withKeystone(s.t))
			keystoned.get("/", "-Client-ID", "-X-Project-ID").want(300)
			keystoned.get("/v2/queues", "X-Auth-Token: token-member").want(200)
			keystoned.get("/nope", "X-Auth-Token: token-member").want(404)
		}, nil},
		{25, "empty_url_signature", func(s *server) { refused(s, "URL-Signature") }, nil},
		{26, "extra_spec_without_token", func(s *server) { refused(s, "EXTRA-SPEC") }, nil},
	}
}

// TestKeystoneDecidesTheProject has clients that say something else.
func TestKeystoneDecidesTheProject(t *testing.T) {
	s := newServer(t, openMemory, withKeystone(t))
	s.put("/v2/queues/mine", "", "X-Auth-Token: token-member", "X-Project-ID: other", "X-Roles: admin").want(201)
	if !s.exists("mine") {
		t.Error("the queue is not in the token's project")
	}
	s.get("/v2/queues", "X-Auth-Token: token-unscoped", "X-Project-ID: "+project).want(400)
	s.get("/v2/queues", "X-Auth-Token: token-unlucky").want(503)
	if got := s.get("/v2/queues", "X-Auth-Token: token-unlucky").header.Get("WWW-Authenticate"); got != "" {
		t.Errorf("a 503 has WWW-Authenticate %q", got)
	}
}
