package secrets

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"zaqar/internal/testhttp"
	"zaqar/test/e2e/daemon"
)

// pile is everything that was said, by who said it.
type pile struct {
	t    *testing.T
	said map[string]string
}

func (p *pile) add(who, text string) {
	p.said[who] += text + "\n"
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
	status, header, text := testhttp.Do(p.t, r)
	if status >= 400 {
		p.add("answers", fmt.Sprint(header, text))
	}
	return reply{method + " " + path, status, text}
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

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
