package isolation

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"zaqar/test/e2e/daemon"
)

// The tenants. Their names invite confusion: of compound keys, and of letters.
const (
	projectA = "acme.eu"
	projectB = "acme"

	clientA = "3381af92-2b9e-11e3-b191-71861300734c"
	clientB = "30387f00-3b9e-11e3-b191-71861300734d"

	// subscriberOfBoth is subscribed by both tenants.
	subscriberOfBoth = "http://hook.example/"

	// secretA is in everything that A writes, and B does not know it.
	secretA = "kept by A alone"
)

// configuration of both servers.
const configuration = "[DEFAULT]\nadmin_mode = True\nenable_checksum = True\n[signed_url]\nsecret_key = a secret of both servers\n"

// site is a server.
type site struct {
	*daemon.Daemon
	name string
}

// credentials make a request one of a project's.
type credentials func(r *http.Request, project string)

// request is what is sent to both servers.
type request struct {
	method, target, body, kind string
	headers                    []string // "Name: value", after the credentials'
}

func (q request) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %.200s %s %.200s", q.method, q.target, strings.Join(q.headers, " "), q.body))
}

// answer is what comes back.
type answer struct {
	status int
	header http.Header
	body   string
}

// client leaves connections open for all that is to come.
var client = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 4},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send sends a request as it stands: nothing is cleaned or escaped.
func (s site) send(t *testing.T, as credentials, project, clientID string, q request) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), q.method, s.URL, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	p, query, _ := strings.Cut(q.target, "?")
	r.URL.Opaque, r.URL.RawQuery = p, query
	r.Header.Set("Client-ID", clientID)
	if q.kind != "" {
		r.Header.Set("Content-Type", q.kind)
	}
	as(r, project)
	for _, h := range q.headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s: %v: %v", s.name, q, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v: %v", s.name, q, err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// plain is an answer without what a server makes up itself: ids stand for the
// order in which they first occur, so that equal ones stay equal.
func (a answer) plain() string {
	var b strings.Builder
	fmt.Fprintln(&b, a.status)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range a.header {
			if !yield(n) {
				return
			}
		}
	}) {
		switch name {
		case "Date", "X-Openstack-Request-Id", "Content-Length":
			fmt.Fprintf(&b, "%s\n", name)
		default:
			fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(a.header[name], " | "))
		}
	}
	b.WriteString(a.body)
	return normal(b.String())
}

var (
	ids      = regexp.MustCompile(`\b[0-9a-f]{24}\b`)
	markers  = regexp.MustCompile(`marker=\d+`)
	instants = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?"`)
	keys     = regexp.MustCompile(`"whsec_[A-Za-z0-9+/]+=*"`)
	numbers  = regexp.MustCompile(`"(age|seconds)":[0-9.e-]+`)
	requests = regexp.MustCompile(`req-[0-9a-f-]{36}`)
	shared   = regexp.MustCompile(`"signature":"[0-9a-f]{64}"`)
)

// normal replaces in a text what a server makes up.
func normal(text string) string {
	seen := map[string]string{}
	text = ids.ReplaceAllStringFunc(text, func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("<id %d>", len(seen)+1)
		}
		return seen[id]
	})
	text = markers.ReplaceAllString(text, "marker=<n>")
	text = instants.ReplaceAllString(text, `"<instant>"`)
	text = numbers.ReplaceAllString(text, `"$1":<n>`)
	text = keys.ReplaceAllString(text, `"<key>"`)
	text = shared.ReplaceAllString(text, `"signature":"<hex>"`)
	return requests.ReplaceAllString(text, "<request>")
}

// markers are those of all messages or subscriptions at a path, oldest first:
// the ones behind pages of one.
func (s site) markers(t *testing.T, as credentials, project, at string) (list []string) {
	t.Helper()
	for target := at + "?limit=1&echo=true&include_claimed=true&include_delayed=true"; ; {
		page := s.send(t, as, project, clientB, request{method: "GET", target: target})
		var found struct{ Links []struct{ Href string } }
		decode(t, page.body, &found)
		if len(found.Links) == 0 {
			return list
		}
		_, query, _ := strings.Cut(found.Links[0].Href, "?")
		values, err := url.ParseQuery(query)
		if err != nil || values.Get("marker") == "" {
			t.Fatalf("%s: a page links to %q", s.name, found.Links[0].Href)
		}
		list = append(list, values.Get("marker"))
		target = at + "?" + query
	}
}

