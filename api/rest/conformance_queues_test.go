package rest_test

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"zaqar/messaging"
)

const defaults = `"_max_messages_post_size": 262144, "_default_message_ttl": 3600, "_default_message_delay": 0,
	"_dead_letter_queue": null, "_dead_letter_queue_messages_ttl": null, "_max_claim_count": null, "_enable_encrypt_messages": false`

// Statements 39-54: the life of a queue.
func queueStatements() []statement {
	return []statement{
		{39, "put_new_queue", func(s *server) {
			s.put("/v2/queues/q", "").want(201).wantEmpty().wantHeader("Location", "/v2/queues/q").wantHeader("Content-Length", "0")
		}, nil},
		{40, "put_again", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			s.put("/v2/queues/q", "").want(204).wantEmpty().wantHeader("Location", "/v2/queues/q")
		}, nil},
		{41, "put_again_keeps_the_first_metadata", func(s *server) {
			s.put("/v2/queues/q", `{"a": 1}`).want(201)
			s.put("/v2/queues/q", `{"a": 2, "b": 3}`).want(204)
			s.get("/v2/queues/q").want(200).wantJSON(`{"a": 1, ` + defaults + `}`)
		}, nil},
		{42, "put_with_a_bad_body", func(s *server) {
			s.put("/v2/queues/q", "[]").want(400)
			s.put("/v2/queues/q", "{").want(400)
			s.put("/v2/queues/q", "").want(201)
			s.put("/v2/queues/q", "[]").want(400)
			s.put("/v2/queues/q", `{"_default_message_ttl": 5}`).want(400)
		}, nil},
		{43, "metadata_size", func(s *server) {
			s.put("/v2/queues/q", sized(65536)).want(201)
			s.put("/v2/queues/r", sized(65537)).want(400)
		}, nil},
		{44, "queue_names", queueNames, nil},
		{45, "names_with_dots", func(s *server) {
			s.put("/v2/queues/Service.test_queue", "").want(201)
			equal(s.t, "queues", s.get("/v2/queues").names("queues"), []string{"Service.test_queue"})
			equal(s.t, "href", s.get("/v2/queues").str("queues.0.href"), "/v2/queues/Service.test_queue")
		}, nil},
		{46, "names_that_urls_do_not_carry", func(s *server) {
			for _, name := range []string{"..", ".", "%2E%2E", "q%0A", "%0A"} {
				s.put("/v2/queues/"+name, "").want(400)
			}
		}, nil},
		{47, "trailing_slashes", func(s *server) {
			s.get("/v2/queues/").want(400)
			s.put("/v2/queues/", "").want(400)
			s.get("/v2/queues/q/").want(404)
		}, nil},
		{48, "get_shows_stored_and_defaulted_keys", func(s *server) {
			s.put("/v2/queues/q", `{"team": "a"}`).want(201)
			s.get("/v2/queues/q").want(200).wantJSON(`{"team": "a", ` + defaults + `}`)
		}, nil},
		{49, "get_missing_queue", func(s *server) {
			s.get("/v2/queues/q").want(200).wantJSON(`{` + defaults + `}`)
		}, nil},
		{50, "unknown_keys_are_stored", func(s *server) {
			s.put("/v2/queues/q", `{"_foo": [1.0, null, {"a.b": "$c"}], "description": "d", "name": "q"}`).want(201)
			r := s.get("/v2/queues/q").want(200)
			r.wantJSON(`{"_foo": [1.0, null, {"a.b": "$c"}], "description": "d", "name": "q", ` + defaults + `}`)
			if !strings.Contains(string(r.body), "1.0") {
				s.t.Errorf("number text changed: %s", r.body)
			}
		}, nil},
		{51, "delete_queue", func(s *server) {
			s.posted("q", "1")
			s.delete("/v2/queues/q").want(204).wantEmpty()
			s.delete("/v2/queues/q").want(204)
			s.get("/v2/queues/q/stats").want(200).wantJSON(`{"messages": {"claimed": 0, "free": 0, "total": 0}}`)
		}, nil},
		{52, "delete_removes_claimed_and_delayed_messages", func(s *server) {
			s.put("/v2/queues/q", `{"_default_message_delay": 10}`).want(201)
			s.postedItems("q", `{"body": 1, "delay": 0}`, `{"body": 2, "delay": 900}`)
			s.claimed("q", 1, "")
			s.delete("/v2/queues/q").want(204)
			s.put("/v2/queues/q", "").want(201)
			equal(s.t, "messages", s.listed("q", "&include_claimed=true&include_delayed=true"), []string{})
			_, _, total := s.stats("q")
			equal(s.t, "total", total, 0)
		}, nil},
		{53, "claims_of_a_deleted_queue", func(s *server) {
			s.posted("q", "1")
			claim, _ := s.claimed("q", 1, "")
			s.delete("/v2/queues/q").want(204)
			s.get(claim).want(404)
			s.do("PATCH", claim, "{}").want(404)
			s.delete(claim).want(204)
		}, nil},
		{54, "reading_does_not_create", func(s *server) {
			s.get("/v2/queues/q").want(200)
			s.get("/v2/queues/q/stats").want(200)
			s.post("/v2/queues/q/purge", "").want(204)
			s.post("/v2/queues/q/claims", "").want(204)
			s.get("/v2/queues/q/messages").want(200)
			s.delete("/v2/queues/q/messages?pop=1").want(200)
			s.get("/v2/queues").want(200).wantJSON(`{"queues": [], "links": []}`)
		}, nil},
	}
}

