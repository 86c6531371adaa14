package rest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"zaqar/api/rest"
	"zaqar/api/wire"
	"zaqar/auth/signed"
	"zaqar/quota"
)

// TestOpenAPIDescribesTheRoutes holds the description against the table of
// routes: all of it and nothing else.
func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	described := map[string][]string{}
	for path, item := range loadOpenAPI(t).doc.Paths.Map() {
		for method := range item.Operations() {
			described[path] = append(described[path], method)
		}
	}
	routes := rest.Routes(rest.Config{Admin: true, Quotas: new(quota.Guard), ConfirmationPage: true, Healthcheck: well("/healthcheck")})
	for _, methods := range []map[string][]string{described, routes} {
		for _, list := range methods {
			slices.Sort(list)
		}
	}
	equal(t, "routes", described, routes)
}

// TestOpenAPIIsServed fetches the description as anybody can.
func TestOpenAPIIsServed(t *testing.T) {
	s := newServer(t, openMemory)
	r := s.get("/openapi.yaml", "-Client-ID", "-X-Project-ID", "Accept: text/html").want(200)
	r.wantHeader("Content-Type", "application/yaml")
	if !bytes.Equal(r.body, wire.OpenAPI()) {
		t.Error("something else is served")
	}
	s.post("/openapi.yaml", "").want(405).wantHeader("Allow", "GET, OPTIONS")
}

// TestOpenAPICoversTheGoldenCases makes sure that the description is compared
// with reality: every operation has a golden case for each answer that a
// request can bring about on a server without faults.
func TestOpenAPICoversTheGoldenCases(t *testing.T) {
	d := loadOpenAPI(t)
	seen := pagesSeen(t, d)
	seen["GET /openapi.yaml 200"] = true // by TestOpenAPIIsServed
	for _, f := range goldenFiles(t) {
		for _, x := range f.Exchanges {
			path, _, _ := strings.Cut(x.Target, "?")
			if path, _ := d.find(path); path != "" {
				seen[fmt.Sprint(x.Method, " ", path, " ", x.Status)] = true
			}
		}
	}
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				switch status[0] {
				case '2', '3':
				default:
					if status != "404" && status != "409" && status != "415" {
						continue // headers, limits and faults are alike everywhere
					}
				}
				if key := method + " " + path + " " + status; !seen[key] {
					t.Errorf("no golden case for %s", key)
				}
			}
		}
	}
}

// well is a page that says that all is.
func well(path string) rest.Healthcheck {
	return rest.Healthcheck{Path: path, Ask: func(context.Context) (string, bool) { return "OK", true }}
}

