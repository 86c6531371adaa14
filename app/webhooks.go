package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"zaqar/internal/egress"
	"zaqar/notify/webhook"
)

// Webhooks says how and where notifications go over HTTP.
type Webhooks struct {
	Timeout time.Duration // of an attempt
	Allow   []string      // addresses, networks and hosts beside the public Internet
	Deny    []string      // and those to which nothing goes
	Proxy   string        // URL of the proxy through which all goes; empty: straight
	CAFile  string        // authorities beside the system's
}

// config reads the files and lists. Now and InFlight are left to the caller.
func (w Webhooks) config() (webhook.Config, error) {
	c := webhook.Defaults()
	c.Timeout = w.Timeout
	var err error
	if c.Allow, c.Deny, err = w.targets(); err != nil {
		return c, err
	}
	if w.Proxy != "" {
		if c.Proxy, err = url.Parse(w.Proxy); err != nil {
			return c, errors.New("the egress proxy is not a URL") // which may hold a password
		}
	}
	if w.CAFile != "" {
		c.Authorities, err = moreAuthorities(w.CAFile)
	}
	return c, err
}

// targets reads the lists.
func (w Webhooks) targets() (allow, deny egress.List, err error) {
	if allow, err = egress.ParseList(w.Allow); err != nil {
		return allow, deny, fmt.Errorf("allowed targets: %w", err)
	}
	if deny, err = egress.ParseList(w.Deny); err != nil {
		return allow, deny, fmt.Errorf("denied targets: %w", err)
	}
	return allow, deny, nil
}

// moreAuthorities are those of a file beside the system's.
func moreAuthorities(file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("authorities of the system: %w", err)
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities: %s holds no certificate", file)
	}
	return pool, nil
}
