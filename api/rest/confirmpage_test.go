package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/api/rest"
	"zaqar/auth/policy"
	"zaqar/auth/signed"
	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/memory"
)

const pageKey = "the key of the confirmation page"

func withPage(set *setup) {
	set.rest.ConfirmationPage = true
	set.rest.Signatures = signed.NewKeys(pageKey)
}

// link is the query of the page for a grant.
func link(t testing.TB, g signed.Grant) url.Values {
	t.Helper()
	signature, err := signed.NewKeys(pageKey).Sign(g)
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{
		"Signature": {signature}, "Methods": {strings.Join(g.Methods, ",")}, "Paths": {strings.Join(g.Paths, ",")},
		"Project": {string(g.Project)}, "Expires": {signed.FormatInstant(g.Expires)}, "Url": {""}, "Queue": {"q"},
	}
}

// forms is what a browser makes of the page, which is what counts of it: the
// values of the buttons.
func (r *reply) buttons() []string {
	r.t.Helper()
	if got := r.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		r.t.Errorf("%.200s: type %q", r.what, got)
	}
	csp := r.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'sha256-"} {
		if !strings.Contains(csp, want) {
			r.t.Errorf("%.200s: the policy %q lacks %q", r.what, csp, want)
		}
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
		if got := r.header.Get(name); got != want {
			r.t.Errorf("%.200s: %s is %q, want %q", r.what, name, got, want)
		}
	}
	for _, unwanted := range []string{"<script", "http://", "https://", "src=", "href=", "action="} {
		if strings.Contains(string(r.body), unwanted) {
			r.t.Errorf("%.200s: the page holds %q", r.what, unwanted)
		}
	}
	var values []string
	for _, m := range regexp.MustCompile(`<button[^>]* name="confirmed" value="([a-z]+)"`).FindAllStringSubmatch(string(r.body), -1) {
		values = append(values, m[1])
	}
	return values
}

// status is want for pages.
func (r *reply) page(status int, says string) *reply {
	r.t.Helper()
	if r.status != status || !strings.Contains(string(r.body), says) {
		r.t.Fatalf("%.200s: status %d, want %d and %q\n%s", r.what, r.status, status, says, r.body)
	}
	return r
}

const formType = "Content-Type: application/x-www-form-urlencoded"

// TestConfirmationPage uses the page as a browser does.
func TestConfirmationPage(t *testing.T) {
	for _, kind := range []string{"queue", "topic"} {
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, openMemory, withPage)
			container := "/v2/" + kind + "s/q"
			id := s.post(container+"/subscriptions", `{"subscriber":"mailto:a@example.org"}`).want(201).str("subscription_id")
			path := container + "/subscriptions/" + id
			confirmed := func() bool { return strings.Contains(string(s.get(path).want(200).body), `"confirmed":true`) }
			at := "/v2/confirm?" + link(t, signed.Grant{
				Project: project, Methods: []string{"PUT"}, Paths: []string{path + "/confirm"}, Expires: s.clock.Now().Add(time.Hour),
			}).Encode()
			bare := []string{"-Client-ID", "-X-Project-ID", "Accept: text/html"}

			first := s.get(at, bare...).page(200, project)
			if !slices.Equal(first.buttons(), []string{"true", "false"}) || !strings.Contains(string(first.body), kind) {
				t.Errorf("the page is\n%s", first.body)
			}
			s.do("HEAD", at, "", bare...).page(200, "")
			if confirmed() {
				t.Error("a look at the page confirms")
			}
			for range 2 {
				if got := s.post(at, "confirmed=true", append(bare, formType)...).page(200, "Confirmed").buttons(); !slices.Equal(got, []string{"false"}) || !confirmed() {
					t.Errorf("buttons %v, confirmed %v", got, confirmed())
				}
			}
			if got := s.post(at, "confirmed=false", append(bare, formType)...).page(200, "Unsubscribed").buttons(); !slices.Equal(got, []string{"true"}) || confirmed() {
				t.Errorf("buttons %v, confirmed %v", got, confirmed())
			}
			for _, body := range []string{"", "confirmed=", "confirmed=1", "confirmed=true&confirmed=false", "x=y", "confirmed=%zz", `{"confirmed": true}`, strings.Repeat("x", 2000)} {
				s.post(at, body, append(bare, formType)...).page(400, "did not work")
			}
			s.do("DELETE", at, "", bare...).page(405, "")
			s.delete(path).want(204)
			s.post(at, "confirmed=true", append(bare, formType)...).page(404, "not valid")
		})
	}
}