// sized returns a metadata object of exactly n bytes.
func sized(n int) string {
	const frame = `{"a":""}`
	return `{"a":"` + strings.Repeat("x", n-len(frame)) + `"}`
}

func queueNames(s *server) {
	s.put("/v2/queues/"+strings.Repeat("n", 64), "").want(201)
	s.put("/v2/queues/AZaz09_-.", "").want(201)
	for _, name := range []string{strings.Repeat("n", 65), "a@b", "a b", "a~b", "café", "a/b", "a%b", "a\x00b", "a\tb", "a\\b"} {
		path := "/v2/queues/" + url.PathEscape(name)
		s.put(path, "").want(400)
		s.get(path + "/messages").want(400)
		s.get(path + "/claims/x").want(400)
	}
}

// Statements 55-67: reserved metadata.
func metadataStatements() []statement {
	return []statement{
		{55, "default_message_ttl", reserved("_default_message_ttl", "60 1209600", `59 1209601 0 "60" 60.5 -1 true [] {}`), nil},
		{56, "max_messages_post_size", reserved("_max_messages_post_size", "1 262144", `0 -1 262145 "1" 1.0`), nil},
		{57, "max_messages_post_size_is_no_boolean", reserved("_max_messages_post_size", "", "true false"), nil},
		{58, "default_message_delay", reserved("_default_message_delay", "0 900", `-1 901 "5" 1.5 true`), nil},
		{59, "dead_letter_ttl", reserved("_dead_letter_queue_messages_ttl", "60 1209600", `59 0 "1" 1209601 true`), nil},
		{60, "max_claim_count", func(s *server) {
			reserved("_max_claim_count", "0 1 5", `"3" 1.5 true`)(s)
			s.put("/v2/queues/z", `{"_max_claim_count": 0}`).want(201)
			equal(s.t, "shown", s.get("/v2/queues/z").want(200).at("_max_claim_count"), nil)
		}, nil},
		{61, "max_claim_count_is_not_negative", reserved("_max_claim_count", "", "-5 -1"), nil},
		{62, "dead_letter_queue", func(s *server) {
			reserved("_dead_letter_queue", `"other"`, `1 {"a":1} "bad@name" [] true`)(s)
			s.put("/v2/queues/own", `{"_dead_letter_queue": "own"}`).want(400)
		}, nil},
		{63, "enable_encrypt_messages", func(s *server) {
			reserved("_enable_encrypt_messages", "0 null true false", `1 "true"`)(s)
			for i, v := range []string{"0", "null", `""`} {
				path := fmt.Sprint("/v2/queues/e", i)
				s.put(path, `{"_enable_encrypt_messages": `+v+`}`).want(201)
				equal(s.t, v+" is shown as", s.get(path).at("_enable_encrypt_messages"), any(false))
			}
		}, withKey("k1")},
		{64, "null_means_unset", func(s *server) {
			for _, key := range reservedKeys {
				s.put("/v2/queues/of"+key, `{"`+key+`": null}`).want(201)
				s.get("/v2/queues/of" + key).want(200).wantJSON(`{` + defaults + `}`)
			}
		}, nil},
		{65, "empty_strings_are_no_integers", func(s *server) {
			reserved("_default_message_ttl", "", `""`)(s)
			reserved("_default_message_delay", "", `""`)(s)
		}, nil},
		{66, "retry_policy", func(s *server) {
			reserved("_retry_policy", `{} null {"minimum_delay":5,"maximum_delay":15} {"retry_backoff_function":"geometric"} {"x":1}`,
				`1 "x" [1] {"minimum_delay":5,"maximum_delay":14} {"retry_backoff_function":"nope"} {"minimum_delay":null,"maximum_delay":""}`)(s)
		}, nil},
		{67, "retry_policy_defaults_count", reserved("_retry_policy", `{"minimum_delay":20}`, `{"minimum_delay":40} {"maximum_delay":10}`), nil},
	}
}

