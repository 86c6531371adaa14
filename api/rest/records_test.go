package rest_test

import (
	"log/slog"
	"strings"
	"testing"

	"zaqar/api/rest"
	"zaqar/internal/testlog"
)

// TestRecordsAreShort sends as much as fits into the headers of a request: the
// access log, the audit log and spans repeat little of it.
func TestRecordsAreShort(t *testing.T) {
	const long = 50_000
	logs := new(testlog.Buffer)
	served := make(chan rest.Served, 1)
	s := newServer(t, openMemory, func(set *setup) {
		set.rest.Access = slog.New(slog.NewJSONHandler(logs, nil))
		set.rest.Audit = set.rest.Access
		set.rest.Served = func(d rest.Served) { served <- d }
	}, withPolicy(`"queues:create": "role:nobody"`))
	// The access record is the one written last.
	for _, c := range []struct {
		name, method string
		headers      []string
		status       int
	}{
		{"project", "PUT", []string{"X-Project-ID: " + strings.Repeat("p", long)}, 400},
		{"method", strings.Repeat("M", long), nil, 405},
		{"user", "PUT", []string{"X-User-Id: " + strings.Repeat("é", long/2)}, 403},
		{"a role", "PUT", []string{"X-Roles: member," + strings.Repeat("r", long)}, 403},
		{"roles", "PUT", []string{"X-Roles: " + strings.Repeat("r,", long/2)}, 403},
	} {
		before := len(logs.String())
		s.do(c.method, "/v2/queues/q", "", c.headers...).want(c.status)
		if d := <-served; len(d.Project) > 2000 || len(d.Method) > 2000 {
			t.Errorf("%s: of the project %d bytes are told, of the method %d", c.name, len(d.Project), len(d.Method))
		}
		s.do("GET", "/v2/queues", "").want(200)
		<-served // what came before is written
		if n := len(logs.String()) - before; n > 4000 {
			t.Errorf("%s: %d bytes of log", c.name, n)
		}
	}
	text := logs.String()
	for _, want := range []string{`"roles":["member","…"]`, `é…"`, `ppp…"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

// TestAuditNamesEveryProject grants quotas to projects whose ids would be no
// names of queues.
func TestAuditNamesEveryProject(t *testing.T) {
	_, do := audited(t, adminMode, withQuotas(nil))
	for path, id := range map[string]string{
		"a%2Fb": "a/b", "a%0Ab": "a\nb", "%C3%A9": "é", strings.Repeat("x", 256): strings.Repeat("x", 256),
	} {
		got := do("PUT", "/v2/quotas/"+path, `{"quota": {"queues": 1}}`, "X-Roles: admin")
		if got["project_id"] != id || got["outcome"] != "success" {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := do("PUT", "/v2/quotas/"+strings.Repeat("x", 257), `{"quota": {"queues": 1}}`); got["project_id"] != nil {
		t.Errorf("no project: %v", got)
	}
}
