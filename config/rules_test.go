package config

import (
	"crypto/sha256"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/app"
	"zaqar/app/apptest"
	"zaqar/broker"
)

func TestStoreChoice(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string   // driver, if it loads
		err  []string // what the error says, if not
	}{
		"nothing said":        {"", "embedded", nil},
		"no drivers key":      {"[drivers]\ntransport = wsgi", "embedded", nil},
		"embedded":            {"[drivers]\nmessage_store = embedded\nmanagement_store = embedded", "embedded", nil},
		"one of two":          {"[drivers]\nmessage_store = memory", "memory", nil},
		"the other of two":    {"[drivers]\nmanagement_store = memory", "memory", nil},
		"embedded section":    {"[drivers:message_store:embedded]\ndata_dir = /x", "embedded", nil},
		"older name":          {"[drivers]\nstorage = memory", "memory", nil},
		"header only":         {"[drivers:message_store:mongodb]", "embedded", nil},
		"mongodb is named":    {"[drivers]\nmessage_store = mongodb\nmanagement_store = embedded", "", []string{":2", "message_store", `"mongodb" is not offered`, "embedded or memory"}},
		"redis is named":      {"[drivers]\nmessage_store = embedded\nmanagement_store = redis", "", []string{":3", "management_store", `"redis" is not offered`, "embedded or memory"}},
		"one of two is named": {"[drivers]\nmessage_store = mongodb", "", []string{":2", "message_store", `"mongodb" is not offered`}},
		"the other is named":  {"[drivers]\nmanagement_store = redis", "", []string{":2", "management_store", `"redis" is not offered`}},
		"nonsense is named":   {"[drivers]\nmessage_store = embeddde\nmanagement_store = embedded", "", []string{":2", `"embeddde" is not offered`}},
		"two stores":          {"[drivers]\nmessage_store = embedded\nmanagement_store = memory", "", []string{":3", "cannot be combined"}},
		"mongodb without a choice": {"[drivers:message_store:mongodb]\nuri = mongodb://secret@h", "",
			[]string{":2", "[drivers:message_store:mongodb]", "do not say which", "embedded or memory"}},
		"redis without a choice":      {"[drivers]\ntransport = wsgi\n[drivers:management_store:redis]\nuri = redis://h", "", []string{":4", "do not say which"}},
		"sqlalchemy without a choice": {"[drivers:management_store:sqlalchemy]\nuri = mysql://h", "", []string{":2", "do not say which"}},
		"mongodb beside a choice":     {"[drivers]\nmessage_store = embedded\n[drivers:message_store:mongodb]\nuri = mongodb://h", "embedded", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, r := load(t, c.text)
			if c.err != nil {
				only(t, r, Error, c.err...)
				if strings.Contains(r.String(), "secret") {
					t.Errorf("the report tells a secret:\n%s", r)
				}
				return
			}
			if errs := r.Errors(); len(errs) > 0 {
				t.Fatalf("%s", errs)
			}
			if got.Options.Store.Driver != c.want {
				t.Errorf("store %q, want %q", got.Options.Store.Driver, c.want)
			}
			if v := got.value(t, "drivers", "management_store"); v.Text != c.want {
				t.Errorf("printed management_store %q, want %q", v.Text, c.want)
			}
		})
	}
}