var reservedKeys = []string{"_max_messages_post_size", "_default_message_ttl", "_default_message_delay", "_dead_letter_queue",
	"_dead_letter_queue_messages_ttl", "_max_claim_count", "_enable_encrypt_messages"}

// reserved tests which values, as JSON separated by blanks, a key takes, both
// in PUT and in PATCH.
func reserved(key, good, bad string) func(*server) {
	return func(s *server) {
		s.t.Helper()
		s.put("/v2/queues/patched", "").want(201, 204)
		for i, value := range strings.Fields(good) {
			s.put(fmt.Sprintf("/v2/queues/good%s%d", key, i), `{"`+key+`":`+value+`}`).want(201)
			s.patch("/v2/queues/patched", `[{"op":"add","path":"/metadata/`+key+`","value":`+value+`}]`).want(200)
		}
		for i, value := range strings.Fields(bad) {
			name := fmt.Sprintf("bad%s%d", key, i)
			s.put("/v2/queues/"+name, `{"`+key+`":`+value+`}`).want(400)
			equal(s.t, "created with "+value, s.exists(name), false)
			s.patch("/v2/queues/patched", `[{"op":"add","path":"/metadata/`+key+`","value":`+value+`}]`).want(400)
		}
	}
}

// Statements 68-91: patches of metadata.
func patchStatements() []statement {
	return []statement{
		{68, "patch_needs_its_content_type", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			for _, ct := range []string{"-Content-Type", "Content-Type: application/json", "Content-Type: application/json-patch+json"} {
				s.do("PATCH", "/v2/queues/q", "[]", ct).want(415)
			}
		}, nil},
		{69, "unsupported_type_tells_the_right_one", func(s *server) {
			s.do("PATCH", "/v2/queues/q", "[]").want(415).wantHeader("Accept-Patch", patchType)
		}, nil},
		{70, "patch_content_type_is_tolerant", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			s.patch("/v2/queues/q", "[]", "Content-Type: "+patchType+"; charset=utf-8").want(200)
			s.patch("/v2/queues/q", "[]", "Content-Type: "+strings.ToUpper(patchType)).want(200)
		}, nil},
		{71, "patch_bodies", func(s *server) {
			s.put("/v2/queues/q", `{"a": 1}`).want(201)
			for _, body := range []string{"", "{", "[1]", "[null]", "[[]]"} {
				s.patch("/v2/queues/q", body).want(400)
			}
			s.patch("/v2/queues/q", "[]").want(200).wantJSON(`{"a": 1, ` + defaults + `}`)
		}, nil},
		{72, "patch_is_no_object", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			s.patch("/v2/queues/q", `{"op": "add", "path": "/metadata/a", "value": 1}`).want(400)
		}, nil},
		{73, "patch_operations", func(s *server) {
			s.put("/v2/queues/q", `{"a": 1}`).want(201)
			for _, op := range []string{``, `"op":"test",`, `"op":"ADD",`, `"op":"move",`, `"op":1,`, `"op":null,`} {
				s.patch("/v2/queues/q", `[{`+op+`"path": "/metadata/a", "value": 1}]`).want(400)
			}
		}, nil},
		{74, "patch_members", func(s *server) {
			s.put("/v2/queues/q", `{"a": 1}`).want(201)
			s.patch("/v2/queues/q", `[{"op": "add", "value": 1}]`).want(400)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/a"}]`).want(400)
			s.patch("/v2/queues/q", `[{"op": "replace", "path": "/metadata/a"}]`).want(400)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/a", "value": null, "extra": {}}]`).want(200).
				wantJSON(`{"a": null, ` + defaults + `}`)
			s.patch("/v2/queues/q", `[{"op": "remove", "path": "/metadata/a", "value": 3}]`).want(200)
		}, nil},
		{75, "patch_path_is_a_string", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			for _, path := range []string{"1", "null", `["/metadata/a"]`, "{}"} {
				s.patch("/v2/queues/q", `[{"op": "add", "path": `+path+`, "value": 1}]`).want(400)
			}
		}, nil},
		{76, "patch_paths", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			for _, path := range []string{"metadata/a", "/a", "/metadata", "/metadata/", "/metadata//a", "/metadata/a/b", "/", "",
				"//metadata/a", "/metadata/ ", "/ /a", "/metadata/a/"} {
				s.patch("/v2/queues/q", `[{"op": "add", "path": "`+path+`", "value": 1}]`).want(400)
			}
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/ a ", "value": 1}]`).want(200).wantJSON(`{"a": 1, ` + defaults + `}`)
		}, nil},
		{77, "patch_add_elsewhere", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/foo/k", "value": 1}]`).want(400)
		}, nil},
		{78, "patch_remove_elsewhere", func(s *server) {
			s.put("/v2/queues/q", `{"k": 1}`).want(201)
			s.patch("/v2/queues/q", `[{"op": "remove", "path": "/foo/k"}]`).want(400)
			equal(s.t, "k", s.get("/v2/queues/q").num("k"), 1)
		}, nil},
		{79, "patch_root_in_any_case", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/METADATA/up", "value": 1}]`).want(200).wantJSON(`{"up": 1, ` + defaults + `}`)
		}, nil},
		{80, "patch_escapes", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/a~1b", "value": 1}, {"op": "add", "path": "/metadata/a~0b", "value": 2},
				{"op": "add", "path": "/metadata/a~01b", "value": 3}]`).
				want(200).wantJSON(`{"a/b": 1, "a~b": 2, "a~1b": 3, ` + defaults + `}`)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/a~2b", "value": 1}]`).want(400)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/a~", "value": 1}]`).want(400)
		}, nil},
		{81, "patch_add_overwrites", func(s *server) {
			s.put("/v2/queues/q", `{"a": 1}`).want(201)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/a", "value": 2}]`).want(200).wantJSON(`{"a": 2, ` + defaults + `}`)
		}, nil},
		{82, "patch_replace_unset", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			s.patch("/v2/queues/q", `[{"op": "replace", "path": "/metadata/a", "value": 2}]`).want(409)
			r := s.patch("/v2/queues/q", `[{"op": "replace", "path": "/metadata/_max_claim_count", "value": 2}]`).want(200)
			equal(s.t, "count", r.num("_max_claim_count"), 2)
		}, nil},
		{83, "patch_remove_unset", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			s.patch("/v2/queues/q", `[{"op": "remove", "path": "/metadata/a"}]`).want(409)
			for _, key := range reservedKeys {
				s.patch("/v2/queues/q", `[{"op": "remove", "path": "/metadata/`+key+`"}]`).want(200).wantJSON(`{` + defaults + `}`)
			}
		}, nil},
		{84, "patch_flavor_and_retry_policy_are_ordinary", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			for _, key := range []string{"_flavor", "_retry_policy"} {
				s.patch("/v2/queues/q", `[{"op": "remove", "path": "/metadata/`+key+`"}]`).want(409)
				s.patch("/v2/queues/q", `[{"op": "replace", "path": "/metadata/`+key+`", "value": null}]`).want(409)
			}
		}, nil},
		{85, "patch_is_all_or_nothing", func(s *server) {
			s.put("/v2/queues/q", `{"a": 1}`).want(201)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/b", "value": 2}, {"op": "replace", "path": "/metadata/b", "value": 3},
				{"op": "remove", "path": "/metadata/a"}]`).want(200).wantJSON(`{"b": 3, ` + defaults + `}`)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/b", "value": 4}, {"op": "remove", "path": "/metadata/nope"}]`).want(409)
			s.get("/v2/queues/q").wantJSON(`{"b": 3, ` + defaults + `}`)
		}, nil},
		{86, "patch_result_is_checked", func(s *server) {
			s.put("/v2/queues/q", `{"a": 1}`).want(201)
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/_default_message_ttl", "value": 5}]`).want(400)
			s.get("/v2/queues/q").wantJSON(`{"a": 1, ` + defaults + `}`)
		}, nil},
		{87, "patch_missing_queue", func(s *server) {
			s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/a", "value": 1}]`).want(404)
			s.patch("/v2/queues/q", `[{"op": "jump", "path": "/metadata/a", "value": 1}]`).want(400)
			equal(s.t, "created", s.exists("q"), false)
		}, nil},
		{88, "patch_answers_what_get_answers", func(s *server) {
			s.put("/v2/queues/q", `{"z": 1, "_default_message_ttl": 60}`).want(201)
			r := s.patch("/v2/queues/q", `[{"op": "add", "path": "/metadata/a", "value": {"x": 1.0}}]`).want(200)
			equal(s.t, "get", string(s.get("/v2/queues/q").body), string(r.body))
		}, nil},
		{89, "patch_size", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			patch := func(n int) string {
				frame := `[{"op":"remove","path":"/metadata/_max_claim_count","value":""}]`
				return strings.Replace(frame, `""`, `"`+strings.Repeat("x", n-len(frame))+`"`, 1)
			}
			s.patch("/v2/queues/q", patch(65536)).want(200)
			s.patch("/v2/queues/q", patch(65537)).want(400)
		}, nil},
		{90, "patch_result_size", func(s *server) {
			s.put("/v2/queues/q", sized(60000)).want(201)
			s.patch("/v2/queues/q", `[{"op":"add","path":"/metadata/b","value":"`+strings.Repeat("x", 6000)+`"}]`).want(400)
			s.patch("/v2/queues/q", `[{"op":"add","path":"/metadata/b","value":"`+strings.Repeat("x", 5000)+`"}]`).want(200)
		}, nil},
		{91, "concurrent_patches", concurrentPatches, nil},
	}
}

