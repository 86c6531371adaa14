package mail

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"zaqar/notify"
)

// Security says when a connection to a mail server becomes TLS.
type Security string

// The kinds of security.
const (
	Implicit Security = "tls"      // from the beginning
	StartTLS Security = "starttls" // before anything is said, or not at all
	Plain    Security = "none"     // never
)

// Server is the operator's mail server.
type Server struct {
	Host           string
	Port           int64    // 0: 465, 587 or 25, by Security
	Security       Security // empty: Implicit
	TLS            *tls.Config
	User, Password string // no user: no login
}

// LogValue keeps the password out of logs.
func (s Server) LogValue() slog.Value { return slog.StringValue(s.String()) }

// String is the address.
func (s Server) String() string {
	return net.JoinHostPort(s.Host, strconv.FormatInt(cmp.Or(s.Port, s.usual()), 10))
}

// GoString is String: no verb shows the password.
func (s Server) GoString() string { return s.String() }

func (s Server) usual() int64 {
	switch s.Security {
	case StartTLS:
		return 587
	case Plain:
		return 25
	}
	return 465
}

// Check returns what is wrong with the configuration.
func (s *Server) Check() error {
	switch {
	case s.Security != "" && s.Security != Implicit && s.Security != StartTLS && s.Security != Plain:
		return fmt.Errorf("there is no security of mail called %q", s.Security)
	case s.User == "" && s.Password != "":
		return errors.New("the mail server's password needs a user")
	case s.User != "" && s.Security == Plain && !local(s.Host):
		return errors.New("a password for the mail server needs TLS, unless it is on this machine")
	}
	return nil
}

func local(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// take implements transport.
func (s *Server) take(ctx context.Context, m *message) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.String())
	if err != nil {
		return failure("connecting to the mail server", err)
	}
	defer conn.Close()
	// A context that ends interrupts whatever is read or written.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	f := s.talk(conn, m)
	if f == nil {
		return nil
	}
	if ctx.Err() != nil {
		f.Err = fmt.Errorf("%w (%w)", f.Err, context.Cause(ctx))
	}
	return f
}

// talk takes a mail through the steps of a connection. What is refused before
// the mail has its turn says nothing about the mail.
func (s *Server) talk(conn net.Conn, m *message) *notify.Failure {
	c, f := s.greet(conn)
	if f != nil {
		return f
	}
	if f := judged("MAIL", ask(c, 250, "MAIL FROM:<%s>", m.from)); f != nil {
		return f
	}
	if f := recipients(c, m.recipients); f != nil {
		return f
	}
	if f := judged("DATA", ask(c, 354, "DATA")); f != nil {
		return f
	}
	if err := data(c, m.text); err != nil {
		return judged("the text of the mail", err)
	}
	_ = c.Quit() // the mail is theirs, whatever comes of this
	return nil
}

// greet begins a session: TLS and login included.
func (s *Server) greet(conn net.Conn) (*smtp.Client, *notify.Failure) {
	conn = &bounded{Conn: conn, left: mostRead}
	if cmp.Or(s.Security, Implicit) == Implicit {
		conn = tls.Client(conn, s.settings())
	}
	c, err := smtp.NewClient(conn, s.Host)
	if err != nil {
		return nil, failure("the mail server's greeting", err)
	}
	if err := c.Hello(s.name()); err != nil {
		return nil, failure("EHLO", err)
	}
	if s.Security == StartTLS {
		if err := c.StartTLS(s.settings()); err != nil {
			return nil, failure("STARTTLS", err)
		}
	}
	if s.User != "" {
		if err := s.login(c); err != nil {
			return nil, failure("the login at the mail server", err)
		}
	}
	return c, nil
}

// name is what the server is greeted with, as the original does: its own name.
// Addresses are literals (RFC 5321 §4.1.3).
func (s *Server) name() string {
	ip, err := netip.ParseAddr(s.Host)
	switch {
	case err != nil:
		return s.Host
	case ip.Is4():
		return "[" + s.Host + "]"
	}
	return "[IPv6:" + ip.WithZone("").String() + "]"
}

func (s *Server) settings() *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLS != nil {
		t = s.TLS.Clone()
	}
	t.ServerName = cmp.Or(t.ServerName, s.Host)
	return t
}

// recipients names them. A refusal for good of some leaves the others; one for
// now puts the whole mail off, so that nobody gets it twice.
func recipients(c *smtp.Client, list []string) *notify.Failure {
	var refused *notify.Failure
	taken := 0
	for _, to := range list {
		switch f := judged("RCPT", ask(c, 25, "RCPT TO:<%s>", to)); {
		case f == nil:
			taken++
		case f.Verdict != notify.GiveUp:
			return f
		default:
			refused = f
		}
	}
	if taken == 0 {
		return refused
	}
	return nil
}

// ask sends a command and reads the answer, whose code has to begin with want.
func ask(c *smtp.Client, want int, format string, args ...any) error {
	id, err := c.Text.Cmd(format, args...)
	if err != nil {
		return err
	}
	c.Text.StartResponse(id)
	defer c.Text.EndResponse(id)
	_, _, err = c.Text.ReadResponse(want)
	return err
}

func data(c *smtp.Client, text []byte) error {
	w := c.Text.DotWriter()
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, _, err := c.Text.ReadResponse(250)
	return err
}

// judged is what the answer to a step of the mail itself means: 5yz refuses it
// for good, unless it says that the session is not good enough (RFC 4954 §6,
// RFC 3207 §4).
func judged(step string, err error) *notify.Failure {
	if err == nil {
		return nil
	}
	f := failure(step, err)
	var reply *textproto.Error
	if errors.As(err, &reply) && reply.Code >= 500 && (reply.Code < 530 || reply.Code > 539) && reply.Code != 503 {
		f.Verdict = notify.GiveUp
		f.What = fmt.Sprintf("The mail server refused the mail with %d.", reply.Code)
	}
	return f
}

// login is AUTH PLAIN, or LOGIN where that is all there is. Passwords that go
// without TLS stay on this machine (Check).
func (s *Server) login(c *smtp.Client) error {
	code := base64.StdEncoding.EncodeToString
	_, offered := c.Extension("AUTH")
	methods := strings.Fields(strings.ToUpper(offered))
	if slices.Contains(methods, "PLAIN") || !slices.Contains(methods, "LOGIN") {
		return ask(c, 235, "AUTH PLAIN %s", code([]byte("\x00"+s.User+"\x00"+s.Password)))
	}
	if err := ask(c, 334, "AUTH LOGIN"); err != nil {
		return err
	}
	if err := ask(c, 334, "%s", code([]byte(s.User))); err != nil {
		return err
	}
	return ask(c, 235, "%s", code([]byte(s.Password)))
}

// bounded is a connection that gives no more than so many bytes.
type bounded struct {
	net.Conn
	left int
}

const mostRead = 256 << 10

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, bufio.ErrTooLong
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
