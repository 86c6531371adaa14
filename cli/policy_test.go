package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zaqar/auth/policy"
)

// policyFiles writes a configuration with a policy beside it, and returns the
// path of both.
func policyFiles(t *testing.T, rules string) (conf, file string) {
	t.Helper()
	dir := t.TempDir()
	conf, file = filepath.Join(dir, "zaqar.conf"), filepath.Join(dir, "policy.yaml")
	for path, text := range map[string]string{conf: "", file: rules} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return conf, file
}

func TestPolicyList(t *testing.T) {
	conf, file := policyFiles(t, "queues:get: role:reader\nreaders: role:reader\nclaims:get: rule:readers\n")
	code, out, errs := zaqar(t, "policy", "list", "--config-file", conf)
	if code != exitOK || errs != "" {
		t.Fatalf("%d %s", code, errs)
	}
	for _, want := range []string{
		"# GET /v2/queues/{queue_name}\n# set in " + file + ":1\n# default: \"\"\n\"queues:get\": \"role:reader\"\n",
		"# PUT /v2/pools/{pool}\n#\"pools:create\": \"role:admin\"\n", "\"readers\": \"role:reader\"\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	// What is listed is a file of rules that means the same.
	p, findings := policy.Compile([]policy.File{{Name: "listed", Text: []byte(out)}}, "")
	if p == nil || len(findings) > 0 {
		t.Fatalf("the list is no file of rules: %v", findings)
	}
	if e, _ := p.Rule("claims:get"); e.Text != "rule:readers" {
		t.Errorf("claims:get is %+v", e)
	}
	_, out, _ = zaqar(t, "policy", "list", "--changed", "--json", "--config-file", conf)
	var listed struct {
		Files []string
		Rules []struct {
			Name, Check, File string
			Default           *string
			Line              int
			Operations        []struct{ Method, Path string }
		}
	}
	if err := json.Unmarshal([]byte(out), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed.Files) != 1 || len(listed.Rules) != 3 || listed.Rules[0].Name != "queues:get" || *listed.Rules[0].Default != "" ||
		listed.Rules[0].Operations[0].Path != "/v2/queues/{queue_name}" || listed.Rules[2].Name != "readers" || listed.Rules[2].Default != nil {
		t.Errorf("listed %+v", listed)
	}
	conf, _ = policyFiles(t, "queues:get: (")
	if code, out, errs := zaqar(t, "policy", "list", "--config-file", conf); code != exitFailure || out != "" || !strings.Contains(errs, "policy.yaml:1: error: queues:get:") {
		t.Errorf("of a wrong policy: %d %s %s", code, out, errs)
	}
}

func TestPolicyCheck(t *testing.T) {
	right, file := policyFiles(t, "queues:get: role:admin or rule:owner\nowner: 'project_id:%(project_id)s and not role:reader'\nclaims:get: \"'a':%(queue_name)s\"\n")
	wrong, wrongFile := policyFiles(t, "queues:get: role:admin and\nqueue:get: '!'\nclaims:get: rule:nope\na: rule:a\n")
	for _, c := range []struct {
		name string
		args []string
		code int
		out  []string
		errs string
	}{
		{"right", []string{"--config-file", right}, exitOK, []string{"read " + file, "0 errors, 0 warnings"}, ""},
		{"wrong", []string{"--config-file", wrong}, exitFailure, []string{wrongFile + ":1: error: queues:get: it ends",
			wrongFile + `:2: warning: queue:get:`, `did you mean "queues:get"?`, `:3: error: claims:get: there is no rule "nope"`,
			":4: error: a: refers to itself: a -> a", "3 errors, 1 warning"}, ""},
		{"a file", []string{wrongFile}, exitFailure, []string{"3 errors"}, ""},
		{"files", []string{"--config-file", wrong, file}, exitOK, []string{"read " + file, "0 errors"}, ""},
		{"a missing file", []string{file + "x"}, exitFailure, []string{"cannot be read"}, ""},
		{"no files", []string{"--config-file", file + "x"}, exitFailure, nil, "cannot be read"},
		{"permitted", []string{file, "--rule", "queues:get", "--project", "p", "--roles", "member"}, exitOK,
			[]string{"queues:get: permitted", "yes  project_id:%(project_id)s  (compares p with p)", "no   role:admin  (the roles are member)"}, ""},
		{"denied", []string{file, "--rule", "queues:get", "--project", "p", "--roles", "member,reader"}, exitDenied, []string{"queues:get: denied"}, ""},
		{"another project", []string{file, "--rule", "queues:get", "--project", "p", "--target-project", "q"}, exitDenied, []string{"compares p with q"}, ""},
		{"a queue", []string{file, "--rule", "claims:get", "--queue", "a"}, exitOK, []string{"compares a with a"}, ""},
		{"a topic", []string{file, "--rule", "claims:get", "--topic", "a"}, exitDenied, []string{"lacks the attribute"}, ""},
		{"anybody", []string{file, "--rule", "queues:create"}, exitOK, []string{"@  (everybody)", "the default"}, ""},
		{"no such rule", []string{file, "--rule", "queue:get"}, exitUsage, nil, `did you mean "queues:get"?`},
		{"nothing asked", []string{file, "--roles", "admin"}, exitUsage, nil, "--rule"},
		{"two things", []string{file, "--rule", "queues:get", "--queue", "a", "--topic", "b"}, exitUsage, nil, "exclude"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := zaqar(t, append([]string{"policy", "check"}, c.args...)...)
			if code != c.code || !strings.Contains(errs, c.errs) || c.errs == "" && errs != "" {
				t.Errorf("exit code %d, want %d: %s", code, c.code, errs)
			}
			for _, want := range c.out {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
		})
	}
	code, out, _ := zaqar(t, "policy", "check", file, "--rule", "queues:get", "--roles", "x", "--json")
	var r struct {
		Files            []string
		Errors, Warnings int
		Findings         []policy.Finding
		Decision         struct {
			Rule      string
			Permitted bool
			Reason    policy.Reason
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitDenied {
		t.Fatalf("%d %v %s", code, err, out)
	}
	if r.Decision.Rule != "queues:get" || r.Decision.Permitted || len(r.Decision.Reason.Parts) != 1 || len(r.Decision.Reason.Parts[0].Parts) != 2 {
		t.Errorf("decision %+v", r.Decision)
	}
}
