package rest_test

import "strings"

const topicDefaults = `"_max_messages_post_size": 262144, "_default_message_ttl": 3600, "_default_message_delay": 0`

// Statements 236-241: topics, without their subscriptions.
func topicStatements() []statement {
	return []statement{
		{236, "topics_mirror_queues", func(s *server) {
			s.get("/v2/topics/t").want(200).wantJSON(`{` + topicDefaults + `}`)
			s.put("/v2/topics/t", `{"a": 1}`).want(201).wantEmpty().wantHeader("Location", "/v2/topics/t")
			s.put("/v2/topics/t", `{"a": 2}`).want(204).wantHeader("Location", "/v2/topics/t")
			s.put("/v2/topics/t", `[]`).want(400)
			s.get("/v2/topics/t").want(200).wantJSON(`{"a": 1, ` + topicDefaults + `}`)
			s.patch("/v2/topics/t", `[{"op": "replace", "path": "/metadata/_default_message_ttl", "value": 60}, {"op": "remove", "path": "/metadata/a"}]`).
				want(200).wantJSON(`{"_max_messages_post_size": 262144, "_default_message_ttl": 60, "_default_message_delay": 0}`)
			s.do("PATCH", "/v2/topics/t", "[]").want(415)
			s.patch("/v2/topics/missing", "[]").want(404)
			s.delete("/v2/topics/t").want(204)
			s.delete("/v2/topics/t").want(204)
			s.get("/v2/topics/t/stats").want(200).wantJSON(`{"messages": {"claimed": 0, "free": 0, "total": 0}}`)
		}, nil},
		{237, "topics_have_three_defaulted_keys", func(s *server) {
			s.put("/v2/topics/t", "").want(201)
			s.patch("/v2/topics/t", `[{"op": "remove", "path": "/metadata/_max_claim_count"}]`).want(409)
			s.patch("/v2/topics/t", `[{"op": "remove", "path": "/metadata/_default_message_delay"}]`).want(200)
		}, nil},
		{238, "topic_lists", func(s *server) {
			s.get("/v2/topics").want(200).wantJSON(`{"topics": [], "links": []}`)
			for _, name := range []string{"b", "a", "c"} {
				s.put("/v2/topics/"+name, `{"x": "`+name+`"}`).want(201)
			}
			s.put("/v2/queues/q", "").want(201)
			s.get("/v2/topics?limit=1").want(200).wantJSON(`{"topics": [{"name": "a", "href": "/v2/topics/a"}],
				"links": [{"rel": "next", "href": "/v2/topics?limit=1&marker=a"}]}`)
			equal(s.t, "next page", s.get("/v2/topics?limit=1&marker=a").names("topics"), []string{"b"})
			equal(s.t, "filter", s.get("/v2/topics?x=c").names("topics"), []string{"c"})
			equal(s.t, "name", s.get("/v2/topics?name=b&with_count=true").names("topics"), []string{"b"})
			equal(s.t, "with_count", s.get("/v2/topics?with_count=true").keys(""), "links topics")
			equal(s.t, "detailed", s.get("/v2/topics?detailed=true").at("topics.0.metadata"),
				decode(s.t, []byte(`{"x": "a", `+topicDefaults+`}`)))
			s.get("/v2/topics?limit=21").want(400)
			equal(s.t, "queues", s.get("/v2/queues").names("queues"), []string{"q"})
		}, nil},
		{239, "topic_messages", func(s *server) {
			r := s.post("/v2/topics/t/messages", `{"messages": [{"body": 1}, {"body": 2}]}`).want(201)
			if !strings.HasPrefix(r.str("resources.0"), "/v2/topics/t/messages/") {
				s.t.Errorf("resources: %s", r.body)
			}
			s.get(r.header.Get("Location")).want(200)
			page := s.get("/v2/topics/t/messages?echo=true&limit=1").want(200)
			equal(s.t, "href", page.str("messages.0.href"), r.str("resources.0"))
			if !strings.HasPrefix(page.next(), "/v2/topics/t/messages?limit=1&echo=true&marker=") {
				s.t.Errorf("next %q", page.next())
			}
			equal(s.t, "next page", s.get(page.next()).bodies(), []string{"2"})
			equal(s.t, "one", s.get(r.str("resources.1")).want(200).num("body"), 2)
			s.delete(r.str("resources.1") + "?claim_id=x").want(400)
			s.delete(r.str("resources.1")).want(204)
			equal(s.t, "pop", s.delete("/v2/topics/t/messages?pop=5").want(200).bodies(), []string{"1"})
			equal(s.t, "topics", s.get("/v2/topics").names("topics"), []string{"t"})
		}, nil},
		{240, "topics_are_not_queues", func(s *server) {
			s.posted("z", "1")
			s.postedItems("/v2/topics/z", `{"body": 2}`)
			s.subscribed("z", 1)
			s.get("/v2/topics/z/stats").want(200)
			s.post("/v2/topics/z/purge", "").want(204)
			s.delete("/v2/topics/z").want(204)
			equal(s.t, "messages", s.listed("z", ""), []string{"1"})
			equal(s.t, "subscriptions", s.subscriptions("z"), 1)
			equal(s.t, "queue exists", s.exists("z"), true)
			s.put("/v2/topics/z", "").want(201)
			s.delete("/v2/queues/z").want(204)
			equal(s.t, "topics", s.get("/v2/topics").names("topics"), []string{"z"})
		}, nil},
		{241, "topics_have_no_claims", func(s *server) {
			s.post("/v2/topics/t/claims", "").want(404)
			s.post("/v2/topics/t/share", "{}").want(404)
			s.get("/v2/topics/a@b").want(400)
			s.get("/v2/topics/").want(400)
			s.get("/v2/topics/t/").want(404)
		}, nil},
	}
}

// Statements 242-256: administration, as far as it is there.
func adminStatements() []statement {
	return []statement{
		{242, "admin_routes_are_unknown_by_default", func(s *server) {
			for _, path := range []string{"/v2/pools", "/v2/flavors", "/v2/health"} {
				s.get(path, "X-Roles: admin").want(404)
				s.get(path, "-Client-ID", "-X-Project-ID").want(404)
			}
		}, nil},
		{256, "health", func(s *server) {
			s.posted("q", "1", "2")
			s.claimed("q", 1, "")
			s.get("/v2/health").want(403)
			r := s.get("/v2/health", "X-Roles: member, Admin").want(200)
			equal(s.t, "members", r.keys(""), "message_volume operation_status storage_reachable")
			equal(s.t, "reachable", r.at("storage_reachable"), any(true))
			for _, step := range strings.Fields(`create_queue post_messages claim_messages list_messages delete_messages delete_claim
				bulk_delete_messages delete_queue`) {
				equal(s.t, step, r.at("operation_status."+step+".succeeded"), any(true))
				equal(s.t, step, r.keys("operation_status."+step), "ref seconds succeeded")
			}
			equal(s.t, "volume", r.at("message_volume"), decode(s.t, []byte(`{"free": 1, "claimed": 1, "total": 2}`)))
			equal(s.t, "queues", s.get("/v2/queues").names("queues"), []string{"q"})
		}, adminMode},
	}
}
