package rest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"zaqar/auth/signed"
	"zaqar/messaging"
)

// signedPath is what signed headers name.
func signedPath(headers []string) string {
	return strings.TrimPrefix(without(without(without(without(headers, "URL-Signature"), "URL-Methods"), "URL-Expires"), "X-Project-ID")[0], "URL-Paths: ")
}

// inPage is the address of the page for what signed headers sign.
func inPage(headers []string) string {
	var b strings.Builder
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		b.WriteString("&" + strings.TrimPrefix(strings.TrimPrefix(name, "URL-"), "X-") + "=" + value)
	}
	return "/v2/confirm?" + strings.Replace(b.String()[1:], "Project-ID=", "Project=", 1)
}

// moved is a server with a subscription whose subscriber confirmed and was then
// changed, and what the first and the second one were sent.
func moved(t *testing.T, open open, at string) (s *server, one string, first, second []string, n *notices) {
	n = new(notices)
	s = newServer(t, open, confirming(n), func(set *setup) { set.rest.ConfirmationPage = true })
	one = at + "/subscriptions/" + s.subscribe(at, `{"subscriber": "http://attacker.example/"}`)
	first = signedConfirm(s, n.last())
	if signedPath(first) != one+"/confirm" {
		t.Fatalf("the first subscriber is asked to confirm %s", signedPath(first))
	}
	s.put(signedPath(first), confirmed, first...).want(204)
	s.do("PATCH", one, `{"subscriber": "http://victim.example/"}`).want(204)
	second = signedConfirm(s, n.last())
	return s, one, first, second, n
}

// everyStore runs a test for queues and topics, over both stores.
func everyStore(t *testing.T, test func(t *testing.T, open open, at string)) {
	for name, open := range map[string]open{"memory": openMemory, "embedded": openEmbedded} {
		for _, at := range []string{"/v2/queues/q", "/v2/topics/q"} {
			t.Run(name+at, func(t *testing.T) { test(t, open, at) })
		}
	}
}

// What one subscriber was sent confirms nothing for another one, however the
// subscription came to it.
func TestConfirmationsOfEarlierSubscribers(t *testing.T) {
	everyStore(t, func(t *testing.T, open open, at string) {
		s, one, first, second, n := moved(t, open, at)
		is := func(want bool) {
			t.Helper()
			equal(t, "confirmed", s.get(one).at("confirmed"), any(want))
		}
		for _, body := range []string{confirmed, unconfirmed} {
			s.put(one+"/confirm", body, first...).want(404)
			s.put(one+"/confirm", body, second...).want(404) // is not what they sign
			s.put(signedPath(second), body, first...).want(404)
		}
		s.post(inPage(first), "confirmed=true", formType).page(404, "not valid")
		is(false)

		s.put(signedPath(second), confirmed, second...).want(204).wantHeader("Location", signedPath(second))
		is(true)
		s.put(one+"/confirm", unconfirmed, first...).want(404)
		s.post(inPage(first), "confirmed=false", formType).page(404, "not valid")
		is(true)
		n.told()
		s.post(inPage(second), "confirmed=false", formType).page(200, "Unsubscribed")
		equal(t, "told", n.told(), "UnsubscribeConfirmation to http://victim.example/")
		is(false)
		back := signedConfirm(s, n.last())
		s.post(inPage(back), "confirmed=true", formType).page(200, "Confirmed")
		is(true)

		// And back, and forth again: nothing of before counts.
		s.do("PATCH", one, `{"subscriber": "http://attacker.example/"}`).want(204)
		third := signedConfirm(s, n.last())
		for _, old := range [][]string{first, second, back} {
			s.put(signedPath(old), confirmed, old...).want(404)
		}
		s.put(signedPath(third), confirmed, third...).want(204)
		s.do("PATCH", one, `{"subscriber": "http://victim.example/"}`).want(204)
		for _, old := range [][]string{first, second, back, third} {
			s.put(signedPath(old), confirmed, old...).want(404)
		}
		is(false)

		// Who has a token confirms as ever, by either name.
		s.put(one+"/confirm", confirmed).want(204)
		s.put(one+".3/confirm", unconfirmed).want(204)
		for _, wrong := range []string{".", ".0", ".1", ".4", ".03", ".3.", "..3"} {
			s.put(one+wrong+"/confirm", confirmed).want(404)
		}
		s.get(one + ".3").want(404)
		is(false)
	})
}

// A change of anything else lets what was sent count on, and so does a change
// to the subscriber that it has.
func TestConfirmationsOutlastChanges(t *testing.T) {
	everyStore(t, func(t *testing.T, open open, at string) {
		n := new(notices)
		s := newServer(t, open, confirming(n))
		one := at + "/subscriptions/" + s.subscribe(at, hook)
		asked := signedConfirm(s, n.last())
		for _, change := range []string{`{"ttl": 900}`, `{"options": {"a": 1}}`, hook} {
			s.do("PATCH", one, change).want(204)
			s.put(one+"/confirm", unconfirmed, asked...).want(204)
			s.put(one+"/confirm", confirmed, asked...).want(204)
		}
	})
}

// What an owner shared opens the path of the id as long as that has the
// subscriber it was made with.
func TestSharedConfirmations(t *testing.T) {
	s, one, _, second, _ := moved(t, openMemory, "/v2/queues/q")
	g := signed.Grant{Project: messaging.Project(project), Paths: []string{"/v2/queues/q/subscriptions"}, Methods: []string{http.MethodPut}, Expires: s.clock.Now().Add(time.Hour)}
	signature, err := signed.NewKeys("secret").Sign(g)
	if err != nil {
		t.Fatal(err)
	}
	shared := []string{"URL-Signature: " + signature, "URL-Methods: PUT", "URL-Paths: " + g.Paths[0], "URL-Expires: " + signed.FormatInstant(g.Expires)}
	other := "/v2/queues/q/subscriptions/" + s.subscribe("/v2/queues/q", `{"subscriber": "http://other.example/"}`)
	s.put(other+"/confirm", confirmed, shared...).want(204)
	s.put(one+"/confirm", confirmed, shared...).want(404)
	s.put(signedPath(second), confirmed, shared...).want(204)
}