// TestNothingUnsafeIsIgnored has what would be dangerous to run without.
func TestNothingUnsafeIsIgnored(t *testing.T) {
	for _, c := range []struct {
		text  string
		words []string
	}{
		{"[DEFAULT]\nauth_strategy = keystone", []string{":2", "keystone_authtoken", "auth_url is missing"}},
		{"[DEFAULT]\nauth_strategy = none", []string{":2", `"none" is not allowed`, "empty"}},
		{"[DEFAULT]\npooling = True", []string{":2", "pooling", "not offered"}},
		{"[DEFAULT]\nsharding = True", []string{":2", "not offered"}},
		{"[drivers]\ntransport = websocket", []string{":2", "transport", "HTTP only"}},
		{"[drivers]\ntransport =", []string{":2", "transport", "HTTP only"}},
		{"[transport]\nmessage_encryption_algorithms = RSA", []string{":2", "RSA never worked"}},
		{"[transport]\nmessage_encryption_key = AES256", []string{":2", "message_encryption_key", "everybody knows"}},
		{"[transport]\nmessage_encryption_keys = a:AES256", []string{":2", "message_encryption_keys", "everybody knows"}},
		{"[transport]\nmessage_encryption_keys = a:", []string{":2", "empty"}},
		{"[transport]\nmessage_encryption_keys = a b:0123456789abcdef0", []string{":2", `the name "a b" is not allowed`}},
		{"[transport]\nmessage_encryption_keys = a:0123456789abcdef0,a:0123456789abcdef1", []string{":2", "is not allowed", "key:value"}},
		{"[ssl]\nkey_file = /k", []string{":2", "key_file", "cert_file is not"}},
		{"[ssl]\nca_file = /k", []string{":2", "ca_file", "cert_file is not"}},
		{"[transport]\nmin_length_client_id = 40", []string{":2", "exceeds max_length_client_id, which is 36"}},
		{"[transport]\nmax_message_ttl = 1800\ndefault_message_ttl = 3600", []string{":3", "exceeds max_message_ttl, which is 1800"}},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, r := load(t, c.text)
			only(t, r, Error, c.words...)
		})
	}
}

// TestTrustInEverybody warns where the address of a request is whatever its
// sender says.
func TestTrustInEverybody(t *testing.T) {
	for _, c := range []struct{ text, key string }{
		{"bind = 0.0.0.0\ntrust_proxy = True", "trust_proxy"},
		{"bind = 0.0.0.0\n[oslo_middleware]\nenable_proxy_headers_parsing = True", "enable_proxy_headers_parsing"},
		{"bind = 0.0.0.0\ntrust_proxy = True\ntrusted_proxies = 10.0.0.0/8", ""},
		{"bind = 0.0.0.0", ""},
		{"trust_proxy = True", ""},
	} {
		_, r := load(t, "[drivers:transport:wsgi]\n"+c.text)
		told := ""
		for _, f := range r.Warnings() {
			if strings.Contains(f.Text, "is believed") {
				told = f.Key
			}
		}
		if told != c.key {
			t.Errorf("%q: warned of %q, want %q", c.text, told, c.key)
		}
	}
}

func TestPolicyFile(t *testing.T) {
	const rules = "\"queues:delete\": \"role:admin\"\n"
	const wrong = "\"queues:delete\": \"role:admin and\"\n"
	for name, c := range map[string]struct {
		conf  string
		files map[string]string
		told  Severity // of the one finding; empty: none
		words []string
	}{
		"none":                   {"", nil, "", nil},
		"comments only":          {"", map[string]string{"policy.yaml": "# a\n\n# \"queues:get\": \"\"\n"}, "", nil},
		"rules":                  {"", map[string]string{"policy.yaml": rules}, "", nil},
		"rules in JSON":          {"", map[string]string{"policy.json": "{\"queues:delete\": \"!\"}"}, Warning, []string{"policy.json:1", "JSON"}},
		"not a rule":             {"", map[string]string{"policy.yaml": "# a\n" + wrong}, Error, []string{"policy.yaml:2", `rule "queues:delete"`, "ends where"}},
		"not YAML":               {"", map[string]string{"policy.yaml": "a: b: c"}, Error, []string{"policy.yaml:1", "not YAML"}},
		"wrong elsewhere":        {"policy_file = sub/mine.yaml", map[string]string{"sub/mine.yaml": wrong}, Error, []string{"sub/mine.yaml:1"}},
		"wrong in a directory":   {"", map[string]string{"policy.d/a.yaml": wrong}, Error, []string{"policy.d/a.yaml:1"}},
		"wrong in a second one":  {"policy_dirs = a\npolicy_dirs = b", map[string]string{"a/x": rules, "b/y": wrong}, Error, []string{"b/y:1"}},
		"hidden in a directory":  {"", map[string]string{"policy.d/.a.yaml": wrong}, "", nil},
		"the other is not read":  {"policy_dirs = a", map[string]string{"policy.d/a.yaml": wrong}, "", nil},
		"missing as named":       {"policy_file = mine.yaml", nil, Warning, []string{":2", "mine.yaml does not exist"}},
		"missing beside others":  {"policy_file = mine.yaml", map[string]string{"policy.d/a.yaml": rules}, Warning, []string{":2", "mine.yaml does not exist"}},
		"another name counts":    {"policy_file = mine.yaml", map[string]string{"policy.yaml": wrong, "mine.yaml": rules}, "", nil},
		"YAML comes before JSON": {"", map[string]string{"policy.yaml": rules, "policy.json": "{"}, "", nil},
		"unknown reference":      {"", map[string]string{"policy.yaml": "\"queues:get\": \"rule:nope\"\n"}, Error, []string{`there is no rule "nope"`}},
		"the rule for unknown ones": {"policy_default_rule = other", map[string]string{"policy.yaml": "\"queues:get\": \"rule:nope\"\nother: \"!\"\n"},
			Warning, []string{`rule "other" stands for it`}},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, c.files)
			conf := write(t, filepath.Join(root, "zaqar.conf"), "[oslo_policy]\n"+c.conf)
			_, r := Load(Sources{Given: []Source{{Path: conf}}})
			if c.told == "" {
				if len(r) > 0 {
					t.Errorf("%s", r)
				}
				return
			}
			only(t, r, c.told, c.words...)
			if len(r) != 1 {
				t.Errorf("%s", r)
			}
		})
	}
}

