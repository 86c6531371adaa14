package rest_test

import (
	"fmt"
	"strings"
)

// subscribe subscribes to what is at a path and returns the id.
func (s *server) subscribe(at, body string) string {
	s.t.Helper()
	return s.post(at+"/subscriptions", body).want(201).str("subscription_id")
}

// everywhere runs a statement on a queue and on a topic.
func everywhere(run func(s *server, at string)) func(*server) {
	return func(s *server) {
		run(s, "/v2/queues/q")
		run(s, "/v2/topics/q")
	}
}

const hook = `{"subscriber": "http://hook.example/1"}`

// Statements 218-235: subscriptions to queues, and to topics.
func subscriptionStatements() []statement {
	return []statement{
		{218, "subscribe", everywhere(func(s *server, at string) {
			r := s.post(at+"/subscriptions", hook).want(201).wantHeader("Location", at+"/subscriptions")
			equal(s.t, "members", r.keys(""), "subscription_id")
			s.get(at + "/subscriptions/" + r.str("subscription_id")).want(200)
			s.put(at, "").want(204) // it exists
		}), nil},
		{219, "refused_subscriptions_create_nothing", everywhere(func(s *server, at string) {
			for _, body := range []string{``, `{}`, `{"subscriber": "fake"}`, `{"subscriber": "http://x", "ttl": 1}`, `{"subscriber": "http://x", "options": 1}`} {
				s.post(at+"/subscriptions", body).want(400)
			}
			s.put(at, "").want(201)
		}), nil},
		{220, "subscribers", everywhere(func(s *server, at string) {
			for _, body := range []string{``, `{}`, `{"ttl": 60}`, `{"subscriber": "fake"}`, `{"subscriber": "email://fake"}`, `{"subscriber": "ftp://x/y"}`,
				`{"subscriber": ":"}`, `{"subscriber": "http"}`, `{"subscriber": " http://x"}`, `{"subscriber": "http ://x"}`} {
				s.post(at+"/subscriptions", body).want(400)
			}
			for i, uri := range []string{"HTTP://x", "https://x/?a=b#c", "mailto:a@b.c", "trust+http://x", "Trust+HTTPS://x"} {
				id := s.subscribe(at, fmt.Sprintf(`{"subscriber": %q}`, uri))
				equal(s.t, "as given", s.get(fmt.Sprintf("%s/subscriptions/%s", at, id)).str("subscriber"), uri)
				equal(s.t, "all", s.get(at+"/subscriptions").count("subscriptions"), i+1)
			}
		}), nil},
		{221, "subscribers_are_texts", everywhere(func(s *server, at string) {
			for _, body := range []string{`{"subscriber": null}`, `{"subscriber": ""}`, `{"subscriber": 5}`, `{"subscriber": ["http://x"]}`, `[` + hook + `]`, `"http://x"`, `null`} {
				s.post(at+"/subscriptions", body).want(400)
			}
		}), nil},
		{222, "lifetimes_of_subscriptions", everywhere(func(s *server, at string) {
			for _, ttl := range []string{`59`, `-1`, `"100"`, `60.5`, `true`, `99999999999999999`, `100000000000000`, `1e3`, `[60]`} {
				s.post(at+"/subscriptions", `{"subscriber": "http://x", "ttl": `+ttl+`}`).want(400)
			}
			for i, ttl := range []string{`60`, `220367260800`, `68719476736`} { // the longest are those of Heat and Senlin
				id := s.subscribe(at, fmt.Sprintf(`{"subscriber": "http://x/%d", "ttl": %s}`, i, ttl))
				equal(s.t, "ttl", fmt.Sprint(s.get(at+"/subscriptions/"+id).at("ttl")), ttl)
			}
			id := s.subscribe(at, hook)
			equal(s.t, "default", s.get(at+"/subscriptions/"+id).num("ttl"), 3600)
			s.advance(60)
			equal(s.t, "left", s.get(at+"/subscriptions").count("subscriptions"), 3)
			s.advance(1 << 31)
			equal(s.t, "left after 68 years", s.get(at+"/subscriptions").count("subscriptions"), 2)
		}), nil},
		{223, "no_lifetime_of_zero", everywhere(func(s *server, at string) {
			s.post(at+"/subscriptions", `{"subscriber": "http://x", "ttl": 0}`).want(400)
			id := s.subscribe(at, `{"subscriber": "http://x", "ttl": null}`)
			equal(s.t, "default", s.get(at+"/subscriptions/"+id).num("ttl"), 3600)
			s.do("PATCH", at+"/subscriptions/"+id, `{"ttl": 0}`).want(400)
		}), nil},
		{224, "options", everywhere(func(s *server, at string) {
			for _, options := range []string{`1`, `"a"`, `[]`, `true`, `{"_retry_policy": "x"}`, `{"_retry_policy": {"minimum_delay": 30}}`} {
				s.post(at+"/subscriptions", `{"subscriber": "http://x", "options": `+options+`}`).want(400)
			}
			id := s.subscribe(at, `{"subscriber": "http://x", "options": {"_retry_policy": {"maximum_delay": 20}, "other": [1.50, {"a": "\u00e9"}]}}`)
			s.get(at + "/subscriptions/" + id).want(200).wantJSON(`{"id": "` + id + `", "source": "q", "subscriber": "http://x", "ttl": 3600, "age": 0,
				"options": {"_retry_policy": {"maximum_delay": 20}, "other": [1.50, {"a": "é"}]}, "confirmed": false}`)
		}), nil},
		{225, "subscribing_twice", everywhere(func(s *server, at string) {
			id := s.subscribe(at, `{"subscriber": "http://x", "ttl": 100, "options": {"a": 1}}`)
			equal(s.t, "id", s.subscribe(at, `{"subscriber": "http://x", "ttl": 900, "options": {}}`), id)
			one := at + "/subscriptions/" + id
			equal(s.t, "ttl", s.get(one).num("ttl"), 100)
			equal(s.t, "options", s.get(one).keys("options"), "a")
			s.put(one+"/confirm", `{"confirmed": true}`).want(204)
			s.post(at+"/subscriptions", `{"subscriber": "http://x"}`).want(409).wantHeader("Location", at+"/subscriptions")
			if other := s.subscribe(at, `{"subscriber": "http://x/"}`); other == id { // compared as text
				s.t.Error("two subscribers with one subscription")
			}
		}), nil},
		{226, "representation", everywhere(func(s *server, at string) {
			id := s.subscribe(at, hook)
			s.advance(7)
			one := s.get(at + "/subscriptions/" + id).want(200)
			equal(s.t, "members", one.keys(""), "age confirmed id options source subscriber ttl")
			equal(s.t, "listed", s.get(at+"/subscriptions").at("subscriptions.0"), decode(s.t, one.body))
			one.wantJSON(`{"id": "` + id + `", "source": "q", "subscriber": "http://hook.example/1", "ttl": 3600, "age": 7, "options": {}, "confirmed": false}`)
		}), nil},
		{227, "subscription_lists", everywhere(func(s *server, at string) {
			s.get(at + "/subscriptions").want(200).wantJSON(`{"subscriptions": [], "links": []}`)
			var ids []string
			for i := range 25 {
				ids = append(ids, s.subscribe(at, fmt.Sprintf(`{"subscriber": "http://x/%d", "ttl": %d}`, i, 60+i%2*60)))
			}
			equal(s.t, "default", s.get(at+"/subscriptions").count("subscriptions"), 10)
			equal(s.t, "largest", s.get(at+"/subscriptions?limit=20&detailed=true&x=y").count("subscriptions"), 20)
			for _, limit := range []string{"0", "21", "-1", "x"} {
				s.get(at + "/subscriptions?limit=" + limit).want(400)
			}
			equal(s.t, "next", s.get(at+"/subscriptions").next(), at+"/subscriptions?marker="+ids[9])
			var seen []string
			for page := at + "/subscriptions?limit=7"; ; {
				r := s.get(page).want(200)
				for i := range r.count("subscriptions") {
					seen = append(seen, r.str(fmt.Sprintf("subscriptions.%d.id", i)))
				}
				if r.count("links") == 0 {
					break
				}
				page = r.next()
			}
			equal(s.t, "order", seen, ids)
			for _, marker := range []string{"x", "24", ids[3] + "0", strings.Repeat("a", 300)} {
				s.get(at + "/subscriptions?marker=" + marker).want(200).wantJSON(`{"subscriptions": [], "links": []}`)
			}
			s.advance(60) // every other one ends, and counts no more
			equal(s.t, "page of the living", s.get(at+"/subscriptions?limit=12").count("subscriptions"), 12)
		}), nil},
		{228, "update_subscriptions", everywhere(func(s *server, at string) {
			id := s.subscribe(at, `{"subscriber": "http://x", "ttl": 100, "options": {"a": 1}}`)
			one, other := at+"/subscriptions/"+id, s.subscribe(at, `{"subscriber": "http://y"}`)
			for _, body := range []string{`{"ttl": 120}`, `{"options": {"b": 2}}`, `{"subscriber": "http://z"}`, `{"subscriber": "http://z", "ttl": 120, "options": {"b": 2}}`} {
				s.do("PATCH", one, body).want(204).wantEmpty().wantHeader("Location", one)
			}
			s.get(one).wantJSON(`{"id": "` + id + `", "source": "q", "subscriber": "http://z", "ttl": 120, "age": 0, "options": {"b": 2}, "confirmed": false}`)
			s.do("PATCH", one, `{"subscriber": "http://y"}`).want(409)
			s.do("PATCH", strings.Replace(one, "/q/", "/p/", 1), `{"ttl": 60}`).want(404)
			s.do("PATCH", at+"/subscriptions/x", `{"ttl": 60}`).want(404)
			s.do("PATCH", at+"/subscriptions/x", `{"ttl": 59}`).want(400)
			s.do("PATCH", one, `{"ttl": 120}`, "X-Project-ID: other").want(404)
			equal(s.t, "the other one", s.get(at+"/subscriptions/"+other).str("subscriber"), "http://y")
			s.advance(119)
			s.do("PATCH", one, `{"ttl": 120}`).want(204) // the same, and yet a new lifetime
			s.advance(119)
			equal(s.t, "age", s.get(one).want(200).num("age"), 238)
			s.advance(1)
			s.get(one).want(404)
		}), nil},
		{229, "malformed_updates", everywhere(func(s *server, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			for _, body := range []string{``, `{}`, `[1]`, `[]`, `{"x": 1}`, `{"confirmed": true, "id": "y"}`, `{"ttl": 59}`, `{"ttl": "60"}`, `{"ttl": 99999999999999999}`,
				`{"options": []}`, `{"options": {"_retry_policy": 1}}`, `{"subscriber": "ftp://x"}`, `{"subscriber": null, "ttl": null, "options": null}`, `{"ttl": 60`} {
				s.do("PATCH", one, body).want(400)
			}
			equal(s.t, "ttl", s.get(one).num("ttl"), 3600)
		}), nil},
		{230, "updates_ignore_other_members", everywhere(func(s *server, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			s.do("PATCH", one, `{"subscriber": ""}`).want(400)
			s.do("PATCH", one, `{"subscriber": "", "ttl": 60}`).want(400)
			s.do("PATCH", one, `{"ttl": 60, "project": "x", "queue": "y", "subscription_id": "z", "confirmed": true, "source": "y"}`).want(204)
			equal(s.t, "confirmed", s.get(one).at("confirmed"), any(false))
			equal(s.t, "source", s.get(one).str("source"), "q")
		}), nil},
		{231, "unsubscribe", everywhere(func(s *server, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			s.delete(strings.Replace(one, "/q/", "/p/", 1)).want(204)
			s.delete(one, "X-Project-ID: other").want(204)
			s.delete(at + "/subscriptions/x").want(204)
			s.get(one).want(200)
			s.delete(one).want(204).wantEmpty()
			s.delete(one).want(204)
			s.get(one).want(404)
		}), nil},
		{232, "confirm", everywhere(func(s *server, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			for _, confirmed := range []bool{true, true, false, false, true} {
				s.put(one+"/confirm", fmt.Sprintf(`{"confirmed": %v, "extra_spec": 1}`, confirmed)).want(204).wantEmpty().wantHeader("Location", one+"/confirm")
				equal(s.t, "confirmed", s.get(one).at("confirmed"), any(confirmed))
			}
			for _, body := range []string{``, `{}`, `[]`, `{"confirmed": 1}`, `{"confirmed": "true"}`, `{"confirmed": null}`, `{"Confirmed": true}`} {
				s.put(one+"/confirm", body).want(400)
			}
			s.put(at+"/subscriptions/x/confirm", `{"confirmed": true}`).want(404)
			s.post(one+"/confirm", `{"confirmed": true}`).want(405).wantHeader("Allow", "OPTIONS, PUT")
			s.put(one+"/confirm/", `{"confirmed": true}`).want(404)
			s.advance(3600) // confirming is no new lifetime
			s.get(one).want(404)
		}), nil},
		{233, "confirm_elsewhere", everywhere(func(s *server, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			s.put(strings.Replace(one, "/q/", "/p/", 1)+"/confirm", `{"confirmed": true}`).want(404)
			s.put(one+"/confirm", `{"confirmed": true}`, "X-Project-ID: other").want(404)
			equal(s.t, "confirmed", s.get(one).at("confirmed"), any(false))
		}), nil},
		{234, "subscriptions_survive_their_queue", everywhere(func(s *server, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			s.delete(at).want(204)
			s.get(one).want(200)
			equal(s.t, "listed", s.get(at+"/subscriptions").count("subscriptions"), 1)
			s.put(at, "").want(201)
			s.get(one).want(200)
		}), nil},
		{235, "signed_confirmations", everywhere(func(s *server, at string) {
			n := new(notices)
			s = s.another(confirming(n))
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			headers := append(signedConfirm(s, n.last()), "Client-ID: "+clientB)
			for _, method := range []string{"GET", "PATCH", "DELETE", "POST", "PUT"} {
				s.do(method, one, `{"ttl": 60}`, headers...).want(404)
				s.do(method, at+"/messages", `{"messages": [{"body": 1}]}`, headers...).want(404)
			}
			s.do("OPTIONS", one+"/confirm", "", headers...).want(404)
			s.put(one+"/confirm", `{"confirmed": true}`, headers...).want(204)
		}), nil},
	}
}
