package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/app"
	"zaqar/observe"
)

func TestDefaultsAreThoseOfTheParts(t *testing.T) {
	c, r := Load(Sources{DataDir: "/data"})
	if len(r) > 0 {
		t.Fatalf("findings without configuration:\n%s", r)
	}
	want := app.Defaults()
	want.Store.Dir = "/data"
	want.REST.Admin = true // first run on a loopback address
	if d := cmp.Diff(want, c.Options); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(app.DefaultRuntime(), c.Runtime); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(observe.Config{Format: observe.Text, Facility: "LOG_USER"}, c.Log); d != "" {
		t.Error(d)
	}
}

// prefixes compares networks, whose fields cmp cannot see.
func prefixes() cmp.Option { return cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }) }

// besides compares paths by their last elements: what is looked for beside the
// configuration moves with it.
func besides() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool {
		return strings.HasPrefix(p.GoString(), "{app.Options}.Policy.") && p.Last().Type().Kind() == reflect.String
	}, cmp.Comparer(func(a, b string) bool { return filepath.Base(a) == filepath.Base(b) }))
}

// TestEveryActiveOptionHasAnEffect sets each option to another value than its
// default and looks for a difference.
func TestEveryActiveOptionHasAnEffect(t *testing.T) {
	other := map[string]string{
		"admin_mode": "True", "log_format": "json", "log_level": "error", "syslog_log_facility": "LOG_LOCAL1",
		"log_file": "/l", "log_dir": "/d", "data_dir": "/d", "bind": "::1", "client_id_uuid_safe": "off",
		"message_encryption_key": "a very long secret text", "message_encryption_keys": "k:a very long secret text",
		"message_store": "memory", "management_store": "memory", "log_rotation": "1",
		"interface": "public", "memcache_security_strategy": "MAC", "service_token_roles": "other",
		"allowed_origin": "https://a", "allow_methods": "GET", "allow_headers": "A", "expose_headers": "B",
		"quota/enabled": "False", "rate_status": "503", "project": "p1 queues=7",
		"policy_dirs": "/other", "policy_default_rule": "other", "secret_key": "a very long secret text", "old_secret_key": "another",
		"cert_file": "/c", "client_certificates": "optional", "min_version": "1.3",
		"trusted_proxies": "192.0.2.0/24", "backlog": "queue", "file": "/a", "path": "/lb",
		"tracing/endpoint": "http://h:1", "tracing/headers": "a:b", "tracing/service_name": "z", "tracing/sampling": "0.5",
		"allowed_source_ranges": "192.0.2.0/24",
		"subscriber_types":      "https",
		"allowed_targets":       "127.0.0.1,*.corp", "denied_targets": "10.0.0.0/8",
		"egress_proxy":     "http://proxy:3128",
		"webhook_ca_file":  "/ca.pem",
		"forwarded_header": "Forwarded",
		"url":              "http://h", "token": "another",
		"message_pipeline": "mine", "claim_pipeline": "mine", "subscription_pipeline": "mine", "queue_pipeline": "mine", "topic_pipeline": "mine",
		"event_queue":  "events",
		"smtp_command": "/bin/true", "smtp_host": "mail.example", "smtp_port": "26", "smtp_security": "starttls", "smtp_cafile": "/ca.pem",
		"smtp_user_name": "bus", "smtp_user_password": "secret",
		"public_url": "https://cloud.example/messaging", "public_websocket_url": "wss://cloud.example:9000", "external_confirmation_url": "https://pages.example/?a=b",
		"subscription_confirmation_email_template": "topic:T", "unsubscribe_confirmation_email_template": `{"body": "a, {2}"}`,
	}
	// What these say is refused or only warned about; rules_test has them.
	judged := map[string]bool{
		"backends": true, "disable_by_file_path": true, "disable_by_file_paths": true, "enable_by_file_paths": true,
		"auth_strategy": true, "pooling": true, "transport": true, "message_encryption_algorithms": true, "key_file": true, "ca_file": true, "policy_file": true,
		"auth_type": true, "auth_section": true, "memcache_sasl_enabled": true,
		"smtp_mode": true, "trustee/auth_url": true}
	const plain = "[drivers:transport:wsgi]\nbind = 127.0.0.2\n[quota]\nenabled = True\n"
	before := mustLoad(t, plain)
	for _, s := range table() {
		for _, o := range s.Options {
			if o.Effect != Active || judged[o.Key] || judged[s.Name+"/"+o.Key] {
				continue
			}
			t.Run(s.Name+"/"+o.Key, func(t *testing.T) {
				text := other[o.Key]
				if one, ok := other[s.Name+"/"+o.Key]; ok {
					text = one
				}
				switch {
				case text != "":
				case o.Default == "-1":
					text = "7"
				case o.Default == "True":
					text = "False"
				case o.Default == "False":
					text = "True"
				case o.Default == "" && (s.Name == keystoneSection || s.Name == "trustee"):
					text = "/other" // a text, a path or a list
				default:
					text = bump(t, o.Default)
				}
				after := mustLoad(t, plain+"["+s.Name+"]\n"+o.Key+" = "+text+"\n")
				same := cmp.Equal(before.Options, after.Options, prefixes()) &&
					cmp.Equal(before.Log, after.Log) && cmp.Equal(before.Audit, after.Audit) && cmp.Equal(before.Runtime, after.Runtime)
				if same {
					t.Errorf("%s = %s changes nothing", o.Key, text)
				}
			})
		}
	}
}