// A policy is looked for beside the configuration first, then where
// configuration is searched.
func TestPolicyIsSearched(t *testing.T) {
	root := tree(t, map[string]string{"own/zaqar.conf": "", "later/x.conf": "", "etc/policy.yaml": "a: '@'"})
	src := Sources{
		Given:  []Source{{Path: filepath.Join(root, "own/zaqar.conf")}, {Path: filepath.Join(root, "later/x.conf")}},
		Search: []string{filepath.Join(root, "home"), filepath.Join(root, "etc")},
	}
	used := func() string {
		c, _ := Load(src)
		_, _, files := c.Options.Policy.Load()
		var names []string
		for _, f := range files {
			name, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		return strings.Join(names, " ")
	}
	for _, step := range []struct{ add, want string }{
		{"etc/policy.d/b", "etc/policy.yaml etc/policy.d/b"},
		{"etc/policy.d/a", "etc/policy.yaml etc/policy.d/a etc/policy.d/b"},
		{"own/policy.d/c", "etc/policy.yaml own/policy.d/c"},
		{"own/policy.yaml", "own/policy.yaml own/policy.d/c"},
		{"later/policy.yaml", "later/policy.yaml own/policy.d/c"},
	} {
		path := filepath.Join(root, step.add)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, "b: '@'")
		if got := used(); got != step.want {
			t.Errorf("with %s: %q are read, want %q", step.add, got, step.want)
		}
	}
}

func TestSigningKeys(t *testing.T) {
	c, r := load(t, "[signed_url]\nsecret_key = 0123456789abcdef, and more\nold_secret_key = a,b\nold_secret_key = c")
	if len(r) > 0 {
		t.Errorf("%s", r)
	}
	want := app.SignedURL{Key: "0123456789abcdef, and more", Old: []string{"a,b", "c"}}
	if diff := cmp.Diff(want, c.Options.SignedURL); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(c.Masked(), "a,b") || strings.Contains(c.Masked(), "and more") {
		t.Error("a key is shown")
	}
	_, r = load(t, "[signed_url]\nsecret_key = short")
	only(t, r, Warning, ":2", "shorter than 16")
	_, r = load(t, "[signed_url]\nold_secret_key = any")
	only(t, r, Warning, ":2", "there is no secret_key")
}

