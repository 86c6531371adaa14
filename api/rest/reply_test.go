package rest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"zaqar/messaging"
)

// TestEveryKindHasAStatus walks the kinds of failure: each has a status that
// clients take for a failure, and a title.
func TestEveryKindHasAStatus(t *testing.T) {
	understood := []int{400, 401, 403, 404, 409, 429, 500, 503} // 429: see slowDown
	for _, kind := range messaging.Kinds() {
		status, ok := statuses[kind]
		if !ok || !slices.Contains(understood, status) {
			t.Errorf("%s: status %d", kind, status)
		}
		if titles[status] == "" && status != http.StatusUnauthorized {
			t.Errorf("%s: status %d has no title", kind, status)
		}
		c := &call{server: &server{}, w: httptest.NewRecorder(), r: httptest.NewRequest(http.MethodGet, "/", nil)}
		if got, what := c.judge(messaging.E(kind, "what")); got != status || kind != messaging.Internal && what != "what" {
			t.Errorf("%s: judged %d, %q", kind, got, what)
		}
		if got, _ := c.judge(kind); got != status {
			t.Errorf("%s alone: judged %d", kind, got)
		}
	}
	if len(statuses) != len(messaging.Kinds()) {
		t.Error("there are statuses for kinds that do not exist")
	}
}

// TestJudge shows what clients learn of failures.
func TestJudge(t *testing.T) {
	c := &call{who: messaging.Caller{Request: "req-1"}}
	internal := "The server failed. The failure is logged under req-1."
	for _, test := range []struct {
		err    error
		status int
		what   string
	}{
		{io.ErrUnexpectedEOF, 500, internal},
		{messaging.E(messaging.Internal, "secret"), 500, internal},
		{messaging.Kind("new kind"), 500, internal},
		{messaging.NotFound, 404, "not found"},
		{messaging.E(messaging.NotFound, ""), 404, "not found"},
		{fmt.Errorf("reading x: %w", messaging.E(messaging.NotFound, "No such thing.")), 404, "No such thing."},
		{messaging.Wrap(messaging.Unavailable, "The store is full.", messaging.E(messaging.NotFound, "secret")), 503, "The store is full."},
		{errors.Join(errors.New("secret"), messaging.Denied), 403, "not permitted"},
		{fmt.Errorf("x: %w", &refusal{http.StatusNotAcceptable, "No.", ""}), 406, "No."},
	} {
		status, what := c.judge(test.err)
		if status != test.status || what != test.what {
			t.Errorf("%v: %d, %q", test.err, status, what)
		}
	}
}
