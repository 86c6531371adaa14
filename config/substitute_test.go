package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestSubstitution(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"name":                       {"log_dir = /x\nlog_file = $log_dir/f", "/x/f"},
		"braces":                     {"log_dir = /x\nlog_file = ${log_dir}y/f", "/xy/f"},
		"twice":                      {"log_dir = /x\nlog_file = /$log_dir$log_dir", "//x/x"},
		"through another one":        {"a = /x\nb = $a/y\nlog_file = $b/z", "/x/y/z"},
		"dollar":                     {"log_file = /a$$b", "/a$b"},
		"backslash and dollar":       {`log_file = /a\$b`, "/a$b"},
		"dollar is not expanded":     {"b = x\nlog_file = /a$$b", "/a$b"},
		"dollar before a digit":      {"log_file = /a$1", "/a$1"},
		"dollar at the end":          {"log_file = /a$", "/a$"},
		"an unclosed brace stays":    {"log_file = /a${b", "/a${b"},
		"a default":                  {"log_file = /$syslog_log_facility", "/LOG_USER"},
		"a default of the same name": {"log_file = /${log_format}", "/text"},
		"another section":            {"log_file = /${transport.max_wait}", "/20"},
		"a key that is no option":    {"my_ip = 192.0.2.1\nlog_file = /$my_ip", "/192.0.2.1"},
		"unset is empty":             {"log_file = /a$log_dir", "/a"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mustLoad(t, "[DEFAULT]\n"+c.text).Log.File; got != c.want {
				t.Errorf("log_file is %q, want %q", got, c.want)
			}
		})
	}
	t.Run("the section comes before DEFAULT", func(t *testing.T) {
		c := mustLoad(t, "[DEFAULT]\na = /d\nb = /e\n[drivers:message_store:embedded]\na = /s\ndata_dir = $a$b")
		if got := c.Options.Store.Dir; got != "/s/e" {
			t.Errorf("data_dir is %q", got)
		}
	})
}

func TestBadSubstitution(t *testing.T) {
	_, r := load(t, "[DEFAULT]\nlog_file = /$nobody/x")
	only(t, r, Error, "zaqar.conf:2", "log_file", "$nobody names no option", "$$")
	_, r = load(t, "[DEFAULT]\nlog_file = $log_file")
	only(t, r, Error, "$log_file refers to itself")
	_, r = load(t, "[DEFAULT]\na = $b\nb = $a\nlog_file = $a")
	only(t, r, Error, "refers to itself")
	var doubled strings.Builder
	for i := range 60 {
		fmt.Fprintf(&doubled, "a%d = $a%d$a%d\n", i, i+1, i+1)
	}
	_, r = load(t, "[DEFAULT]\n"+doubled.String()+"a60 =\nlog_file = $a0")
	only(t, r, Error, "zaqar.conf:63", "log_file", "more than 1000 references")
}

func TestSecretsStaySecretThroughSubstitution(t *testing.T) {
	c, r := load(t, "[transport]\nmessage_encryption_key = swordfish-swordfish\n[DEFAULT]\nlog_dir = /${transport.message_encryption_key}\ndebug = ${transport.message_encryption_key}")
	if strings.Contains(r.String(), "swordfish") {
		t.Errorf("the report tells a secret:\n%s", r)
	}
	if strings.Contains(c.Masked(), "swordfish") {
		t.Errorf("the printed configuration tells a secret:\n%s", c.Masked())
	}
}