func TestAdminMode(t *testing.T) {
	bind := func(a string) Flag { return Flag{"--bind", "drivers:transport:wsgi", "bind", a} }
	admin := func(v string) Flag { return Flag{"--admin-mode", "DEFAULT", "admin_mode", v} }
	empty := write(t, filepath.Join(t.TempDir(), "zaqar.conf"), "")
	file := []Source{{Path: empty}}
	for _, c := range []struct {
		name string
		src  Sources
		want bool
	}{
		{"first run", Sources{}, true},
		{"first run on localhost", Sources{Flags: []Flag{bind("localhost")}}, true},
		{"first run on ::1", Sources{Flags: []Flag{bind("::1")}}, true},
		{"first run, told not to", Sources{Flags: []Flag{admin("false")}}, false},
		{"reachable by others", Sources{Flags: []Flag{bind("0.0.0.0")}}, false},
		{"reachable by others, from the environment", Sources{Environ: []string{"OS_DRIVERS_TRANSPORT_WSGI__BIND=192.0.2.1"}}, false},
		{"reachable by others, told to", Sources{Flags: []Flag{bind("0.0.0.0"), admin("true")}}, true},
		{"the file rules", Sources{Given: file}, false},
		{"the file rules, told to", Sources{Given: file, Flags: []Flag{admin("true")}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, r := Load(c.src)
			if errs := r.Errors(); len(errs) > 0 {
				t.Fatalf("%s", errs)
			}
			if got.Options.REST.Admin != c.want {
				t.Errorf("admin mode %v, want %v", got.Options.REST.Admin, c.want)
			}
			if shown := got.value(t, "DEFAULT", "admin_mode").isTrue(); shown != c.want {
				t.Errorf("printed admin mode %v, want %v", shown, c.want)
			}
		})
	}
}

func TestOpenServersAreWarnedAbout(t *testing.T) {
	for _, c := range []struct {
		text  string
		words []string
	}{
		{"[drivers:transport:wsgi]\nbind = 0.0.0.0", []string{":2", "bind", "nobody is authenticated"}},
		{"[keystone_authtoken]\nwww_authenticate_uri = http://k", []string{":2", "NOBODY IS AUTHENTICATED"}},
	} {
		_, r := load(t, c.text)
		found := false
		for _, f := range r.Warnings() {
			line, all := f.String(), true
			for _, w := range c.words {
				all = all && strings.Contains(line, w)
			}
			found = found || all
		}
		if !found {
			t.Errorf("%q: no warning with %q in\n%s", c.text, c.words, r)
		}
	}
}

func TestEncryptionKeys(t *testing.T) {
	sum := func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }
	const one, two, three = "the first of the secrets", "the second: of, the secrets", "the third of the secrets"

	c := mustLoad(t, "[transport]\nmessage_encryption_key = "+one)
	if len(c.Options.Broker.Keys) != 1 || string(c.Options.Broker.Keys[0].Secret) != string(sum(one)) {
		t.Fatalf("keys %v", c.Options.Broker.Keys)
	}
	name := c.Options.Broker.Keys[0].ID
	if again := mustLoad(t, "[transport]\nmessage_encryption_key = "+one).Options.Broker.Keys[0].ID; again != name {
		t.Errorf("the same secret is called %q and %q", name, again)
	}
	if other := mustLoad(t, "[transport]\nmessage_encryption_key = "+three).Options.Broker.Keys[0].ID; other == name {
		t.Errorf("two secrets are called %q", name)
	}

	c = mustLoad(t, "[transport]\nmessage_encryption_key = "+one+"\nmessage_encryption_keys = new:\""+two+"\", old:"+three)
	want := []broker.Key{{ID: "new", Secret: sum(two)}, {ID: "old", Secret: sum(three)}, {ID: name, Secret: sum(one)}}
	if d := cmp.Diff(want, c.Options.Broker.Keys); d != "" {
		t.Error(d)
	}
	for _, secret := range []string{one, two, three} {
		if strings.Contains(c.Masked(), secret) {
			t.Errorf("the printed configuration tells %q", secret)
		}
	}
	if mustLoad(t, "").Options.Broker.Keys != nil {
		t.Error("there is a default key")
	}
	_, r := load(t, "[transport]\nmessage_encryption_key = short")
	only(t, r, Warning, ":2", "shorter than 16")
	if strings.Contains(r.String(), `"short"`) {
		t.Error("the report tells a secret")
	}
}

