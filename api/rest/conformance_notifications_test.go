package rest_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"zaqar/messaging/delivery"
)

// TestNotifications proves statements of notifications §18, by their numbers,
// as far as HTTP shows them. docs/conformance.md lists all of them.
func TestNotifications(t *testing.T) { notifications(t, openMemory) }

// TestNotificationsEmbedded proves the same over the store that servers use.
func TestNotificationsEmbedded(t *testing.T) { notifications(t, openEmbedded) }

func notifications(t *testing.T, open open) {
	for _, st := range noticeStatements() {
		for _, at := range []string{"/v2/queues/q", "/v2/topics/q"} {
			t.Run(fmt.Sprintf("%03d_%s%s", st.number, st.name, strings.ReplaceAll(at, "/", "_")), func(t *testing.T) {
				n := new(notices)
				s := newServer(t, open, confirming(n))
				st.run(s, n, at)
			})
		}
	}
}

type noticeStatement struct {
	number int
	name   string
	run    func(s *server, n *notices, at string)
}

const confirmed, unconfirmed = `{"confirmed": true}`, `{"confirmed": false}`

func noticeStatements() []noticeStatement {
	return []noticeStatement{
		{79, "subscribers_elsewhere", func(s *server, _ *notices, at string) {
			first := s.subscribe(at, hook)
			s.put(at+"/subscriptions/"+first+"/confirm", confirmed).want(204)
			elsewhere := strings.NewReplacer("queues", "topics", "topics", "queues").Replace(at)
			s.post(elsewhere+"/subscriptions", hook).want(201)
			s.post(strings.TrimSuffix(at, "q")+"p/subscriptions", hook).want(201)
			s.post(at+"/subscriptions", hook, "X-Project-ID: other").want(201)
			s.post(at+"/subscriptions", hook).want(409)
		}},
		{87, "expired_subscriptions_are_gone_at_once", func(s *server, _ *notices, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, `{"subscriber": "http://hook.example/1", "ttl": 60}`)
			s.put(one+"/confirm", confirmed).want(204)
			s.advance(59)
			s.get(one).want(200)
			s.post(at+"/subscriptions", hook).want(409)
			s.advance(1)
			s.get(one).want(404)
			s.do("PATCH", one, `{"ttl": 60}`).want(404)
			s.put(one+"/confirm", confirmed).want(404)
			s.delete(one).want(204)
			equal(s.t, "listed", s.get(at+"/subscriptions").count("subscriptions"), 0)
			if again := s.subscribe(at, hook); strings.HasSuffix(one, again) {
				s.t.Error("the expired one came back")
			}
		}},
		{88, "subscribing_after_others_expired", func(s *server, _ *notices, at string) {
			s.subscribe(at, `{"subscriber": "http://x/1", "ttl": 60}`)
			s.subscribe(at, `{"subscriber": "http://x/2", "ttl": 60}`)
			s.advance(60)
			s.subscribe(at, `{"subscriber": "http://x/3"}`)
			equal(s.t, "listed", s.get(at+"/subscriptions").count("subscriptions"), 1)
		}},
		{92, "new_subscribers_are_asked", func(s *server, n *notices, at string) {
			id := s.subscribe(at, `{"subscriber": "http://hook.example/1", "ttl": 600}`)
			equal(s.t, "told", n.told(), "SubscriptionConfirmation to http://hook.example/1")
			asked := n.last()
			equal(s.t, "id", string(asked.sub.ID), id)
			equal(s.t, "topic", asked.sub.Source.Topic, strings.Contains(at, "topics"))
			equal(s.t, "expires", asked.expires, s.clock.Now().Add(600*time.Second))
		}},
		{94, "confirm_with_the_signed_headers_alone", func(s *server, n *notices, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			headers := append(signedConfirm(s, n.last()), "Client-ID: "+clientB)
			s.put(one+"/confirm", confirmed, headers...).want(204)
			equal(s.t, "confirmed", s.get(one).at("confirmed"), any(true))
			s.put(one+"/confirm", unconfirmed, headers...).want(204)
			equal(s.t, "confirmed", s.get(one).at("confirmed"), any(false))
		}},
		{95, "altered_signed_headers", func(s *server, n *notices, at string) {
			one, other := at+"/subscriptions/"+s.subscribe(at, hook), at+"/subscriptions/"+s.subscribe(at, `{"subscriber": "http://y"}`)
			headers := signedConfirm(s, n.last()) // of the other one
			for _, wrong := range []string{"URL-Methods: PUT,GET", "URL-Methods: POST", "URL-Paths: " + one + "/confirm", "URL-Paths: " + at,
				"URL-Expires: 2031-05-05T10:00:00", "X-Project-ID: other", "URL-Signature: " + strings.Repeat("0", 64), "URL-Signature: x"} {
				name, _, _ := strings.Cut(wrong, ":")
				s.put(other+"/confirm", confirmed, append(without(headers, name), wrong)...).want(404)
			}
			for _, name := range []string{"URL-Methods", "URL-Paths", "URL-Expires"} {
				s.put(other+"/confirm", confirmed, without(headers, name)...).want(404)
			}
			s.put(one+"/confirm", confirmed, headers...).want(404)
			for _, method := range []string{"GET", "PATCH", "DELETE", "POST"} {
				s.do(method, other, `{"ttl": 60}`, headers...).want(404)
				s.do(method, other+"/confirm", confirmed, headers...).want(404)
			}
			s.put(other+"/secret", "", headers...).want(404)
			equal(s.t, "confirmed", s.get(one).at("confirmed"), any(false))
			equal(s.t, "confirmed", s.get(other).at("confirmed"), any(false))
		}},
		{96, "expired_signatures", func(s *server, n *notices, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, `{"subscriber": "http://x", "ttl": 60}`)
			headers := signedConfirm(s, n.last())
			s.do("PATCH", one, `{"ttl": 600}`).want(204)
			s.advance(59)
			s.put(one+"/confirm", confirmed, headers...).want(204)
			s.advance(1)
			s.put(one+"/confirm", confirmed, headers...).want(404)
		}},
		{97, "taking_a_confirmation_back", func(s *server, n *notices, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			headers := signedConfirm(s, n.last())
			s.put(one+"/confirm", confirmed, headers...).want(204)
			equal(s.t, "told", n.told(), "SubscriptionConfirmation to http://hook.example/1; resume http://hook.example/1")
			s.put(one+"/confirm", unconfirmed, headers...).want(204)
			equal(s.t, "told", n.told(), "UnsubscribeConfirmation to http://hook.example/1")
			equal(s.t, "kind", n.last().kind, delivery.UnsubscribeConfirmation)
			equal(s.t, "expires", n.last().expires, s.clock.Now().Add(time.Hour))
			s.put(one+"/confirm", confirmed, signedConfirm(s, n.last())...).want(204)
			s.delete(one).want(204) // silently
			equal(s.t, "told", n.told(), "resume http://hook.example/1; forget http://hook.example/1")
		}},
		{98, "subscribing_again_asks_again", func(s *server, n *notices, at string) {
			id := s.subscribe(at, `{"subscriber": "http://x", "ttl": 60}`)
			s.advance(10)
			equal(s.t, "id", s.subscribe(at, `{"subscriber": "http://x", "ttl": 900}`), id)
			equal(s.t, "told", n.told(), "SubscriptionConfirmation to http://x; SubscriptionConfirmation to http://x")
			equal(s.t, "expires", n.last().expires, s.clock.Now().Add(900*time.Second))
			s.advance(50)
			s.get(at + "/subscriptions/" + id).want(404) // its own lifetime is what it was
		}},
		{106, "another_subscriber_has_to_confirm", func(s *server, n *notices, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			s.put(one+"/confirm", confirmed).want(204)
			n.told()
			s.do("PATCH", one, `{"subscriber": "http://hook.example/1", "ttl": 600}`).want(204) // the same
			equal(s.t, "told", n.told(), "resume http://hook.example/1")
			equal(s.t, "confirmed", s.get(one).at("confirmed"), any(true))
			s.do("PATCH", one, `{"subscriber": "http://victim.example/"}`).want(204)
			equal(s.t, "told", n.told(), "SubscriptionConfirmation to http://victim.example/; resume http://victim.example/")
			equal(s.t, "confirmed", s.get(one).at("confirmed"), any(false))
			equal(s.t, "expires", n.last().expires, s.clock.Now().Add(600*time.Second))
		}},
		{112, "extra_spec_on_a_confirmation", func(s *server, _ *notices, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			s.put(one+"/confirm", confirmed, "EXTRA-SPEC: messagecode:1").want(204)
			s.put(one+"/confirm", confirmed, "EXTRA-SPEC: other:1").want(400)
			s.put(one+"/confirm", confirmed, "EXTRA-SPEC: ").want(204)
			s.put(one+"/confirm", confirmed, "EXTRA-SPEC: :x").want(204)
		}},
		{114, "signed_paths_are_texts", func(s *server, n *notices, at string) {
			one := at + "/subscriptions/" + s.subscribe(at, hook)
			headers := signedConfirm(s, n.last())
			for _, path := range []string{one + "/confirmx", one + "x/confirm", "/x" + one + "/confirm", one + "/./confirm", one + "//confirm", one + "/confirm/../confirm", one + "%2Fconfirm"} {
				s.put(path, confirmed, headers...).want(404)
			}
			s.put(strings.Replace(one, "/q/", "/qq/", 1)+"/confirm", confirmed, headers...).want(404)
		}},
		{120, "purge_ends_all_subscriptions", func(s *server, n *notices, at string) {
			for i := range 250 {
				s.subscribe(at, fmt.Sprintf(`{"subscriber": "http://x/%d"}`, i))
			}
			n.told()
			s.post(at+"/purge", `{"resource_types": ["messages"]}`).want(204)
			equal(s.t, "told", n.told(), "")
			s.post(at+"/purge", `{"resource_types": ["subscriptions"]}`).want(204)
			equal(s.t, "left", s.get(at+"/subscriptions").count("subscriptions"), 0)
			equal(s.t, "forgotten", strings.Count(n.told(), "forget "), 250)
		}},
	}
}

