package rest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"zaqar/auth/signed"
)

// signing gives the server the key of the test vector.
func signing(set *setup) { set.rest.Signatures = signed.NewKeys("secret") }

// Statements 120-135: sharing queues, and requests with signatures.
func shareStatements() []statement {
	return []statement{
		{120, "share_by_default", func(s *server) {
			r := s.post("/v2/queues/q/share", "{}").want(200)
			equal(s.t, "paths", r.strs("paths"), []string{"/v2/queues/q/messages"})
			equal(s.t, "methods", r.strs("methods"), []string{"GET"})
			equal(s.t, "expires", r.str("expires"), "2031-05-05T10:00:00")
			equal(s.t, "project", r.str("project"), project)
			equal(s.t, "null counts as absent", s.post("/v2/queues/q/share", `{"paths": null, "methods": [], "expires": null}`).want(200).body, r.body)
			equal(s.t, "the queue exists", s.exists("q"), false)
		}, signing},
		{121, "share_refuses", func(s *server) {
			for _, body := range []string{"", `{"queue": "q"}`, `{"paths": ["stats"]}`, `{"paths": ["Messages"]}`, `{"methods": "GET"}`, `{"paths": "messages"}`} {
				s.post("/v2/queues/q/share", body).want(400)
			}
		}, signing},
		{122, "share_takes_lists_of_strings", func(s *server) {
			for _, body := range []string{`[]`, `[{"paths": []}]`, `{"methods": [1]}`, `{"paths": [["messages"]]}`, `{"methods": [null]}`, `{"methods": ["GET,DELETE"]}`, `{"methods": [""]}`} {
				s.post("/v2/queues/q/share", body).want(400)
			}
		}, signing},
		{123, "share_sorts", func(s *server) {
			r := s.post("/v2/queues/q/share", `{"paths": ["subscriptions", "messages", "claims"], "methods": ["POST", "get", "DELETE"]}`).want(200)
			equal(s.t, "paths", r.strs("paths"), []string{"/v2/queues/q/claims", "/v2/queues/q/messages", "/v2/queues/q/subscriptions"})
			equal(s.t, "methods", r.strs("methods"), []string{"DELETE", "POST", "get"})
		}, signing},
		{124, "share_expires_in_many_spellings", func(s *server) {
			for text, want := range map[string]string{
				"2036-01-01T00:00:00Z": "2036-01-01T00:00:00", "2036-01-01T02:00:00+02:00": "2036-01-01T00:00:00",
				"2036-01-01T00:00:00.999999": "2036-01-01T00:00:00", "2036-01-01": "2036-01-01T00:00:00",
			} {
				equal(s.t, text, s.post("/v2/queues/q/share", `{"expires": "`+text+`"}`).want(200).str("expires"), want)
			}
		}, signing},
		{125, "share_expires_in_the_future", func(s *server) {
			for _, expires := range []string{`"2031-05-04T10:00:00"`, `"1999-01-01"`, `"wrong"`, `2036`, `"2036"`, `""`} {
				s.post("/v2/queues/q/share", `{"expires": `+expires+`}`).want(400)
			}
			s.post("/v2/queues/q/share", `{"expires": "2031-05-04T10:00:01"}`).want(200)
		}, signing},
		{126, "signature_of_the_test_vector", func(s *server) {
			r := s.post("/v2/queues/sq/share", `{"methods": ["GET", "POST"], "expires": "2036-01-01T00:00:00"}`).want(200)
			equal(s.t, "signature", r.str("signature"), "3e17855ededc713e1a9f0c440df2534e6a08a8adedcfbb5dc352589623db6408")
		}, signing},
		{127, "nothing_is_signed_without_a_key", func(s *server) {
			s.post("/v2/queues/q/share", "{}").want(400)
			grant := s.another(signing).post("/v2/queues/q/share", "{}").want(200)
			s.withGrant(grant, "GET", "/v2/queues/q/messages").want(404)
		}, nil},
		{128, "signed_requests", signedRequests, signing},
		{129, "signed_methods", func(s *server) {
			grant := s.shared("q", `{"methods": ["GET"]}`)
			s.withGrant(grant, "POST", "/v2/queues/q/messages").want(404)
			s.withGrant(grant, "DELETE", "/v2/queues/q/messages?pop=1").want(404)
			s.withGrant(grant, "OPTIONS", "/v2/queues/q/messages").want(404)
			for _, methods := range []string{"URL-Methods: GET,POST", "URL-Methods: get", "URL-Methods:", "-URL-Methods", "URL-Methods: GET, POST"} {
				s.withGrant(grant, "GET", "/v2/queues/q/messages", methods).want(404)
			}
		}, signing},
		{130, "signed_paths", func(s *server) {
			id := s.posted("q", "1")[0]
			grant := s.shared("q", "{}")
			s.withGrant(grant, "GET", "/v2/queues/q/messages/"+id).want(200)
			for _, path := range []string{"/", "/v2/", "/v2/ping", "/openapi.yaml", "/nope", "/v2/queues", "/v2/queues/q", "/v2/queues/q/claims", "/v2/queues/q/stats",
				"/v2/queues/q2/messages", "/v2/queues/Q/messages", "/v2/queues/q/messages/", "/v2/queues/q/messages/" + id + "/..",
				"/v2/queues/q/messages/%2e%2e", "/v2/queues/%71/messages", "/v2/queues/q%2Fmessages", "/v2/topics/q/messages"} {
				s.withGrant(grant, "GET", path).want(404)
			}
		}, signing},
		{131, "altered_grants", func(s *server) {
			grant := s.shared("q", "{}")
			for _, header := range []string{
				"URL-Expires: 2031-05-05T10:00:01", "-URL-Expires", "URL-Expires:", "URL-Expires: soon",
				"URL-Paths: /v2/queues/p/messages", "URL-Paths: /v2/queues/q/messages,/v2/queues/p/messages", "-URL-Paths", "URL-Paths: /v2/queues/q",
				"X-Project-ID: other", "-X-Project-ID", "X-Project-ID:",
				"URL-Signature: " + strings.ToUpper(grant.str("signature")), "URL-Signature: x", "URL-Signature: " + grant.str("signature")[:63],
			} {
				s.withGrant(grant, "GET", "/v2/queues/q/messages", header).want(404)
			}
			s.advance(24*3600 - 1)
			s.withGrant(grant, "GET", "/v2/queues/q/messages").want(200)
			s.advance(1)
			s.withGrant(grant, "GET", "/v2/queues/q/messages").want(404)
		}, signing},
		{132, "signed_instants_in_other_spellings", func(s *server) {
			grant := s.shared("q", `{"expires": "2036-01-01"}`)
			for _, expires := range []string{"2036-01-01T00:00:00", "2036-01-01T00:00:00Z", "2036-01-01T01:30:00+01:30", "2036-01-01", "20360101T000000"} {
				s.withGrant(grant, "GET", "/v2/queues/q/messages", "URL-Expires: "+expires).want(200)
			}
		}, signing},
		{133, "signature_is_checked_before_headers", func(s *server) {
			grant := s.shared("q", "{}")
			s.withGrant(grant, "GET", "/v2/queues/q/messages", "-Client-ID").want(400)
			s.withGrant(grant, "GET", "/v2/queues/q/messages", "Accept: text/html").want(406)
			s.withGrant(grant, "GET", "/v2/queues/q/messages", "URL-Signature: x", "Accept: text/html", "-Client-ID").want(404)
		}, signing},
		{134, "names_are_no_patterns_in_grants", func(s *server) {
			grant := s.shared("a.b", "{}")
			s.withGrant(grant, "GET", "/v2/queues/a.b/messages").want(200)
			s.withGrant(grant, "GET", "/v2/queues/axb/messages").want(404)
		}, signing},
		{135, "signed_callers_have_no_roles", signedCallersHaveNoRoles, signing},
	}
}

