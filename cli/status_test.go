package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"zaqar/config"
	"zaqar/internal/certtest"
)

func TestStatus(t *testing.T) {
	dir := t.TempDir()
	s := serverWith(t, "--data-dir", dir)
	r := asJSON[statusReport](t, 0, "status", "--server-url", s.url, "--data-dir", dir, "--json")
	if !r.Healthy || !r.Server.Healthy || r.Server.Status != http.StatusNoContent || r.Store == nil || !r.Store.Healthy || r.Store.Segments == 0 {
		t.Errorf("%+v, %+v", r, r.Store)
	}
	// The server that the configuration describes, and its store.
	conf := file(t, "[drivers:transport:wsgi]\nport = "+s.url[strings.LastIndexByte(s.url, ':')+1:]+
		"\n[drivers:message_store:embedded]\ndata_dir = "+dir+"\n")
	code, out, errs := zaqar(t, "status", "--config-file", conf)
	if code != 0 || errs != "" || !strings.Contains(out, "server "+s.url+": ok") || !strings.Contains(out, "store "+dir+": ok") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	// Another server's store is not on this machine.
	if r := asJSON[statusReport](t, 0, "status", "--server-url", s.url, "--json"); !r.Healthy || r.Store != nil {
		t.Errorf("%+v", r)
	}

	s.signal(t, syscall.SIGTERM)
	s.exit(t)
	code, out, _ = zaqar(t, "status", "--config-file", conf)
	if code != 1 || !strings.Contains(out, "NOT OK: it cannot be reached") || !strings.Contains(out, "store "+dir+": ok") {
		t.Errorf("stopped: exit code %d\n%s", code, out)
	}
}

// TestStatusUnderTLS asks the server of a configuration that nobody can reach
// by the name in its certificate.
func TestStatusUnderTLS(t *testing.T) {
	dir, pairs := t.TempDir(), t.TempDir()
	authority := certtest.NewAuthority(t)
	cert, key := authority.Issue(t, "messaging.example.org").Write(t, pairs)
	ca := filepath.Join(pairs, "ca.pem")
	if err := os.WriteFile(ca, authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	settings := "\n[ssl]\ncert_file = " + cert + "\nkey_file = " + key + "\nca_file = " + ca + "\n"
	s := serverWith(t, "--data-dir", dir, "--config-file", file(t, settings))
	conf := file(t, "[drivers:transport:wsgi]\nport = "+s.url[strings.LastIndexByte(s.url, ':')+1:]+settings)
	code, out, errs := zaqar(t, "status", "--config-file", conf, "--data-dir", dir)
	if code != 0 || errs != "" || !strings.Contains(out, "server "+s.url+": ok") || !strings.HasPrefix(s.url, "https://") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	authority.Issue(t, "messaging.example.org").Write(t, pairs)
	if code, out, _ := zaqar(t, "status", "--config-file", conf, "--data-dir", dir); code != 0 && !strings.Contains(out, "another certificate") {
		t.Errorf("with a new certificate: exit code %d\n%s", code, out)
	}
}

// TestStatusWithoutToken asks a server that wants a token.
func TestStatusWithoutToken(t *testing.T) {
	var page atomic.Int64
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthcheck" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(int(page.Load()))
	}))
	defer fake.Close()
	for status, want := range map[int64]string{200: "", 503: "not well", 404: "OS_TOKEN"} {
		page.Store(status)
		code := 1
		if want == "" {
			code = 0
		}
		if r := asJSON[statusReport](t, code, "status", "-s", fake.URL, "--json"); r.Healthy != (want == "") || !strings.Contains(r.Server.Problem, want) {
			t.Errorf("the page answers %d: %+v", status, r)
		}
	}
}

