package mail_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"zaqar/internal/need"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/notify/confirm"
	"zaqar/notify/mail"
)

// patience is how long things may take that take no time.
const patience = time.Minute

// server is a mail server that others wrote.
type server struct {
	port  int64
	lines *bufio.Scanner
}

// received is a mail as the server got it.
type received struct {
	From, EHLO, Login string
	To                []string
	TLS               bool
	Text              string // base64
}

// serve starts the server of testdata/smtpd.py.
func serve(t *testing.T, arguments ...string) *server {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's, whatever comes first in PATH
	if exec.CommandContext(t.Context(), python, "-c", "import aiosmtpd").Run() != nil {
		need.Missing(t, "a mail server (python3-aiosmtpd)")
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), python, append([]string{"-W", "ignore", "testdata/smtpd.py"}, arguments...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s := &server{lines: bufio.NewScanner(stdout)}
	s.lines.Buffer(nil, 16<<20)
	if !s.lines.Scan() {
		t.Fatal("the mail server does not start")
	}
	if s.port, err = strconv.ParseInt(s.lines.Text(), 10, 64); err != nil {
		t.Fatal(err)
	}
	return s
}

// mail returns the next mail and its text.
func (s *server) mail(t *testing.T) (received, string) {
	t.Helper()
	if !s.lines.Scan() {
		t.Fatal("no mail has come")
	}
	var r received
	if err := json.Unmarshal(s.lines.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	text, err := base64.StdEncoding.DecodeString(r.Text)
	if err != nil {
		t.Fatal(err)
	}
	r.Text = ""
	return r, string(text)
}

// sender makes a Sender whose confirmations are made by fakeConfirmation.
func sender(t *testing.T, c mail.Config) *mail.Sender {
	t.Helper()
	if c.Confirmation == nil {
		c.Confirmation = fakeConfirmation
	}
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	s, err := mail.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const confirmationDocument = `{"Message_Type": "SubscriptionConfirmation"}`

func fakeConfirmation(document []byte) (confirm.Mail, error) {
	if string(document) != confirmationDocument {
		return confirm.Mail{}, errors.New("no page")
	}
	return confirm.Mail{Sender: "Bus <no-reply@example.org>", Topic: "Please confirm", Body: "The page is below: https://x.example/?a=b"}, nil
}

const document = `{"ttl": 300, "body": {"event": "BackupStarted"}, "queue_name": "q1", "Message_Type": "Notification"}`

// to is a delivery of the document.
func to(subscriber string, o delivery.Options) *notify.Delivery {
	return &notify.Delivery{
		Subscription: &messaging.Subscription{ID: "s1", Subscriber: subscriber}, Options: &o,
		Kind: delivery.Notification, Message: "m1", Document: []byte(document), Attempt: 1,
	}
}

func check(t *testing.T, s *mail.Sender, subscriber string, o delivery.Options) error {
	t.Helper()
	u, err := url.Parse(subscriber)
	if err != nil {
		return messaging.E(messaging.Invalid, "no URI")
	}
	return s.Check(t.Context(), u, &o)
}

// want checks what became of an attempt.
func want(t *testing.T, what string, err error, verdict notify.Verdict) {
	t.Helper()
	var f *notify.Failure
	if !errors.As(err, &f) || f.Verdict != verdict {
		t.Errorf("%s: %v, want %v", what, err, verdict)
		return
	}
	if f.What == "" || strings.Contains(f.What, "127.0.0.1") || strings.Contains(f.What, "secret") {
		t.Errorf("%s: the owner is told %q", what, f.What)
	}
}
