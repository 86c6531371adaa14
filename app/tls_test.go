package app_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zaqar/api/rest"
	"zaqar/app"
	"zaqar/internal/certtest"
	"zaqar/internal/testlog"
	"zaqar/internal/testwait"
	"zaqar/messaging"
)

// secured is a server under TLS.
type secured struct {
	running
	authority *certtest.Authority
	dir       string // of the files
	log       *testlog.Buffer
}

// startSecured starts a server with a certificate of a new authority.
func startSecured(t *testing.T, change func(*app.Options)) *secured {
	t.Helper()
	s := &secured{authority: certtest.NewAuthority(t), dir: t.TempDir(), log: new(testlog.Buffer)}
	o := options(t)
	o.Log = slog.New(slog.NewTextHandler(s.log, nil))
	o.HTTP.TLS.Cert, o.HTTP.TLS.Key = s.authority.Issue(t, "first").Write(t, s.dir)
	o.HTTP.TLS.Interval = 5 * time.Millisecond
	if err := os.WriteFile(filepath.Join(s.dir, "ca.pem"), s.authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&o)
	}
	s.running = start(t, o)
	return s
}

// client returns a client that takes only what the authority signed.
func (s *secured) client(t *testing.T, http2 bool, own ...tls.Certificate) *http.Client {
	t.Helper()
	tr := &http.Transport{ForceAttemptHTTP2: http2, TLSClientConfig: &tls.Config{RootCAs: s.authority.Pool(), Certificates: own}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// ask sends a request, and returns the answer with its body read.
func (s *secured) ask(t *testing.T, c *http.Client, method, path, body string) (*http.Response, string) {
	t.Helper()
	resp, text, err := s.try(t, c, method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, text
}

func (s *secured) try(t *testing.T, c *http.Client, method, path, body string) (*http.Response, string, error) {
	t.Helper()
	req := s.request(t, method, path, body)
	req.URL.Scheme = "https"
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

// TestTLS has the ordinary work done under TLS, over both versions of HTTP.
func TestTLS(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/2 ", http2), func(t *testing.T) {
			s := startSecured(t, nil)
			c := s.client(t, http2)
			large := strings.Repeat("x", 250_000)
			for range 20 {
				if resp, text := s.ask(t, c, "POST", messages, `{"messages":[{"body":"`+large+`"}]}`); resp.StatusCode != 201 {
					t.Fatalf("post: %d %s", resp.StatusCode, text)
				}
			}
			resp, text := s.ask(t, c, "GET", messages+"?echo=true&limit=20", "")
			if strings.Count(text, large) != 20 {
				t.Errorf("%d bytes of 20 large messages", len(text))
			}
			if (resp.ProtoMajor == 2) != http2 || resp.TLS.Version != tls.VersionTLS13 {
				t.Errorf("spoken: %s under TLS %x", resp.Proto, resp.TLS.Version)
			}
			answered := make(chan string, 1)
			go func() {
				_, text, err := s.try(t, s.client(t, http2), "GET", "/v2/queues/w/messages?wait=20&echo=true", "")
				answered <- fmt.Sprint(text, err)
			}()
			for range 3 { // on connections that have waited, too
				s.ask(t, c, "GET", "/v2/queues/none/messages?wait=1", "")
			}
			s.ask(t, c, "POST", "/v2/queues/w/messages", oneMessage)
			if text := <-answered; !strings.Contains(text, "hello") {
				t.Errorf("a wait ended with %s", text)
			}
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTLSVersions has clients that speak older versions.
func TestTLSVersions(t *testing.T) {
	for _, c := range []struct {
		newest bool
		speaks uint16
		ok     bool
	}{
		{false, tls.VersionTLS11, false}, {false, tls.VersionTLS12, true}, {false, tls.VersionTLS13, true},
		{true, tls.VersionTLS12, false}, {true, tls.VersionTLS13, true},
	} {
		s := startSecured(t, func(o *app.Options) { o.HTTP.TLS.Newest = c.newest })
		conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: s.authority.Pool(), MinVersion: tls.VersionTLS10, MaxVersion: c.speaks})
		if err == nil {
			conn.Close()
		}
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestTLSReload changes the files of a running server: well, badly, and well
// again. Connections that are open stay so.
func TestTLSReload(t *testing.T) {
	s := startSecured(t, nil)
	old := s.client(t, false)
	s.ask(t, old, "GET", "/", "")
	shown := func() string {
		t.Helper()
		conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: s.authority.Pool()})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "first" {
		t.Fatalf("the certificate of %s", got)
	}
	s.authority.Issue(t, "second").Write(t, s.dir)
	testwait.Until(t, "the second certificate", func() bool { return shown() == "second" })

	if err := os.WriteFile(filepath.Join(s.dir, "key.pem"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "a complaint", func() bool { return strings.Contains(s.log.String(), "the old one stays in force") })
	if got := shown(); got != "second" {
		t.Errorf("with a bad key, the certificate of %s", got)
	}
	o := options(t)
	if err := s.Reload(o); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("a reload with a bad key: %v", err)
	}
	for _, name := range []string{"cert.pem", "key.pem"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if got := shown(); got != "second" {
		t.Errorf("without files, the certificate of %s", got)
	}
	s.authority.Issue(t, "third").Write(t, s.dir)
	testwait.Until(t, "the third certificate", func() bool { return shown() == "third" })
	if err := s.Reload(o); err != nil {
		t.Error(err)
	}
	resp, _ := s.ask(t, old, "GET", "/", "")
	if got := resp.TLS.PeerCertificates[0].Subject.CommonName; got != "first" {
		t.Errorf("the connection from before was not kept: the certificate is %s's", got)
	}
}

// TestOpenKey has a key, in a file of its own and in that of the certificate,
// that everybody can read.
func TestOpenKey(t *testing.T) {
	for _, together := range []bool{false, true} {
		s := startSecured(t, func(o *app.Options) {
			if !together {
				return
			}
			var both []byte
			for _, name := range []string{o.HTTP.TLS.Cert, o.HTTP.TLS.Key} {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				both = append(both, text...)
			}
			if err := os.WriteFile(o.HTTP.TLS.Cert, both, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(o.HTTP.TLS.Cert, 0o600); err != nil {
				t.Fatal(err)
			}
			o.HTTP.TLS.Key = ""
		})
		key := filepath.Join(s.dir, "key.pem")
		if together {
			key = filepath.Join(s.dir, "cert.pem")
		}
		const warning = "everybody on this machine can read the key"
		if strings.Contains(s.log.String(), warning) {
			t.Errorf("a warning of a key that is closed: %s", s.log.String())
		}
		if err := os.Chmod(key, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.Reload(options(t)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(s.log.String(), warning) {
			t.Errorf("together %v: no warning", together)
		}
	}
}

// guests remembers whose certificate came with a request.
type guests chan *x509.Certificate

func (g guests) Identify(ctx context.Context, r *http.Request) (messaging.Caller, error) {
	var cert *x509.Certificate
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		cert = r.TLS.PeerCertificates[0]
	}
	g <- cert
	return rest.Open{}.Identify(ctx, r)
}

// TestClientCertificates has clients with and without certificates, and with
// those of somebody else.
func TestClientCertificates(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, optional := range []bool{false, true} {
			t.Run(fmt.Sprintf("HTTP/2 %v, optional %v", http2, optional), func(t *testing.T) {
				seen := make(guests, 10)
				s := startSecured(t, func(o *app.Options) {
					o.HTTP.TLS.CA, o.HTTP.TLS.Optional = filepath.Join(filepath.Dir(o.HTTP.TLS.Cert), "ca.pem"), optional
					o.REST.Identity = seen
				})
				s.ask(t, s.client(t, http2, s.authority.Issue(t, "guest").TLS(t)), "GET", "/v2/ping", "")
				if cert := <-seen; cert == nil || cert.Subject.CommonName != "guest" {
					t.Errorf("a guest came with %v", cert)
				}
				_, _, err := s.try(t, s.client(t, http2), "GET", "/v2/ping", "")
				if (err == nil) != optional {
					t.Errorf("without a certificate: %v", err)
				}
				if optional {
					if cert := <-seen; cert != nil {
						t.Errorf("who has no certificate came with that of %v", cert.Subject)
					}
				}
				forged := certtest.NewAuthority(t).Issue(t, "guest").TLS(t)
				bold := s.client(t, http2)
				bold.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return &forged, nil // whoever is asked for
				}
				if resp, _, err := s.try(t, bold, "GET", "/v2/ping", ""); err == nil {
					t.Errorf("with a certificate of somebody else: %s", resp.Status)
				}
				if len(seen) > 0 {
					t.Error("who was not let in was asked who he is")
				}
			})
		}
	}
}

// TestSlowHandshakes has clients that never finish theirs, and others that are
// served meanwhile.
func TestSlowHandshakes(t *testing.T) {
	s := startSecured(t, func(o *app.Options) { o.HTTP.HeaderTimeout = 500 * time.Millisecond })
	var slow []net.Conn
	for i := range 100 {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 {
			fmt.Fprint(c, "\x16\x03\x01\x02\x00\x01\x00")
		}
		slow = append(slow, c)
	}
	s.ask(t, s.client(t, false), "GET", "/", "")
	for _, c := range slow {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.ReadAll(c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatal("a connection without a handshake stays open")
		}
	}
}

// TestHandshakesAreConnections counts clients that never finish theirs.
func TestHandshakesAreConnections(t *testing.T) {
	s := startSecured(t, func(o *app.Options) {
		o.HTTP.HeaderTimeout = time.Hour
		o.Monitor.Enabled, o.Monitor.Port = true, 0
	})
	for range 10 {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	s.ask(t, s.client(t, false), "GET", "/", "") // accepted after the others
	_, scrape := s.look(t, "/metrics")
	has(t, scrape, "zaqar_http_connections 11", "zaqar_http_connections_total 11")
}

// TestNoTLSOnTLSPort is told what is wrong.
func TestNoTLSOnTLSPort(t *testing.T) {
	s := startSecured(t, nil)
	status, h, body := s.do(t, "GET", "/", "")
	if status != 400 || !strings.Contains(body, "https") || h.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s", status, h, body)
	}
}

func TestTLSStartErrors(t *testing.T) {
	dir := t.TempDir()
	cert, key := certtest.NewAuthority(t).Issue(t, "a").Write(t, dir)
	other := filepath.Join(dir, "other.pem")
	if err := os.WriteFile(other, certtest.NewAuthority(t).Issue(t, "b").Key, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]app.TLS{
		"no certificate":   {Cert: filepath.Join(dir, "none"), Key: key},
		"no key":           {Cert: cert, Key: filepath.Join(dir, "none")},
		"another's key":    {Cert: cert, Key: other},
		"no authority":     {Cert: cert, Key: key, CA: filepath.Join(dir, "none")},
		"a key to sign by": {Cert: cert, Key: key, CA: key},
		"a certificate without its key in one file": {Cert: cert},
	} {
		all := options(t)
		o.Interval = time.Second
		all.HTTP.TLS = o
		if a, err := app.New(t.Context(), all); err == nil {
			a.Close()
			t.Errorf("%s: the server starts", name)
		} else if !strings.Contains(err.Error(), "TLS") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
