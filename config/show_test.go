package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMaskedCanBeReadAgain prints a configuration full of odd values and reads
// what was printed.
func TestMaskedCanBeReadAgain(t *testing.T) {
	const text = `[DEFAULT]
log_dir = "  /a $$ b "
log_file = 'x'y'
admin_mode = yes
[cors]
allowed_origin = https://a,https://b
[transport]
max_wait = 7
[oslo_policy]
policy_dirs = /a
policy_dirs = /b
`
	one := mustLoad(t, text)
	two := mustLoad(t, one.Masked())
	if d := cmp.Diff(one.Options, two.Options, besides()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(one.Log, two.Log); d != "" {
		t.Error(d)
	}
	for _, want := range []string{"zaqar.conf:2\nlog_dir = ", "zaqar.conf:4\nadmin_mode = True\n", "zaqar.conf:8\nmax_wait = 7\n", "\nmax_message_ttl = 1209600\n"} {
		if !strings.Contains(one.Masked(), want) {
			t.Errorf("%q is not in\n%s", want, one.Masked())
		}
	}
}

func TestSecretsAreStars(t *testing.T) {
	c := mustLoad(t, "[transport]\nmessage_encryption_key = correct horse battery\nmessage_encryption_keys = k:staple staple staple")
	got := c.Masked()
	if strings.Contains(got, "horse") || strings.Contains(got, "staple") {
		t.Errorf("secrets in\n%s", got)
	}
	if !strings.Contains(got, "message_encryption_key = ***\n") || !strings.Contains(got, "message_encryption_keys = ***\n") {
		t.Errorf("no stars in\n%s", got)
	}
	if !strings.Contains(mustLoad(t, "").Masked(), "message_encryption_key = \n") {
		t.Error("an unset secret looks like a set one")
	}
}

func TestChanges(t *testing.T) {
	old := mustLoad(t, "[transport]\nmax_wait = 5\nmessage_encryption_key = the old secret of the site\n[drivers:transport:wsgi]\nport = 1")
	next := mustLoad(t, "[transport]\nmax_wait = 6\nmessage_encryption_key = the new secret of the site\n[drivers:transport:wsgi]\nport = 2")
	if c := old.Changes(old); len(c) > 0 {
		t.Errorf("changes from itself: %v", c)
	}
	want := []Change{
		{"drivers:transport:wsgi", "port", "1", "2", false},
		{"transport", "max_wait", "5", "6", true},
		{"transport", "message_encryption_key", masked, masked, true},
	}
	if d := cmp.Diff(want, next.Changes(old)); d != "" {
		t.Error(d)
	}
	adopted := old.Adopt(next)
	if got := adopted.value(t, "transport", "max_wait").Text; got != "6" {
		t.Errorf("max_wait %s after adoption", got)
	}
	if d := cmp.Diff(want[:1], next.Changes(adopted)); d != "" {
		t.Error(d)
	}
}

// TestLiveOptions holds the promise of Live: only what app.Reload and the log's
// level can take may carry it.
func TestLiveOptions(t *testing.T) {
	live := map[string]bool{}
	for _, s := range table() {
		for _, o := range s.Options {
			if o.Live {
				live[s.Name] = true
				if s.Name == "DEFAULT" && o.Key != "debug" && o.Key != "log_level" && o.Key != "enable_checksum" {
					t.Errorf("[DEFAULT] %s is said to be live", o.Key)
				}
				if s.Name == "notification" && o.Key != "allowed_targets" && o.Key != "denied_targets" {
					t.Errorf("[notification] %s is said to be live", o.Key)
				}
				if s.Name == "quota" && (o.Key == "enabled" || o.Key == "rate_status") {
					t.Errorf("[quota] %s is said to be live", o.Key)
				}
			}
		}
	}
	if d := cmp.Diff(map[string]bool{"DEFAULT": true, "notification": true, "oslo_policy": true, "quota": true, "signed_url": true, "transport": true}, live); d != "" {
		t.Error(d)
	}
}
