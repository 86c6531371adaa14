package keystone

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zaqar/internal/testwait"
	"zaqar/test/e2e/daemon"
)

func TestMain(m *testing.M) { os.Exit(daemon.Main(m, true)) }

// config is the configuration of a server as operators write it, followed by
// more keys of [keystone_authtoken].
func (c *cast) config(more string) string {
	return fmt.Sprintf(`[DEFAULT]
auth_strategy = keystone
admin_mode = True

[keystone_authtoken]
www_authenticate_uri = %s
auth_url = %s
auth_type = password
username = zaqar
password = %s
user_domain_name = Default
project_name = services
project_domain_name = Default
service_type = messaging
`, "http://keystone.example:5000/v3", strings.TrimSuffix(c.URL, "/v3"), passwordOf("zaqar")) + more
}

// without drops keys from a configuration.
func without(config string, keys ...string) string {
	var kept []string
	for line := range strings.Lines(config) {
		if key, _, _ := strings.Cut(line, " ="); !slices.Contains(keys, key) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// zaqar is a server and how it is asked.
type zaqar struct {
	*daemon.Daemon
	client *daemon.Client
}

func start(t *testing.T, config string) *zaqar {
	t.Helper()
	d := daemon.Start(t, daemon.Options{Config: config})
	return &zaqar{d, d.Client()}
}

// do asks with a token.
func (z *zaqar) do(t *testing.T, token, method, path string, body any, headers ...string) *daemon.Answer {
	t.Helper()
	return z.client.Do(t, method, path, body, append(headers, "X-Auth-Token: "+token)...)
}

// TestKeystone is the whole flow, on one Keystone.
func TestKeystone(t *testing.T) {
	c := newCast(t, NewKeystone(t))
	z := start(t, c.config("token_cache_time = 1\ntoken_cache_refused_time = 1\n"))
	c.service(t, "messaging", z.URL)
	c.service(t, "identity", c.URL)

	for _, part := range []struct {
		name string
		run  func(*testing.T, *cast, *zaqar)
	}{
		{"no token", noToken},
		{"two projects", twoProjects},
		{"roles", roles},
		{"scopes", scopes},
		{"revoked", revoked},
		{"expired", expired},
		{"service tokens", serviceTokens},
		{"application credentials", applicationCredentials},
		{"logins", logins},
		{"signatures", signatures},
		{"trusts", trusts},
		{"trusts of others", foreignTrusts},
		{"catalogue", catalogued},
		{"python", python},
		{"outage", outage},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(t, c, z) }) && t.Failed() {
			break
		}
	}
	noSecrets(t, c, z)
}

func noToken(t *testing.T, c *cast, z *zaqar) {
	project := c.projects["demo-a"]
	z.client.Do(t, "GET", "/", nil).Want(300)
	for _, open := range []string{"/healthcheck", "/openapi.yaml"} {
		z.client.Do(t, "GET", open, nil).Want(200)
	}
	for _, headers := range [][]string{
		nil,
		{"X-Auth-Token: "},
		{"X-Auth-Token: guess"},
		{"X-Auth-Token: gAAAAABguess_guess"},
		{"URL-Signature: "},
		{"EXTRA-SPEC: "},
		{"EXTRA-SPEC: :"},
		{"EXTRA-SPEC: messagecode:1"},
		{"X-Service-Token: guess"},
	} {
		a := z.client.Do(t, "PUT", "/v2/queues/forged", nil, append(headers, "X-Project-ID: "+project, "X-Roles: admin", "X-Identity-Status: Confirmed")...).Want(401)
		if got := a.Header.Get("WWW-Authenticate"); got != `Keystone uri="http://keystone.example:5000/v3"` {
			t.Errorf("WWW-Authenticate %q", got)
		}
		var body struct {
			Error struct {
				Code  int
				Title string
			}
		}
		if a.JSON(&body); body.Error.Code != 401 || body.Error.Title != "Unauthorized" {
			t.Errorf("the body is %s", a.Body)
		}
	}
	if names := z.queues(t, c.of(t, "alice", "demo-a")); len(names) > 0 {
		t.Errorf("there are queues: %v", names)
	}
}

// queues lists the names of the queues that a token shows.
func (z *zaqar) queues(t *testing.T, token string) []string {
	t.Helper()
	var list struct{ Queues []struct{ Name string } }
	z.do(t, token, "GET", "/v2/queues", nil).Want(200).JSON(&list)
	var names []string
	for _, q := range list.Queues {
		names = append(names, q.Name)
	}
	return names
}

