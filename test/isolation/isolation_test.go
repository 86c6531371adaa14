package isolation

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	gocmp "github.com/google/go-cmp/cmp"

	"zaqar/test/e2e/daemon"
)

// pair is the two servers. A is on the first one only.
type pair struct {
	t             *testing.T
	with, without site
	as            credentials
	a, b          things // what the tenants have; b's are those of the server with A
	other         things // B's on the server without A
	asked         int
}

// start makes both servers. more is put into their configuration.
func start(t *testing.T, as credentials, more string) *pair {
	t.Helper()
	p := &pair{t: t, as: as}
	p.with = site{daemon.Start(t, daemon.Options{Config: configuration + more}), "with A"}
	p.without = site{daemon.Start(t, daemon.Options{Config: configuration + more}), "without A"}
	p.a = p.with.fill(t, as, projectA, clientA, "vault", secretA)
	p.b = p.with.fill(t, as, projectB, clientB, "box", "of B")
	p.other = p.without.fill(t, as, projectB, clientB, "box", "of B")
	return p
}

// ask sends a request of B's to both servers and compares.
func (p *pair) ask(q request) answer { p.t.Helper(); return p.askAs(p.as, projectB, q) }

func (p *pair) askAs(as credentials, project string, q request) answer {
	p.t.Helper()
	here, told := p.compare(as, project, q)
	if told != "" {
		p.t.Errorf("project %s: %v: %s", project, q, told)
	}
	return here
}

// compare sends a request to both servers and says what it tells of A.
func (p *pair) compare(as credentials, project string, q request) (here answer, told string) {
	p.t.Helper()
	p.asked++
	here = p.with.send(p.t, as, project, clientB, q)
	there := p.without.send(p.t, as, project, clientB, p.counterpart(as, project, q, here))
	switch diff := gocmp.Diff(there.plain(), here.plain()); {
	case diff != "":
		return here, "what A has shows (-without A +with A):\n" + diff
	case strings.Contains(here.body, secretA):
		return here, "what A has is told: " + here.body
	case here.status >= 500:
		return here, fmt.Sprint(here.status, here.body)
	}
	return here, ""
}

// places are the markers that stand for a place in the order of the store: the
// number of a message, the id of a subscription.
var places = regexp.MustCompile(`([?&])marker=(\d+|[0-9a-f]{24})(&|$)`)

// counterpart is the request for the server without A that asks for the same as
// q does of the server with A. The store has one order for what all tenants
// have, so that one place has two names: of B's as many lie before it here as
// there.
func (p *pair) counterpart(as credentials, project string, q request, here answer) request {
	p.t.Helper()
	at, _, _ := strings.Cut(q.target, "?")
	found := places.FindStringSubmatch(q.target)
	if found == nil || q.method != http.MethodGet || here.status != http.StatusOK || path.Base(at) != "messages" && path.Base(at) != "subscriptions" {
		return q
	}
	mine, others := p.with.markers(p.t, as, project, at), p.without.markers(p.t, as, project, at)
	if len(mine) != len(others) {
		p.t.Errorf("project %s: %s holds %d things with A, %d without", project, at, len(mine), len(others))
		return q
	}
	if len(mine) > 0 && !sameOrder(found[2], mine[0]) {
		return q // it marks nothing
	}
	before := 0
	for before < len(mine) && !less(found[2], mine[before]) {
		before++
	}
	marker := ""
	if before > 0 {
		marker = others[before-1]
	}
	q.target = places.ReplaceAllString(q.target, "${1}marker="+marker+"${3}")
	return q
}

// sameOrder reports whether both mark places in one order: numbers do that fit
// 64 bits, and ids that begin as all of a store do.
func sameOrder(x, y string) bool {
	if len(x) == 24 || len(y) == 24 {
		return len(x) == len(y) && x[:8] == y[:8]
	}
	_, err := strconv.ParseUint(x, 10, 64)
	return err == nil
}

// less compares two markers of one order.
func less(x, y string) bool {
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)) < 0
}