// TestConfirmationPageRefuses changes each part of a link that works.
func TestConfirmationPageRefuses(t *testing.T) {
	s := newServer(t, openMemory, withPage)
	id := s.post("/v2/queues/q/subscriptions", `{"subscriber":"mailto:a@example.org"}`).want(201).str("subscription_id")
	path := "/v2/queues/q/subscriptions/" + id + "/confirm"
	grant := func() signed.Grant {
		return signed.Grant{Project: project, Methods: []string{"PUT"}, Paths: []string{path}, Expires: s.clock.Now().Add(time.Hour)}
	}
	ask := func(query url.Values) (shown, done *reply) {
		at := "/v2/confirm?" + query.Encode()
		return s.get(at), s.post(at, "confirmed=true", formType)
	}
	refused := func(name string, query url.Values) {
		t.Helper()
		shown, done := ask(query)
		for _, r := range []*reply{shown, done} {
			if r.status != 404 || len(r.buttons()) != 0 || strings.Contains(string(r.body), project) {
				t.Errorf("%s: status %d\n%s", name, r.status, r.body)
			}
		}
	}
	for name, change := range map[string]func(url.Values){
		"signature": func(q url.Values) { q.Set("Signature", strings.Repeat("0", 64)) },
		"project":   func(q url.Values) { q.Set("Project", "p2") },
		"path":      func(q url.Values) { q.Set("Paths", strings.Replace(path, "/q/", "/p/", 1)) },
		"expiry":    func(q url.Values) { q.Set("Expires", "2099-01-01T00:00:00") },
		"method":    func(q url.Values) { q.Set("Methods", "PUT,DELETE") },
		"twice":     func(q url.Values) { q.Add("Project", "p2") },
		"nothing":   func(q url.Values) { clear(q) },
		"no key":    func(q url.Values) { q.Del("Expires") },
	} {
		q := link(t, grant())
		change(q)
		refused(name, q)
	}
	// What is signed for something else is not for this.
	for name, change := range map[string]func(*signed.Grant){
		"another method": func(g *signed.Grant) { g.Methods = []string{"GET"} },
		"the messages":   func(g *signed.Grant) { g.Paths = []string{"/v2/queues/q/messages"} },
		"all below":      func(g *signed.Grant) { g.Paths = []string{"/v2/queues/q/subscriptions"} },
		"several paths":  func(g *signed.Grant) { g.Paths = []string{path, path + "x"} },
		"a queue":        func(g *signed.Grant) { g.Paths = []string{"/v2/queues/q"} },
		"the page":       func(g *signed.Grant) { g.Paths = []string{"/v2/confirm"} },
		"no such path":   func(g *signed.Grant) { g.Paths = []string{"/x/v2/queues/q/subscriptions/" + id + "/confirm"} },
		"a bad name":     func(g *signed.Grant) { g.Paths = []string{"/v2/queues/a b/subscriptions/" + id + "/confirm"} },
		"a long project": func(g *signed.Grant) {
			g.Project = messaging.Project(strings.Repeat("p", messaging.MaxProjectLength+1))
		},
	} {
		g := grant()
		change(&g)
		refused(name, link(t, g))
	}
	// Another queue's path leads nowhere, though it is signed.
	g := grant()
	g.Paths = []string{strings.Replace(path, "/q/", "/other/", 1)}
	if _, done := ask(link(t, g)); done.status != 404 {
		t.Errorf("through another queue: status %d", done.status)
	}
	good := link(t, grant())
	s.advance(3600)
	refused("over", good)
	if strings.Contains(string(s.get(strings.TrimSuffix(path, "/confirm")).body), `"confirmed":true`) {
		t.Error("it is confirmed")
	}
}

