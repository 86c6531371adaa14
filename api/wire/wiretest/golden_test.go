package wiretest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sample = `About queues.
@set admin checksums

=== post
@after 1m30s
POST /v2/queues/q/messages?x=y
Client-ID: c
-X-Project-ID

{"messages":
 []}
--- 201
Location: /v2/{{m}}

{"id": "{{m}}"}

=== get
GET /v2/{{m}}
--- 204
`

func TestParse(t *testing.T) {
	got, err := parse("queues", sample)
	if err != nil {
		t.Fatal(err)
	}
	want := File{Name: "queues", Settings: []string{"admin", "checksums"}, Exchanges: []Exchange{{
		Name: "post", Line: 4, After: 90 * time.Second,
		Request: Request{Method: "POST", Target: "/v2/queues/q/messages?x=y", Header: http.Header{"Client-Id": {"c"}},
			Without: []string{"X-Project-ID"}, Body: "{\"messages\":\n []}"},
		Reply: Reply{Status: 201, Expected: http.Header{"Location": {"/v2/{{m}}"}}, JSON: `{"id": "{{m}}"}`},
	}, {
		Name: "get", Line: 17,
		Request: Request{Method: "GET", Target: "/v2/{{m}}", Header: http.Header{}},
		Reply:   Reply{Status: 204, Expected: http.Header{}},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "=== a\nGET /\n", "=== a\nGET\n--- 200\n", "=== a\nGET /\n--- x\n", "=== a\nGET /\nnoheader\n--- 200\n",
		"=== a\n@after soon\nGET /\n--- 200\n"} {
		if _, err := parse("x", text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestMatch(t *testing.T) {
	location := func(s string) http.Header { return http.Header{"Location": {s}} }
	for name, c := range map[string]struct {
		want   Reply
		status int
		header http.Header
		body   string
		err    string // part of the error, empty for a match
	}{
		"equal":             {Reply{Status: 200, JSON: `{"a": [1, "x", null]}`}, 200, nil, `{"a":[1,"x",null]}`, ""},
		"status":            {Reply{Status: 200}, 404, nil, "", "status 404"},
		"body unexpected":   {Reply{Status: 200}, 200, nil, "{}", "none should be"},
		"body missing":      {Reply{Status: 200, JSON: "{}"}, 200, nil, "", "not JSON"},
		"member missing":    {Reply{Status: 200, JSON: `{"a": 1}`}, 200, nil, "{}", "/a is missing"},
		"member too many":   {Reply{Status: 200, JSON: `{}`}, 200, nil, `{"b": 1}`, "/b should not"},
		"element missing":   {Reply{Status: 200, JSON: `[1]`}, 200, nil, `[]`, "want [1]"},
		"number text":       {Reply{Status: 200, JSON: `[1.0]`}, 200, nil, `[1]`, "want 1.0"},
		"int":               {Reply{Status: 200, JSON: `["{{int}}"]`}, 200, nil, `[7]`, ""},
		"int not":           {Reply{Status: 200, JSON: `["{{int}}"]`}, 200, nil, `[-7]`, "whole number"},
		"text":              {Reply{Status: 200, JSON: `["{{text}}"]`}, 200, nil, `["x"]`, ""},
		"text empty":        {Reply{Status: 200, JSON: `["{{text}}"]`}, 200, nil, `[""]`, "empty"},
		"capture twice":     {Reply{Status: 200, JSON: `["{{a}}/{{b}}", "{{b}}"]`}, 200, nil, `["x/y", "y"]`, ""},
		"capture differs":   {Reply{Status: 200, JSON: `["{{a}}", "{{a}}"]`}, 200, nil, `["x", "y"]`, "/1"},
		"known":             {Reply{Status: 200, JSON: `["{{known}}"]`}, 200, nil, `["k"]`, ""},
		"known differs":     {Reply{Status: 200, JSON: `["{{known}}"]`}, 200, nil, `["kk"]`, "/0"},
		"header":            {Reply{Status: 200, Expected: location("/{{known}}")}, 200, location("/k"), "", ""},
		"header missing":    {Reply{Status: 200, Expected: location("/x")}, 200, nil, "", "Location"},
		"header unexpected": {Reply{Status: 200}, 200, location("/x"), "", "Location"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Captures{"known": "k"}.Match(c.want, c.status, c.header, []byte(c.body))
			switch {
			case c.err == "" && err != nil:
				t.Error(err)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestFill(t *testing.T) {
	c := Captures{"a": "1"}
	if got, err := c.Fill("/x/{{a}}?{{a}}"); got != "/x/1?1" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := c.Fill("{{b}}"); err == nil {
		t.Error("a missing capture is accepted")
	}
}
