package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zaqar/app"
	"zaqar/auth/keystone"
)

// secureKeystone is one that talks TLS, to clients whose certificate is the
// one given, and knows every token. It returns its address and the file of
// its authority.
func secureKeystone(t *testing.T, client *x509.Certificate) (url, authority string) {
	t.Helper()
	const user = `{"token":{"user":{"id":"u"},"project":{"id":"p"},"expires_at":"2999-01-01T00:00:00Z"}}`
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.Header().Set("X-Subject-Token", "own")
			w.WriteHeader(http.StatusCreated)
		}
		_, _ = io.WriteString(w, user)
	}))
	pool := x509.NewCertPool()
	pool.AddCert(client)
	web.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	web.Config.ErrorLog = nil
	web.StartTLS()
	t.Cleanup(web.Close)
	return web.URL, inFile(t, "authority.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}))
}

func inFile(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newCertificate makes a certificate that signed itself, and its key, in PEM.
func newCertificate(t *testing.T) (parsed *x509.Certificate, cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes})
}

// withKeystone are the options of a server that asks a Keystone.
func withKeystone(t *testing.T, url string) app.Options {
	t.Helper()
	o := options(t)
	o.Identity.Strategy = "keystone"
	o.Identity.Keystone.AuthURL = url
	o.Identity.Keystone.Retries = 0
	o.Identity.Keystone.Login = keystone.Login{UserID: "zaqar", Password: "secret"}
	return o
}

// TestKeystoneByTLS has the files that operators name.
func TestKeystoneByTLS(t *testing.T) {
	client, cert, key := newCertificate(t)
	_, otherCert, otherKey := newCertificate(t)
	url, authority := secureKeystone(t, client)
	files := func(ca string, pair ...[]byte) app.ClientTLS {
		out := app.ClientTLS{CAFile: ca, CertFile: inFile(t, "cert.pem", pair[0])}
		if len(pair) > 1 {
			out.KeyFile = inFile(t, "key.pem", pair[1])
		}
		return out
	}
	insecure := files("", cert, key)
	insecure.Insecure = true
	for name, c := range map[string]struct {
		tls    app.ClientTLS
		status int
	}{
		"all right":           {files(authority, cert, key), 200},
		"key with the cert":   {files(authority, append(cert, key...)), 200},
		"insecure":            {insecure, 200},
		"no authority":        {files("", cert, key), 503},
		"another certificate": {files(authority, otherCert, otherKey), 503},
		"no certificate":      {app.ClientTLS{CAFile: authority}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			o := withKeystone(t, url)
			o.Identity.KeystoneTLS = c.tls
			r := start(t, o)
			if status, _, _ := r.do(t, "GET", "/v2/queues", "", "X-Auth-Token", "token"); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
		})
	}
}

// TestIdentityThatCannotWork has options that keep a server from starting.
func TestIdentityThatCannotWork(t *testing.T) {
	_, cert, key := newCertificate(t)
	for want, change := range map[string]func(*app.Identity){
		`no authentication called "ldap"`: func(i *app.Identity) { i.Strategy = "ldap" },
		"password is missing":             func(i *app.Identity) { i.Keystone.Login.Password = "" },
		"/none":                           func(i *app.Identity) { i.KeystoneTLS.CAFile = "/none" },
		"holds no certificate":            func(i *app.Identity) { i.KeystoneTLS.CAFile = inFile(t, "key.pem", key) },
		"client certificate":              func(i *app.Identity) { i.KeystoneTLS.CertFile = inFile(t, "cert.pem", cert) },
		"a key without a certificate":     func(i *app.Identity) { i.KeystoneTLS.KeyFile = inFile(t, "key.pem", key) },
		"memcached":                       func(i *app.Identity) { i.UseMemcachedTLS, i.MemcachedTLS.CAFile = true, "/none" },
	} {
		o := withKeystone(t, "http://127.0.0.1:1")
		change(&o.Identity)
		a, err := app.New(t.Context(), o)
		if err == nil {
			_ = a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