// TestNotificationsDocument holds the table of docs/conformance.md about
// notifications §18 against the tests: all 120 statements are there, and each
// test named exists.
func TestNotificationsDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| N(\d+) \| ([^|]+) \|$`).FindAllStringSubmatch(string(text), -1) {
		if _, twice := listed[row[1]]; twice {
			t.Errorf("statement N%s is listed twice", row[1])
		}
		listed[row[1]] = row[2]
	}
	const all = 120
	for i := range all {
		n := fmt.Sprint(i + 1)
		switch is := listed[n]; {
		case is == "":
			t.Errorf("statement N%s is not listed", n)
		case !strings.HasPrefix(is, "later: "):
			tests := regexp.MustCompile("`(\\S+) (Test\\w+)(/\\S+)?`").FindAllStringSubmatch(is, -1)
			if len(tests) == 0 {
				t.Errorf("statement N%s: %s names no test", n, is)
			}
			for _, test := range tests {
				checkTest(t, n, test[1], test[2])
			}
		}
	}
	if len(listed) != all {
		t.Errorf("%d statements are listed, want %d", len(listed), all)
	}
	for _, st := range noticeStatements() {
		if want := fmt.Sprintf("`api/rest TestNotifications/%03d_%s`", st.number, st.name); !strings.Contains(listed[fmt.Sprint(st.number)], want) {
			t.Errorf("statement N%d: the document says %s, the test is %s", st.number, listed[fmt.Sprint(st.number)], want)
		}
	}
}

// checkTest makes sure that a package has the test.
func checkTest(t *testing.T, number, dir, name string) {
	t.Helper()
	files, err := os.ReadDir("../../" + dir)
	if err != nil {
		t.Errorf("statement N%s: %v", number, err)
		return
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		if text, err := os.ReadFile("../../" + dir + "/" + f.Name()); err == nil && strings.Contains(string(text), "\nfunc "+name+"(") {
			return
		}
	}
	t.Errorf("statement N%s: package %s has no %s", number, dir, name)
}
