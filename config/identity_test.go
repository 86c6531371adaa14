package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/auth/keystone"
)

const keystoned = "[DEFAULT]\nauth_strategy = keystone\n[keystone_authtoken]\nwww_authenticate_uri = http://k/v3\nauth_url = http://k\n"

// TestKeystoneAsOperatorsWriteIt reads the keys as installation guides and
// deployment tools write them.
func TestKeystoneAsOperatorsWriteIt(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want keystone.Login
	}{
		"guide": {
			keystoned + "auth_type = password\nproject_domain_name = Default\nuser_domain_name = Default\nproject_name = service\nusername = zaqar\npassword = a$$b\n",
			keystone.Login{Method: keystone.Password, Username: "zaqar", Password: "a$b", UserDomainName: "Default", ProjectName: "service", ProjectDomainName: "Default"},
		},
		"older names": {
			keystoned + "auth_plugin = v3password\ntenant_name = service\ndefault_domain_id = default\nuser_name = zaqar\npassword = s\n",
			keystone.Login{Method: keystone.Password, Username: "zaqar", Password: "s", ProjectName: "service", DefaultDomainID: "default"},
		},
		"application credential": {
			keystoned + "auth_type = v3applicationcredential\napplication_credential_id = c\napplication_credential_secret = s\n",
			keystone.Login{Method: keystone.ApplicationCredential, CredentialID: "c", CredentialSecret: "s"},
		},
		"empty keys": {
			keystoned + "auth_type =\nuser_id = u\npassword = s\nproject_id =\ntrust_id = t\n",
			keystone.Login{UserID: "u", Password: "s", TrustID: "t"},
		},
		"another section": {
			keystoned + "auth_section = $where\nusername = left over\n[DEFAULT]\nwhere = ours\nsecret = s\n" +
				"[ours]\nauth_url = http://other:5000\nuser_id = u\npassword = $secret\nsystem_scope = all\n",
			keystone.Login{UserID: "u", Password: "s", SystemScope: "all"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, r := load(t, c.text)
			for _, f := range r {
				if f.Severity == Error || f.Section != "DEFAULT" { // its own keys are unknown
					t.Errorf("%s", f)
				}
			}
			if d := cmp.Diff(c.want, got.Options.Identity.Keystone.Login); d != "" {
				t.Error(d)
			}
			url := "http://k"
			if name == "another section" {
				url = "http://other:5000"
			}
			if got.Options.Identity.Strategy != "keystone" || got.Options.Identity.Keystone.AuthURL != url {
				t.Errorf("%q at %q", got.Options.Identity.Strategy, got.Options.Identity.Keystone.AuthURL)
			}
			if err := got.Options.Identity.Keystone.Check(); err != nil {
				t.Error(err)
			}
			if strings.Contains(got.Masked(), "password = s") {
				t.Error("the password is shown")
			}
		})
	}
}

func TestKeystoneFindings(t *testing.T) {
	const user = "user_id = u\npassword = a-long-secret\n"
	for _, c := range []struct {
		text  string
		words []string
	}{
		{keystoned + "user_id = u", []string{":2", "error", "password is missing"}},
		{keystoned + user + "auth_type = v3oidcpassword", []string{":8", "error", `"v3oidcpassword" is not offered`, "v3applicationcredential"}},
		{keystoned + user + "insecure = True", []string{":8", "warning", "certificate is not checked"}},
		{strings.Replace(keystoned, "www_authenticate_uri = http://k/v3\n", "", 1) + user, []string{"warning", "www_authenticate_uri", "is not set"}},
		{keystoned + user + "memcached_servers = m", []string{"warning", "memcache_security_strategy", "can be anybody"}},
		{keystoned + user + "memcached_servers = m\nmemcache_security_strategy = encrypt", []string{":2", "error", "memcache_secret_key is missing"}},
		{keystoned + user + "memcached_servers = a b\nmemcache_security_strategy = MAC\nmemcache_secret_key = k", []string{"error", `"a b" is not a server`}},
		{keystoned + user + "memcached_servers = m\nmemcache_sasl_enabled = True", []string{":9", "warning", "login at memcached is not offered"}},
		{keystoned + "auth_section = ours", []string{":6", "error", "no credentials in [ours]"}},
		{keystoned + "auth_section = ours\n[ours]\nuser_id = u\npassword = $nothing", []string{":9", "error", "names no option"}},
		{keystoned + user + "token_cache_time = -2", []string{":8", "error", "a whole number from -1"}},
		{keystoned + user + "auth_version = v2.0", []string{":8", "warning", "only version 3"}},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, r := load(t, c.text)
			for _, f := range r {
				found := true
				for _, word := range c.words {
					found = found && strings.Contains(f.String(), word)
				}
				if strings.Contains(f.String(), "a-long-secret") {
					t.Errorf("a secret is told: %s", f)
				}
				if found {
					return
				}
			}
			t.Errorf("no finding with %q:\n%s", c.words, r)
		})
	}
}

func TestTokenCacheTime(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 5 * time.Minute, "token_cache_time = 60": time.Minute, "token_cache_time = -1": -time.Second, "token_cache_time = 0": 0} {
		c, _ := load(t, keystoned+"user_id = u\npassword = s\n"+text)
		if got := c.Options.Identity.Keystone.CacheTime; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
