package rest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// every JSON type, with texts that decoding would change
var everyType = []string{`null`, `true`, `false`, `0`, `-0`, `1.0`, `1e2`, `1E400`, `12345678901234567890.5`, `""`, `"a\u0000\"\/é😀"`, `[]`,
	`{}`, `[1, [2, {"b": null, "a": 1, "b": 2}]]`, `{"$set": {"a.b": 1}, "": []}`}

// Statements 136-149: posting.
func postStatements() []statement {
	return []statement{
		{136, "post_creates_the_queue", func(s *server) {
			s.posted("q", "1")
			s.get("/v2/queues/q").want(200).wantJSON(`{` + defaults + `}`)
			equal(s.t, "queues", s.get("/v2/queues").names("queues"), []string{"q"})
		}, nil},
		{137, "rejected_post_creates_nothing", func(s *server) {
			for _, body := range []string{"", "{", "{}", `{"messages":[]}`, `{"messages":[{}]}`, `{"messages":[{"body":1,"ttl":1}]}`,
				`{"messages":[{"body":1},{"body":2,"ttl":"x"}]}`, strings.Repeat(" ", 262145)} {
				s.post("/v2/queues/q/messages", body).want(400)
			}
			equal(s.t, "created", s.exists("q"), false)
			s.get("/v2/queues").wantJSON(`{"queues": [], "links": []}`)
		}, nil},
		{138, "post_answers_with_ids_in_order", func(s *server) {
			r := s.post("/v2/queues/q/messages", `{"messages":[{"body":1},{"body":2}]}`).want(201)
			equal(s.t, "members", r.keys(""), "resources")
			ids := strings.TrimPrefix(r.header.Get("Location"), "/v2/queues/q/messages?ids=")
			a, b, _ := strings.Cut(ids, ",")
			r.wantJSON(`{"resources": ["/v2/queues/q/messages/` + a + `", "/v2/queues/q/messages/` + b + `"]}`)
			equal(s.t, "bodies", s.get(r.header.Get("Location")).want(200).bodies(), []string{"1", "2"})
			equal(s.t, "body", s.get(r.str("resources.1")).want(200).num("body"), 2)
		}, nil},
		{139, "bodies_round_trip", func(s *server) {
			ids := s.posted("q", everyType...)
			equal(s.t, "listed", s.listed("q", ""), everyType)
			for i, id := range ids {
				r := s.get("/v2/queues/q/messages/" + id).want(200)
				if !strings.Contains(string(r.body), `"body":`+everyType[i]) {
					s.t.Errorf("%s became %s", everyType[i], r.body)
				}
			}
			_, claimed := s.claimed("q", 20, "")
			equal(s.t, "claimed", len(claimed), len(everyType))
		}, nil},
		{140, "posts_without_messages", func(s *server) {
			for _, body := range []string{"", "[]", "{}", `{"messages": null}`, `{"messages": {}}`, `{"messages": []}`, `{"Messages": [{"body": 1}]}`} {
				s.post("/v2/queues/q/messages", body).want(400)
			}
		}, nil},
		{141, "messages_are_objects", func(s *server) {
			for _, body := range []string{`{"messages": [1]}`, `{"messages": [null]}`, `["messages"]`, `{"messages": [[]]}`, `{"messages": "x"}`} {
				s.post("/v2/queues/q/messages", body).want(400)
			}
		}, nil},
		{142, "message_members", func(s *server) {
			s.post("/v2/queues/q/messages", `{"messages": [{"ttl": 60}]}`).want(400)
			s.post("/v2/queues/q/messages", `{"x": [1], "messages": [{"body": 1, "id": 3, "y": {"body": 2}}], "ttl": "z"}`).want(201)
			equal(s.t, "listed", s.listed("q", ""), []string{"1"})
		}, nil},
		{143, "message_ttl", func(s *server) {
			s.postedItems("q", `{"body": 1, "ttl": 60}`, `{"body": 1, "ttl": 1209600}`)
			for _, ttl := range []string{"59", "1209601", `"60"`, "60.0", "6e1", "null", "true", "[60]", "-60", "0"} {
				s.post("/v2/queues/q/messages", `{"messages": [{"body": 1, "ttl": `+ttl+`}]}`).want(400)
			}
		}, nil},
		{144, "message_ttl_default", func(s *server) {
			s.put("/v2/queues/own", `{"_default_message_ttl": 77}`).want(201)
			for queue, want := range map[string]int{"q": 3600, "own": 77} {
				id := s.posted(queue, "1")[0]
				equal(s.t, queue, s.get("/v2/queues/"+queue+"/messages/"+id).num("ttl"), want)
			}
		}, nil},
		{145, "a_hundred_messages", func(s *server) {
			equal(s.t, "ids", len(s.posted("q", numbers(100)...)), 100)
			_, _, total := s.stats("q")
			equal(s.t, "total", total, 100)
		}, nil},
		{146, "post_size", func(s *server) {
			post := func(queue string, n int) *reply {
				frame := `{"messages":[{"body":""}]}`
				return s.post("/v2/queues/"+queue+"/messages", strings.Replace(frame, `""`, `"`+strings.Repeat("x", n-len(frame))+`"`, 1))
			}
			post("q", 262144).want(201)
			post("q", 262145).want(400)
			s.put("/v2/queues/small", `{"_max_messages_post_size": 100}`).want(201)
			post("small", 100).want(201)
			post("small", 101).want(400)
		}, nil},
		{147, "delay_on_a_delay_queue", func(s *server) {
			s.put("/v2/queues/q", `{"_default_message_delay": 1}`).want(201)
			s.postedItems("q", `{"body": 1, "delay": 0}`, `{"body": 2, "delay": 900}`)
			for _, delay := range []string{"901", "-1", `"5"`, "null", "1.5", "1.0", "true", "[]"} {
				s.post("/v2/queues/q/messages", `{"messages": [{"body": 1, "delay": `+delay+`}]}`).want(400)
			}
		}, nil},
		{148, "delay_elsewhere_is_ignored", func(s *server) {
			for _, delay := range []string{"901", "-1", `"5"`, "null", "1.5", "{}", "10"} {
				s.postedItems("q", `{"body": 1, "delay": `+delay+`}`)
			}
			equal(s.t, "listed", len(s.listed("q", "")), 7)
		}, nil},
		{149, "one_bad_message_rejects_all", func(s *server) {
			s.post("/v2/queues/q/messages", `{"messages": [{"body": 1}, {"body": 2, "ttl": 5}, {"body": 3}]}`).want(400)
			equal(s.t, "listed", s.listed("q", ""), []string{})
		}, nil},
	}
}

