package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"zaqar/api/rest"
)

type reply struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   []byte
}

// want fails the test unless the reply has one of the statuses. Errors must
// have their proper body.
func (r *reply) want(statuses ...int) *reply {
	r.t.Helper()
	for _, status := range statuses {
		if r.status == status {
			if status >= 400 && !strings.HasPrefix(r.what, "HEAD ") {
				r.wantError()
			}
			return r
		}
	}
	r.t.Fatalf("%.200s: status %d, want %v\n%.500s", r.what, r.status, statuses, r.body)
	return nil
}

func (r *reply) wantError() {
	r.t.Helper()
	if got := r.header.Get("Content-Type"); got != "application/json" {
		r.t.Errorf("%.200s: an error of type %q", r.what, got)
	}
	if got := r.header.Get("Vary"); got != "Accept" {
		r.t.Errorf("%.200s: an error with Vary %q", r.what, got)
	}
	if r.status == http.StatusUnauthorized { // has a form of its own
		if r.num("error.code") != r.status || r.str("error.title") != "Unauthorized" || r.str("error.message") == "" {
			r.t.Errorf("%.200s: a 401 of another form: %s", r.what, r.body)
		}
		return
	}
	if r.str("title") == "" || r.str("description") == "" {
		r.t.Errorf("%.200s: an error without title or description: %s", r.what, r.body)
	}
}

func (r *reply) wantEmpty() *reply {
	r.t.Helper()
	if len(r.body) > 0 {
		r.t.Errorf("%s: a body where none should be: %s", r.what, r.body)
	}
	return r
}

func (r *reply) wantHeader(name, value string) *reply {
	r.t.Helper()
	if got := r.header.Get(name); got != value {
		r.t.Errorf("%s: %s is %q, want %q", r.what, name, got, value)
	}
	return r
}

// wantJSON compares the body with a JSON text, ignoring the order of members.
func (r *reply) wantJSON(want string) *reply {
	r.t.Helper()
	if diff := cmp.Diff(decode(r.t, []byte(want)), decode(r.t, r.body)); diff != "" {
		r.t.Errorf("%s: body differs (-want +got):\n%s", r.what, diff)
	}
	return r
}

func decode(t *testing.T, text []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v\n%.300s", err, text)
	}
	return v
}

// at returns the value at a path like "messages.0.id", nil if there is none.
func (r *reply) at(path string) any {
	r.t.Helper()
	v := decode(r.t, r.body)
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			var i int
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (r *reply) str(path string) string {
	r.t.Helper()
	s, ok := r.at(path).(string)
	if !ok {
		r.t.Fatalf("%s: no string at %s: %.500s", r.what, path, r.body)
	}
	return s
}

func (r *reply) num(path string) int {
	r.t.Helper()
	n, ok := r.at(path).(json.Number)
	if !ok {
		r.t.Fatalf("%s: no number at %s: %.500s", r.what, path, r.body)
	}
	i, err := n.Int64()
	if err != nil {
		r.t.Fatalf("%s: no integer at %s: %s", r.what, path, n)
	}
	return int(i)
}

func (r *reply) count(path string) int {
	r.t.Helper()
	list, ok := r.at(path).([]any)
	if !ok {
		r.t.Fatalf("%s: no array at %s: %.500s", r.what, path, r.body)
	}
	return len(list)
}

// keys returns the sorted names of the object's members at a path, "" for the
// whole body.
func (r *reply) keys(path string) string {
	r.t.Helper()
	v := decode(r.t, r.body)
	if path != "" {
		v = r.at(path)
	}
	object, ok := v.(map[string]any)
	if !ok {
		r.t.Fatalf("%s: no object at %q: %.500s", r.what, path, r.body)
	}
	return strings.Join(sortedKeys(object), " ")
}

// ids returns the ids of the messages in the body.
func (r *reply) ids() []string {
	r.t.Helper()
	list := []string{}
	for i := range r.count("messages") {
		list = append(list, r.str(fmt.Sprintf("messages.%d.id", i)))
	}
	return list
}

// bodies returns the message bodies in the body, as the JSON that came.
func (r *reply) bodies() []string {
	r.t.Helper()
	var page struct {
		Messages []struct {
			Body json.RawMessage `json:"body"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(r.body, &page); err != nil {
		r.t.Fatalf("%s: %v", r.what, err)
	}
	list := []string{}
	for _, m := range page.Messages {
		list = append(list, string(m.Body))
	}
	return list
}

// names returns the names of the queues (or topics) in the body.
func (r *reply) names(collection string) []string {
	r.t.Helper()
	list := []string{}
	for i := range r.count(collection) {
		list = append(list, r.str(fmt.Sprintf("%s.%d.name", collection, i)))
	}
	return list
}

// equal fails the test unless both are the same.
func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.IgnoreUnexported(rest.Served{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