func twoProjects(t *testing.T, c *cast, z *zaqar) {
	alice, bob := c.of(t, "alice", "demo-a"), c.of(t, "bob", "demo-b")
	post := object{"messages": []object{{"body": "of alice"}}}
	for _, claimed := range []string{c.projects["demo-a"], c.projects["demo-b"], ""} { // what the header says counts for nothing
		z.do(t, alice, "POST", "/v2/queues/shared/messages", post, "X-Project-ID: "+claimed).Want(201)
	}
	z.do(t, bob, "PUT", "/v2/queues/shared", nil, "X-Project-ID: "+c.projects["demo-a"]).Want(201)
	var list struct{ Messages []object }
	z.do(t, bob, "GET", "/v2/queues/shared/messages?echo=true", nil, "X-Project-ID: "+c.projects["demo-a"]).Want(200).JSON(&list)
	if len(list.Messages) != 0 {
		t.Errorf("bob sees %v", list.Messages)
	}
	z.do(t, alice, "GET", "/v2/queues/shared/messages?echo=true", nil, "X-Project-ID: "+c.projects["demo-b"]).Want(200).JSON(&list)
	if len(list.Messages) != 3 {
		t.Errorf("alice sees %v", list.Messages)
	}
	for _, token := range []string{alice, bob} {
		if names := z.queues(t, token); len(names) != 1 || names[0] != "shared" {
			t.Errorf("queues %v", names)
		}
	}
}

func roles(t *testing.T, c *cast, z *zaqar) {
	z.do(t, c.of(t, "alice", "demo-a"), "GET", "/v2/health", nil, "X-Roles: admin").Want(403)
	z.do(t, c.of(t, "boss", "demo-a"), "GET", "/v2/health", nil, "X-Roles: member").Want(200)
}

// scopes has tokens that Keystone vouches for and that are for no project.
func scopes(t *testing.T, c *cast, z *zaqar) {
	k := c.Keystone
	k.call(t, k.admin, "PUT", fmt.Sprintf("/domains/default/users/%s/roles/%s", c.users["boss"], c.roles["admin"]), nil, http.StatusNoContent)
	k.call(t, k.admin, "PUT", fmt.Sprintf("/system/users/%s/roles/%s", c.users["boss"], c.roles["admin"]), nil, http.StatusNoContent)
	for name, scope := range map[string]object{
		"unscoped": nil,
		"domain":   {"domain": object{"id": "default"}},
		"system":   {"system": object{"all": true}},
	} {
		token := k.token(t, password("boss", "default"), scope)
		if a := z.do(t, token, "GET", "/v2/queues", nil, "X-Project-ID: "+c.projects["demo-a"]); a.Status != 400 {
			t.Errorf("%s: status %d: %s", name, a.Status, a.Body)
		}
	}
}

func revoked(t *testing.T, c *cast, z *zaqar) {
	token := c.of(t, "alice", "demo-a")
	z.do(t, token, "GET", "/v2/queues", nil).Want(200)
	c.call(t, c.admin, "DELETE", "/auth/tokens", nil, http.StatusNoContent, "X-Subject-Token: "+token)
	testwait.Until(t, "the revoked token is refused", func() bool {
		return z.do(t, token, "GET", "/v2/queues", nil).Want(200, 401).Status == 401
	})
	// And so is one of a user who was disabled.
	id := c.make(t, "user", "/users", object{"name": "eve", "domain_id": "default", "password": passwordOf("eve")})
	c.call(t, c.admin, "PUT", fmt.Sprintf("/projects/%s/users/%s/roles/%s", c.projects["demo-a"], id, c.roles["member"]), nil, http.StatusNoContent)
	token = c.of(t, "eve", "demo-a")
	z.do(t, token, "GET", "/v2/queues", nil).Want(200)
	c.call(t, c.admin, "PATCH", "/users/"+id, object{"user": object{"enabled": false}}, http.StatusOK)
	testwait.Until(t, "the token of a disabled user is refused", func() bool {
		return z.do(t, token, "GET", "/v2/queues", nil).Want(200, 401).Status == 401
	})
}

func expired(t *testing.T, c *cast, z *zaqar) {
	z.do(t, c.of(t, "alice", "demo-a", "X-Test-Lifetime: 0"), "GET", "/v2/queues", nil).Want(401)
	// One that ends while it is in use, long before the cache would ask again.
	patient := start(t, c.config(""))
	token := c.of(t, "alice", "demo-a", "X-Test-Lifetime: 3")
	served := 0
	testwait.Until(t, "the token has expired", func() bool {
		a := patient.do(t, token, "GET", "/v2/queues", nil).Want(200, 401)
		if a.Status == 200 {
			served++
		}
		return a.Status == 401
	})
	if served == 0 {
		t.Log("the machine is too slow to use a token that lasts 3 seconds")
	}
}