func concurrentPatches(s *server) {
	s.put("/v2/queues/q", "").want(201)
	var wg sync.WaitGroup
	var want []string
	for i := range 20 {
		key := fmt.Sprintf("k%02d", i)
		want = append(want, fmt.Sprintf(`"%s": %d`, key, i))
		req := s.request("PATCH", "/v2/queues/q", fmt.Sprintf(`[{"op":"add","path":"/metadata/%s","value":%d}]`, key, i), "Content-Type: "+patchType)
		wg.Go(func() {
			res, err := plain.Do(req)
			if err != nil {
				s.t.Error(err)
				return
			}
			defer res.Body.Close()
			if res.StatusCode != 200 {
				s.t.Errorf("%s: %d", key, res.StatusCode)
			}
		})
	}
	wg.Wait()
	s.get("/v2/queues/q").want(200).wantJSON(`{` + strings.Join(want, ",") + `, ` + defaults + `}`)
}

// Statements 92-107: the list of queues.
func queueListStatements() []statement {
	return []statement{
		{92, "empty_project", func(s *server) { s.get("/v2/queues").want(200).wantJSON(`{"queues": [], "links": []}`) }, nil},
		{93, "default_page_is_ten", func(s *server) {
			s.queues(12)
			equal(s.t, "default", s.get("/v2/queues").want(200).count("queues"), 10)
			equal(s.t, "limit=20", s.get("/v2/queues?limit=20").want(200).count("queues"), 12)
			for _, limit := range []string{"0", "-1", "21"} {
				s.get("/v2/queues?limit=" + limit).want(400)
			}
		}, nil},
		{94, "order_is_by_bytes", func(s *server) {
			for _, name := range []string{"a", "Z", "_", "b", "-", ".x", "1"} {
				s.put("/v2/queues/"+name, "").want(201)
			}
			equal(s.t, "order", s.get("/v2/queues").names("queues"), []string{"-", ".x", "1", "Z", "_", "a", "b"})
		}, nil},
		{95, "following_next", func(s *server) {
			want := s.queues(5)
			var got []string
			r := s.get("/v2/queues?limit=1").want(200)
			for range 10 {
				got = append(got, r.names("queues")...)
				if r.next() == "" {
					break
				}
				r = s.get(r.next()).want(200)
			}
			equal(s.t, "visited", got, want)
			r.wantJSON(`{"queues": [], "links": []}`)
		}, nil},
		{96, "the_last_page_has_next", func(s *server) {
			s.queues(2)
			equal(s.t, "next", s.get("/v2/queues?limit=20").next(), "/v2/queues?limit=20&marker=q01")
		}, nil},
		{97, "marker_of_no_queue", func(s *server) {
			s.queues(3)
			equal(s.t, "after q00x", s.get("/v2/queues?marker=q00x").names("queues"), []string{"q01", "q02"})
			equal(s.t, "after q01", s.get("/v2/queues?marker=q01").names("queues"), []string{"q02"})
			equal(s.t, "after zz", s.get("/v2/queues?marker=zz").names("queues"), []string{})
		}, nil},
		{98, "entries", func(s *server) {
			s.put("/v2/queues/q", `{"team": "a", "_default_message_ttl": 60}`).want(201)
			s.get("/v2/queues").wantJSON(`{"queues": [{"name": "q", "href": "/v2/queues/q"}], "links": [{"rel": "next", "href": "/v2/queues?marker=q"}]}`)
			r := s.get("/v2/queues?detailed=true").want(200)
			equal(s.t, "members", r.keys("queues.0"), "href metadata name")
			equal(s.t, "metadata", r.at("queues.0.metadata"), decode(s.t, s.get("/v2/queues/q").body))
		}, nil},
		{99, "next_repeats_parameters", func(s *server) {
			s.queues(3)
			equal(s.t, "next", s.get("/v2/queues?with_count=yes&name=q0&detailed=0&limit=2,1").next(),
				"/v2/queues?limit=1&detailed=false&name=q0&with_count=true&marker=q00")
		}, nil},
		{100, "name_filter", func(s *server) {
			for _, name := range []string{"q", "xqx", "Q", "x"} {
				s.put("/v2/queues/"+name, "").want(201)
			}
			equal(s.t, "name=q", s.get("/v2/queues?name=q").names("queues"), []string{"q", "xqx"})
			equal(s.t, "name=Q", s.get("/v2/queues?name=Q").names("queues"), []string{"Q"})
		}, nil},
		{101, "name_filter_is_literal", func(s *server) {
			for _, name := range []string{"ab", "a.b"} {
				s.put("/v2/queues/"+name, "").want(201)
			}
			equal(s.t, "name=.", s.get("/v2/queues?name=.").want(200).names("queues"), []string{"a.b"})
			equal(s.t, "name=[", s.get("/v2/queues?name=%5B").want(200).names("queues"), []string{})
		}, nil},
		{102, "metadata_filters", func(s *server) {
			s.put("/v2/queues/number", `{"node": 31, "x": "abc"}`).want(201)
			s.put("/v2/queues/string", `{"node": "31", "x": "abcd"}`).want(201)
			equal(s.t, "node=31", s.get("/v2/queues?node=31").names("queues"), []string{"number"})
			equal(s.t, "x=abc", s.get("/v2/queues?x=abc").names("queues"), []string{"number"})
			equal(s.t, "none", s.get("/v2/queues?y=abc").names("queues"), []string{})
		}, nil},
		{103, "filters_combine", func(s *server) {
			s.put("/v2/queues/a1", `{"_max_messages_post_size": 2000, "x": "y"}`).want(201)
			s.put("/v2/queues/a2", `{"_max_messages_post_size": 2000}`).want(201)
			s.put("/v2/queues/a3", `{"x": "y"}`).want(201)
			s.put("/v2/queues/b1", `{"_max_messages_post_size": 2000, "x": "y"}`).want(201)
			equal(s.t, "size", s.get("/v2/queues?_max_messages_post_size=2000").names("queues"), []string{"a1", "a2", "b1"})
			equal(s.t, "default", s.get("/v2/queues?_max_messages_post_size=262144").names("queues"), []string{})
			equal(s.t, "all", s.get("/v2/queues?_max_messages_post_size=2000&x=y&name=a").names("queues"), []string{"a1"})
		}, nil},
		{104, "next_repeats_filters", func(s *server) {
			s.put("/v2/queues/a", `{"x y": "a&b=c"}`).want(201)
			s.put("/v2/queues/b", `{"x y": "a&b=c"}`).want(201)
			next := s.get("/v2/queues?limit=1&x%20y=a%26b%3Dc").want(200).next()
			equal(s.t, "filter", params(s.t, next).Get("x y"), "a&b=c")
			equal(s.t, "next page", s.get(next).want(200).names("queues"), []string{"b"})
		}, nil},
		{105, "filter_values_never_fail", func(s *server) {
			s.put("/v2/queues/a", `{"x": "a,b"}`).want(201)
			equal(s.t, "x=a,b", s.get("/v2/queues?x=a,b").want(200).names("queues"), []string{"a"})
			for _, filter := range []string{"x=a&x=b", "x=%FF", "x=%zz", "%zz=1", "x=;", "=1", "x=99999999999999999999", "x=1e9"} {
				s.get("/v2/queues?" + filter).want(200)
			}
		}, nil},
		{106, "with_count", func(s *server) {
			s.queues(12)
			for _, q := range []string{"", "&limit=1", "&name=q01", "&x=y", "&marker=q05"} {
				equal(s.t, q, s.get("/v2/queues?with_count=true"+q).want(200).num("count"), 12)
			}
			equal(s.t, "without", s.get("/v2/queues?with_count=false").at("count"), nil)
		}, nil},
		{107, "other_projects_are_invisible", func(s *server) {
			s.put("/v2/queues/q", "", "X-Project-ID: other").want(201)
			equal(s.t, "queues", s.get("/v2/queues").names("queues"), []string{})
			equal(s.t, "count", s.get("/v2/queues?with_count=true").want(200).at("count"), decode(s.t, []byte("0")))
		}, nil},
	}
}

