package rest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"zaqar/api/rest"
	"zaqar/api/wire"
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
	routes := rest.Routes(rest.Config{Admin: true, Quotas: new(quota.Guard)})
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
	seen := map[string]bool{"GET /openapi.yaml 200": true} // by TestOpenAPIIsServed
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
