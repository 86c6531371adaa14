package secrets

import (
	"encoding/base64"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"zaqar/internal/testhttp"
	"zaqar/test/e2e/daemon"
)

// Secrets of requests.
const (
	secretToken     = "gAAAAAB-secret-good-token-Zm9vYmFy"
	secretBad       = "gAAAAAB-secret-unknown-token-Zm9v"
	secretFailing   = "gAAAAAB-secret-failing-token-YmFy"
	secretGarbage   = "gAAAAAB-secret-garbage-token-YmF6"
	secretService   = "gAAAAAB-secret-service-token-cXV4"
	secretOwnToken  = "gAAAAAB-secret-own-token-of-zaqar"
	secretBasic     = "c2VjcmV0LXVzZXI6c2VjcmV0LXBhc3M="
	secretCookie    = "secret-cookie-0a1b2c3d4e"
	secretSignature = "5ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e7"
	secretQuery     = "secret-of-the-query-string"
	secretBody      = "secret-body-of-a-message-41"
	secretBroken    = "secret-body-of-a-broken-post"
	secretSealed    = "secret-body-that-is-encrypted"
	secretMetadata  = "secret-in-the-metadata-of-a-queue"
)

// configured are the secrets of the configuration, by what they are.
func configured() map[string]string {
	return map[string]string{
		"keystone password":    "conf-secret-keystone-password",
		"memcache key":         "conf-secret-memcache-key-0123456789",
		"memcache password":    "conf-secret-memcache-password",
		"encryption key":       "conf-secret-encryption-key-0123456789",
		"old encryption key":   "conf-secret-encryption-key-9876543210",
		"key of signatures":    "conf-secret-signatures-0123456789",
		"old key of them":      "conf-secret-old-signatures-01234",
		"collector's password": "conf-secret-in-the-endpoint",
		"collector's header":   "conf-secret-collector-header",
		"password in a URI":    "conf-secret-mongodb-password",
		"password of mail":     "conf-secret-smtp-password",
		"trustee's password":   "conf-secret-trustee-password",
		"password of redis":    "conf-secret-redis-password",
		"key of the profiler":  "conf-secret-hmac-key",
		"key nobody knows":     "conf-secret-of-an-unknown-key",
		"changed signing key":  "conf-secret-changed-signatures",
	}
}

func requested() map[string]string {
	return map[string]string{
		"good token": secretToken, "bad token": secretBad, "failing token": secretFailing, "garbage token": secretGarbage,
		"service token": secretService, "the server's own token": secretOwnToken, "Authorization": secretBasic, "Cookie": secretCookie,
		"URL-Signature": secretSignature, "query string": secretQuery, "body": secretBody, "body of a broken post": secretBroken,
		"encrypted body": secretSealed, "metadata": secretMetadata,
	}
}

// configuration uses all secrets of configured.
func configuration(k *keystone, c *collector, cache net.Listener, audit string) string {
	s := configured()
	return fmt.Sprintf(`[DEFAULT]
debug = True
auth_strategy = keystone
vendor_password = %s
[drivers]
message_store = embedded
management_store = embedded
[drivers:management_store:mongodb]
uri = mongodb://zaqar:%s@db.example.org/zaqar
[keystone_authtoken]
auth_url = %s/v3
username = zaqar
user_domain_name = Default
password = %s
http_request_max_retries = 0
memcached_servers = %s
memcache_security_strategy = ENCRYPT
memcache_secret_key = %s
memcache_password = %s
[transport]
message_encryption_keys = new:%s,old:%s
[signed_url]
secret_key = %s
old_secret_key = %s
[notification]
smtp_user_name = bus
smtp_user_password = %s
smtp_host = 127.0.0.1
smtp_port = 1
smtp_mode = self_local
allowed_targets = 127.0.0.1
[trustee]
auth_url = %s/v3
username = trustee
user_domain_name = Default
password = %s
[cache]
redis_password = %s
[profiler]
hmac_keys = %s
[metrics]
enabled = True
port = 0
backlog = queue
pprof = True
[audit]
enabled = True
file = %s
[tracing]
enabled = True
sampling = 1
trust_parent = True
endpoint = %s
headers = X-Api-Key:%s
`, s["key nobody knows"], s["password in a URI"], k.URL, s["keystone password"], cache.Addr(), s["memcache key"], s["memcache password"],
		s["encryption key"], s["old encryption key"], s["key of signatures"], s["old key of them"], s["password of mail"], k.URL, s["trustee's password"], s["password of redis"],
		s["key of the profiler"], audit, strings.Replace(c.URL, "://", "://collector:"+s["collector's password"]+"@", 1), s["collector's header"])
}