// pagesSeen compares the description with what is no JSON, of which there are no
// golden cases, and returns what was seen.
func pagesSeen(t *testing.T, d *description) map[string]bool {
	t.Helper()
	const here, elsewhere = "127.0.0.0/8", "192.0.2.0/24"
	health, healthy := well("/healthcheck"), true
	health.Ask = func(context.Context) (string, bool) { return "OK", healthy }
	health.Sources = []netip.Prefix{netip.MustParsePrefix(here)}
	s := newServer(t, openMemory, withPage, func(set *setup) { set.rest.Healthcheck = health })
	health.Sources = []netip.Prefix{netip.MustParsePrefix(elsewhere)}
	closed := newServer(t, openMemory, func(set *setup) { set.rest.Healthcheck = health })
	id := s.post("/v2/queues/q/subscriptions", `{"subscriber":"mailto:a@example.org"}`).want(201).str("subscription_id")
	query := link(t, signed.Grant{Project: project, Methods: []string{"PUT"}, Paths: []string{"/v2/queues/q/subscriptions/" + id + "/confirm"}, Expires: s.clock.Now().Add(time.Hour)})
	good, wrong := "/v2/confirm?"+query.Encode(), "/v2/confirm?"+strings.Replace(query.Encode(), "Signature=", "Signature=0", 1)
	seen := map[string]bool{}
	for _, x := range []struct {
		server         *server
		method, target string
		body           string
		accept         string
		status         int
	}{
		{s, "GET", "/healthcheck", "", "", 200}, {s, "GET", "/healthcheck", "", "application/json", 200}, {s, "HEAD", "/healthcheck", "", "", 204},
		{closed, "GET", "/healthcheck", "", "", 404}, {closed, "HEAD", "/healthcheck", "", "", 404},
		{s, "GET", good, "", "text/html", 200}, {s, "HEAD", good, "", "", 200},
		{s, "GET", wrong, "", "text/html", 404}, {s, "HEAD", wrong, "", "", 404},
		{s, "POST", good, "confirmed=true", "text/html", 200}, {s, "POST", good, "confirmed=false", "", 200},
		{s, "POST", good, "confirmed=maybe", "", 400}, {s, "POST", wrong, "confirmed=true", "", 404},
		{s, "GET", "/healthcheck", "", "", 503}, {s, "GET", "/healthcheck", "", "application/json", 503}, {s, "HEAD", "/healthcheck", "", "", 503},
	} {
		healthy = x.status != 503
		req := x.server.request(x.method, x.target, x.body)
		req.Header.Del("Client-ID")
		if x.accept != "" {
			req.Header.Set("Accept", x.accept)
		}
		if x.body != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		got := x.server.send(req)
		if got.status != x.status {
			t.Errorf("%s %s: status %d, want %d", x.method, x.target, got.status, x.status)
		}
		if err := d.check(req, x.body, got); err != nil {
			t.Errorf("%s %s: not as described: %v", x.method, x.target, err)
		}
		seen[fmt.Sprint(x.method, " ", req.URL.Path, " ", got.status)] = true
	}
	return seen
}

// description is the OpenAPI document, ready to check exchanges.
type description struct {
	doc   *openapi3.T
	paths map[string]*regexp.Regexp
}

func loadOpenAPI(t *testing.T) *description {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(wire.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	openapi3filter.RegisterBodyDecoder(patchType, openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/json-home", openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.RegisteredBodyDecoder("text/plain"))
	d := &description{doc: doc, paths: map[string]*regexp.Regexp{}}
	for path := range doc.Paths.Map() {
		pattern := regexp.MustCompile(`\\\{(\w+)\\\}`).ReplaceAllString(regexp.QuoteMeta(path), `(?P<$1>[^/]*)`)
		d.paths[path] = regexp.MustCompile("^" + pattern + "$")
	}
	return d
}

// find returns the described path that a path matches, with its variables.
func (d *description) find(path string) (string, map[string]string) {
	for described, pattern := range d.paths {
		values := pattern.FindStringSubmatch(path)
		if values == nil {
			continue
		}
		vars := map[string]string{}
		for i, name := range pattern.SubexpNames() {
			if name != "" {
				vars[name], _ = url.PathUnescape(values[i])
			}
		}
		return described, vars
	}
	return "", nil
}

// check holds an exchange against the description: the reply always, the
// request if the server took it.
func (d *description) check(req *http.Request, body string, got *reply) error {
	path, vars := d.find(req.URL.EscapedPath())
	if path == "" {
		return unless(got.status == http.StatusNotFound, "an undescribed path answers %d", got.status)
	}
	item := d.doc.Paths.Value(path)
	op := item.Operations()[req.Method]
	if op == nil {
		known := got.status == http.StatusMethodNotAllowed || req.Method == http.MethodOptions && got.status == http.StatusOK
		return unless(known, "an undescribed method answers %d", got.status)
	}
	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Body = io.NopCloser(strings.NewReader(body))
	input := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: vars, QueryParams: req.URL.Query(),
		Route:   &routers.Route{Spec: d.doc, Path: path, PathItem: item, Method: req.Method, Operation: op},
		Options: &openapi3filter.Options{IncludeResponseStatus: true, SkipSettingDefaults: true},
	}
	if got.status < 400 {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			return fmt.Errorf("the request: %w", err)
		}
	}
	reply := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: got.status, Header: got.header, Options: input.Options,
	}
	if err := openapi3filter.ValidateResponse(context.Background(), reply.SetBodyBytes(got.body)); err != nil {
		return fmt.Errorf("the reply: %w", err)
	}
	return nil
}

func unless(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
