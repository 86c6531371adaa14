package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"zaqar/api/rest"
	"zaqar/auth/keystone"
)

// Identity says how callers are known.
type Identity struct {
	// Strategy is empty, which believes what requests say about their caller,
	// or "keystone" (operations §5).
	Strategy string
	Keystone keystone.Config
	// KeystoneTLS are files for connections to Keystone.
	KeystoneTLS ClientTLS
	// MemcachedTLS are files for connections to memcached, if UseMemcachedTLS.
	UseMemcachedTLS bool
	MemcachedTLS    ClientTLS
}

// ClientTLS says how this service shows itself to another one, and whom it
// believes there.
type ClientTLS struct {
	CAFile            string // authorities; empty: the system's
	CertFile, KeyFile string // PEM; a key may be in the file of the certificate
	Insecure          bool   // believe anybody
}

// load reads the files.
func (c ClientTLS) load() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.Insecure}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("authorities: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("authorities: %s holds no certificate", c.CAFile)
		}
	}
	switch {
	case c.CertFile != "":
		cert, err := tls.LoadX509KeyPair(c.CertFile, cmp.Or(c.KeyFile, c.CertFile))
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		out.Certificates = []tls.Certificate{cert}
	case c.KeyFile != "":
		return nil, errors.New("a key without a certificate")
	}
	return out, nil
}

// identify makes front know its callers as the options say.
func (a *App) identify(front *rest.Config) error {
	o := a.options.Identity
	switch o.Strategy {
	case "":
		return nil
	case "keystone":
	default:
		return fmt.Errorf("there is no authentication called %q", o.Strategy)
	}
	c := o.Keystone
	c.Proxy, c.Prefix = http.ProxyFromEnvironment, a.options.REST.Trust.Prefix
	var err error
	if c.TLS, err = o.KeystoneTLS.load(); err != nil {
		return fmt.Errorf("[keystone_authtoken]: %w", err)
	}
	if o.UseMemcachedTLS {
		if c.Memcached.TLS, err = o.MemcachedTLS.load(); err != nil {
			return fmt.Errorf("[keystone_authtoken] memcached: %w", err)
		}
	}
	a.keystone, err = keystone.New(c, time.Now, a.log)
	if err != nil {
		return fmt.Errorf("[keystone_authtoken]: %w", err)
	}
	a.undo.add("end token validations", closeTime, func(context.Context) error { a.keystone.Close(); return nil })
	front.Identity, front.Challenge = a.keystone, c.Challenge()
	return nil
}