// The page asks the policy and the quotas what the request that it stands for
// would ask, and is in the audit log like it.
func TestConfirmationPageIsTheConfirmCall(t *testing.T) {
	s, do := audited(t, withPage, withPolicy(`"subscription:confirm": "not project_id:barred"`))
	if record := do("POST", "/v2/queues/q/subscriptions", `{"subscriber":"mailto:a@example.org"}`); record["outcome"] != "success" {
		t.Fatalf("%v", record)
	}
	list, err := s.data.Subscriptions(t.Context(), messaging.QueueRef{Project: project, Name: "q"}, "", 1)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	id := string(list[0].ID)
	at := func(project messaging.Project) string {
		return "/v2/confirm?" + link(t, signed.Grant{Project: project, Methods: []string{"PUT"},
			Paths: []string{"/v2/queues/q/subscriptions/" + id + "/confirm"}, Expires: s.clock.Now().Add(time.Hour)}).Encode()
	}
	if record := do("GET", at(project), "", "-Client-ID"); record != nil {
		t.Errorf("a look is recorded: %v", record)
	}
	equal(t, "record", do("POST", at(project), "confirmed=true", "-Client-ID", formType), map[string]any{
		"action": "subscription:confirm", "outcome": "success", "method": "POST", "route": "/v2/confirm", "project": project,
		"queue": "q", "subscription_id": id, "signed": true, "address": "127.0.0.1",
	})
	if record := do("GET", at("barred"), "", "-Client-ID"); record["outcome"] != "refused" || record["action"] != "" && record["action"] != nil {
		t.Errorf("%v", record)
	}
	if record := do("POST", at("barred"), "confirmed=true", formType); record["outcome"] != "refused" || record["action"] != "subscription:confirm" {
		t.Errorf("%v", record)
	}
	if record := do("POST", strings.Replace(at(project), "Signature=", "Signature=0", 1), "confirmed=true", formType); record["outcome"] != "refused" || record["project"] != nil {
		t.Errorf("%v", record)
	}

	slow := newServer(t, openMemory, withPage, withQuotas(messaging.Limits{messaging.LimitRequests: 1, messaging.LimitRequestBurst: 2}))
	link := "/v2/confirm?" + link(t, signed.Grant{Project: project, Methods: []string{"PUT"},
		Paths: []string{"/v2/queues/q/subscriptions/x/confirm"}, Expires: slow.clock.Now().Add(time.Hour)}).Encode()
	statuses := map[int]int{}
	for range 20 {
		r := slow.get(link)
		statuses[r.status]++
		if r.status != 200 && len(r.buttons()) != 0 {
			t.Errorf("%s", r.body)
		}
	}
	if statuses[200] == 0 || statuses[429]+statuses[503] == 0 {
		t.Errorf("statuses %v", statuses)
	}
}

// FuzzConfirmationPage has queries that are signed and hold anything: nothing
// of them is markup.
func FuzzConfirmationPage(f *testing.F) {
	for _, hostile := range []string{
		"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'-alert(1)-'", "{{.}}", "</strong><form action=//evil>", "javascript:alert(1)",
		"&lt;script&gt;", "\x00<b>", "\u2028<svg/onload=alert(1)>", "%3Cscript%3E", "<!--", "]]>", "+ADw-script+AD4-", "\xff<i>", "<style>*{}</style>",
	} {
		f.Add(hostile, hostile, hostile)
	}
	store := memory.New(storage.Env{Now: time.Now})
	b, err := broker.New(broker.Defaults(), broker.Parts{Control: store, Data: store, Policy: policy.Default(), Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(b.Close)
	c := rest.Defaults()
	c.Now, c.ConfirmationPage, c.Signatures = time.Now, true, signed.NewKeys(pageKey)
	h := rest.New(c, b, nil)
	expires := time.Now().Add(100 * 365 * 24 * time.Hour)
	// The markup of a page, whatever it says.
	tags := func(body string) string {
		return strings.Join(regexp.MustCompile(`<[^>]*>`).FindAllString(body, -1), "")
	}
	get := func(query string) *httptest.ResponseRecorder {
		return serve(h, &http.Request{Method: "GET", URL: &url.URL{Path: "/v2/confirm", RawQuery: query}, Header: http.Header{}, Body: http.NoBody, Host: "h"})
	}
	query := func(t testing.TB, project, more string) string {
		g := signed.Grant{Project: messaging.Project(project), Methods: []string{"PUT"}, Paths: []string{"/v2/queues/q/subscriptions/x/confirm"}, Expires: expires}
		signature, err := signed.NewKeys(pageKey).Sign(g)
		if err != nil {
			return ""
		}
		return fmt.Sprintf("Signature=%s&Methods=PUT&Paths=%s&Project=%s&Expires=%s&Queue=%s", signature, g.Paths[0], url.QueryEscape(project),
			signed.FormatInstant(g.Expires), url.QueryEscape(more))
	}
	page, failure := tags(get(query(f, "p", "")).Body.String()), tags(get("").Body.String())
	f.Fuzz(func(t *testing.T, project, more, raw string) {
		for _, q := range []string{query(t, project, more), raw, query(t, "p", "") + "&" + raw} {
			w := get(q)
			switch body := w.Body.String(); w.Code {
			case 200:
				if tags(body) != page {
					t.Errorf("%q changes the page:\n%s", q, body)
				}
			case 404:
				if tags(body) != failure {
					t.Errorf("%q changes the failure:\n%s", q, body)
				}
			default:
				t.Errorf("%q: status %d", q, w.Code)
			}
		}
	})
}
