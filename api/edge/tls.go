package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Credentials are what a server shows of itself under TLS, and what it asks of
// its clients.
type Credentials struct {
	Cert, Key []byte // PEM: the chain, the server's own first, and its key
	// CAs, as PEM, are who may sign certificates of clients; nil: clients are
	// asked for none. Optional serves clients that have none, too.
	CAs      []byte
	Optional bool
	// Newest is set to serve TLS 1.3 only, not 1.2.
	Newest bool
}

// Config returns the settings of a server with these credentials, for HTTP/2
// and HTTP/1.1.
func (c Credentials) Config() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate and key: %w", err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		// Answers leave in few large pieces.
		DynamicRecordSizingDisabled: true,
	}
	if c.Newest {
		config.MinVersion = tls.VersionTLS13
	}
	if c.CAs == nil {
		return config, nil
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(c.CAs) {
		return nil, errors.New("no certificate of an authority for clients in the file")
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	if c.Optional {
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return config, nil
}

// Secure is a listener that gives out connections when their TLS handshake is
// done. Clients that are slow at it hold up nobody.
type Secure struct {
	net.Listener
	settings func() *tls.Config
	limit    time.Duration
	log      *slog.Logger

	failed  atomic.Int64
	begin   sync.Once
	arrived chan arrival
	ctx     context.Context // ends with the listener
	end     context.CancelFunc
}

type arrival struct {
	conn net.Conn
	err  error
}

// Handshakes returns a listener with TLS on top of l. A handshake takes at most
// limit. settings is asked for each connection.
func Handshakes(l net.Listener, settings func() *tls.Config, limit time.Duration, log *slog.Logger) *Secure {
	s := &Secure{Listener: l, settings: settings, limit: limit, log: log, arrived: make(chan arrival)}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// Failed returns how many handshakes have failed.
func (s *Secure) Failed() int64 { return s.failed.Load() }

// Accept implements net.Listener.
func (s *Secure) Accept() (net.Conn, error) {
	s.begin.Do(func() { go s.accept() })
	select {
	case a := <-s.arrived:
		return a.conn, a.err
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *Secure) Close() error {
	s.end()
	return s.Listener.Close()
}

func (s *Secure) accept() {
	for s.ctx.Err() == nil {
		c, err := s.Listener.Accept()
		if err != nil {
			s.arrive(nil, err) // who accepts knows whether and when to go on
			continue
		}
		go s.shake(c)
	}
}

func (s *Secure) arrive(c net.Conn, err error) {
	select {
	case s.arrived <- arrival{c, err}:
	case <-s.ctx.Done():
		if c != nil {
			_ = c.Close()
		}
	}
}

// shake does the handshake of a connection.
func (s *Secure) shake(c net.Conn) {
	ctx, cancel := context.WithTimeout(s.ctx, s.limit)
	defer cancel()
	secure := tls.Server(c, s.settings())
	err := secure.HandshakeContext(ctx)
	if err == nil {
		s.arrive(secure, nil)
		return
	}
	s.failed.Add(1)
	s.log.Debug("TLS handshake failed", "address", c.RemoteAddr().String(), "error", err)
	var header tls.RecordHeaderError
	if errors.As(err, &header) && header.Conn != nil && isHTTP(header.RecordHeader[:]) {
		_, _ = header.Conn.Write(notTLS()) // the client is told if it listens
	}
	_ = c.Close()
}

// isHTTP reports whether what should be TLS begins like a request.
func isHTTP(begin []byte) bool {
	for _, method := range []string{"GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO"} {
		if bytes.HasPrefix(begin, []byte(method)) {
			return true
		}
	}
	return false
}
