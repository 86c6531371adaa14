package mail_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/internal/certtest"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/notify/mail"
)

// files are those of a certificate, and what trusts it.
func files(t *testing.T) (trust *tls.Config, cert, key string) {
	t.Helper()
	authority := certtest.NewAuthority(t)
	cert, key = authority.Issue(t, "mail.example").Write(t, t.TempDir())
	return &tls.Config{RootCAs: authority.Pool()}, cert, key
}

// TestSMTP has every way to talk to a server take a mail there.
func TestSMTP(t *testing.T) {
	trust, cert, key := files(t)
	for _, c := range []struct {
		name  string
		serve []string
		as    mail.Server
		login string
	}{
		{"implicit", []string{"tls", cert, key}, mail.Server{}, ""},
		{"implicit, PLAIN", []string{"tls", cert, key, "bus", "pa ss"}, mail.Server{User: "bus", Password: "pa ss"}, "PLAIN bus"},
		{"implicit, LOGIN", []string{"tls", cert, key, "bus", "pa ss", "LOGIN"}, mail.Server{User: "bus", Password: "pa ss"}, "LOGIN bus"},
		{"STARTTLS", []string{"starttls", cert, key}, mail.Server{Security: mail.StartTLS}, ""},
		{"STARTTLS, PLAIN", []string{"starttls", cert, key, "bus", "pä"}, mail.Server{Security: mail.StartTLS, User: "bus", Password: "pä"}, "PLAIN bus"},
		{"none", []string{"none"}, mail.Server{Security: mail.Plain}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, c.serve...)
			c.as.Host, c.as.Port, c.as.TLS = "localhost", server.port, trust
			s := sender(t, mail.Config{Server: c.as})
			for range 2 { // a connection per mail
				if _, err := s.Send(t.Context(), to("mailto:ops@example.org,boss@example.org", delivery.Options{From: "Bus <bus@example.org>", Subject: "new work"})); err != nil {
					t.Fatal(err)
				}
				got, text := server.mail(t)
				if got.From != "bus@example.org" || !slices.Equal(got.To, []string{"ops@example.org", "boss@example.org"}) ||
					got.TLS != (c.as.Security != mail.Plain) || got.Login != c.login || got.EHLO != "localhost" {
					t.Errorf("%+v", got)
				}
				if want := strings.ReplaceAll(golden(t, "addresses"), "\n", "\r\n") + "\r\n"; text != want {
					t.Errorf("the mail is\n%q\nwant\n%q", text, want)
				}
			}
		})
	}
}

// TestSMTPRefusals has a server refuse at every step.
func TestSMTPRefusals(t *testing.T) {
	server := serve(t, "none")
	s := sender(t, mail.Config{Server: mail.Server{Host: "127.0.0.1", Port: server.port, Security: mail.Plain}})
	for subscriber, verdict := range map[string]notify.Verdict{
		"mailto:refuse-550@example.org":                          notify.GiveUp,
		"mailto:refuse-552@example.org":                          notify.GiveUp,
		"mailto:refuse-450@example.org":                          notify.Retry,
		"mailto:refuse-421@example.org":                          notify.Retry,
		"mailto:refuse-530@example.org":                          notify.Retry, // a login is missing
		"mailto:refuse-503@example.org":                          notify.Retry,
		"mailto:data-554@example.org":                            notify.GiveUp,
		"mailto:data-451@example.org":                            notify.Retry,
		"mailto:ops@example.org,refuse-451@example.org":          notify.Retry, // or ops gets it twice
		"mailto:refuse-550@example.org,refuse-553@a.example.org": notify.GiveUp,
	} {
		_, err := s.Send(t.Context(), to(subscriber, delivery.Options{}))
		want(t, subscriber, err, verdict)
	}
	_, err := s.Send(t.Context(), to("mailto:ops@example.org", delivery.Options{From: "nobody@refused.example"}))
	want(t, "sender", err, notify.GiveUp)

	if _, err := s.Send(t.Context(), to("mailto:refuse-550@example.org,ops@example.org", delivery.Options{From: "bus"})); err != nil {
		t.Error(err)
	}
	if got, _ := server.mail(t); got.From != "bus" || !slices.Equal(got.To, []string{"ops@example.org"}) {
		t.Errorf("%+v", got)
	}
	if _, err := s.Send(t.Context(), to("mailto:ops@example.org", delivery.Options{})); err != nil {
		t.Error(err)
	}
	if got, _ := server.mail(t); got.From != "<>" || got.TLS || got.EHLO != "[127.0.0.1]" {
		t.Errorf("%+v", got)
	}
}