// leaks lists where secrets are found, as they are or as base64.
func leaks(said map[string]string, secrets map[string]string) (found []string) {
	for who, text := range said {
		for what, secret := range secrets {
			// Base64 of something within a longer text, at any of three offsets.
			coded := base64.StdEncoding.EncodeToString([]byte(secret))
			for _, form := range []string{secret, coded[:len(coded)/4*4-4]} {
				if at := strings.Index(text, form); at >= 0 {
					found = append(found, fmt.Sprintf("%s tells the %s: …%s…", who, what, text[max(0, at-80):min(len(text), at+len(form)+40)]))
				}
			}
		}
	}
	return found
}

// TestLeaksAreFound makes sure that the search can find something.
func TestLeaksAreFound(t *testing.T) {
	for _, text := range []string{secretBody, "x" + secretBody + "x", base64.StdEncoding.EncodeToString([]byte(secretBody))} {
		if len(leaks(map[string]string{"log": text}, requested())) != 1 {
			t.Errorf("nothing found in %s", text)
		}
	}
}

func TestNothingTellsSecrets(t *testing.T) {
	k, c, cache := newKeystone(t), newCollector(t), memcached(t)
	audit := filepath.Join(t.TempDir(), "audit.log")
	text := configuration(k, c, cache, audit)
	d := daemon.Start(t, daemon.Options{Config: text})
	monitor := d.Await(t, "metrics", 1).Text("address")
	p := &pile{t: t, said: map[string]string{}}

	p.drive(d)
	k.CloseClientConnections()
	k.Close() // Keystone is away
	p.send(d, "GET", "/v2/queues?marker="+secretQuery, "", "X-Auth-Token", secretBad+"-again")
	p.reload(d, text)
	for _, path := range []string{"/metrics", "/readyz", "/healthz", "/debug/pprof/", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1", "/debug/pprof/allocs?debug=1"} {
		_, page := testhttp.Get(t, monitor+path)
		p.add("GET "+path, page)
	}
	p.add("the report", d.Report(t))
	d.Stop(t)
	p.tools(d, text)
	p.add("standard error", d.Stderr())
	p.add("the audit log", read(t, audit))
	p.add("the spans", c.spans())

	// All of it was really said, and the secrets were really used.
	for who, want := range map[string]string{
		"GET /metrics": "zaqar_queue_messages{", "the report": "=== goroutines", "the audit log": `"outcome":"refused"`,
		"the spans": "POST /v2/queues/{queue_name}/messages", "answers": "Invalid request", "config show": "password = ***", "config show --json": `"***"`,
		"config check": "vendor_password", "GET /debug/pprof/heap?debug=1": "heap profile",
	} {
		if !strings.Contains(p.said[who], want) {
			t.Errorf("%s says nothing of %q: %.300s", who, want, p.said[who])
		}
	}
	for heard, secrets := range map[*heard][]string{
		&k.heard: {configured()["keystone password"], configured()["trustee's password"], secretToken, secretBad, secretFailing, secretGarbage, secretService, secretOwnToken},
		&c.heard: {configured()["collector's header"]},
	} {
		for _, secret := range secrets {
			if !strings.Contains(heard.String(), secret) {
				t.Errorf("%s was never used", secret)
			}
		}
	}

	all := requested()
	for what, secret := range configured() {
		all[what] = secret
	}
	for _, leak := range leaks(p.said, all) {
		t.Error(leak)
	}
	for what, secret := range all {
		if d.Logged(secret) {
			t.Errorf("the log tells the %s, %s", what, secret)
		}
	}
	if !d.Logged(`"msg":"request"`) || !d.Logged(`"level":"DEBUG"`) || !d.Logged("request failed") {
		t.Error("the log is not as talkative as it should be")
	}
	p.onDisk(d.Dir)
}