// queues creates n queues and returns their names in order.
func (s *server) queues(n int) []string {
	s.t.Helper()
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("q%02d", i))
		s.put("/v2/queues/"+names[i], "").want(201)
	}
	return names
}

// Statements 108-119: statistics and purge.
func statsStatements() []statement {
	return []statement{
		{108, "stats_of_nothing", func(s *server) {
			s.get("/v2/queues/q/stats").want(200).wantJSON(`{"messages": {"claimed": 0, "free": 0, "total": 0}}`)
			s.put("/v2/queues/q", "").want(201)
			s.get("/v2/queues/q/stats").want(200).wantJSON(`{"messages": {"claimed": 0, "free": 0, "total": 0}}`)
		}, nil},
		{109, "stats", func(s *server) {
			first := s.posted("q", "1")[0]
			s.advance(5)
			last := s.posted("q", "2", "3")[1]
			s.claimed("q", 1, "")
			s.advance(2)
			s.get("/v2/queues/q/stats").want(200).wantJSON(`{"messages": {"claimed": 1, "free": 2, "total": 3,
				"oldest": {"age": 7, "created": "2031-05-04T10:00:00Z", "href": "/v2/queues/q/messages/` + first + `"},
				"newest": {"age": 2, "created": "2031-05-04T10:00:05Z", "href": "/v2/queues/q/messages/` + last + `"}}}`)
		}, nil},
		{110, "stats_formats", func(s *server) {
			s.posted("q", "1")
			s.claimed("q", 1, "")
			r := s.get("/v2/queues/q/stats").want(200)
			if got := r.str("messages.oldest.created"); !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`).MatchString(got) {
				s.t.Errorf("created %q", got)
			}
			if got := r.str("messages.oldest.href"); strings.Contains(got, "?") {
				s.t.Errorf("href %q", got)
			}
		}, nil},
		{111, "stats_after_claims", func(s *server) {
			s.posted("q", "1", "2")
			s.claimed("q", 1, `{"ttl": 60}`)
			second, _ := s.claimed("q", 1, `{"ttl": 100}`)
			s.advance(60)
			claimed, free, _ := s.stats("q")
			equal(s.t, "after expiry", []int{claimed, free}, []int{1, 1})
			s.delete(second).want(204)
			claimed, free, _ = s.stats("q")
			equal(s.t, "after release", []int{claimed, free}, []int{0, 2})
		}, nil},
		{112, "stats_of_delayed_messages", func(s *server) {
			s.put("/v2/queues/q", `{"_default_message_delay": 900}`).want(201)
			s.posted("q", "1", "2")
			r := s.get("/v2/queues/q/stats").want(200)
			equal(s.t, "members", r.keys("messages"), "claimed free newest oldest total")
			equal(s.t, "total", r.num("messages.total"), 2)
		}, nil},
		{113, "purge_everything", func(s *server) {
			s.put("/v2/queues/q", `{"a": 1}`).want(201)
			s.posted("q", "1", "2")
			s.subscribed("q", 1)
			s.post("/v2/queues/q/purge", "").want(204).wantEmpty()
			equal(s.t, "messages", s.listed("q", ""), []string{})
			equal(s.t, "subscriptions", s.subscriptions("q"), 0)
			equal(s.t, "metadata", s.get("/v2/queues/q").num("a"), 1)
		}, nil},
		{114, "purge_by_type", func(s *server) {
			s.posted("q", "1")
			s.subscribed("q", 1)
			s.post("/v2/queues/q/purge", `{"resource_types": []}`).want(204)
			equal(s.t, "messages", s.listed("q", ""), []string{"1"})
			s.post("/v2/queues/q/purge", `{"resource_types": ["messages"], "x": 1}`).want(204)
			equal(s.t, "messages", s.listed("q", ""), []string{})
			equal(s.t, "subscriptions", s.subscriptions("q"), 1)
			s.posted("q", "2")
			s.post("/v2/queues/q/purge", `{"resource_types": ["subscriptions"]}`).want(204)
			equal(s.t, "messages", s.listed("q", ""), []string{"2"})
			equal(s.t, "subscriptions", s.subscriptions("q"), 0)
		}, nil},
		{115, "purge_bodies", func(s *server) {
			for _, body := range []string{`{}`, `[]`, `{"resource_types": ["x"]}`, `["messages"]`, `{"resource_types": "messages"}`, `["x"]`,
				`"messages"`, `{"resource_types": [["messages"]]}`, `{"resource_types": [null]}`, `{"resource_types": {}}`} {
				s.post("/v2/queues/q/purge", body).want(400)
			}
		}, nil},
		{116, "purge_of_null", func(s *server) { s.post("/v2/queues/q/purge", `{"resource_types": null}`).want(400) }, nil},
		{117, "purge_removes_all_subscriptions", func(s *server) {
			s.put("/v2/queues/q", "").want(201)
			s.subscribed("q", 25)
			s.post("/v2/queues/q/purge", `{"resource_types": ["subscriptions"]}`).want(204)
			equal(s.t, "subscriptions", s.subscriptions("q"), 0)
		}, nil},
		{118, "purge_leaves_claimed_messages", func(s *server) {
			s.posted("q", "1", "2")
			s.claimed("q", 1, "")
			s.post("/v2/queues/q/purge", "").want(204)
			equal(s.t, "messages", s.listed("q", "&include_claimed=true"), []string{"1"})
		}, nil},
		{119, "purge_removes_delayed_messages", func(s *server) {
			s.put("/v2/queues/q", `{"_default_message_delay": 900}`).want(201)
			s.posted("q", "1")
			s.post("/v2/queues/q/purge", "").want(204)
			_, _, total := s.stats("q")
			equal(s.t, "total", total, 0)
		}, nil},
	}
}

// subscribed puts n subscriptions into the store: their API is not there yet.
func (s *server) subscribed(queue string, n int) {
	s.t.Helper()
	for i := range n {
		_, _, err := s.data.Subscribe(context.Background(), messaging.Subscription{
			Source:     messaging.QueueRef{Project: project, Name: queue},
			Subscriber: fmt.Sprintf("http://example.org/%d", i), TTL: 3600, Options: []byte("{}")})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *server) subscriptions(queue string) int {
	s.t.Helper()
	list, err := s.data.Subscriptions(context.Background(), messaging.QueueRef{Project: project, Name: queue}, "", 100)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(list)
}
