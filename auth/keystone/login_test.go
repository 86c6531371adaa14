package keystone

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLogins compares what is sent to Keystone with what its API describes.
func TestLogins(t *testing.T) {
	for _, c := range []struct {
		login Login
		want  string
	}{
		{Login{UserID: "u", Password: "s"}, `{"identity":{"methods":["password"],"password":{"user":{"id":"u","password":"s"}}}}`},
		{Login{Username: "n", UserDomainName: "D", Password: "s", ProjectID: "p"},
			`{"identity":{"methods":["password"],"password":{"user":{"name":"n","domain":{"name":"D"},"password":"s"}}},"scope":{"project":{"id":"p"}}}`},
		{Login{Username: "n", UserDomainID: "d", Password: "s", ProjectName: "P", ProjectDomainName: "E"},
			`{"identity":{"methods":["password"],"password":{"user":{"name":"n","domain":{"id":"d"},"password":"s"}}},"scope":{"project":{"name":"P","domain":{"name":"E"}}}}`},
		{Login{Username: "n", Password: "s", ProjectName: "P", DefaultDomainID: "default"},
			`{"identity":{"methods":["password"],"password":{"user":{"name":"n","domain":{"id":"default"},"password":"s"}}},"scope":{"project":{"name":"P","domain":{"id":"default"}}}}`},
		{Login{UserID: "u", Password: "s", SystemScope: "all"}, `{"identity":{"methods":["password"],"password":{"user":{"id":"u","password":"s"}}},"scope":{"system":{"all":true}}}`},
		{Login{UserID: "u", Password: "s", TrustID: "t"}, `{"identity":{"methods":["password"],"password":{"user":{"id":"u","password":"s"}}},"scope":{"OS-TRUST:trust":{"id":"t"}}}`},
		{Login{UserID: "u", Password: "s", DomainName: "D"}, `{"identity":{"methods":["password"],"password":{"user":{"id":"u","password":"s"}}},"scope":{"domain":{"name":"D"}}}`},
		{Login{CredentialID: "c", CredentialSecret: "s"}, `{"identity":{"methods":["application_credential"],"application_credential":{"id":"c","secret":"s"}}}`},
		{Login{CredentialName: "c", CredentialSecret: "s", Username: "n", UserDomainID: "d"},
			`{"identity":{"methods":["application_credential"],"application_credential":{"name":"c","secret":"s","user":{"name":"n","domain":{"id":"d"}}}}}`},
		{Login{Method: ApplicationCredential, CredentialID: "c", CredentialSecret: "s", ProjectName: "left over"},
			`{"identity":{"methods":["application_credential"],"application_credential":{"id":"c","secret":"s"}}}`},
		{Login{Token: "s", ProjectID: "p"}, `{"identity":{"methods":["token"],"token":{"id":"s"}},"scope":{"project":{"id":"p"}}}`},
	} {
		if err := c.login.check(); err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		body, err := c.login.request()
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(`{"auth":`+c.want+`}`), &want); err != nil {
			t.Fatal(c.want, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestWhatCannotWorkIsRefused(t *testing.T) {
	good := Defaults()
	good.AuthURL, good.Login = "http://keystone:5000", Login{UserID: "u", Password: password}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"auth_url is missing":                    func(c *Config) { c.AuthURL = "" },
		"auth_url is not an address":             func(c *Config) { c.AuthURL = "keystone:5000/v3" },
		"must not hold a user":                   func(c *Config) { c.AuthURL = "http://u:" + password + "@keystone" },
		"must not hold ?":                        func(c *Config) { c.AuthURL = "http://keystone/v3?x=" + password },
		"www_authenticate_uri is not an address": func(c *Config) { c.Public = "ftp://keystone" },
		"username is missing":                    func(c *Config) { c.Login.UserID = "" },
		"user_domain_id or user_domain_name":     func(c *Config) { c.Login = Login{Username: "u", Password: password} },
		"password is missing":                    func(c *Config) { c.Login.Password = "" },
		"application_credential_secret":          func(c *Config) { c.Login = Login{CredentialID: "c"} },
		"application_credential_id is missing":   func(c *Config) { c.Login.Method = ApplicationCredential },
		"application_credential_name needs":      func(c *Config) { c.Login = Login{CredentialName: "c", CredentialSecret: password} },
		"token is missing":                       func(c *Config) { c.Login.Method = Token },
		"no way to log in":                       func(c *Config) { c.Login.Method = "v3oidc" },
		"only one of":                            func(c *Config) { c.Login.ProjectID, c.Login.TrustID = "p", "t" },
		"project_domain_id or":                   func(c *Config) { c.Login.ProjectName = "p" },
		"system_scope can only":                  func(c *Config) { c.Login.SystemScope = "some" },
		"memcache_secret_key is missing":         func(c *Config) { c.Memcached.Servers, c.Memcached.Protection = []string{"m"}, MAC },
		`"a/b" is not a server`:                  func(c *Config) { c.Memcached.Servers = []string{"a/b"} },
	} {
		c := good
		change(&c)
		err := c.Check()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), password) {
			t.Errorf("error %v, want %q", err, want)
		}
		if _, err := New(c, time.Now, nil); err == nil {
			t.Errorf("New takes what Check does not: %s", want)
		}
	}
}

// TestNothingPrintsSecrets prints the configuration in every way.
func TestNothingPrintsSecrets(t *testing.T) {
	l := Login{Username: "u", Password: password, CredentialSecret: password, Token: password}
	m := Memcached{Servers: []string{"m"}, Key: password}
	c := Config{Login: l, Memcached: m}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{l, &l, m, &m, c, &c, l.LogValue()} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, password) {
				t.Errorf("%s of %T shows the password: %s", verb, v, text)
			}
		}
	}
}

// TestEndpoints has catalogues and where they lead.
func TestEndpoints(t *testing.T) {
	catalog := func(service string, endpoints ...[3]string) []any {
		var all []any
		for _, e := range endpoints {
			all = append(all, object{"interface": e[0], "region_id": e[1], "region": e[1], "url": e[2]})
		}
		return []any{object{"type": service, "endpoints": all}}
	}
	for name, c := range map[string]struct {
		catalog []any
		path    string // prefix of the validation's path
	}{
		"none":           {nil, "/v3"},
		"another type":   {catalog("messaging", [3]string{"internal", "R", "/wrong"}), "/v3"},
		"fits":           {catalog("identity", [3]string{"public", "R", "/wrong"}, [3]string{"internal", "S", "/wrong"}, [3]string{"internal", "R", "/right/v3"}), "/right/v3"},
		"no version":     {catalog("identity", [3]string{"internal", "R", "/right"}), "/right/v3"},
		"old version":    {catalog("identity", [3]string{"internal", "R", "/right/v2.0/"}), "/right/v3"},
		"another region": {catalog("identity", [3]string{"internal", "S", "/wrong"}), "/v3"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.issue("tok-a", "p1", time.Hour)
			for _, s := range c.catalog {
				for _, e := range s.(object)["endpoints"].([]any) {
					e.(object)["url"] = f.URL + e.(object)["url"].(string)
				}
			}
			f.catalog = c.catalog
			got := make(chan string, 1)
			f.do(redirectTo(f, got))
			i, _ := f.identity(func(c *Config) { c.Region = "R" })
			f.want(i, nil, "X-Auth-Token: tok-a")
			if path := <-got; path != c.path+"/auth/tokens" {
				t.Errorf("the token was validated at %s, want %s", path, c.path)
			}
		})
	}
}
