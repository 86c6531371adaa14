package config

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/app"
	"zaqar/broker"
)

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
