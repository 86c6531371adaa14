package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"time"
	"zaqar/internal/certtest"
	"zaqar/internal/egress"
	"zaqar/internal/testclock"
	"zaqar/notify/webhook"
)

func TestWebhooks(t *testing.T) {
	c, err := Webhooks{Timeout: time.Second, Allow: []string{"10.0.0.0/8", "*.corp"}, Deny: []string{"10.1.0.0/16"}, Proxy: "http://u:p@proxy:3128"}.config()
	if err != nil || c.Timeout != time.Second || c.Proxy.Host != "proxy:3128" || c.Authorities != nil {
		t.Errorf("%+v, %v", c, err)
	}
	g := egress.New(egress.Config{Allow: c.Allow, Deny: c.Deny, Now: testclock.New(time.Unix(1, 0)).Now})
	for host, pass := range map[string]bool{"10.2.0.1": true, "10.1.0.1": false, "a.corp": true, "127.0.0.1": false} {
		if (g.Target(host, "") == nil) != pass {
			t.Errorf("%s: %v", host, g.Target(host, ""))
		}
	}
}

func TestWebhookAuthorities(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.pem"), filepath.Join(dir, "bad.pem")
	for file, text := range map[string][]byte{good: certtest.NewAuthority(t).PEM, bad: []byte("-----BEGIN")} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := (Webhooks{CAFile: good}).config(); err != nil || c.Authorities == nil {
		t.Errorf("%+v, %v", c, err)
	}
	for _, w := range []Webhooks{{CAFile: bad}, {CAFile: filepath.Join(dir, "none")}, {Allow: []string{"127.1"}},
		{Deny: []string{"a b"}}, {Proxy: "http://u:SECRET@[::1"}} {
		if _, err := w.config(); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%+v: %v", w, err)
		}
	}
	if d := Defaults().Webhooks; d.Timeout != webhook.Defaults().Timeout {
		t.Errorf("%+v", d)
	}
}
