package rest_test

import (
	"strings"

	"zaqar/broker"
)

// Statements 185-204: claims.
func claimStatements() []statement {
	return []statement{
		{185, "claim_of_nothing", func(s *server) {
			r := s.post("/v2/queues/q/claims", "").want(204).wantEmpty()
			equal(s.t, "Location", r.header.Get("Location"), "")
			equal(s.t, "created", s.exists("q"), false)
			s.put("/v2/queues/q", "").want(201)
			s.post("/v2/queues/q/claims", `{"ttl": 60, "grace": 60}`).want(204).wantEmpty()
		}, nil},
		{186, "claim_defaults", func(s *server) {
			s.postedItems("q", strings.Split(strings.Repeat(`{"body": 1, "ttl": 60};`, 12)[:12*23-1], ";")...)
			r := s.post("/v2/queues/q/claims", "").want(201)
			equal(s.t, "limit", r.count("messages"), 10)
			equal(s.t, "ttl + grace", r.num("messages.0.ttl"), 360)
			equal(s.t, "ttl", s.get(r.header.Get("Location")).num("ttl"), 300)
			r = s.post("/v2/queues/q/claims", "{}").want(201)
			equal(s.t, "the rest", r.count("messages"), 2)
			equal(s.t, "ttl + grace", r.num("messages.0.ttl"), 360)
		}, nil},
		{187, "claim_limit", func(s *server) {
			s.posted("q", numbers(25)...)
			for _, limit := range []string{"0", "21", "-1", "abc"} {
				s.post("/v2/queues/q/claims?limit="+limit, "").want(400)
			}
			equal(s.t, "limit=20", s.post("/v2/queues/q/claims?limit=20&x=y&detailed=zzz", "").want(201).count("messages"), 20)
			equal(s.t, "limit in the body", s.post("/v2/queues/q/claims", `{"limit": 1}`).want(201).count("messages"), 5)
		}, nil},
		{188, "claim_bodies", func(s *server) {
			for _, body := range []string{"[", "[]", `"fail"`, `{"ttl": 59}`, `{"ttl": 43201}`, `{"grace": 59}`, `{"grace": 43201}`,
				`{"ttl": "60"}`, `{"ttl": 60.0}`, `{"grace": 6e1}`, `{"ttl": true}`, `{"grace": []}`} {
				s.post("/v2/queues/missing/claims", body).want(400)
			}
			s.posted("q", "1", "2")
			s.post("/v2/queues/q/claims?limit=1", `{"ttl": 60, "grace": 60}`).want(201)
			s.post("/v2/queues/q/claims?limit=1", `{"ttl": 43200, "grace": 43200, "x": [1]}`).want(201)
		}, nil},
		{189, "null_terms_are_absent", func(s *server) {
			s.posted("q", "1")
			claim, _ := s.claimed("q", 1, `{"ttl": null, "grace": null}`)
			equal(s.t, "ttl", s.get(claim).num("ttl"), 300)
		}, nil},
		{190, "claim_answer", func(s *server) {
			ids := s.posted("q", "1", "2")
			s.advance(4)
			r := s.post("/v2/queues/q/claims", "").want(201)
			claim := r.header.Get("Location")
			if !strings.HasPrefix(claim, "/v2/queues/q/claims/") || strings.Count(claim, "claims/") != 1 {
				s.t.Errorf("Location %q", claim)
			}
			query := "?claim_id=" + claimID(claim)
			r.wantJSON(`{"messages": [
				{"id": "` + ids[0] + `", "href": "/v2/queues/q/messages/` + ids[0] + query + `", "ttl": 3600, "age": 4, "body": 1},
				{"id": "` + ids[1] + `", "href": "/v2/queues/q/messages/` + ids[1] + query + `", "ttl": 3600, "age": 4, "body": 2}]}`)
		}, nil},
		{191, "claims_exclude_each_other", func(s *server) {
			s.posted("q", "1", "2", "3")
			_, first := s.claimed("q", 2, "")
			_, second := s.claimed("q", 2, "")
			equal(s.t, "claimed", len(first)+len(second), 3)
			s.post("/v2/queues/q/claims", "").want(204)
		}, nil},
		{192, "released_messages_alone_come_back", func(s *server) {
			ids := s.posted("q", "1", "2")
			first, _ := s.claimed("q", 1, "")
			s.claimed("q", 1, "")
			s.delete(first).want(204)
			_, again := s.claimed("q", 10, "")
			equal(s.t, "claimed", again, ids[:1])
		}, nil},
		{193, "own_messages_are_claimable", func(s *server) {
			s.posted("q", "1")
			s.post("/v2/queues/q/claims?echo=false", "").want(201)
		}, nil},
		{194, "show_claim", func(s *server) {
			ids := s.posted("q", "1")
			claim, _ := s.claimed("q", 1, `{"ttl": 100}`)
			s.advance(7)
			s.get(claim).want(200).wantJSON(`{"age": 7, "ttl": 100, "href": "` + claim + `", "messages": [
				{"id": "` + ids[0] + `", "href": "/v2/queues/q/messages/` + ids[0] + `?claim_id=` + claimID(claim) + `", "ttl": 3600, "age": 7, "body": 1}]}`)
			s.put("/v2/queues/r", "").want(201)
			s.get("/v2/queues/r/claims/" + claimID(claim)).want(404)
			s.get(claim, "X-Project-ID: other").want(404)
			for _, bad := range []string{"nope", "%00", "a.b", strings.Repeat("a", 100), ""} {
				s.get("/v2/queues/q/claims/" + bad).want(404)
			}
		}, nil},
		{195, "a_claim_ends_with_its_messages", func(s *server) {
			s.posted("q", "1")
			claim, ids := s.claimed("q", 1, "")
			s.delete("/v2/queues/q/messages/" + ids[0] + "?claim_id=" + claimID(claim)).want(204)
			s.get(claim).want(404)
		}, nil},
		{196, "update_claim", func(s *server) {
			s.posted("q", "1")
			claim, _ := s.claimed("q", 1, "")
			s.advance(20)
			s.do("PATCH", claim, `{"ttl": 100}`).want(204).wantEmpty()
			r := s.get(claim).want(200)
			equal(s.t, "ttl, age", []int{r.num("ttl"), r.num("age")}, []int{100, 0})
			s.do("PATCH", claim, `{}`).want(204)
			equal(s.t, "ttl", s.get(claim).num("ttl"), 300)
		}, nil},
		{197, "bad_updates", func(s *server) {
			s.posted("q", "1")
			claim, _ := s.claimed("q", 1, "")
			for _, path := range []string{claim, "/v2/queues/q/claims/nope", "/v2/queues/missing/claims/nope"} {
				for _, body := range []string{"", `{"ttl": 59}`, `{"ttl": 43201}`, "[]", `{"ttl": "60"}`} {
					s.do("PATCH", path, body).want(400)
				}
			}
			s.do("PATCH", "/v2/queues/q/claims/nope", `{"ttl": 60}`).want(404)
			s.do("PATCH", "/v2/queues/q/claims/a.b", `{"ttl": 60}`).want(404)
		}, nil},
		{198, "updates_check_grace", func(s *server) {
			s.posted("q", "1")
			claim, _ := s.claimed("q", 1, "")
			s.do("PATCH", claim, `{"grace": -5}`).want(400)
			s.do("PATCH", claim, `{"grace": 43201}`).want(400)
			s.do("PATCH", claim, `{"grace": 0}`).want(204)
		}, nil},
		{199, "claim_expiry", func(s *server) {
			s.posted("q", "1")
			claim, ids := s.claimed("q", 1, `{"ttl": 60}`)
			s.advance(59)
			s.get(claim).want(200)
			s.advance(1)
			s.get(claim).want(404)
			s.do("PATCH", claim, "{}").want(404)
			s.delete(claim).want(204)
			_, again := s.claimed("q", 1, "")
			equal(s.t, "claimed", again, ids)
		}, nil},
		{200, "release_claim", func(s *server) {
			s.posted("q", "1")
			claim, _ := s.claimed("q", 1, "")
			s.delete(claim, "X-Project-ID: other").want(204)
			s.get(claim).want(200)
			s.delete(claim).want(204).wantEmpty()
			s.delete(claim).want(204)
			s.claimed("q", 1, "")
		}, nil},
		{201, "long_lived_messages_are_not_extended", func(s *server) {
			s.postedItems("q", `{"body": 1, "ttl": 120}`)
			r := s.post("/v2/queues/q/claims", `{"ttl": 100, "grace": 60}`).want(201)
			equal(s.t, "ttl", r.num("messages.0.ttl"), 120)
		}, nil},
		{202, "short_lived_messages_are_extended", func(s *server) {
			id := s.postedItems("q", `{"body": 1, "ttl": 120}`)[0]
			r := s.post("/v2/queues/q/claims", `{"ttl": 777, "grace": 60}`).want(201)
			equal(s.t, "ttl", r.num("messages.0.ttl"), 837)
			s.advance(130)
			equal(s.t, "age", s.get("/v2/queues/q/messages/"+id).want(200).num("age"), 130)
		}, nil},
		{203, "renewal_extends", func(s *server) {
			s.postedItems("q", `{"body": 1, "ttl": 120}`)
			claim, _ := s.claimed("q", 1, `{"ttl": 100, "grace": 60}`)
			s.advance(30)
			s.do("PATCH", claim, `{"ttl": 100, "grace": 60}`).want(204)
			equal(s.t, "ttl", s.get(claim).num("messages.0.ttl"), 160)
		}, nil},
		{204, "delayed_messages_are_not_claimable", func(s *server) {
			s.put("/v2/queues/q", `{"_default_message_delay": 30}`).want(201)
			s.posted("q", "1")
			s.post("/v2/queues/q/claims", "").want(204)
			s.advance(30)
			s.claimed("q", 1, "")
		}, nil},
	}
}