func TestAuditRecordsAreNotDropped(t *testing.T) {
	const on = "[audit]\nenabled = True\n"
	for text, says := range map[string][]string{
		on: nil,
		on + "file = /a\n[DEFAULT]\nlog_level = error\n": nil,
		on + "[DEFAULT]\nlog_level = warning\n":          {":2", "log_level = warning", "[audit] file"},
	} {
		_, r := load(t, text)
		if says == nil && len(r) > 0 {
			t.Errorf("%q: %v", text, r)
		} else if says != nil {
			only(t, r, Error, says...)
		}
	}
	_, r := load(t, "[audit]\nfile = /a\n")
	only(t, r, Warning, ":2", "there will be no records")
}

func TestTracing(t *testing.T) {
	c := mustLoad(t, "[tracing]\nendpoint = https://collector:4318/x\nheaders = Authorization:Basic abc,X-Scope:a\n")
	want := app.Defaults().Tracing
	want.Endpoint, want.Headers = "https://collector:4318/x", map[string]string{"Authorization": "Basic abc", "X-Scope": "a"}
	if d := cmp.Diff(want, c.Options.Tracing); d != "" {
		t.Error(d)
	}
	for _, line := range []string{"endpoint = collector:4318", "endpoint = ftp://u:pass-word@c", "endpoint = http://:pass-word@%zz", "sampling = 2", "sampling = -1"} {
		_, r := load(t, "[tracing]\n"+line)
		if !strings.Contains(r.String(), ":2: error") || strings.Contains(r.String(), "pass-word") {
			t.Errorf("%s: %v", line, r)
		}
	}
}

func TestHealthcheckFiles(t *testing.T) {
	const files = "disable_by_file_path = /off\ndisable_by_file_paths = 8888:/a, 8889:/b\nenable_by_file_paths = /on\n"
	for backends, want := range map[string]app.Healthcheck{
		"":                       {},
		"disable_by_file":        {DisableFile: "/off"},
		"disable_by_files_ports": {DisableFiles: []string{"8888:/a", "8889:/b"}},
		"enable_by_files":        {EnableFiles: []string{"/on"}},
	} {
		c := mustLoad(t, "[healthcheck]\nbackends = "+backends+"\n"+files)
		if d := cmp.Diff(want, c.Options.Health); d != "" {
			t.Errorf("%q: %s", backends, d)
		}
	}
	_, r := load(t, "[healthcheck]\nbackends = disable_by_file\n")
	only(t, r, Error, ":2", "disable_by_file", "no file")
	for path, want := range map[string]string{"off": "", "/lb": "/lb"} {
		if got := mustLoad(t, "[healthcheck]\npath = "+path).Options.REST.Healthcheck.Path; got != want {
			t.Errorf("path %s is %q", path, got)
		}
	}
	for _, path := range []string{"lb", "/", "/v2", "/openapi.yaml", "/a/b", "/..", "/{x}"} {
		_, r := load(t, "[healthcheck]\npath = "+path)
		only(t, r, Error, ":2", "path", "one segment")
	}
}

func TestProfilesForAnybodyAreWarnedAbout(t *testing.T) {
	const on = "[metrics]\nenabled = True\npprof = True\n"
	if _, r := load(t, on); len(r) > 0 {
		t.Errorf("on the loopback address: %v", r)
	}
	if _, r := load(t, "[metrics]\npprof = True\nbind = 192.0.2.1\n"); len(r) > 0 {
		t.Errorf("without metrics: %v", r)
	}
	_, r := load(t, on+"bind = 192.0.2.1\n")
	only(t, r, Warning, ":3", "pprof", "192.0.2.1")
}

func TestDefaultsFollowLoweredMaximums(t *testing.T) {
	c, r := load(t, "[transport]\nmax_message_ttl = 1800")
	only(t, r, Warning, ":2", "max_message_ttl", "default_message_ttl", "1800")
	if got := c.Options.Broker.DefaultMessageTTL; got != 1800 {
		t.Errorf("default_message_ttl %d", got)
	}
	if got := c.value(t, "transport", "default_message_ttl").Text; got != "1800" {
		t.Errorf("printed default_message_ttl %s", got)
	}
}

