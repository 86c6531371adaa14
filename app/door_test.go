package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zaqar/app"
)

func (r running) status(t *testing.T, method, path, body string, headers ...string) int {
	t.Helper()
	code, _, _ := r.do(t, method, path, body, headers...)
	return code
}

func TestPolicyIsInForce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("queues:get_all: role:reader")
	o := options(t)
	o.Policy.Files = []string{file}
	a := start(t, o)
	if got := a.status(t, "GET", "/v2/queues", ""); got != 403 {
		t.Errorf("without the role: %d", got)
	}
	if got := a.status(t, "GET", "/v2/queues", "", "X-Roles", "reader"); got != 200 {
		t.Errorf("with the role: %d", got)
	}
	write("queues:get_all: '@'")
	if err := a.Reload(o); err != nil {
		t.Fatal(err)
	}
	if got := a.status(t, "GET", "/v2/queues", ""); got != 200 {
		t.Errorf("after the change: %d", got)
	}
	write("queues:get_all: nonsense")
	o.Broker.MaxQueuesPerPage = 1
	if err := a.Reload(o); err == nil {
		t.Error("a wrong policy is taken")
	}
	if got := a.status(t, "GET", "/v2/queues?limit=2", ""); got != 200 {
		t.Errorf("after a change that was refused: %d", got)
	}
	o.Store.Dir = t.TempDir()
	if b, err := app.New(t.Context(), o); err == nil {
		_ = b.Close()
		t.Error("a server starts with a wrong policy")
	}
}

func TestSecretsOfSignaturesChange(t *testing.T) {
	o := options(t)
	o.SignedURL.Key = "first"
	a := start(t, o)
	code, _, body := a.do(t, "POST", "/v2/queues/q/share", "{}")
	if code != 200 {
		t.Fatalf("share: %d", code)
	}
	var grant struct {
		Paths, Methods     []string
		Expires, Signature string
	}
	if err := json.Unmarshal([]byte(body), &grant); err != nil {
		t.Fatal(err)
	}
	use := func() int {
		return a.status(t, "GET", "/v2/queues/q/messages", "", "URL-Signature", grant.Signature, "URL-Expires", grant.Expires,
			"URL-Methods", strings.Join(grant.Methods, ","), "URL-Paths", strings.Join(grant.Paths, ","))
	}
	for _, step := range []struct {
		keys app.SignedURL
		want int
	}{
		{app.SignedURL{Key: "first"}, 200}, {app.SignedURL{Key: "second", Old: []string{"zeroth", "first"}}, 200},
		{app.SignedURL{Key: "second"}, 404}, {app.SignedURL{}, 404},
	} {
		o.SignedURL = step.keys
		if err := a.Reload(o); err != nil {
			t.Fatal(err)
		}
		if got := use(); got != step.want {
			t.Errorf("with %+v: %d, want %d", step.keys, got, step.want)
		}
	}
	if got := a.status(t, "POST", "/v2/queues/q/share", "{}"); got != 400 {
		t.Errorf("share without a key: %d", got)
	}
}
