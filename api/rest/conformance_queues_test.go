package rest_test

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"

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
