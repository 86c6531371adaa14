package keystone

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Config is what an operator decides about the use of Keystone. Start from
// Defaults.
type Config struct {
	// Public is Keystone as clients reach it, told to those without a token;
	// empty: AuthURL.
	Public string
	// AuthURL is where this service gets its own token, with or without /v3.
	AuthURL string
	Login   Login
	// Interface and Region choose Keystone's address in the catalogue of the
	// service's own token. Without one that fits, AuthURL is asked.
	Interface, Region string

	TLS   *tls.Config                           // nil: the system's authorities
	Proxy func(*http.Request) (*url.URL, error) // nil: none
	// Timeout bounds one try to get an answer, Total a validation with all its
	// tries.
	Timeout, Total time.Duration
	Retries        int64         // tries after the first, when there was no answer
	Pause          time.Duration // before the second try; doubles

	// CacheTime is how long a validated token is believed, at most; not
	// positive: nothing is cached.
	CacheTime time.Duration
	// RefusedTime is how long a refused token stays refused without asking.
	RefusedTime time.Duration
	Entries     int64 // most tokens cached, of the valid and of the refused each
	Memcached   Memcached

	// Catalog asks for the caller's catalogue, without which tokens with
	// access rules are refused.
	Catalog bool
	// ServiceRoles are those of which a service token needs one to count.
	// Without one it counts for nothing, and if ServiceRolesRequired the request
	// is refused.
	ServiceRoles         []string
	ServiceRolesRequired bool
	// ServiceType is this service's type in access rules; empty: tokens with
	// access rules are refused.
	ServiceType string
	// Prefix tells what a proxy in front took off a request's path. Access
	// rules may be written with it or without; nil: there is none.
	Prefix func(*http.Request) string
	// Delay answers Unauthenticated instead of Unavailable when Keystone
	// cannot be asked (delay_auth_decision).
	Delay bool
}

// Defaults returns the configuration of a service that was told nothing.
func Defaults() Config {
	return Config{
		Interface: "internal",
		Timeout:   10 * time.Second, Total: 30 * time.Second,
		Retries: 3, Pause: 100 * time.Millisecond,
		CacheTime: 5 * time.Minute, RefusedTime: 10 * time.Second, Entries: 50_000,
		Memcached: Memcached{Protection: None, Connections: 10, Timeout: 3 * time.Second},
		Catalog:   true, ServiceRoles: []string{"service"}, ServiceRolesRequired: true,
	}
}

// Check returns what is wrong with the configuration.
func (c *Config) Check() error {
	if err := checkURL("auth_url", c.AuthURL); err != nil {
		return err
	}
	if c.Public != "" {
		if err := checkURL("www_authenticate_uri", c.Public); err != nil {
			return err
		}
	}
	if err := c.Login.check(); err != nil {
		return err
	}
	return c.Memcached.check()
}

// checkURL returns what is wrong with an address, without showing it: it may
// hold a password.
func checkURL(name, text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return fmt.Errorf("%s is missing", name)
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return fmt.Errorf("%s is not an address like http://keystone:5000/v3", name)
	case u.User != nil:
		return fmt.Errorf("%s must not hold a user or password", name)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s must not hold ? or #", name)
	}
	return nil
}

// Challenge returns the value of WWW-Authenticate for answers to those who
// have no valid token.
func (c *Config) Challenge() string {
	u, err := url.Parse(cmp.Or(c.Public, c.AuthURL))
	if err != nil {
		return "Keystone"
	}
	return `Keystone uri="` + u.String() + `"`
}

var (
	errNoSuchToken  = errors.New("keystone knows no such token")
	errLoginRefused = errors.New("keystone refuses the credentials of this service")
	errTrustRefused = errors.New("keystone gives no token for the trust: it is gone, has expired, is for another trustee, or its trustor may no longer what it grants")
)