// Statements 205-213: dead letters and the count of claims.
func deadLetterStatements() []statement {
	const settings = `{"_max_claim_count": 2, "_dead_letter_queue": "dead", "_dead_letter_queue_messages_ttl": 500}`
	return []statement{
		{205, "claims_until_dead", func(s *server) {
			s.put("/v2/queues/q", settings).want(201)
			s.posted("q", "1")
			for range 2 {
				s.claimed("q", 1, `{"ttl": 60}`)
				s.advance(60)
			}
			s.post("/v2/queues/q/claims", "").want(204)
		}, nil},
		{206, "dead_messages_move", func(s *server) {
			s.put("/v2/queues/q", settings).want(201)
			id := s.posted("q", "1")[0]
			s.exhaust("q", 2)
			s.post("/v2/queues/q/claims", "").want(204)
			equal(s.t, "target exists", s.exists("dead"), true)
			s.get("/v2/queues/dead/messages?echo=true").want(200).wantJSON(`{"messages": [
				{"id": "` + id + `", "href": "/v2/queues/dead/messages/` + id + `", "ttl": 500, "age": 0, "body": 1}],
				"links": [{"rel": "next", "href": "` + s.get("/v2/queues/dead/messages?echo=true").next() + `"}]}`)
			s.get("/v2/queues/q/messages/" + id).want(404)
			s.claimed("dead", 1, "")
		}, nil},
		{207, "the_count_is_kept", func(s *server) {
			s.put("/v2/queues/q", settings).want(201)
			s.posted("q", "1")
			claim, _ := s.claimed("q", 1, "")
			s.do("PATCH", claim, "{}").want(204)
			s.delete(claim).want(204)
			claim, _ = s.claimed("q", 1, "")
			s.delete(claim).want(204)
			s.post("/v2/queues/q/claims", "").want(204)
		}, nil},
		{208, "dead_letters_need_both_settings", func(s *server) {
			s.put("/v2/queues/count", `{"_max_claim_count": 1}`).want(201)
			s.put("/v2/queues/target", `{"_dead_letter_queue": "dead"}`).want(201)
			for _, q := range []string{"count", "target"} {
				s.posted(q, "1")
				s.exhaust(q, 3)
				s.claimed(q, 1, "")
			}
			equal(s.t, "dead exists", s.exists("dead"), false)
		}, nil},
		{209, "count_zero_is_off", func(s *server) {
			s.put("/v2/queues/q", `{"_max_claim_count": 0, "_dead_letter_queue": "dead"}`).want(201)
			s.posted("q", "1")
			s.exhaust("q", 3)
			s.claimed("q", 1, "")
		}, nil},
		{210, "null_is_off", func(s *server) {
			s.put("/v2/queues/a", `{"_max_claim_count": null, "_dead_letter_queue": "dead"}`).want(201)
			s.put("/v2/queues/b", `{"_max_claim_count": 1, "_dead_letter_queue": null}`).want(201)
			for _, q := range []string{"a", "b"} {
				s.posted(q, "1")
				s.exhaust(q, 3)
				s.claimed(q, 1, "")
			}
		}, nil},
		{211, "exhausted_messages_are_skipped", func(s *server) {
			s.put("/v2/queues/q", settings).want(201)
			s.posted("q", "1")
			s.exhaust("q", 2)
			next := s.posted("q", "2")
			_, ids := s.claimed("q", 1, "")
			equal(s.t, "claimed", ids, next)
			equal(s.t, "dead", s.listed("dead", ""), []string{"1"})
		}, nil},
		{212, "pop_moves_nothing", func(s *server) {
			s.put("/v2/queues/q", settings).want(201)
			s.posted("q", "1")
			s.exhaust("q", 2)
			r := s.delete("/v2/queues/q/messages?pop=1").want(200)
			equal(s.t, "popped", r.bodies(), []string{"1"})
			equal(s.t, "claim_count", r.num("messages.0.claim_count"), 2)
			equal(s.t, "dead exists", s.exists("dead"), false)
		}, nil},
		{213, "claim_count", func(s *server) {
			s.posted("q", "1")
			s.exhaust("q", 3)
			equal(s.t, "claim_count", s.delete("/v2/queues/q/messages?pop=1").num("messages.0.claim_count"), 3)
		}, nil},
	}
}