// TestLimitsSuitTheServer runs servers with the extremes that the table lets
// pass: posts and claims that ask for them, or for nothing, are served.
func TestLimitsSuitTheServer(t *testing.T) {
	for i, name := range []string{"lowest", "highest"} {
		t.Run(name, func(t *testing.T) {
			limits := map[string]string{}
			for _, o := range newIndex(Table()).section("transport").Options {
				_, bounds, ok := strings.Cut(o.Allowed, "a whole number from ")
				if ok && o.Effect == Active {
					limits[o.Key] = strings.Split(bounds, " to ")[i]
				}
			}
			if len(limits) < 20 {
				t.Fatalf("only %d limits in the table", len(limits))
			}
			text := "[drivers:transport:wsgi]\nport = 0\n[drivers:message_store:embedded]\ndata_dir = " + t.TempDir() +
				"\n[transport]\nclient_id_uuid_safe = off\n"
			for key, value := range limits {
				if i == 0 && (key == "max_messages_post_size" || key == "max_queue_metadata") {
					continue // nothing fits into a byte
				}
				text += key + " = " + value + "\n"
			}
			ask := serving(t, mustLoad(t, text).Options, limits["max_length_client_id"])
			ask("messages", `{"messages": [{"body": 1}]}`, http.StatusCreated)
			ask("messages", `{"messages": [{"body": 1, "ttl": `+limits["max_message_ttl"]+`}]}`, http.StatusCreated)
			ask("claims", `{"ttl": `+limits["max_claim_ttl"]+`, "grace": `+limits["max_claim_grace"]+`}`, map[int]int{0: 201, 1: 204}[i])
		})
	}
}

// serving runs a server for the test. What it returns posts to a queue, as a
// client whose id has the length, and expects a status.
func serving(t *testing.T, o app.Options, length string) func(resource, body string, want int) {
	t.Helper()
	addr := apptest.Serve(t, o)
	n, err := strconv.Atoi(length)
	if err != nil {
		t.Fatal(err)
	}
	return func(resource, body string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/v2/queues/q/"+resource, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Client-ID", strings.Repeat("c", n))
		req.Header.Set("X-Project-ID", "p")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != want {
			t.Errorf("%s %s: %d %s, want %d", resource, body, resp.StatusCode, answer, want)
		}
	}
}

func TestRealWorldFile(t *testing.T) {
	text, err := os.ReadFile("testdata/legacy.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, r := load(t, string(text))
	if len(r.Errors()) > 0 {
		t.Errorf("an ordinary file does not load:\n%s", r.Errors())
	}
	for _, want := range []string{"log_config_append: is ignored", "workers: no such key", "[database] no such section", "[limits:transport] this section has had no effect",
		"max_message_size: this key has had no effect", "[cache] enabled: is replaced"} {
		if !strings.Contains(r.String(), want) {
			t.Errorf("no warning with %q in\n%s", want, r)
		}
	}
}

func TestStoresThatAProgramAdds(t *testing.T) {
	const text = "[drivers]\nmessage_store = mine\n[drivers:message_store:mine]\nuri = mine://u:secret@h\n"
	root := tree(t, map[string]string{"zaqar.conf": text})
	src := Sources{Given: []Source{{Path: filepath.Join(root, "zaqar.conf")}}, Drivers: []string{"mine", "other"}}
	c, report := Load(src)
	if len(report) > 0 || c.Options.Store.Driver != "mine" || c.Options.Store.URI != "mine://u:secret@h" {
		t.Errorf("%+v, %v", c.Options.Store, report)
	}
	if strings.Contains(c.Masked(), "u:secret") {
		t.Errorf("the URI is shown: %s", c.Masked())
	}
	src.Drivers = nil
	if _, report := Load(src); len(report.Errors()) == 0 || !strings.Contains(report.String(), "embedded or memory") {
		t.Errorf("without the program: %v", report)
	}
}
