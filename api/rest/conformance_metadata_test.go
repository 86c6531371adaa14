package rest_test

import (
	"fmt"
	"strings"
	"sync"
)

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
