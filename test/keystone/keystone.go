package keystone

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"zaqar/internal/need"
	"zaqar/internal/testhttp"
	"zaqar/internal/testproc"
)

// Keystone is a running one.
type Keystone struct {
	URL string // with /v3

	dir    string
	port   string // once it has one
	cmd    *exec.Cmd
	exited chan struct{}
	admin  string // a token of the administrator

	secrets []string // all tokens and passwords there were
}

type object = map[string]any

// patience is how long things may take that take seconds.
const patience = 2 * time.Minute

// NewKeystone makes a Keystone and starts it.
func NewKeystone(t *testing.T) *Keystone {
	t.Helper()
	need.Program(t, "keystone-manage")
	k := &Keystone{dir: t.TempDir(), port: "0"}
	k.Start(t)
	t.Cleanup(func() { k.Stop(t) })
	k.admin = k.token(t, password("admin", "default"), projectScope(object{"name": "admin", "domain": object{"id": "default"}}))
	return k
}

// Start serves, after a Stop at the same address.
func (k *Keystone) Start(t *testing.T) {
	t.Helper()
	stderr := new(bytes.Buffer)
	// Debian's Python, whatever comes first in PATH.
	k.cmd = exec.Command("/usr/bin/python3", "-W", "ignore", "serve.py", k.dir, k.port)
	k.cmd.Env = []string{"HOME=" + k.dir, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"}
	k.cmd.Stderr = stderr
	k.cmd.SysProcAttr = testproc.Child()
	out, err := k.cmd.StdoutPipe()
	if err == nil {
		err = k.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	k.exited = make(chan struct{})
	line := make(chan string, 1)
	go func(cmd *exec.Cmd, exited chan struct{}) {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- strings.TrimSpace(text)
		_ = cmd.Wait()
		close(exited)
	}(k.cmd, k.exited)
	select {
	case k.port = <-line:
	case <-time.After(patience):
	}
	if k.port == "0" || k.port == "" {
		_ = k.cmd.Process.Kill()
		<-k.exited
		t.Fatalf("Keystone does not start: %s", stderr.String())
	}
	t.Cleanup(func() {
		if t.Failed() {
			k.Stop(t)
			t.Logf("Keystone said:\n%s", stderr)
		}
	})
	k.URL = "http://127.0.0.1:" + k.port + "/v3"
}

// Stop ends it. What it knows stays.
func (k *Keystone) Stop(t *testing.T) {
	t.Helper()
	_ = k.cmd.Process.Kill()
	select {
	case <-k.exited:
	case <-time.After(patience):
		t.Error("Keystone does not end")
	}
}

// call sends a request with a token, which may be empty, and fails the test
// unless the status is the one that is wanted.
func (k *Keystone) call(t *testing.T, token, method, path string, body any, status int, headers ...string) (object, http.Header) {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, k.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	got, header, answer := testhttp.Do(t, r)
	if got != status {
		t.Fatalf("Keystone: %s %s: status %d, want %d: %.500s", method, path, got, status, answer)
	}
	var out object
	if answer != "" {
		if err := json.Unmarshal([]byte(answer), &out); err != nil {
			t.Fatal(err)
		}
	}
	return out, header
}

// make makes a thing as administrator and returns its id.
func (k *Keystone) make(t *testing.T, kind, collection string, what object) string {
	t.Helper()
	out, _ := k.call(t, k.admin, "POST", collection, object{kind: what}, http.StatusCreated)
	return out[kind].(object)["id"].(string)
}

// token logs in and returns the token.
func (k *Keystone) token(t *testing.T, identity, scope object, headers ...string) string {
	t.Helper()
	auth := object{"identity": identity}
	if scope != nil {
		auth["scope"] = scope
	}
	_, header := k.call(t, "", "POST", "/auth/tokens", object{"auth": auth}, http.StatusCreated, headers...)
	token := header.Get("X-Subject-Token")
	k.secrets = append(k.secrets, token)
	return token
}

// password is the identity of a user whose password follows from the name.
func password(user, domain string) object {
	return object{"methods": []string{"password"}, "password": object{"user": object{
		"name": user, "domain": object{"id": domain}, "password": passwordOf(user),
	}}}
}

func passwordOf(user string) string { return "password-of-" + user }

func projectScope(project object) object { return object{"project": project} }

// cast is who is who in a Keystone.
type cast struct {
	*Keystone
	projects map[string]string // ids by name
	users    map[string]string
	roles    map[string]string
}

// newCast makes two projects with a user each, an administrator, a service
// that calls ours, and the user of our own service, which has no more than the
// role it needs.
func newCast(t *testing.T, k *Keystone) *cast {
	t.Helper()
	c := &cast{Keystone: k, projects: map[string]string{}, users: map[string]string{}, roles: map[string]string{}}
	for _, name := range []string{"demo-a", "demo-b", "services"} {
		c.projects[name] = k.make(t, "project", "/projects", object{"name": name, "domain_id": "default"})
	}
	out, _ := k.call(t, k.admin, "GET", "/roles", nil, http.StatusOK)
	for _, r := range out["roles"].([]any) {
		c.roles[r.(object)["name"].(string)] = r.(object)["id"].(string)
	}
	for _, name := range []string{"service"} {
		if c.roles[name] == "" {
			c.roles[name] = k.make(t, "role", "/roles", object{"name": name})
		}
	}
	for _, u := range []struct{ name, project, role string }{
		{"alice", "demo-a", "member"},
		{"bob", "demo-b", "member"},
		{"boss", "demo-a", "admin"},
		{"heat", "services", "service"},
		{"zaqar", "services", "service"},
	} {
		c.users[u.name] = k.make(t, "user", "/users", object{"name": u.name, "domain_id": "default", "password": passwordOf(u.name)})
		k.secrets = append(k.secrets, passwordOf(u.name))
		k.call(t, k.admin, "PUT", fmt.Sprintf("/projects/%s/users/%s/roles/%s", c.projects[u.project], c.users[u.name], c.roles[u.role]), nil, http.StatusNoContent)
	}
	return c
}

// of returns a token of a user for a project.
func (c *cast) of(t *testing.T, user, project string, headers ...string) string {
	t.Helper()
	return c.token(t, password(user, "default"), projectScope(object{"id": c.projects[project]}), headers...)
}

// service enters a service into the catalogue.
func (c *cast) service(t *testing.T, kind, url string) {
	t.Helper()
	id := c.make(t, "service", "/services", object{"name": kind, "type": kind})
	for _, face := range []string{"public", "internal"} {
		c.make(t, "endpoint", "/endpoints", object{"service_id": id, "interface": face, "url": url})
	}
}

// credential makes an application credential of a user, with rules or without.
func (c *cast) credential(t *testing.T, user, project string, rules []object) (id, secret string) {
	t.Helper()
	token := c.of(t, user, project)
	what := object{"name": fmt.Sprintf("%s-%d", user, len(c.secrets))}
	if rules != nil {
		what["access_rules"] = rules
	}
	out, _ := c.call(t, token, "POST", "/users/"+c.users[user]+"/application_credentials", object{"application_credential": what}, http.StatusCreated)
	made := out["application_credential"].(object)
	id, secret = made["id"].(string), made["secret"].(string)
	c.secrets = append(c.secrets, secret)
	return id, secret
}

// bearer returns a token of a new application credential.
func (c *cast) bearer(t *testing.T, user, project string, rules []object) string {
	t.Helper()
	id, secret := c.credential(t, user, project, rules)
	return c.token(t, object{"methods": []string{"application_credential"}, "application_credential": object{"id": id, "secret": secret}}, nil)
}