func TestShareLimit(t *testing.T) {
	limited := func(limit time.Duration) *server {
		return newServer(t, openMemory, signing, func(set *setup) { set.rest.ShareLimit = limit })
	}
	s := limited(time.Hour)
	equal(t, "by default", s.post("/v2/queues/q/share", "{}").want(200).str("expires"), "2031-05-04T11:00:00")
	s.post("/v2/queues/q/share", `{"expires": "2031-05-04T11:00:00"}`).want(200)
	s.post("/v2/queues/q/share", `{"expires": "2031-05-04T11:00:01"}`).want(400)
	s = limited(48 * time.Hour)
	equal(t, "by default", s.post("/v2/queues/q/share", "{}").want(200).str("expires"), "2031-05-05T10:00:00")
}

// shared shares a queue and returns the reply.
func (s *server) shared(queue, body string) *reply {
	s.t.Helper()
	return s.post("/v2/queues/"+queue+"/share", body).want(200)
}

// withGrant sends a request with what sharing gave, and headers that change it.
func (s *server) withGrant(grant *reply, method, target string, headers ...string) *reply {
	s.t.Helper()
	return s.do(method, target, "", append([]string{
		"URL-Signature: " + grant.str("signature"), "URL-Expires: " + grant.str("expires"),
		"URL-Methods: " + strings.Join(grant.strs("methods"), ","), "URL-Paths: " + strings.Join(grant.strs("paths"), ","),
	}, headers...)...)
}

func signedRequests(s *server) {
	s.posted("q", "1", "2")
	grant := s.shared("q", `{"methods": ["POST", "GET", "DELETE"], "paths": ["messages", "claims"]}`)
	for _, methods := range []string{"POST,GET,DELETE", "GET,POST,DELETE", "DELETE,GET,POST"} {
		page := s.withGrant(grant, "GET", "/v2/queues/q/messages?echo=true", "URL-Methods: "+methods).want(200)
		equal(s.t, "messages", page.bodies(), []string{"1", "2"})
	}
	s.withGrant(grant, "POST", "/v2/queues/q/claims").want(201)
	equal(s.t, "popped", s.withGrant(grant, "DELETE", "/v2/queues/q/messages?pop=1").want(200).count("messages"), 0)
}

// Nothing of what a signed request says about its caller is believed, and what
// asks for more than anybody is denied.
func signedCallersHaveNoRoles(s *server) {
	strict := s.another(signing, withPolicy("queues:get: role:admin\nmessages:get_all: role:admin or user_id:u\nmessages:create: 'not role:admin and user_id:None'\n"))
	grant := s.shared("q", `{"methods": ["GET", "POST"]}`) // when the policy was another
	forged := []string{"X-Roles: admin", "X-User-Id: u", "X-Auth-Token: t", "X-Is-Admin-Project: True"}
	strict.get("/v2/queues/q/messages", forged...).want(200)
	strict.withGrant(grant, "GET", "/v2/queues/q/messages", forged...).want(403)
	strict.withGrant(grant, "POST", "/v2/queues/q/messages", forged...).want(400) // as there is no body
	strict.get("/v2/queues/q", "X-Roles: admin").want(200)
	strict.get("/v2/queues/q").want(403)
}

// strs returns an array of strings.
func (r *reply) strs(path string) []string {
	r.t.Helper()
	var list []string
	for i := range r.count(path) {
		list = append(list, r.str(fmt.Sprint(path, ".", i)))
	}
	return list
}
