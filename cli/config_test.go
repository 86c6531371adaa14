package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBadConfigurationStartsNothing(t *testing.T) {
	conf := file(t, "[DEFAULT]\ndebug = loud\nauth_strategy = keystone\n[transport]\nmessage_encryption_key = AES256\n")
	code, stdout, stderr := zaqar(t, "server", "--config-file", conf)
	if code != exitFailure || stdout != "" {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
	for _, want := range []string{"zaqar.conf:2: error: [DEFAULT] debug: ", "zaqar.conf:3: error: ", "zaqar.conf:5: error: ", "3 errors in the configuration; nothing was started"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
}

func TestFlagsSetOptions(t *testing.T) {
	args := []string{
		"--bind", "192.0.2.1", "--port=1", "--data-dir", "/d", "--admin_mode", "-d",
		"--log-dir", "/l", "--log_file", "f", "--use-json", "--use-syslog=false",
	}
	code, stdout, stderr := zaqar(t, append([]string{"config", "show"}, args...)...)
	if code != exitOK {
		t.Fatalf("%d %s", code, stderr)
	}
	for _, want := range []string{"# from flag --bind\nbind = 192.0.2.1\n", "port = 1\n", "data_dir = /d\n", "# from flag --admin-mode\nadmin_mode = True\n",
		"debug = True\n", "log_dir = /l\n", "log_file = f\n", "use_json = True\n", "use_syslog = False\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

func TestDaemonFlagIsAccepted(t *testing.T) {
	s := serverWith(t, "--daemon")
	s.signal(t, syscall.SIGTERM)
	if code := s.exit(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	code, stdout, _ := zaqar(t, "config", "check", "--daemon")
	if code != exitOK || !strings.Contains(stdout, "flag --daemon: warning: [DEFAULT] daemon: is ignored: a service supervisor does this") {
		t.Errorf("%d\n%s", code, stdout)
	}
}

func TestConfigCheck(t *testing.T) {
	good, odd, bad := file(t, "[DEFAULT]\ndebug = True\n"), file(t, "[DEFAULT]\nworkers = 3\n"), file(t, "[DEFAULT]\nworkers = 3\ndebug = 3\n")
	gone := file(t, "[notification]\nwebhook_ca_file = /nowhere/ca.pem\n")
	for _, c := range []struct {
		file string
		code int
		says []string
	}{
		{gone, exitFailure, []string{gone + ":2: error: [notification] webhook_ca_file: \"/nowhere/ca.pem\" does not exist", "1 error, 0 warnings"}},
		{good, exitOK, []string{"read " + good, "0 errors, 0 warnings"}},
		{odd, exitOK, []string{odd + ":2: warning: [DEFAULT] workers: no such key", "0 errors, 1 warning\n"}},
		{bad, exitFailure, []string{bad + ":3: error: [DEFAULT] debug: \"3\" is not allowed; allowed is true", "1 error, 1 warning\n"}},
	} {
		code, stdout, stderr := zaqar(t, "config", "check", "--config-file", c.file)
		if code != c.code || stderr != "" {
			t.Errorf("exit code %d, stderr %q", code, stderr)
		}
		for _, want := range c.says {
			if !strings.Contains(stdout, want) {
				t.Errorf("no %q in\n%s", want, stdout)
			}
		}
	}

	code, stdout, _ := zaqar(t, "config", "check", "--json", "--config-file", bad)
	var got struct {
		Files            []string
		Errors, Warnings int
		Findings         []map[string]any
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitFailure {
		t.Fatalf("%d, %v: %s", code, err, stdout)
	}
	want := map[string]any{
		"severity": "error", "file": bad, "line": 3.0, "section": "DEFAULT", "key": "debug",
		"text": `"3" is not allowed; allowed is true, 1, on, yes or false, 0, off, no`,
	}
	if got.Errors != 1 || got.Warnings != 1 || len(got.Findings) != 2 || !cmp.Equal(got.Files, []string{bad}) {
		t.Fatalf("%+v", got)
	}
	if d := cmp.Diff(want, got.Findings[1]); d != "" {
		t.Error(d)
	}
	if _, stdout, _ := zaqar(t, "config", "check", "--json", "--config-file", good); !strings.Contains(stdout, `"findings": []`) {
		t.Errorf("without findings:\n%s", stdout)
	}
}

func TestConfigSampleIsAConfiguration(t *testing.T) {
	code, stdout, _ := zaqar(t, "config", "sample")
	if code != exitOK {
		t.Fatal(code)
	}
	if code, stdout, _ := zaqar(t, "config", "check", "--config-file", file(t, stdout)); code != exitOK || !strings.Contains(stdout, "0 errors, 0 warnings") {
		t.Errorf("%d\n%s", code, stdout)
	}
}

func TestConfigShow(t *testing.T) {
	conf := file(t, "[transport]\nmessage_encryption_key = a secret of many letters\nmax_wait = 3\n")
	code, stdout, _ := zaqar(t, "config", "show", "--config-file", conf)
	if code != exitOK || strings.Contains(stdout, "many letters") || !strings.Contains(stdout, fmt.Sprintf("# from %s:3\nmax_wait = 3\n", conf)) {
		t.Errorf("%d\n%s", code, stdout)
	}
	_, stdout, _ = zaqar(t, "config", "show", "--json", "--config-file", conf)
	var got struct {
		Sections map[string]map[string]struct {
			Value  string
			Origin struct {
				File string
				Line int
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if v := got.Sections["transport"]["max_wait"]; v.Value != "3" || v.Origin.File != conf || v.Origin.Line != 3 {
		t.Errorf("%+v", v)
	}
	if v := got.Sections["transport"]["message_encryption_key"].Value; v != "***" {
		t.Errorf("secret shown as %q", v)
	}
	if code, _, stderr := zaqar(t, "config", "show", "--port", "x"); code != exitFailure || !strings.Contains(stderr, "1 error in the configuration") {
		t.Errorf("%d %s", code, stderr)
	}
}