// bump returns a number one above the one in the text.
func bump(t *testing.T, text string) string {
	t.Helper()
	n, err := whole[int64](0, maxInt).parse(text)
	if err != nil {
		t.Fatalf("no other value than %q known", text)
	}
	return whole[int64](0, maxInt).format(n + 1)
}

func TestEveryNameIsUnique(t *testing.T) {
	seen := map[optionID]bool{}
	env := map[string]bool{}
	for _, s := range table() {
		for _, o := range s.Options {
			for _, n := range append([]string{o.Key}, o.Aliases...) {
				if seen[optionID{s.Name, n}] {
					t.Errorf("[%s] %s stands twice", s.Name, n)
				}
				seen[optionID{s.Name, n}] = true
			}
			if e := envName(s.Name, o.Key); env[e] {
				t.Errorf("environment variable %s stands twice", e)
			} else {
				env[e] = true
			}
			if o.Effect == Active && (o.Help == "" || o.Allowed == "") {
				t.Errorf("[%s] %s is not explained", s.Name, o.Key)
			}
			if o.Effect > Later && o.Note == "" {
				t.Errorf("[%s] %s has no effect and no reason", s.Name, o.Key)
			}
		}
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	for _, c := range []struct{ section, line, allowed string }{
		{"DEFAULT", "debug = maybe", "true, 1, on, yes"},
		{"DEFAULT", "debug =", "true, 1, on, yes"},
		{"DEFAULT", "admin_mode = 2", "true, 1, on, yes"},
		{"DEFAULT", "log_level = loud", "one of debug, info, warning, error"},
		{"DEFAULT", "log_format = xml", "one of text, json"},
		{"DEFAULT", "syslog_log_facility = LOG_PUBLIC", "LOG_USER"},
		{"drivers", "transport = wsgi,amqp", "a list of some of wsgi, websocket"},
		{"drivers:transport:wsgi", "port = 65536", "a port from 0 to 65535"},
		{"drivers:transport:wsgi", "port = -1", "a port from 0 to 65535"},
		{"drivers:transport:wsgi", "port = http", "a port from 0 to 65535"},
		{"drivers:transport:wsgi", "port = 88 88", "a port from 0 to 65535"},
		{"drivers:transport:wsgi", "bind = 127.0.0.1:8888", "an IP address or a host name"},
		{"drivers:transport:wsgi", "bind = 300.0.0.1", "an IP address or a host name"},
		{"drivers:transport:wsgi", "bind = a..b", "an IP address or a host name"},
		{"drivers:transport:wsgi", "bind =", "an IP address or a host name"},
		{"drivers:transport:wsgi", "idle_timeout = soon", "a number of seconds from 1 to 86400"},
		{"drivers:transport:wsgi", "idle_timeout = nan", "a number of seconds from 1 to 86400"},
		{"drivers:transport:wsgi", "trusted_proxies = proxy.example.org", "a list of addresses and networks"},
		{"drivers:transport:wsgi", "trusted_proxies = ::1, 10.0.0.1/8", "a list of addresses and networks"},
		{"drivers:transport:wsgi", "trusted_proxies = fe80::1%eth0", "a list of addresses and networks"},
		{"drivers:transport:wsgi", "trusted_proxies = ::ffff:10.0.0.0/104", "a list of addresses and networks"},
		{"drivers:transport:wsgi", "forwarded_header = X-Real-IP", "one of X-Forwarded-For, Forwarded"},
		{"transport", "max_message_ttl = 59", "a whole number from 60 to"},
		{"transport", "max_message_ttl = 1e6", "a whole number from 60 to"},
		{"transport", "max_message_ttl = 99999999999999999999", "a whole number from 60 to"},
		{"transport", "max_messages_per_page = 0", "a whole number from 1 to"},
		{"transport", "max_queue_metadata = -5", "a whole number"},
		{"transport", "client_id_uuid_safe = loose", "one of strict, off"},
		{"transport", "message_encryption_algorithms = DES", "one of AES256, RSA"},
		{"notification", "smtp_mode = pigeon", "one of third_part, self_local"},
		{"notification", "subscription_confirmation_email_template = topic", "a JSON object"},
		{"notification", "subscription_confirmation_email_template = body:{3}", "a JSON object"},
		{"notification", "smtp_security = ssl", "one of tls, starttls, none"},
		{"notification", "public_url = cloud.example", "http:// or https://"},
		{"notification", "public_url = https://user:password@cloud.example", "http:// or https://"},
		{"notification", "public_websocket_url = https://cloud.example", "ws:// or wss://"},
		{"notification", "external_confirmation_url = javascript:alert(1)", "http:// or https://"},
		{"trustee", "auth_type = v3token", "one of password, v3password"},
		{"drivers:message_store:redis", "reconnect_sleep = -1", "a number, at least 0"},
	} {
		t.Run(c.line, func(t *testing.T) {
			text := "[drivers]\nmessage_store = memory\n[" + c.section + "]\n" + c.line
			_, r := load(t, text)
			key, _, _ := strings.Cut(c.line, " ")
			f := only(t, r, Error, "zaqar.conf:4: ", "["+c.section+"]", key, "is not allowed; allowed is", c.allowed)
			if f.Line != 4 || f.Section != c.section || f.Key != key {
				t.Errorf("found at %+v", f)
			}
		})
	}
}

func TestRightValues(t *testing.T) {
	for _, c := range []struct {
		line string
		got  func(*Config) any
		want any
	}{
		{"[DEFAULT]\nadmin_mode = YES", func(c *Config) any { return c.Options.REST.Admin }, true},
		{"[DEFAULT]\nadmin_mode = On", func(c *Config) any { return c.Options.REST.Admin }, true},
		{"[DEFAULT]\nadmin_mode = off", func(c *Config) any { return c.Options.REST.Admin }, false},
		{"[DEFAULT]\nenable_checksum = 1", func(c *Config) any { return c.Options.Broker.Checksums }, true},
		{"[DEFAULT]\nenable_checksum = no", func(c *Config) any { return c.Options.Broker.Checksums }, false},
		{"[drivers:transport:wsgi]\nbind = ::", func(c *Config) any { return c.Options.HTTP.Bind }, "::"},
		{"[drivers:transport:wsgi]\nbind = [::1]", func(c *Config) any { return c.Options.HTTP.Bind }, "::1"},
		{"[drivers:transport:wsgi]\nbind = mq-1.example.org", func(c *Config) any { return c.Options.HTTP.Bind }, "mq-1.example.org"},
		{"[drivers:transport:wsgi]\ntrusted_proxies = 192.0.2.0/24, ::1,::ffff:10.0.0.1", func(c *Config) any { return fmt.Sprint(c.Options.REST.Trust.Proxies) }, "[192.0.2.0/24 ::1/128 10.0.0.1/32]"},
		{"[oslo_middleware]\nenable_proxy_headers_parsing = True", func(c *Config) any { return c.Options.REST.Trust.Anyone }, true},
		{"[drivers:transport:wsgi]\nport: 0", func(c *Config) any { return c.Options.HTTP.Port }, int64(0)},
		{"[drivers:transport:wsgi]\nidle_timeout = 1.5", func(c *Config) any { return c.Options.HTTP.IdleTimeout }, 1500 * time.Millisecond},
		{"[transport]\nmax_message_ttl = +3600", func(c *Config) any { return c.Options.Broker.MaxMessageTTL }, int64(3600)},
		{"[cors]\nallowed_origin = https://a , ,https://b,", func(c *Config) any { return c.Options.CORS.Origins }, []string{"https://a", "https://b"}},
		{"[transport]\nclient_id_uuid_safe = off", func(c *Config) any { return c.Options.REST.ClientIDs.AnyString }, true},
		{"[DEFAULT]\ndebug = true\nlog_level = error", func(c *Config) any { return c.Log.Level }, slog.LevelDebug},
		{"[DEFAULT]\nlog_level = warning", func(c *Config) any { return c.Log.Level }, slog.LevelWarn},
		{"[DEFAULT]\nuse_json = true", func(c *Config) any { return c.Log.Format }, observe.JSON},
		{"[DEFAULT]\nlog_dir = /var/log/zaqar", func(c *Config) any { return c.Log.File }, "/var/log/zaqar/zaqar-server.log"},
		{"[DEFAULT]\nlog_dir = /var/log\nlog_file = z.log", func(c *Config) any { return c.Log.File }, "/var/log/z.log"},
		{"[DEFAULT]\nlog_dir = /var/log\nlog_file = /tmp/z.log", func(c *Config) any { return c.Log.File }, "/tmp/z.log"},
		{"[DEFAULT]\nsyslog_log_facility = local2", func(c *Config) any { return c.Log.Facility }, "LOG_LOCAL2"},
		{"[process]\nmemory_limit = 512", func(c *Config) any { return c.Runtime.MemoryLimit }, int64(512 << 20)},
	} {
		t.Run(c.line, func(t *testing.T) {
			if d := cmp.Diff(c.want, c.got(mustLoad(t, c.line))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	_, r := load(t, strings.Join([]string{
		"stray = 1",                 // 1 error
		"[DEFAULT]",                 // 2
		"debug = perhaps",           // 3 error
		"verbose = True",            // 4 warning
		"log_date_format = %Y",      // 5 warning
		"[transport]",               // 6
		"max_mesage_ttl = 3600",     // 7 warning
		"max_message_delay = never", // 8 error
		"[oslo_messaging_rabbit]",   // 9 warning
		"heartbeat = 1",             // 10
		"nonsense",                  // 11 error
	}, "\n"))
	type at struct {
		Severity Severity
		Line     int
	}
	var got []at
	for _, f := range r {
		got = append(got, at{f.Severity, f.Line})
	}
	want := []at{{Error, 1}, {Error, 3}, {Warning, 4}, {Warning, 5}, {Warning, 7}, {Error, 8}, {Warning, 9}, {Error, 11}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s\n%s", d, r)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	_, r := load(t, "[DEFAULT]\ndebug = "+strings.Repeat("ж", 500))
	if f := only(t, r, Error); len(f.String()) > 400 {
		t.Errorf("%d bytes", len(f.String()))
	}
}

func TestOlderNames(t *testing.T) {
	c := mustLoad(t, "[drivers]\nstorage = memory\nmanagement_store = memory\n[DEFAULT]\nlogfile = /l")
	if c.Options.Store.Driver != "memory" || c.Log.File != "/l" {
		t.Errorf("store %q, log %q", c.Options.Store.Driver, c.Log.File)
	}
	t.Run("the current name wins in one file", func(t *testing.T) {
		c := mustLoad(t, "[DEFAULT]\nlog_file = /new\nlogfile = /old")
		if c.Log.File != "/new" {
			t.Errorf("log %q", c.Log.File)
		}
	})
	t.Run("a later file wins whatever the name", func(t *testing.T) {
		src := sourcesOf(t, "[DEFAULT]\nlog_file = /new")
		src.Given = append(src.Given, Source{Path: write(t, filepath.Join(t.TempDir(), "b.conf"), "[DEFAULT]\nlogfile = /old")})
		if c, _ := Load(src); c.Log.File != "/old" {
			t.Errorf("log %q", c.Log.File)
		}
	})
}

func TestEmptyMeansUnsetWhereThereIsNoDefault(t *testing.T) {
	_, r := load(t, "[notification]\nsmtp_port =\n[DEFAULT]\nlog_file =\n[cors]\nallowed_origin =")
	if errs := r.Errors(); len(errs) > 0 {
		t.Errorf("%s", errs)
	}
}

func TestGoVariablesComeFirst(t *testing.T) {
	c, _ := Load(Sources{Environ: []string{"GOGC=50", "GOMEMLIMIT=1GiB"}})
	if d := cmp.Diff(app.Runtime{MemoryLimit: -1, GCPercent: 0}, c.Runtime); d != "" {
		t.Error(d)
	}
}
