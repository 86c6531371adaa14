package secrets

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

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

// pile is everything that was said, by who said it.
type pile struct {
	t    *testing.T
	said map[string]string
}

func (p *pile) add(who, text string) {
	p.said[who] += text + "\n"
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
		p.add("GET "+path, get(t, monitor+path))
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

// drive sends requests that succeed, are refused and fail.
func (p *pile) drive(d *daemon.Daemon) {
	p.t.Helper()
	const messages = "/v2/queues/q/messages"
	ok := []string{"X-Auth-Token", secretToken, "Cookie", "session=" + secretCookie, "Authorization", "Basic " + secretBasic,
		"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	post := func(body string) string { return `{"messages":[{"body":"` + body + `"}]}` }
	p.want(201, p.send(d, "PUT", "/v2/queues/q", `{"note":"`+secretMetadata+`"}`, ok...))
	p.want(201, p.send(d, "PUT", "/v2/queues/sealed", `{"_enable_encrypt_messages":true}`, ok...))
	p.want(201, p.send(d, "POST", messages, post(secretBody), ok...))
	p.want(201, p.send(d, "POST", "/v2/queues/sealed/messages", post(secretSealed), ok...))
	p.want(200, p.send(d, "GET", messages+"?echo=true&token="+secretQuery, "", ok...))
	p.want(200, p.send(d, "GET", "/v2/queues/sealed/messages?echo=true", "", ok...))
	p.want(201, p.send(d, "POST", "/v2/queues/q/claims", `{"ttl":300,"grace":300}`, ok...))

	// What is wrong with these is not what they hold.
	for _, body := range []string{
		`{"messages":[{"body":"` + secretBroken + `"`,
		`{"messages":[{"body":"` + secretBroken + `","ttl":"soon"}]}`,
		`{"messages":[{"body":"` + secretBroken + `"}]} ` + secretBroken,
		`{"messages":"` + secretBroken + `"}`,
		`{"messages":[{"` + secretBroken + `":1}]}`,
		`["` + secretBroken + `"]`, secretBroken,
		post(secretBroken + strings.Repeat("x", 300_000)),
		post(secretBroken + "\xff"),
	} {
		p.want(400, p.send(d, "POST", messages, body, ok...))
	}
	p.want(400, p.send(d, "PUT", "/v2/queues/other", `{"note":"`+secretMetadata+`"`, ok...))
	p.want(400, p.send(d, "GET", messages+"?limit=0&x="+secretQuery, "", ok...))
	p.want(404, p.send(d, "GET", "/v2/nothing?key="+secretQuery, "", ok...))
	p.want(400, p.send(d, "GET", "/v2/queues", "", append(ok, "Client-ID", "no-uuid")...))

	p.want(401, p.send(d, "GET", messages+"?"+secretQuery, ""))
	p.want(401, p.send(d, "DELETE", "/v2/queues/q", "", "X-Auth-Token", secretBad))
	p.want(401, p.send(d, "GET", "/v2/queues", "", "X-Auth-Token", secretToken, "X-Service-Token", secretService))
	p.want(503, p.send(d, "GET", "/v2/queues", "", "X-Auth-Token", secretFailing, "Authorization", "Bearer "+secretFailing))
	p.want(503, p.send(d, "GET", "/v2/queues", "", "X-Auth-Token", secretGarbage))
	p.share(d, ok)

	// What is to be delivered cannot be: Keystone makes no trust, and the mail
	// server is not there.
	p.want(503, p.send(d, "POST", "/v2/queues/q/subscriptions", `{"subscriber":"trust+http://127.0.0.1:1/"}`, ok...))
	p.want(201, p.send(d, "POST", "/v2/queues/q/subscriptions", `{"subscriber":"mailto:ops@example.org"}`, ok...))
	p.want(201, p.send(d, "POST", messages, post(secretBody), ok...))
}

// share makes a pre-signed URL and uses it, rightly and wrongly.
func (p *pile) share(d *daemon.Daemon, ok []string) {
	p.t.Helper()
	answer := p.send(d, "POST", "/v2/queues/q/share", `{"paths":["messages"],"methods":["GET"]}`, ok...)
	var grant struct{ Signature, Expires string }
	if err := json.Unmarshal([]byte(answer.text), &grant); err != nil || answer.status != 200 {
		p.t.Fatalf("share: %+v", answer)
	}
	signed := func(signature string) []string {
		return []string{"URL-Signature", signature, "URL-Expires", grant.Expires, "URL-Methods", "GET", "URL-Paths", "/v2/queues/q/messages", "X-Project-ID", project}
	}
	p.want(200, p.send(d, "GET", "/v2/queues/q/messages", "", signed(grant.Signature)...))
	p.want(404, p.send(d, "GET", "/v2/queues/q/messages", "", signed(secretSignature)...))
	p.want(404, p.send(d, "DELETE", "/v2/queues/q/messages", "", signed(grant.Signature)...))
	if d.Logged(grant.Signature) {
		p.t.Error("the log tells a signature that opens a queue")
	}
}

// reply is an answer to a request.
type reply struct {
	to     string
	status int
	text   string
}

func (p *pile) want(status int, r reply) {
	p.t.Helper()
	if r.status != status {
		p.t.Errorf("%s: status %d, want %d: %.200s", r.to, r.status, status, r.text)
	}
}

// send sends a request and adds the answer to the pile if it is an error, with
// its headers.
func (p *pile) send(d *daemon.Daemon, method, path, body string, headers ...string) reply {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Client-ID", "3381af92-2b9e-11e3-b191-71861300734c")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode >= 400 {
		p.add("answers", fmt.Sprint(resp.Header, string(text)))
	}
	return reply{method + " " + path, resp.StatusCode, string(text)}
}

// reload changes a secret and has the configuration read again, with mistakes
// and without.
func (p *pile) reload(d *daemon.Daemon, text string) {
	p.t.Helper()
	changed := strings.Replace(text, configured()["key of signatures"], configured()["changed signing key"], 1)
	d.Configure(p.t, changed+"[tracing]\nendpoint = "+configured()["collector's password"]+"\n")
	d.Signal(p.t, syscall.SIGHUP)
	d.Await(p.t, "the configuration was not reloaded; the old one stays in force", 1)
	d.Configure(p.t, changed)
	d.Signal(p.t, syscall.SIGHUP)
	d.Await(p.t, "configuration reloaded", 1)
}

// tools adds what the program says about its configuration, a good one and one
// with mistakes.
func (p *pile) tools(d *daemon.Daemon, text string) {
	p.t.Helper()
	dir := p.t.TempDir()
	good, bad := filepath.Join(dir, "zaqar.conf"), filepath.Join(dir, "bad.conf")
	s := configured()
	mistakes := "[tracing]\nendpoint = //" + s["collector's password"] + "@\n[transport]\nmessage_encryption_keys = " + s["encryption key"] +
		"\n[DEFAULT]\ndebug = $password\n[keystone_authtoken]\nhttp_request_max_retries = -1\n"
	for name, content := range map[string]string{good: text, bad: text + mistakes} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"config", "show"}, {"config", "show", "--json"}, {"config", "check"}, {"config", "check", "--json"},
		{"status", "upgrade", "check"}, {"status"},
	} {
		for _, file := range []string{good, bad} {
			line := append(args[:len(args):len(args)], "--config-file", file, "--data-dir", d.Dir)
			out, _ := exec.CommandContext(p.t.Context(), daemon.Binary(p.t), line...).CombinedOutput()
			p.add(strings.Join(args, " "), string(out))
		}
	}
	out, err := exec.CommandContext(p.t.Context(), daemon.Binary(p.t), "server", "--config-file", bad, "--data-dir", d.Dir).CombinedOutput()
	if err == nil {
		p.t.Error("a configuration with mistakes starts a server")
	}
	p.add("a start that fails", string(out))
}

// onDisk makes sure that what is encrypted is so in the store, and that the
// keys are not beside it.
func (p *pile) onDisk(dir string) {
	p.t.Helper()
	secrets := configured()
	secrets["encrypted body"] = secretSealed
	plain := false
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content := read(p.t, path)
		plain = plain || strings.Contains(content, secretBody)
		for _, leak := range leaks(map[string]string{path: content}, secrets) {
			p.t.Error(leak)
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if !plain {
		p.t.Error("not even the message that is not encrypted is in the store")
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
