package config

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/app"
	"zaqar/app/apptest"
	"zaqar/internal/testhttp"
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
			for _, o := range newIndex(table()).section("transport").Options {
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
		r := testhttp.Request(t, http.MethodPost, "http://"+addr+"/v2/queues/q/"+resource, body, "Client-ID", strings.Repeat("c", n))
		if status, _, answer := testhttp.Do(t, r); status != want {
			t.Errorf("%s %s: %d %s, want %d", resource, body, status, answer, want)
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
