package rest_test

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"zaqar/messaging"
	"zaqar/storage"
)

// Statements 1-38: the request pipeline and its headers.
func pipelineStatements() []statement {
	return []statement{
		{1, "versions_document", versionsDocument, nil},
		{2, "unknown_paths_are_404_without_headers", unknownPaths, nil},
		{3, "home_document", homeDocument, nil},
		{4, "home_document_shows_admin_routes_in_admin_mode", homeAdmin, nil},
		{5, "home_document_needs_client_id", func(s *server) { s.get("/v2/", "-Client-ID").want(400) }, nil},
		{6, "request_ids", requestIDs, nil},
		{7, "client_id_required", clientIDRequired, nil},
		{8, "client_id_spellings", clientIDSpellings, nil},
		{9, "project_required", projectRequired, nil},
		{10, "client_id_checked_before_project", clientBeforeProject, nil},
		{11, "project_length_on_queues", func(s *server) {
			s.put("/v2/queues/q", "", "X-Project-ID: "+strings.Repeat("x", 256)).want(201)
			s.put("/v2/queues/q", "", "X-Project-ID: "+strings.Repeat("x", 257)).want(400)
		}, nil},
		{12, "project_length_on_lists", func(s *server) {
			s.get("/v2/queues", "X-Project-ID: "+strings.Repeat("x", 256)).want(200)
			s.get("/v2/queues", "X-Project-ID: "+strings.Repeat("x", 257)).want(400)
		}, nil},
		{13, "project_with_a_blank", func(s *server) {
			s.put("/v2/queues/q", "", "X-Project-ID: JAM Project").want(201)
			equal(s.t, "queues", s.get("/v2/queues", "X-Project-ID: JAM Project").want(200).names("queues"), []string{"q"})
		}, nil},
		{14, "projects_are_no_patterns", projectsAreNoPatterns, nil},
		{15, "accept_must_admit_json", acceptMustAdmitJSON, nil},
		{16, "accept_weights", func(s *server) {
			s.get("/v2/queues", "Accept: text/html, application/json;q=0.1").want(200)
			s.get("/v2/queues", "Accept: application/json;q=0").want(406)
			s.get("/v2/queues", "Accept: application/json;q=0, */*").want(406)
		}, nil},
		{17, "not_acceptable_body_is_json", func(s *server) {
			r := s.get("/v2/queues", "Accept: application/xml").want(406)
			r.wantHeader("Content-Type", "application/json")
			if r.str("title") == "" {
				s.t.Error("no title")
			}
		}, nil},
		{18, "forms_refused_first", formsRefused, nil},
		{19, "other_content_types_are_json", func(s *server) {
			for i, ct := range []string{"application/x-www-form-urlencoded; charset=utf-8", "text/plain"} {
				s.put("/v2/queues/q"+string(rune('a'+i)), `{"a":1}`, "Content-Type: "+ct).want(201)
			}
			equal(s.t, "a", s.get("/v2/queues/qb").num("a"), 1)
		}, nil},
		{20, "method_not_allowed", func(s *server) {
			s.post("/v2/queues", "{}").want(405).wantHeader("Allow", "GET, OPTIONS")
			s.post("/v2/queues", "{}", "-Client-ID").want(400)
		}, nil},
		{21, "head_only_on_ping", func(s *server) {
			s.do("HEAD", "/v2/ping", "").want(204)
			s.do("HEAD", "/v2/queues", "").want(405).wantEmpty()
		}, nil},
		{22, "options", func(s *server) {
			s.do("OPTIONS", "/v2/queues", "").want(200).wantEmpty().wantHeader("Allow", "GET, OPTIONS")
			s.do("OPTIONS", "/v2/queues/q", "").want(200).wantHeader("Allow", "DELETE, GET, OPTIONS, PATCH, PUT")
		}, nil},
		{23, "ping", func(s *server) {
			s.get("/v2/ping").want(204).wantEmpty()
			_ = s.data.Close()
			if r := s.get("/v2/ping"); r.status != 503 || len(r.body) > 0 {
				s.t.Errorf("with the store down: %d %s", r.status, r.body)
			}
			s.do("HEAD", "/v2/ping", "").want(204)
		}, nil},
		{27, "extra_spec_has_no_effect", func(s *server) {
			s.get("/v2/queues", "EXTRA-SPEC: messagecode:123").want(200)
			s.get("/v2/queues", "EXTRA-SPEC: ").want(200)
			s.get("/v2/queues", "EXTRA-SPEC: :1").want(200)
		}, nil},
		{28, "unknown_extra_spec", func(s *server) { s.get("/v2/queues", "EXTRA-SPEC: nosuchtask:1").want(400) }, nil},
		{29, "errors_have_title_and_description", func(s *server) {
			r := s.get("/v2/queues?limit=0").want(400)
			equal(s.t, "members", r.keys(""), "description title")
		}, nil},
		{30, "internal_errors_show_no_internals", internalErrors, func(set *setup) {
			set.wrap = func(d storage.Data) storage.Data { return failingData{d} }
		}},
		{31, "locations_are_paths", locationsArePaths, nil},
		{32, "integers_in_queries", integersInQueries, nil},
		{33, "the_last_value_wins", func(s *server) {
			s.posted("q", numbers(5)...)
			for _, q := range []string{"limit=2&limit=3", "limit=2,3", "limit=3&limit="} {
				equal(s.t, q, s.get("/v2/queues/q/messages?echo=true&"+q).want(200).count("messages"), 3)
			}
		}, nil},
		{34, "blank_parameters_are_absent", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			r := s.get("/v2/queues?limit=&marker=&detailed=&name").want(200)
			equal(s.t, "queues", r.names("queues"), []string{"q"})
			equal(s.t, "next", r.next(), "/v2/queues?marker=q")
		}, nil},
		{35, "booleans_in_queries", booleansInQueries, nil},
		{36, "integers_fit_64_bits", func(s *server) {
			for _, body := range []string{`{"a":%}`, `{"a":[{"b":%}]}`, `{"a":-%}`} {
				s.put("/v2/queues/q", strings.ReplaceAll(body, "%", "9223372036854775809")).want(400)
				s.put("/v2/queues/q", strings.ReplaceAll(body, "%", "9223372036854775807")).want(201, 204)
			}
			s.put("/v2/queues/q", `{"a":9223372036854775808}`).want(400)
			s.post("/v2/queues/q/messages", `{"messages":[{"body":{"x":[9223372036854775808]}}]}`).want(400)
			s.post("/v2/queues/q/messages", `{"messages":[{"body":1}],"x":9223372036854775808}`).want(400)
			s.posted("q", "9223372036854775807", "-9223372036854775808", "9223372036854775808.5")
		}, nil},
		{37, "malformed_bodies", malformedBodies, nil},
		{38, "not_a_number", func(s *server) {
			for _, n := range []string{"NaN", "Infinity", "-Infinity", "nan"} {
				s.put("/v2/queues/q", `{"a":`+n+`}`).want(400)
				s.post("/v2/queues/q/messages", `{"messages":[{"body":`+n+`}]}`).want(400)
			}
			equal(s.t, "queue created", s.exists("q"), false)
		}, nil},
	}
}

