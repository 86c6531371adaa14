package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"zaqar/api/edge"
	"zaqar/observe/metrics"
)

// TLS says with what the API is served under TLS. The files are read again
// when they change.
type TLS struct {
	Cert, Key string // files; empty: no TLS
	CA        string // file with who may sign certificates of clients; empty: they need none
	// Optional serves clients without a certificate, too.
	Optional bool
	// Newest serves TLS 1.3 only.
	Newest bool
	// Interval is the time between two looks at the files.
	Interval time.Duration
}

// On reports whether there is TLS.
func (o TLS) On() bool { return o.Cert != "" }

// certificates are what the files of TLS hold.
type certificates struct {
	TLS
	log     *slog.Logger
	current atomic.Pointer[tls.Config]

	mu   sync.Mutex // guards the rest, and reading the files
	seen [3]stamp   // of the files when they were read last
}

// stamp tells one state of a file from another.
type stamp struct {
	changed time.Time
	size    int64
	file    os.FileInfo
}

// same reports whether nothing shows that the file changed in between.
func (s stamp) same(o stamp) bool {
	return s.changed.Equal(o.changed) && s.size == o.size && (s.file == nil) == (o.file == nil) && (s.file == nil || os.SameFile(s.file, o.file))
}

// newCertificates reads the files.
func newCertificates(o TLS, log *slog.Logger) (*certificates, error) {
	c := &certificates{TLS: o, log: log}
	return c, c.renew()
}

// renew reads the files and puts what they hold in force for connections that
// come. An error means that nothing changed.
func (c *certificates) renew() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = c.stamps() // before they are read: what changes meanwhile is noticed
	next, err := c.read()
	if err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c.current.Store(next)
	leaf := next.Certificates[0].Leaf
	c.log.Info("certificate read", "file", c.Cert, "subject", leaf.Subject.String(), "expires", leaf.NotAfter)
	if now := time.Now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		c.log.Warn("the certificate is not valid now; clients will refuse it", "from", leaf.NotBefore, "to", leaf.NotAfter)
	}
	if c.Key != "" {
		c.warnIfOpen(c.Key, c.seen[1])
	} else {
		c.warnIfOpen(c.Cert, c.seen[0])
	}
	return nil
}

// warnIfOpen warns of a key that everybody on the machine can read.
func (c *certificates) warnIfOpen(path string, s stamp) {
	const others = 0o004
	if s.file != nil && s.file.Mode().Perm()&others != 0 {
		c.log.Warn("everybody on this machine can read the key of the certificate; whoever has it can pass for this server", "file", path, "mode", s.file.Mode().Perm().String())
	}
}

func (c *certificates) read() (*tls.Config, error) {
	what := edge.Credentials{Optional: c.Optional, Newest: c.Newest}
	for _, file := range []struct {
		path string
		text *[]byte
	}{{c.Cert, &what.Cert}, {cmp.Or(c.Key, c.Cert), &what.Key}, {c.CA, &what.CAs}} {
		if file.path == "" {
			continue
		}
		var err error
		if *file.text, err = os.ReadFile(file.path); err != nil {
			return nil, err
		}
	}
	return what.Config()
}

func (c *certificates) stamps() (s [3]stamp) {
	for i, path := range []string{c.Cert, c.Key, c.CA} {
		if info, err := os.Stat(path); err == nil {
			s[i] = stamp{info.ModTime(), info.Size(), info}
		}
	}
	return s
}

// changed reports whether the files are not those that were read.
func (c *certificates) changed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range c.stamps() {
		if !s.same(c.seen[i]) {
			return true
		}
	}
	return false
}

// watch reads the files again whenever they have changed, until ctx ends. What
// cannot be used is told once, and the old certificate stays.
func (c *certificates) watch(ctx context.Context) {
	look := time.NewTicker(c.Interval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if c.changed() {
			if err := c.renew(); err != nil {
				c.log.Error("the new certificate cannot be used; the old one stays in force", "error", err)
			}
		}
	}
}

// settings returns what is in force.
func (c *certificates) settings() *tls.Config { return c.current.Load() }

// secure puts TLS between the listener and what accepts from it.
func (a *App) secure() error {
	o := a.options.HTTP.TLS
	if !o.On() {
		return nil
	}
	var err error
	if a.certificates, err = newCertificates(o, a.log); err != nil {
		var missing *fs.PathError
		if errors.As(err, &missing) {
			return fmt.Errorf("%w (see [ssl] in the configuration)", err)
		}
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.certificates.watch(ctx) }()
	a.undo.add("stop watching certificates", closeTime, func(context.Context) error { cancel(); <-done; return nil })
	return nil
}

// streams is how many requests of one HTTP/2 connection are served at a time.
const streams = 128

// http2 returns the limits of HTTP/2. What net/http guards against by itself
// are floods of resets, of settings and of continued headers.
func (a *App) http2() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: streams,
		WriteByteTimeout:     a.options.REST.ReplyTime,
		SendPingTimeout:      a.options.HTTP.IdleTimeout / 2, // finds clients that vanished while they waited
	}
}

func (a *App) tlsMetrics() ([]metrics.Family, func(*metrics.Values)) {
	return []metrics.Family{
			counter("zaqar_tls_handshakes_failed_total", "TLS handshakes with clients that failed."),
			gauge("zaqar_tls_certificate_expires_seconds", "When the certificate in use expires, in seconds since 1970."),
		}, func(v *metrics.Values) {
			v.Set("zaqar_tls_handshakes_failed_total", float64(a.handshakes.Failed()))
			v.Set("zaqar_tls_certificate_expires_seconds", float64(a.certificates.settings().Certificates[0].Leaf.NotAfter.Unix()))
		}
}