func TestStatusOfTrouble(t *testing.T) {
	var status atomic.Int64
	status.Store(http.StatusNoContent)
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/ping" || r.Header.Get("Client-ID") == "" || r.Header.Get("X-Project-ID") == "" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer fake.Close()
	for code, says := range map[int]string{200: "status 200", 503: "cannot use its store", 401: "OS_TOKEN", 500: "500"} {
		status.Store(int64(code))
		if r := asJSON[statusReport](t, 1, "status", "-s", fake.URL+"/", "--json"); r.Healthy || r.Server.Status != code || !strings.Contains(r.Server.Problem, says) {
			t.Errorf("status %d: %+v", code, r)
		}
	}
	status.Store(http.StatusNoContent)
	broken := t.TempDir()
	for name, text := range map[string]string{"FORMAT": "?", "FAILED": "1 32\n"} {
		if err := os.WriteFile(filepath.Join(broken, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := asJSON[statusReport](t, 1, "status", "-s", fake.URL, "--data-dir", broken, "--json")
	if r.Healthy || !r.Server.Healthy || r.Store == nil || len(r.Store.Problems) != 2 {
		t.Errorf("%+v, %+v", r, r.Store)
	}
	r = asJSON[statusReport](t, 1, "status", "-s", fake.URL, "--data-dir", t.TempDir(), "--json")
	if r.Healthy || r.Store == nil || !strings.Contains(strings.Join(r.Store.Problems, ""), "no store") {
		t.Errorf("%+v, %+v", r, r.Store)
	}
	for code, args := range map[int][]string{
		1: {"--config-file", file(t, "[drivers:transport:wsgi]\nport = x\n")},
		2: {"--nope"},
	} {
		if got, _, errs := zaqar(t, append([]string{"status"}, args...)...); got != code || errs == "" {
			t.Errorf("%q: exit code %d\n%s", args, got, errs)
		}
	}
}

// A mistake on the command line says nothing about a server.
func TestStatusMistakes(t *testing.T) {
	for _, args := range []string{
		"-s 127.0.0.1:8888", "-s localhost:8888", "-s nonsense", "-s ftp://localhost", "-s http://", "-s http://h/?q", "-s http://h?", "-s http://h/#", "-s http://h:x", "-s http://h:99999",
		"--timeout 0", "--timeout -1s", "--timeout soon",
	} {
		if code, out, errs := zaqar(t, append([]string{"status"}, strings.Fields(args)...)...); code != exitUsage || out != "" || errs == "" {
			t.Errorf("%s: exit code %d\n%s%s", args, code, out, errs)
		}
	}
}

// Who may not read the store does not know how it is, which is not to say that
// it is unwell.
func TestStatusOfAnotherUser(t *testing.T) {
	dir := t.TempDir()
	s := serverWith(t, "--data-dir", dir)
	as := asAnother(t, dir)
	if code, out, _ := as("status", "-s", s.url, "--data-dir", dir); code != exitUnknown || !strings.Contains(out, "server "+s.url+": ok") ||
		!strings.Contains(out, "store "+dir+": not known: user") || strings.Contains(out, "NOT OK") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	code, out, _ := as("status", "-s", s.url, "--data-dir", dir, "--json")
	var r statusReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitUnknown || r.Healthy || !r.Unknown || !r.Server.Healthy || !r.Store.Unknown || r.Store.Healthy {
		t.Errorf("exit code %d, %v\n%s", code, err, out)
	}
	if code, out, _ := as("status", "upgrade", "check", "--data-dir", dir); code != upgradeFailure || !strings.Contains(out, "ask as the user of the server") {
		t.Errorf("upgrade check: exit code %d\n%s", code, out)
	}
	s.signal(t, syscall.SIGTERM)
	s.exit(t)
	if code, out, _ := as("status", "-s", s.url, "--data-dir", dir); code != exitFailure || !strings.Contains(out, "NOT OK: it cannot be reached") {
		t.Errorf("stopped: exit code %d\n%s", code, out)
	}
}

// asAnother returns what runs the program as a user who may not read the
// directory: root becomes nobody, others take the right from themselves.
func asAnother(t *testing.T, dir string) func(args ...string) (code int, out, errs string) {
	t.Helper()
	if os.Geteuid() != 0 {
		if err := os.Chmod(dir, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
		return func(args ...string) (int, string, string) { return zaqar(t, args...) }
	}
	const nobody = 65534
	exe := filepath.Join(t.TempDir(), "zaqar")
	binary, err := os.ReadFile(program(t).Path)
	if err == nil {
		err = os.WriteFile(exe, binary, 0o755)
	}
	for _, d := range []string{exe, filepath.Dir(exe), filepath.Dir(filepath.Dir(exe))} {
		err = errors.Join(err, os.Chmod(d, 0o755))
	}
	err = errors.Join(err, os.Chmod(dir, 0o700))
	if err != nil {
		t.Fatal(err)
	}
	return func(args ...string) (int, string, string) {
		cmd := program(t, args...)
		cmd.Path, cmd.Dir = exe, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out), errs.String()
	}
}

// The token is for the server that was named, not for others it refers to.
func TestStatusFollowsNoRedirect(t *testing.T) {
	var asked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(true)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer other.Close()
	for _, code := range []int{301, 302, 307, 308} {
		named := httptest.NewServer(http.RedirectHandler(other.URL+"/v2/ping", code))
		r := asJSON[statusReport](t, 1, "status", "-s", named.URL, "--json")
		if r.Server.Status != code || !strings.Contains(r.Server.Problem, other.URL) {
			t.Errorf("%d: %+v", code, r.Server)
		}
		named.Close()
	}
	if asked.Load() {
		t.Error("another server was asked")
	}
}

func TestUpgradeCheck(t *testing.T) {
	dir := t.TempDir()
	good := "[drivers]\nmessage_store = embedded\n[drivers:message_store:embedded]\ndata_dir = " + dir + "\n" +
		"[transport]\nmessage_encryption_keys = a:0123456789abcdef0123\n"
	for name, c := range map[string]struct {
		conf  string
		code  int
		check string // that has the worst result
	}{
		"all well":       {good, 1, "secret of pre-signed URLs"}, // signing has no effect yet, and says so
		"unknown key":    {good + "max_mesage_ttl = 5\n", 1, "configuration keys that are not understood"},
		"wrong value":    {good + "max_message_ttl = soon\n", 2, "errors"},
		"public key":     {strings.ReplaceAll(good, "0123456789abcdef0123", "AES256"), 2, "encryption key"},
		"no key":         {strings.ReplaceAll(good, "a:0123456789abcdef0123", ""), 1, "encryption key"},
		"swift":          {strings.ReplaceAll(good, "message_store = embedded", "message_store = swift"), 2, "Swift as a store"},
		"another store":  {strings.ReplaceAll(good, "message_store = embedded", "message_store = redis"), 2, "stores"},
		"virtual pool":   {good + "[pooling:catalog]\nenable_virtual_pool = True\n", 1, "virtual pool"},
		"damaged store":  {strings.ReplaceAll(good, dir, brokenStore(t)), 2, "the store opens"},
		"authentication": {good + "[DEFAULT]\nauth_strategy = keystone\n", 2, "errors"},
	} {
		t.Run(name, func(t *testing.T) {
			r := asJSON[struct {
				Result string
				Checks []config.Check
			}](t, c.code, "status", "upgrade", "check", "--json", "--config-file", file(t, c.conf))
			if want := []string{"success", "warning", "failure"}[c.code]; r.Result != want {
				t.Errorf("the result is %s, want %s", r.Result, want)
			}
			if !slices.ContainsFunc(r.Checks, func(k config.Check) bool {
				return k.Name == c.check && string(k.Result) == r.Result && len(k.Details) > 0
			}) {
				t.Errorf("%q is not the one: %+v", c.check, r.Checks)
			}
		})
	}
	code, out, errs := zaqar(t, "status", "upgrade", "check", "--config-file", file(t, good))
	if code != 1 || errs != "" || !strings.Contains(out, "success  stores") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	for _, args := range [][]string{{"--nope"}, {"word"}} {
		if code, _, errs := zaqar(t, append([]string{"status", "upgrade", "check"}, args...)...); code != 255 || errs == "" {
			t.Errorf("%q: exit code %d\n%s", args, code, errs)
		}
	}
}

func brokenStore(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/FORMAT", []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A policy file in JSON fails the check, as it always has.
func TestUpgradeCheckOfPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want config.Outcome
	}{
		"policy.json": {`{"queues:create": "role:admin"}`, config.Failure},
		"policy.yaml": {`{}`, config.Failure}, // JSON by another name
		"other.yaml":  {"", config.Success},
	} {
		dir := t.TempDir()
		conf := dir + "/zaqar.conf"
		for path, text := range map[string]string{conf: "[drivers]\nmessage_store = memory\n", dir + "/" + name: c.text} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, out, _ := zaqar(t, "status", "upgrade", "check", "--json", "--config-file", conf)
		var r struct{ Checks []config.Check }
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		for _, k := range r.Checks {
			if k.Name == "policy file" && k.Result != c.want {
				t.Errorf("%s: %+v, want %s", name, k, c.want)
			}
		}
	}
}