// Statements 150-170: reading.
func readStatements() []statement {
	return []statement{
		{150, "list_of_a_missing_queue", func(s *server) {
			s.get("/v2/queues/q/messages").want(200).wantJSON(`{"messages": [], "links": []}`)
		}, nil},
		{151, "echo", func(s *server) {
			s.posted("q", "1")
			equal(s.t, "default", s.get("/v2/queues/q/messages").bodies(), []string{})
			equal(s.t, "echo=false", s.get("/v2/queues/q/messages?echo=false").bodies(), []string{})
			equal(s.t, "echo=true", s.get("/v2/queues/q/messages?echo=true").bodies(), []string{"1"})
			equal(s.t, "another client", s.get("/v2/queues/q/messages", "Client-ID: "+clientB).bodies(), []string{"1"})
		}, nil},
		{152, "spellings_of_one_client", func(s *server) {
			s.posted("q", "1")
			bare := "Client-ID: " + strings.ToUpper(strings.ReplaceAll(clientA, "-", ""))
			equal(s.t, "listed", s.get("/v2/queues/q/messages", bare).bodies(), []string{})
		}, nil},
		{153, "default_page_of_messages", func(s *server) {
			s.posted("q", numbers(12)...)
			equal(s.t, "default", s.get("/v2/queues/q/messages?echo=1").count("messages"), 10)
			s.get("/v2/queues/q/messages?limit=0").want(400)
			s.get("/v2/queues/q/messages?limit=21").want(400)
			s.get("/v2/queues/q/messages?limit=20").want(200)
		}, nil},
		{154, "paging_oldest_first", func(s *server) {
			s.posted("q", numbers(10)...)
			pages, bodies, last := s.follow("/v2/queues/q/messages?echo=true&limit=3")
			equal(s.t, "pages", pages, []int{3, 3, 3, 1, 0})
			equal(s.t, "bodies", bodies, numbers(10))
			last.wantJSON(`{"messages": [], "links": []}`)
		}, nil},
		{155, "paging_by_one", func(s *server) {
			s.posted("q", numbers(5)...)
			pages, bodies, _ := s.follow("/v2/queues/q/messages?echo=true&limit=1")
			equal(s.t, "pages", pages, []int{1, 1, 1, 1, 1, 0})
			equal(s.t, "bodies", bodies, numbers(5))
		}, nil},
		{156, "deleting_the_last_listed", func(s *server) {
			s.posted("q", numbers(4)...)
			r := s.get("/v2/queues/q/messages?echo=true&limit=2").want(200)
			s.delete(r.str("messages.1.href")).want(204)
			equal(s.t, "next page", s.get(r.next()).bodies(), []string{"2", "3"})
		}, nil},
		{157, "bad_marker", func(s *server) {
			s.posted("q", "1")
			for _, marker := range []string{"zzz", "-1", "1.5", "99999999999999999999999", "%00", strings.Repeat("a", 100)} {
				s.get("/v2/queues/q/messages?echo=true&marker=" + marker).want(200).wantJSON(`{"messages": [], "links": []}`)
			}
		}, nil},
		{158, "an_id_as_marker", func(s *server) {
			ids := s.posted("q", numbers(4)...)
			equal(s.t, "after", s.get("/v2/queues/q/messages?echo=true&marker="+ids[1]).want(200).bodies(), []string{"2", "3"})
		}, nil},
		{159, "filters_before_the_page_is_cut", func(s *server) {
			s.posted("q", numbers(5)...)
			for i := range 4 {
				s.post("/v2/queues/q/messages", fmt.Sprintf(`{"messages":[{"body":"b%d"}]}`, i), "Client-ID: "+clientB).want(201)
			}
			equal(s.t, "foreign", s.get("/v2/queues/q/messages?limit=3").bodies(), []string{`"b0"`, `"b1"`, `"b2"`})
		}, nil},
		{160, "claimed_messages_are_hidden", func(s *server) {
			s.posted("q", "1", "2")
			claim, ids := s.claimed("q", 1, "")
			equal(s.t, "default", s.listed("q", ""), []string{"2"})
			equal(s.t, "include_claimed=false", s.listed("q", "&include_claimed=false"), []string{"2"})
			r := s.get("/v2/queues/q/messages?echo=true&include_claimed=true").want(200)
			equal(s.t, "all", r.bodies(), []string{"1", "2"})
			equal(s.t, "href", r.str("messages.0.href"), "/v2/queues/q/messages/"+ids[0]+"?claim_id="+claimID(claim))
		}, nil},
		{161, "delayed_messages_are_hidden", func(s *server) {
			s.put("/v2/queues/q", `{"_default_message_delay": 30}`).want(201)
			s.posted("q", "1")
			equal(s.t, "default", s.listed("q", ""), []string{})
			equal(s.t, "include_delayed", s.listed("q", "&include_delayed=true"), []string{"1"})
			s.advance(30)
			equal(s.t, "later", s.listed("q", ""), []string{"1"})
		}, nil},
		{162, "later_posts_follow_the_marker", func(s *server) {
			s.posted("q", "1")
			next := s.get("/v2/queues/q/messages?echo=true").next()
			equal(s.t, "before", s.get(next).want(200).bodies(), []string{})
			s.posted("q", "2")
			equal(s.t, "after", s.get(next).want(200).bodies(), []string{"2"})
		}, nil},
		{163, "members_of_messages", func(s *server) {
			s.posted("q", "1")
			s.claimed("q", 1, "")
			r := s.get("/v2/queues/q/messages?echo=true&include_claimed=true").want(200)
			equal(s.t, "members", r.keys("messages.0"), "age body href id ttl")
			equal(s.t, "page", r.keys(""), "links messages")
		}, nil},
		{164, "get_one", func(s *server) {
			id := s.posted("q", "1")[0]
			s.advance(7)
			s.get("/v2/queues/q/messages/" + id).want(200).
				wantJSON(`{"id": "` + id + `", "href": "/v2/queues/q/messages/` + id + `", "ttl": 3600, "age": 7, "body": 1}`)
			s.posted("r", "1")
			s.get("/v2/queues/r/messages/" + id).want(404)
			s.get("/v2/queues/missing/messages/" + id).want(404)
			s.get("/v2/queues/q/messages/"+id, "X-Project-ID: other").want(404)
			for _, bad := range []string{"nope", "..", "a%2Fb", "%00", strings.Repeat("a", 100), "", "5"} {
				s.get("/v2/queues/q/messages/" + bad).want(404)
			}
		}, nil},
		{165, "ids_of_other_projects", func(s *server) {
			id := s.posted("q", "1")[0]
			other := "X-Project-ID: other"
			s.post("/v2/queues/q/messages", `{"messages":[{"body":2}]}`, other).want(201)
			s.get("/v2/queues/q/messages/"+id, other).want(404)
			s.get("/v2/queues/q/messages?ids="+id, other).want(404)
			s.delete("/v2/queues/q/messages/"+id, other).want(204)
			s.delete("/v2/queues/q/messages?ids="+id, other).want(204)
			s.get("/v2/queues/q/messages/" + id).want(200)
		}, nil},
		{166, "get_by_ids", func(s *server) {
			ids := s.posted("q", "1", "2", "3")
			equal(s.t, "comma", s.get("/v2/queues/q/messages?ids="+ids[1]+","+ids[0]).want(200).bodies(), []string{"2", "1"})
			equal(s.t, "repeated", s.get("/v2/queues/q/messages?ids="+ids[1]+"&ids="+ids[0]).want(200).bodies(), []string{"2", "1"})
			equal(s.t, "escaped comma", s.get("/v2/queues/q/messages?ids="+ids[1]+"%2C"+ids[0]).want(200).bodies(), []string{"2", "1"})
			equal(s.t, "twice", s.get("/v2/queues/q/messages?ids="+ids[1]+","+ids[1]).want(200).bodies(), []string{"2"})
			equal(s.t, "partly", s.get("/v2/queues/q/messages?ids=nope,"+ids[2]+",,").want(200).bodies(), []string{"3"})
			s.get("/v2/queues/q/messages?ids=nope,none").want(404)
			s.get("/v2/queues/missing/messages?ids=" + ids[0]).want(404)
			s.get("/v2/queues/q/messages?ids=" + strings.Repeat(ids[0]+",", 20)).want(200)
			s.get("/v2/queues/q/messages?ids=" + strings.Repeat(ids[0]+",", 21)).want(400)
			s.get("/v2/queues/q/messages?ids=,").want(400)
			s.get("/v2/queues/q/messages?ids=").want(200).wantJSON(`{"messages": [], "links": []}`)
		}, nil},
		{167, "ids_win", func(s *server) {
			id := s.posted("q", "1")[0]
			s.get("/v2/queues/q/messages?ids=" + id + "&limit=99&echo=zzz&wait=x").want(200)
		}, nil},
		{168, "no_links_with_ids", func(s *server) {
			id := s.posted("q", "1")[0]
			equal(s.t, "members", s.get("/v2/queues/q/messages?ids="+id).keys(""), "messages")
		}, nil},
		{169, "checksums", func(s *server) {
			s.posted("q", `{"a": 1}`, "null", `"str"`, "[1,2]", "1E400")
			r := s.get("/v2/queues/q/messages?echo=true").want(200)
			equal(s.t, "of an object", r.str("messages.0.checksum"), "MD5:42b7b4f2921788ea14dac5566e6f06d0")
			equal(s.t, "of null", r.keys("messages.1"), "age body href id ttl")
			equal(s.t, "of a string", r.str("messages.2.checksum"), "MD5:767e2d7912ebefdfe18495ed53635fc8")
			equal(s.t, "of an array", r.str("messages.3.checksum"), "MD5:04cd0e0151f352e7fd414d694a604136")
			off := s.another()
			off.posted("q", `{"a": 1}`)
			equal(s.t, "off", off.get("/v2/queues/q/messages?echo=true").keys("messages.0"), "age body href id ttl")
		}, checksums},
		{170, "expiry", func(s *server) {
			id := s.postedItems("q", `{"body": 1, "ttl": 60}`)[0]
			s.advance(59)
			s.get("/v2/queues/q/messages/" + id).want(200)
			s.advance(1)
			s.get("/v2/queues/q/messages/" + id).want(404)
			equal(s.t, "list", s.listed("q", "&include_claimed=true"), []string{})
			s.post("/v2/queues/q/claims", "").want(204)
			equal(s.t, "pop", s.delete("/v2/queues/q/messages?pop=1").bodies(), []string{})
			_, _, total := s.stats("q")
			equal(s.t, "total", total, 0)
		}, nil},
	}
}

func checksums(set *setup) { set.broker.Checksums = true }

// follow follows next links to the first empty page.
func (s *server) follow(target string) (pages []int, bodies []string, last *reply) {
	s.t.Helper()
	for range 20 {
		last = s.get(target).want(200)
		pages, bodies = append(pages, last.count("messages")), append(bodies, last.bodies()...)
		if target = last.next(); target == "" {
			return pages, bodies, last
		}
	}
	s.t.Fatalf("%s does not end", target)
	return nil, nil, nil
}

// TestStatementsAreOrdered keeps the lists readable.
func TestStatementsAreOrdered(t *testing.T) {
	var numbers []int
	for _, st := range statements() {
		numbers = append(numbers, st.number)
	}
	if !slices.IsSorted(numbers) {
		t.Errorf("not in order: %v", numbers)
	}
}