func serviceTokens(t *testing.T, c *cast, z *zaqar) {
	over := c.of(t, "alice", "demo-a", "X-Test-Lifetime: 0")
	alice, bob, heat := c.of(t, "alice", "demo-a"), c.of(t, "bob", "demo-b"), c.of(t, "heat", "services")
	z.do(t, over, "GET", "/v2/queues", nil, "X-Service-Token: "+heat).Want(200)
	z.do(t, over, "GET", "/v2/queues", nil, "X-Service-Token: "+bob).Want(401)
	z.do(t, over, "GET", "/v2/queues", nil).Want(401)
	z.do(t, alice, "GET", "/v2/queues", nil, "X-Service-Token: "+heat).Want(200)
	z.do(t, alice, "GET", "/v2/queues", nil, "X-Service-Token: "+bob).Want(401)
	z.do(t, alice, "GET", "/v2/queues", nil, "X-Service-Token: guess").Want(401)
}

func applicationCredentials(t *testing.T, c *cast, z *zaqar) {
	free := c.bearer(t, "alice", "demo-a", nil)
	z.do(t, free, "PUT", "/v2/queues/by-credential", nil).Want(201)
	limited := c.bearer(t, "alice", "demo-a", []object{
		{"service": "messaging", "method": "GET", "path": "/v2/queues"},
		{"service": "messaging", "method": "POST", "path": "/v2/queues/*/messages"},
	})
	post := object{"messages": []object{{"body": 1}}}
	z.do(t, limited, "GET", "/v2/queues?limit=5", nil).Want(200)
	z.do(t, limited, "POST", "/v2/queues/by-credential/messages", post).Want(201)
	for _, r := range [][2]string{{"GET", "/v2/queues/by-credential/messages"}, {"DELETE", "/v2/queues/by-credential"}, {"GET", "/v2/queues/"}, {"GET", "/v2/ping"}} {
		z.do(t, limited, r[0], r[1], nil).Want(401)
	}
	z.do(t, free, "DELETE", "/v2/queues/by-credential", nil).Want(204)
	// A server that does not know its type takes no such token.
	untyped := start(t, without(c.config(""), "service_type"))
	untyped.do(t, limited, "GET", "/v2/queues", nil).Want(401)
	untyped.do(t, free, "GET", "/v2/queues", nil).Want(200)
}

// logins has servers that log in in other ways, and one that cannot.
func logins(t *testing.T, c *cast, z *zaqar) {
	alice := c.of(t, "alice", "demo-a")
	id, secret := c.credential(t, "zaqar", "services", nil)
	account := []string{"auth_type", "username", "password", "user_domain_name", "project_name", "project_domain_name"}
	bare := without(c.config(""), account...)
	trust, _ := c.call(t, c.of(t, "heat", "services"), "POST", "/OS-TRUST/trusts", object{"trust": object{
		"trustor_user_id": c.users["heat"], "trustee_user_id": c.users["zaqar"], "project_id": c.projects["services"],
		"impersonation": false, "roles": []object{{"name": "service"}},
	}}, http.StatusCreated)
	user := fmt.Sprintf("user_id = %s\npassword = %s\n", c.users["zaqar"], passwordOf("zaqar"))
	c.call(t, c.admin, "PUT", fmt.Sprintf("/domains/default/users/%s/roles/%s", c.users["zaqar"], c.roles["service"]), nil, http.StatusNoContent)
	for name, config := range map[string]string{
		"application credential": bare + fmt.Sprintf("auth_type = v3applicationcredential\napplication_credential_id = %s\napplication_credential_secret = %s\n", id, secret),
		"trust":                  bare + user + "trust_id = " + trust["trust"].(object)["id"].(string) + "\n",
		"domain":                 bare + user + "domain_name = Default\n",
		"token":                  bare + "auth_type = v3token\nproject_id = " + c.projects["services"] + "\ntoken = " + c.of(t, "zaqar", "services") + "\n",
		"another section":        bare + "auth_section = ours\n\n[ours]\nauth_url = " + c.URL + "\n" + user + "project_name = services\nproject_domain_name = Default\n",
		"public":                 c.config("interface = public\nregion_name =\n"),
		"admin, not there":       c.config("interface = admin\n"),
	} {
		t.Run(name, func(t *testing.T) { start(t, config).do(t, alice, "GET", "/v2/queues", nil).Want(200) })
	}
	for name, config := range map[string]string{
		"wrong password": without(c.config("password = wrong-password\n"), "password") + "password = wrong-password\n",
		"no role":        bare + fmt.Sprintf("username = bob\npassword = %s\nuser_domain_id = default\nproject_id = %s\n", passwordOf("bob"), c.projects["demo-b"]),
	} {
		t.Run(name, func(t *testing.T) {
			broken := start(t, config)
			broken.do(t, alice, "GET", "/v2/queues", nil).Want(503)
			if broken.Logged("wrong-password") || broken.Logged(alice) {
				t.Error("the log holds a secret")
			}
		})
	}
}