// operations lists what the running server answers to, as it says itself:
// those that read first, so that there is something for them to read.
func (p *pair) operations() []string {
	p.t.Helper()
	found := map[string]bool{}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(p.with.send(p.t, p.as, projectB, clientB, request{method: "GET", target: "/openapi.yaml"}).body))
	if err != nil {
		p.t.Fatal(err)
	}
	for at, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			found[method+" "+at] = true
		}
	}
	var home struct {
		Resources map[string]struct {
			Template string `json:"href-template"`
			Href     string
			Hints    struct{ Allow []string }
		}
	}
	decode(p.t, p.with.send(p.t, p.as, projectB, clientB, request{method: "GET", target: "/v2/"}).body, &home)
	for _, r := range home.Resources {
		at := regexp.MustCompile(`\{\?.*\}`).ReplaceAllString(r.Template+r.Href, "")
		at = strings.Replace(at, "{subscriptions_id}", "{subscription_id}", 1) // the document's own name for it
		for _, method := range r.Hints.Allow {
			found[method+" "+at] = true
		}
	}
	if len(found) < 35 {
		p.t.Fatalf("only %d operations are known", len(found))
	}
	return ordered(found)
}

// ordered sorts operations by what they leave behind: reads, then what adds and
// changes, deletes last.
func ordered[T any](operations map[string]T) []string {
	methods := []string{"HEAD", "GET", "POST", "PATCH", "PUT", "DELETE"}
	return slices.SortedFunc(maps.Keys(operations), func(x, y string) int {
		m, at, _ := strings.Cut(x, " ")
		n, other, _ := strings.Cut(y, " ")
		return cmp.Or(cmp.Compare(slices.Index(methods, m), slices.Index(methods, n)), cmp.Compare(len(other), len(at)), cmp.Compare(at, other))
	})
}

var variables = regexp.MustCompile(`\{(\w+)\}`)

// targets are the paths of an operation with identifiers of A's filled in: as
// they are, all with all, and disguised one at a time.
func (p *pair) targets(template string) []string {
	p.t.Helper()
	list := []string{template}
	for _, v := range variables.FindAllStringSubmatch(template, -1) {
		values := p.a[v[1]]
		if len(values) == 0 {
			p.t.Fatalf("%s: nobody has said what A has for %s; fill has to", template, v[0])
		}
		var next []string
		for _, at := range list {
			for _, id := range values {
				next = append(next, strings.Replace(at, v[0], id, 1))
			}
		}
		list = next
	}
	for _, v := range variables.FindAllStringSubmatch(template, -1) {
		plain := template
		for _, w := range variables.FindAllStringSubmatch(template, -1) {
			if w[0] != v[0] {
				plain = strings.Replace(plain, w[0], p.a[w[1]][0], 1)
			}
		}
		for _, id := range []string{p.a[v[1]][0], p.a[v[1]][len(p.a[v[1]])-1]} {
			for _, d := range disguises(v[1], id) {
				if !slices.Contains(p.b[v[1]], d) || strings.HasSuffix(v[1], "_name") { // B may guess what is B's own
					list = append(list, strings.Replace(plain, v[0], d, 1))
				}
			}
		}
	}
	return list
}

// filled puts identifiers of A's into a query or body.
func (p *pair) filled(text string, disguise bool, escape func(string) string) []string {
	list := []string{text}
	for _, v := range variables.FindAllStringSubmatch(text, -1) {
		values := slices.Clone(p.a[v[1]])
		if disguise {
			for _, d := range disguises(v[1], values[0]) {
				values = append(values, strings.ReplaceAll(d, "%", ""))
			}
			values = append(values, strings.Join(p.a[v[1]], ","))
		}
		var next []string
		for _, at := range list {
			for _, id := range values {
				next = append(next, strings.Replace(at, v[0], escape(id), 1))
			}
		}
		list = next
	}
	return list
}

// walk goes through all operations as B. headers are put on every request.
func (p *pair) walk(headers ...string) {
	p.t.Helper()
	known := cases()
	before := p.with.view(p.t, p.as, projectA, clientA, p.a)
	for _, operation := range p.operations() {
		c, ok := known[operation]
		if !ok {
			p.t.Errorf("%s: no case says how this is asked; cases has to", operation)
			continue
		}
		method, template, _ := strings.Cut(operation, " ")
		for i, target := range p.targets(template) {
			for _, q := range p.requests(c, method, target, i == 0) {
				q.headers = headers
				p.ask(q)
			}
		}
	}
	if diff := gocmp.Diff(before, p.with.view(p.t, p.as, projectA, clientA, p.a)); diff != "" {
		p.t.Errorf("what A has was changed:\n%s", diff)
	}
	p.t.Logf("%d requests to each server", p.asked)
}