func versionsDocument(s *server) {
	r := s.get("/", "-Client-ID", "-X-Project-ID").want(300).wantHeader("Content-Type", "application/json")
	r.wantJSON(`{"versions":[{"id":"2","status":"CURRENT","updated":"2014-9-24T04:06:47Z",
		"media-types":[{"base":"application/json","type":"application/vnd.openstack.messaging-v2+json"}],
		"links":[{"href":"/v2/","rel":"self"}]}]}`)
}

func unknownPaths(s *server) {
	for _, path := range []string{"/v2", "/v3", "/nope", "/v2/nope", "//", "/v2//queues", "/v2/queues/q/messages/m/x"} {
		s.get(path, "-Client-ID", "-X-Project-ID").want(404)
	}
}

func homeDocument(s *server) {
	r := s.get("/v2/").want(200).wantHeader("Content-Type", "application/json-home").wantHeader("Cache-Control", "max-age=86400")
	doc, _ := decode(s.t, r.body).(map[string]any)
	resources, _ := doc["resources"].(map[string]any)
	for _, rel := range strings.Fields(`queues queue queue_stats queue_purge messages post_messages messages_delete
		message_delete message_get claim post_claim patch_claim delete_claim ping`) {
		if resources["rel/"+rel] == nil {
			s.t.Errorf("no rel/%s", rel)
		}
	}
	equal(s.t, "rel/post_claim", resources["rel/post_claim"], decode(s.t, []byte(`{
		"href-template": "/v2/queues/{queue_name}/claims{?limit}",
		"href-vars": {"queue_name": "param/queue_name", "limit": "param/claim_limit"},
		"hints": {"allow": ["POST"], "formats": {"application/json": {}}, "accept-post": ["application/json"]}}`)))
	equal(s.t, "rel/message_delete", resources["rel/message_delete"], decode(s.t, []byte(`{
		"href-template": "/v2/queues/{queue_name}/messages/{message_id}{?claim}",
		"href-vars": {"queue_name": "param/queue_name", "message_id": "param/message_id", "claim": "param/claim_id"},
		"hints": {"allow": ["DELETE"], "formats": {"application/json": {}}}}`)))
}