// signatures has callers with a pre-signed URL in place of a token. It opens
// what was signed and nothing else.
func signatures(t *testing.T, c *cast, _ *zaqar) {
	z := start(t, c.config("[signed_url]\nsecret_key = password-of-signatures\n"))
	c.secrets = append(c.secrets, "password-of-signatures")
	alice, bob := c.of(t, "alice", "demo-a"), c.of(t, "bob", "demo-b")
	z.do(t, alice, "POST", "/v2/queues/lent/messages", object{"messages": []object{{"body": "lent"}}}).Want(201)
	var grant struct {
		Paths, Methods              []string
		Project, Expires, Signature string
	}
	z.do(t, alice, "POST", "/v2/queues/lent/share", object{"methods": []string{"GET"}}).Want(200).JSON(&grant)
	if grant.Project != c.projects["demo-a"] {
		t.Errorf("shared is a queue of project %q", grant.Project)
	}
	signed := []string{
		"URL-Signature: " + grant.Signature, "URL-Expires: " + grant.Expires, "URL-Methods: " + strings.Join(grant.Methods, ","),
		"URL-Paths: " + strings.Join(grant.Paths, ","), "X-Project-ID: " + grant.Project,
	}
	with := func(change ...string) []string { return append(slices.Clone(signed), change...) }
	const path = "/v2/queues/lent/messages"
	z.client.Do(t, "GET", path+"?echo=true", nil, signed...).Want(200)
	z.client.Do(t, "GET", path+"?echo=true", nil, with("X-Auth-Token: "+bob, "X-Roles: admin")...).Want(200) // the token counts for nothing
	for status, forged := range map[int][][]string{
		401: {with("URL-Signature: "), with("URL-Signature:   "), with("URL-Signature: ", "EXTRA-SPEC: messagecode:1")},
		404: {with("URL-Signature: " + strings.Repeat("0", 64)), with("X-Project-ID: " + c.projects["demo-b"]), with("X-Project-ID: "+c.projects["demo-b"], "X-Auth-Token: "+bob)},
	} {
		for _, headers := range forged {
			z.client.Do(t, "GET", path, nil, headers...).Want(status)
		}
	}
	for _, r := range [][2]string{{"DELETE", path + "?pop=1"}, {"GET", "/v2/queues"}, {"GET", "/v2/queues/lent"}, {"GET", "/v2/health"}, {"GET", "/v2/queues/lent/messages/../stats"}} {
		z.client.Do(t, r[0], r[1], nil, with("X-Roles: admin")...).Want(404)
	}
}

// outage has a Keystone that goes and comes back.
func outage(t *testing.T, c *cast, _ *zaqar) {
	z := start(t, c.config("http_request_max_retries = 1\n"))
	alice, bob := c.of(t, "alice", "demo-a"), c.of(t, "bob", "demo-b")
	z.do(t, alice, "GET", "/v2/queues", nil).Want(200)
	c.Stop(t)
	z.do(t, alice, "GET", "/v2/queues", nil).Want(200)
	a := z.do(t, bob, "GET", "/v2/queues", nil).Want(503)
	if strings.Contains(string(a.Body), "127.0.0.1") {
		t.Errorf("clients are told where Keystone is: %s", a.Body)
	}
	z.client.Do(t, "GET", "/v2/queues", nil).Want(401)
	c.Start(t)
	z.do(t, bob, "GET", "/v2/queues", nil).Want(200)
}

// noSecrets looks for tokens and passwords in what the server left behind.
func noSecrets(t *testing.T, c *cast, z *zaqar) {
	t.Helper()
	report := z.Report(t)
	var files []string
	err := filepath.WalkDir(z.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			text, _ := os.ReadFile(path)
			files = append(files, string(text))
		}
		return nil
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, secret := range c.secrets {
		if z.Logged(secret) || strings.Contains(report+z.Stderr(), secret) || slices.ContainsFunc(files, func(f string) bool { return strings.Contains(f, secret) }) {
			t.Errorf("%.20s… stands in the log, a report or the store", secret)
		}
	}
}