// exhaust claims and releases the first message n times.
func (s *server) exhaust(queue string, n int) {
	s.t.Helper()
	for range n {
		claim, _ := s.claimed(queue, 1, "")
		s.delete(claim).want(204)
	}
}

// withKey gives the broker a key to seal with.
func withKey(id string) func(*setup) {
	return func(set *setup) {
		set.broker.Keys = []broker.Key{{ID: id, Secret: []byte("0123456789abcdef0123456789abcdef")}}
	}
}

// Statements 214-217: encryption.
func encryptionStatements() []statement {
	const on = `{"_enable_encrypt_messages": true}`
	return []statement{
		{214, "encrypted_bodies_read", func(s *server) {
			s.put("/v2/queues/q", on).want(201)
			ids := s.posted("q", everyType...)
			equal(s.t, "list", s.listed("q", ""), everyType)
			equal(s.t, "get by ids", s.get("/v2/queues/q/messages?ids="+strings.Join(ids, ",")).bodies(), everyType)
			equal(s.t, "get", s.get("/v2/queues/q/messages/"+ids[1]).at("body"), any(true))
		}, withKey("k1")},
		{215, "encrypted_bodies_claimed_and_popped", func(s *server) {
			s.put("/v2/queues/q", on).want(201)
			s.posted("q", everyType...)
			r := s.post("/v2/queues/q/claims?limit=20", "").want(201)
			equal(s.t, "claim", r.bodies(), everyType)
			claim := r.header.Get("Location")
			equal(s.t, "claim show", s.get(claim).bodies(), everyType)
			s.delete(claim).want(204)
			equal(s.t, "pop", s.delete("/v2/queues/q/messages?pop=20").bodies(), everyType)
		}, withKey("k1")},
		{216, "toggling_encryption", func(s *server) {
			toggle := func(value string) {
				s.patch("/v2/queues/q", `[{"op":"add","path":"/metadata/_enable_encrypt_messages","value":`+value+`}]`).want(200)
			}
			s.posted("q", "1")
			toggle("true")
			s.posted("q", "2")
			toggle("false")
			s.posted("q", "3")
			equal(s.t, "list", s.listed("q", ""), []string{"1", "2", "3"})
			toggle("true")
			equal(s.t, "list", s.listed("q", ""), []string{"1", "2", "3"})
		}, withKey("k1")},
		{217, "checksums_of_encrypted_messages", func(s *server) {
			s.put("/v2/queues/q", on).want(201)
			s.posted("q", `{"a": 1}`)
			r := s.get("/v2/queues/q/messages?echo=true").want(200)
			equal(s.t, "checksum", r.str("messages.0.checksum"), "MD5:42b7b4f2921788ea14dac5566e6f06d0")
		}, func(set *setup) { withKey("k1")(set); checksums(set) }},
	}
}