func homeAdmin(s *server) {
	has := func(s *server) bool { return strings.Contains(string(s.get("/v2/").want(200).body), `"rel/health"`) }
	equal(s.t, "rel/health without admin mode", has(s), false)
	equal(s.t, "rel/health in admin mode", has(s.another(adminMode)), true)
}

func requestIDs(s *server) {
	form := regexp.MustCompile(`^req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for _, path := range []string{"/", "/v2/", "/v2", "/v2/queues", "/v2/queues?limit=0", "/v2/queues/q/messages/x"} {
		for _, method := range []string{"GET", "POST", "HEAD", "OPTIONS"} {
			id := s.do(method, path, "").header.Get("X-OpenStack-Request-ID")
			if !form.MatchString(id) || seen[id] {
				s.t.Errorf("%s %s: request id %q", method, path, id)
			}
			seen[id] = true
		}
	}
}

func clientIDRequired(s *server) {
	for _, route := range []string{"/v2/queues", "/v2/queues/q", "/v2/queues/q/stats", "/v2/queues/q/messages", "/v2/ping"} {
		s.get(route, "-Client-ID").want(400)
		s.get(route, "Client-ID: abc").want(400)
	}
}

func clientIDSpellings(s *server) {
	bare := strings.ReplaceAll(clientA, "-", "")
	for _, id := range []string{clientA, bare, strings.ToUpper(clientA), strings.ToUpper(bare), "{" + clientA + "}",
		"urn:uuid:" + clientA, "URN:UUID:" + clientA} {
		s.get("/v2/queues", "Client-ID: "+id).want(200)
	}
}

func projectRequired(s *server) {
	s.get("/v2/queues", "-X-Project-ID").want(400)
	s.get("/v2/queues", "X-Project-ID:").want(400)
	s.get("/v2/queues", "X-Project-ID:   ").want(400)
	s.get("/v2/queues", "X-Project-ID:", "X-Tenant-Id: p").want(400)
	s.get("/v2/queues", "-X-Project-ID", "X-Tenant-Id: p").want(200)
}

func clientBeforeProject(s *server) {
	r := s.get("/v2/queues", "-Client-ID", "-X-Project-ID").want(400)
	if !strings.Contains(r.str("description"), "Client-ID") {
		s.t.Errorf("not about the client id: %s", r.body)
	}
}

func projectsAreNoPatterns(s *server) {
	for _, p := range []string{".*", "p+", "pp", "p"} {
		s.put("/v2/queues/of-"+strings.NewReplacer(".", "dot", "*", "star", "+", "plus").Replace(p), "", "X-Project-ID: "+p).want(201)
	}
	equal(s.t, ".*", s.get("/v2/queues", "X-Project-ID: .*").names("queues"), []string{"of-dotstar"})
	equal(s.t, "p+", s.get("/v2/queues", "X-Project-ID: p+").names("queues"), []string{"of-pplus"})
}

func acceptMustAdmitJSON(s *server) {
	for _, path := range []string{"/", "/v2/ping", "/v2/queues"} {
		s.get(path, "Accept: application/xml").want(406)
		for _, accept := range []string{"Accept: */*", "Accept: application/*", "Accept:", "-Accept"} {
			s.get(path, accept).want(200, 204, 300)
		}
	}
	s.get("/v2/", "Accept: application/json-home").want(200)
	s.get("/v2/queues", "Accept: application/json-home").want(406)
}

func formsRefused(s *server) {
	for _, ct := range []string{"application/x-www-form-urlencoded", "Application/X-WWW-Form-URLEncoded"} {
		r := s.put("/v2/queues/q", "{}", "Content-Type: "+ct, "-Client-ID").want(400)
		if strings.Contains(r.str("description"), "Client-ID") {
			s.t.Errorf("the client id was checked first: %s", r.body)
		}
	}
	s.put("/v2/queues/q", "", "Content-Type: application/x-www-form-urlencoded").want(201)
}

// failingData fails with texts that no client may see.
type failingData struct{ storage.Data }

const internals = "redis://user:hunter2@10.0.0.1"

func (failingData) Tally(context.Context, messaging.QueueRef) (messaging.Tally, error) {
	return messaging.Tally{}, errors.New(internals)
}

func (failingData) Fetch(context.Context, messaging.QueueRef, []messaging.MessageID) ([]messaging.Message, error) {
	return nil, messaging.Wrap(messaging.Unavailable, "the store cannot be reached", errors.New(internals))
}

func (failingData) Purge(context.Context, messaging.QueueRef) error { panic(internals) }

func internalErrors(s *server) {
	s.put("/v2/queues/q", "").want(201)
	for _, r := range []*reply{
		s.get("/v2/queues/q/stats").want(500),
		s.get("/v2/queues/q/messages?ids=a").want(503),
		s.post("/v2/queues/q/purge", "").want(500),
	} {
		if strings.Contains(string(r.body), "hunter2") {
			s.t.Errorf("%s shows internals: %s", r.what, r.body)
		}
	}
	if !strings.Contains(s.logs.String(), "hunter2") {
		s.t.Error("the causes are not logged")
	}
}

func locationsArePaths(s *server) {
	want := func(r *reply, prefix string) {
		s.t.Helper()
		if got := r.header.Get("Location"); !strings.HasPrefix(got, prefix) {
			s.t.Errorf("%s: Location %q", r.what, got)
		}
	}
	want(s.put("/v2/queues/q", "").want(201), "/v2/queues/q")
	want(s.put("/v2/queues/q", "").want(204), "/v2/queues/q")
	want(s.put("/v2/topics/t", "").want(201), "/v2/topics/t")
	want(s.post("/v2/queues/q/messages", `{"messages":[{"body":1}]}`).want(201), "/v2/queues/q/messages?ids=")
	want(s.post("/v2/topics/t/messages", `{"messages":[{"body":1}]}`).want(201), "/v2/topics/t/messages?ids=")
	want(s.post("/v2/queues/q/claims", "").want(201), "/v2/queues/q/claims/")
}

func integersInQueries(s *server) {
	for _, path := range []string{"/v2/queues", "/v2/topics", "/v2/queues/q/messages", "/v2/topics/t/messages"} {
		for _, bad := range []string{"abc", "1.0", "1e1", "--1", "0x1", "99999999999999999999", "%20"} {
			s.get(path + "?limit=" + bad).want(400)
		}
		for _, good := range []string{"3", "+3", "%2B3", "%202", "2%20"} {
			s.get(path + "?limit=" + good).want(200)
		}
	}
}

func booleansInQueries(s *server) {
	s.posted("q", "1")
	shown := map[bool]int{true: 1, false: 0}
	for want, spellings := range map[bool]string{true: "true True t yes y 1 on", false: "false False f no n 0 off"} {
		for _, spelling := range strings.Fields(spellings) {
			r := s.get("/v2/queues/q/messages?echo=" + spelling).want(200)
			equal(s.t, spelling, r.count("messages"), shown[want])
			s.get("/v2/queues?detailed=" + spelling).want(200)
		}
	}
	for _, bad := range []string{"TRUE", "None", "2", "%20"} {
		s.get("/v2/queues/q/messages?echo=" + bad).want(400)
		s.get("/v2/queues/q/messages?include_claimed=" + bad).want(400)
		s.get("/v2/queues?detailed=" + bad).want(400)
	}
}

func malformedBodies(s *server) {
	for _, body := range []string{"null", "123", `"x"`, "true", "{", ".", "  ", "{}{}", "{} x", "[", `{"a":"` + "\xff" + `"}`, "\ufeff{}"} {
		s.put("/v2/queues/q", body).want(400)
		s.post("/v2/queues/q/messages", body).want(400)
		s.post("/v2/queues/q/claims", body).want(400)
		s.post("/v2/queues/q/purge", body).want(400)
		s.patch("/v2/queues/q", body).want(400)
	}
	equal(s.t, "queue created", s.exists("q"), false)
}

func adminMode(set *setup) { set.rest.Admin = true }
