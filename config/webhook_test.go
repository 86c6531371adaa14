package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/app"
)

func TestWebhooks(t *testing.T) {
	c := mustLoad(t, `
[notification]
webhook_timeout = 12.5
allowed_targets = 127.0.0.1, 10.0.0.0/8 , *.corp, fd00::/8
denied_targets = 10.1.0.0/16
egress_proxy = http://user:SECRET@proxy:3128
webhook_ca_file = /etc/ca.pem
`)
	want := app.Webhooks{
		Timeout: 12500 * time.Millisecond, Allow: []string{"127.0.0.1", "10.0.0.0/8", "*.corp", "fd00::/8"}, Deny: []string{"10.1.0.0/16"},
		Proxy: "http://user:SECRET@proxy:3128", CAFile: "/etc/ca.pem",
	}
	if d := cmp.Diff(want, c.Options.Webhooks); d != "" {
		t.Error(d)
	}
	if strings.Contains(c.Masked(), "SECRET") {
		t.Error("the password of the proxy is shown")
	}
}

func TestWrongWebhooks(t *testing.T) {
	for _, text := range []string{
		"allowed_targets = 127.1", "allowed_targets = 10.0.0.1/8", "allowed_targets = http://a", "denied_targets = a b", "denied_targets = *",
		"egress_proxy = proxy:3128", "egress_proxy = socks5://proxy", "egress_proxy = http://proxy/path", "egress_proxy = http://",
		"webhook_timeout = 0", "webhook_timeout = 601",
	} {
		if _, r := load(t, "[notification]\n"+text+"\n"); len(r.Errors()) == 0 {
			t.Errorf("%q is not refused", text)
		}
	}
}