// requests are all ways to ask for a target. Only the first target gets the
// disguises of what is in queries.
func (p *pair) requests(c ask, method, target string, disguise bool) []request {
	bodies := c.bodies
	if len(bodies) == 0 {
		bodies = []string{""}
	}
	var list []request
	for _, body := range bodies {
		for _, b := range p.filled(body, false, func(s string) string { return s }) {
			list = append(list, request{method: method, target: target, body: b, kind: c.kind})
		}
	}
	for _, q := range c.queries {
		for _, text := range p.filled(q, disguise, query) {
			list = append(list, request{method: method, target: target + "?" + text, body: bodies[len(bodies)-1], kind: c.kind})
		}
	}
	return list
}

// Without authentication, whoever names a project is believed. Whoever names
// another one sees nothing of it all the same.
func TestWithoutAuthentication(t *testing.T) {
	t.Parallel()
	p := start(t, open, "")
	p.walk()
	for _, project := range []string{
		"ACME.EU", "Acme.eu", "acme.e", "acme.eu.", "acme.euu", "acme.", ".eu", "acme%2eeu", "acme/eu", "acme:eu", "acme_eu", "acme.*", ".*", "*", "%", "acme%",
		"acme.eu/common", "acme.eu.common", "acme.eu\\", "acme.\u0435u", "\uff41cme.eu", "acme.eu\u200b", "acme.eu\u0301", "../acme.eu", "acme.eu,acme", "'acme.eu'", strings.Repeat("acme.eu", 36),
	} {
		for _, target := range []string{"/v2/queues?detailed=true&with_count=true", "/v2/topics", "/v2/queues/common", "/v2/queues/eu.common", "/v2/queues/vault/stats",
			"/v2/queues/vault/messages?echo=true&include_claimed=true", "/v2/queues/common/messages?ids=" + strings.Join(p.a["message_id"], ","),
			"/v2/queues/vault/claims/" + p.a["claim_id"][1], "/v2/queues/vault/subscriptions", "/v2/queues/common/subscriptions/" + p.a["subscription_id"][0], "/v2/queues/vault/messages/" + p.a["message_id"][0], "/v2/quotas/" + projectA} {
			p.askAs(open, project, request{method: "GET", target: target})
		}
		p.askAs(open, project, request{method: "DELETE", target: "/v2/queues/vault"})
	}
	// Two answers to the question who asks are none.
	twice := p.ask(request{method: "GET", target: "/v2/queues", headers: []string{"X-Project-ID: " + projectA}})
	if twice.status != 400 {
		t.Errorf("two projects at once: %d %s", twice.status, twice.body)
	}
	p.ask(request{method: "GET", target: "/v2/queues", headers: []string{"X-Tenant-Id: " + projectA}})
}

// What the others prove, they would not if their eyes were shut.
func TestDifferencesShow(t *testing.T) {
	t.Parallel()
	p := start(t, open, "")
	message, claim := p.a["message_id"][0], p.a["claim_id"][0]
	for _, target := range []string{
		"/v2/queues", "/v2/queues?limit=1&with_count=true", "/v2/queues/common", "/v2/queues/vault/stats", "/v2/queues/vault/messages?echo=true",
		"/v2/queues/common/messages?ids=" + message, "/v2/queues/common/messages/" + message, "/v2/queues/common/claims/" + claim, "/v2/topics/vault",
		"/v2/queues/common/subscriptions", "/v2/queues/common/subscriptions/" + p.a["subscription_id"][0],
	} {
		if _, told := p.compare(open, projectA, request{method: "GET", target: target}); told == "" {
			t.Errorf("%s: A is not seen by A", target)
		}
	}
	// A status alone shows, and so does something that was changed.
	if _, told := p.compare(open, projectA, request{method: "PUT", target: "/v2/queues/vault"}); !strings.Contains(told, "204") {
		t.Errorf("another status: %s", told)
	}
	before := p.with.view(t, open, projectA, clientA, p.a)
	p.with.send(t, open, projectA, clientA, request{method: "DELETE", target: "/v2/topics/common/messages?pop=1"})
	if before == p.with.view(t, open, projectA, clientA, p.a) {
		t.Error("a message less does not show")
	}
}