type container struct{ kind, variable string }

// containers are what messages are in, queues first.
func containers() []container {
	return []container{{"queues", "queue_name"}, {"topics", "topic_name"}}
}

// fill gives a project things: names that both tenants have, and some of its
// own.
func (s site) fill(t *testing.T, as credentials, project, id, own, secret string) things {
	t.Helper()
	do := func(method, target, body string, want int) answer {
		t.Helper()
		a := s.send(t, as, project, id, request{method: method, target: target, body: body})
		if a.status != want {
			t.Fatalf("%s: %s %s: %d %s", s.name, method, target, a.status, a.body)
		}
		return a
	}
	have := things{"project_id": {project}}
	for _, name := range []string{"common", own} {
		for _, c := range containers() {
			at := "/v2/" + c.kind + "/" + name
			do("PUT", at, fmt.Sprintf(`{"owner": %q}`, secret), 201)
			var posted struct{ Resources []string }
			decode(t, do("POST", at+"/messages", fmt.Sprintf(`{"messages": [{"body": "%[1]s 1", "ttl": 3600}, {"body": "%[1]s 2", "ttl": 3600}, {"body": "%[1]s 3", "ttl": 3600}]}`, secret), 201).body, &posted)
			for _, href := range posted.Resources {
				have["message_id"] = append(have["message_id"], path.Base(href))
			}
			have[c.variable] = append(have[c.variable], name)
			page := do("GET", at+"/messages?echo=true&limit=2", "", 200)
			for _, uri := range []string{subscriberOfBoth, "http://" + own + ".example/"} {
				var made struct {
					ID string `json:"subscription_id"`
				}
				decode(t, do("POST", at+"/subscriptions", fmt.Sprintf(`{"subscriber": %q, "options": {"post_data": %q}}`, uri, secret), 201).body, &made)
				have["subscription_id"] = append(have["subscription_id"], made.ID)
			}
			have["marker"] = append(have["marker"], strings.TrimPrefix(markers.FindString(page.body), "marker="))
		}
		claim := do("POST", "/v2/queues/"+name+"/claims?limit=1", `{"ttl": 3600, "grace": 60}`, 201)
		have["claim_id"] = append(have["claim_id"], path.Base(claim.header.Get("Location")))
	}
	return have
}

// view is all that a project sees of itself, for a comparison with later.
func (s site) view(t *testing.T, as credentials, project, id string, have things) string {
	t.Helper()
	var b strings.Builder
	see := func(target string) answer {
		a := s.send(t, as, project, id, request{method: "GET", target: target})
		fmt.Fprintf(&b, "%s\n%d %s\n", target, a.status, numbers.ReplaceAllString(a.body, `"$1":<n>`))
		return a
	}
	see("/v2/quotas/" + project)
	for _, c := range containers() {
		list := see("/v2/" + c.kind + "?detailed=true&with_count=true&limit=20")
		if list.status != 200 {
			t.Fatalf("%s: %s", s.name, list.body)
		}
		for _, name := range have[c.variable] {
			at := "/v2/" + c.kind + "/" + name
			see(at)
			see(at + "/stats")
			see(at + "/messages?echo=true&include_claimed=true&include_delayed=true&limit=20")
			see(at + "/subscriptions?limit=20")
		}
	}
	for i, id := range have["subscription_id"] { // two in each container: both queues and topics of one name, then those of the other
		c := containers()[i/2%2]
		at := "/v2/" + c.kind + "/" + have[c.variable][i/4] + "/subscriptions/" + id
		for _, part := range []string{"", "/deliveries", "/secret"} {
			if found := see(at + part); found.status != 200 {
				t.Errorf("%s: %s", s.name, found.body)
			}
		}
	}
	for i, claim := range have["claim_id"] {
		see("/v2/queues/" + have["queue_name"][i] + "/claims/" + claim)
	}
	return b.String()
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
}

// open names the project in a header, where authentication is off.
func open(r *http.Request, project string) { r.Header.Set("X-Project-ID", project) }

func query(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