// TestSMTPTrouble has servers with which no mail gets anywhere. Whatever it is,
// it says nothing about the mail.
func TestSMTPTrouble(t *testing.T) {
	trust, cert, key := files(t)
	open, closed := serve(t, "tls", cert, key, "bus", "right"), serve(t, "none")
	for name, server := range map[string]mail.Server{
		"wrong password":      {Host: "localhost", Port: open.port, TLS: trust, User: "bus", Password: "wrong"},
		"login missing":       {Host: "localhost", Port: open.port, TLS: trust},
		"unknown authority":   {Host: "localhost", Port: open.port, User: "bus", Password: "right"},
		"other name":          {Host: "localhost", Port: open.port, TLS: &tls.Config{RootCAs: trust.RootCAs, ServerName: "other.example"}, User: "bus", Password: "right"},
		"no TLS there":        {Host: "localhost", Port: closed.port, TLS: trust},
		"no STARTTLS there":   {Host: "localhost", Port: closed.port, TLS: trust, Security: mail.StartTLS},
		"nobody there":        {Host: "localhost", Port: nobody(t), TLS: trust},
		"no such host":        {Host: "mail.invalid", TLS: trust},
		"hangs up":            {Host: "localhost", Port: saying(t, ""), Security: mail.Plain},
		"not now":             {Host: "localhost", Port: saying(t, "421 later\r\n"), Security: mail.Plain},
		"never":               {Host: "localhost", Port: saying(t, "554 never\r\n"), Security: mail.Plain},
		"no SMTP":             {Host: "localhost", Port: saying(t, "HTTP/1.1 400 Bad Request\r\n"), Security: mail.Plain},
		"talks without end":   {Host: "localhost", Port: saying(t, strings.Repeat("220-and\r\n", 1<<20)), Security: mail.Plain},
		"a line without end":  {Host: "localhost", Port: saying(t, strings.Repeat("2", 4<<20)), Security: mail.Plain},
		"EHLO and HELO fail":  {Host: "localhost", Port: saying(t, "220 hi\r\n502 no\r\n502 no\r\n"), Security: mail.Plain},
		"gone after the mail": {Host: "localhost", Port: saying(t, "220 hi\r\n250 hi\r\n250 ok\r\n250 ok\r\n354 go\r\n"), Security: mail.Plain},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sender(t, mail.Config{Server: server}).Send(t.Context(), to("mailto:ops@example.org", delivery.Options{}))
			want(t, name, err, notify.Retry)
			if strings.Contains(name, "without end") && !errors.Is(err, bufio.ErrTooLong) {
				t.Errorf("it is listened to until %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "right") || strings.Contains(err.Error(), "wrong")) {
				t.Errorf("the error tells a password: %v", err)
			}
		})
	}
}

// nobody is a port where nothing listens.
func nobody(t *testing.T) int64 {
	t.Helper()
	l := listen(t)
	_ = l.Close()
	return port(l)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func port(l net.Listener) int64 { return int64(l.Addr().(*net.TCPAddr).Port) }

// saying is the port of a server that says something and hangs up.
func saying(t *testing.T, what string) int64 {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprint(conn, what)
			if half, ok := conn.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			go func() {
				defer conn.Close()
				room := make([]byte, 4096)
				for {
					if _, err := conn.Read(room); err != nil {
						return
					}
				}
			}()
		}
	}()
	return port(l)
}

// TestSMTPTime has servers that do not answer: the attempt ends with its time,
// or with the one who waits for it.
func TestSMTPTime(t *testing.T) {
	slow := serve(t, "none")
	silent := listen(t)
	for name, port := range map[string]int64{"silent": port(silent), "slow": slow.port} {
		for _, c := range []struct {
			name    string
			timeout time.Duration
			cancel  bool
		}{{"timeout", 200 * time.Millisecond, false}, {"cancel", patience, true}} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.cancel {
					time.AfterFunc(200*time.Millisecond, cancel)
				}
				s := sender(t, mail.Config{Server: mail.Server{Host: "127.0.0.1", Port: port, Security: mail.Plain}, Timeout: c.timeout})
				_, err := s.Send(ctx, to("mailto:slow@example.org", delivery.Options{}))
				want(t, name, err, notify.Retry)
			})
		}
	}
}

func TestServerCheck(t *testing.T) {
	for name, c := range map[string]struct {
		server mail.Server
		ok     bool
	}{
		"implicit":               {mail.Server{Host: "h", User: "u", Password: "p"}, true},
		"plain, no login":        {mail.Server{Host: "h", Security: mail.Plain}, true},
		"plain, login":           {mail.Server{Host: "h", Security: mail.Plain, User: "u", Password: "p"}, false},
		"plain, login, loopback": {mail.Server{Host: "127.0.0.1", Security: mail.Plain, User: "u", Password: "p"}, true},
		"password alone":         {mail.Server{Host: "h", Password: "p"}, false},
		"unknown security":       {mail.Server{Host: "h", Security: "ssl"}, false},
	} {
		_, err := mail.New(mail.Config{Server: c.server, Confirmation: fakeConfirmation})
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, mail.Server{Host: "h", User: "u", Password: "secret-p"}); strings.Contains(text, "secret") {
			t.Errorf("%s: %s", format, text)
		}
	}
}