// grant is what sharing a queue gives.
type grant struct {
	Project, Expires, Signature string
	Paths, Methods              []string
}

func (g grant) headers(r *http.Request, project string) {
	r.Header.Set("X-Project-ID", project)
	r.Header.Set("URL-Signature", g.Signature)
	r.Header.Set("URL-Expires", g.Expires)
	r.Header.Set("URL-Methods", strings.Join(g.Methods, ","))
	r.Header.Set("URL-Paths", strings.Join(g.Paths, ","))
}

// Whoever has a pre-signed URL of B's reaches what it names and nothing else, of
// B's as well as of A's.
func TestSigned(t *testing.T) {
	t.Parallel()
	p := start(t, open, "")
	var mine, theirs grant
	share := request{method: "POST", target: "/v2/queues/common/share",
		body: `{"paths": ["messages", "claims", "subscriptions"], "methods": ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"], "expires": "2096-01-01"}`}
	decode(t, p.ask(share).body, &mine)
	decode(t, p.with.send(t, open, projectA, clientA, share).body, &theirs)

	view := p.with.view(t, open, projectA, clientA, p.a)
	p.as = mine.headers
	for _, project := range []string{projectB, projectA} {
		known := cases()
		for _, operation := range ordered(known) {
			method, template, _ := strings.Cut(operation, " ")
			c := known[operation]
			for _, target := range p.targets(template) {
				for _, q := range p.requests(c, method, target, false) {
					got := p.askAs(mine.headers, project, q)
					at, _, _ := strings.Cut(q.target, "?")
					granted := project == projectB && slices.ContainsFunc(mine.Paths, func(path string) bool {
						return at == path || strings.HasPrefix(at, path+"/")
					})
					if !granted && got.status != 404 {
						t.Errorf("as %s, what is not granted is answered: %v: %d %s", project, q, got.status, got.body)
					}
				}
			}
		}
	}
	// A's own grant opens nothing for B.
	stolen := func(r *http.Request, _ string) { theirs.headers(r, projectB) }
	for _, at := range theirs.Paths {
		if got := p.askAs(stolen, projectB, request{method: "GET", target: at}); got.status != 404 {
			t.Errorf("A's grant with B's project: %d %s", got.status, got.body)
		}
	}
	if diff := gocmp.Diff(view, p.with.view(t, open, projectA, clientA, p.a)); diff != "" {
		t.Errorf("what A has was changed:\n%s", diff)
	}
	t.Logf("%d requests to each server", p.asked)
}

// With Keystone, the project is that of the token, whatever else is sent.
func TestKeystone(t *testing.T) {
	t.Parallel()
	as, config := keystone(t)
	p := start(t, as, config)
	p.walk("X-Project-ID: "+projectA, "X-Project-Id: "+projectA, "X-Tenant-Id: "+projectA, "X-Tenant: "+projectA, "X-Roles: admin", "X-User-Id: a",
		"X-Is-Admin-Project: True", "OpenStack-System-Scope: all", "X-Identity-Status: Confirmed", "URL-Signature: ", "EXTRA-SPEC: messagecode:1")
	for _, headers := range [][]string{{}, {"URL-Signature: "}, {"EXTRA-SPEC: :"}, {"URL-Signature: x"}, {"X-Identity-Status: Confirmed"}} {
		nobody := func(r *http.Request, project string) { open(r, projectA) }
		for _, target := range []string{"/v2/queues", "/v2/queues/vault", "/v2/queues/vault/messages?echo=true", "/nope"} {
			got := p.askAs(nobody, projectA, request{method: "GET", target: target, headers: headers})
			if got.status != 401 && (got.status != 404 || !strings.Contains(fmt.Sprint(headers), "URL-Signature: x")) {
				t.Errorf("without a token, with %v: %d %s", headers, got.status, got.body)
			}
		}
	}
}
