package mail_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"mime"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/notify/mail"
)

var update = flag.Bool("update", false, "write the golden mails")

func golden(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// written is what a delivery makes of it on the standard input of a command.
func written(t *testing.T, d *notify.Delivery) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mail")
	_, err := sender(t, mail.Config{Command: []string{"/bin/sh", "-c", `cat >"$0"`, file}}).Send(t.Context(), d)
	text, _ := os.ReadFile(file)
	return string(text), err
}

// TestMails compares mails with those in testdata (notifications §8).
func TestMails(t *testing.T) {
	confirmation := to("mailto:ops@example.org?subject=no", delivery.Options{From: "no", Subject: "no"})
	confirmation.Kind, confirmation.Document = delivery.SubscriptionConfirmation, []byte(confirmationDocument)
	with := func(d *notify.Delivery, document string) *notify.Delivery {
		d.Document = []byte(document)
		return d
	}
	for name, d := range map[string]*notify.Delivery{
		"bare":           to("mailto:ops@example.org", delivery.Options{}),
		"addresses":      to("mailto:ops@example.org,boss@example.org", delivery.Options{From: "Bus <bus@example.org>", Subject: "new work"}),
		"escapes":        to("MailTo:ops%2Bq@example.org?Subject=a%20b+c&subject=d", delivery.Options{Subject: "unused"}),
		"other-members":  to("mailto:ops@example.org?cc=x@example.org&bcc=y@example.org&body=z", delivery.Options{Subject: "s"}),
		"words":          to("mailto:ops@example.org", delivery.Options{From: "Müller, Jörg <j@example.org>", Subject: "Zürich — " + strings.Repeat("Grüezi ", 20)}),
		"quoted-name":    to("mailto:ops@example.org", delivery.Options{From: `"Müller, Jörg" <j@example.org>`}),
		"no-address":     to("mailto:ops@example.org", delivery.Options{From: "Büro", Subject: "s"}),
		"utf-8":          with(to("mailto:ops@example.org", delivery.Options{}), `{"body": "`+strings.Repeat("Grüezi ", 12)+`"}`),
		"long-line":      with(to("mailto:ops@example.org", delivery.Options{}), `{"body": "`+strings.Repeat("x", 1000)+`"}`),
		"lines":          with(to("mailto:ops@example.org", delivery.Options{}), "{\"body\":\n\t[1,\n2]}"),
		"carriage":       with(to("mailto:ops@example.org", delivery.Options{}), "{\"body\":\r\n1}"),
		"long-list":      to("mailto:"+strings.Repeat("somebody-with-a-name@long.example.org,", 40)+"last@example.org", delivery.Options{}),
		"long-subject":   to("mailto:ops@example.org", delivery.Options{Subject: strings.TrimSpace(strings.Repeat("word ", 400))}),
		"confirmation":   confirmation,
		"with-nobody":    to("mailto:Ops%20Team%20%3Cops@example.org%3E", delivery.Options{}),
		"subject-header": to("mailto:ops@example.org?subject=Bcc:%20x@example.org", delivery.Options{}),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := written(t, d)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(filepath.Join("testdata", name+".eml"), []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := golden(t, name); got != want {
				t.Errorf("the mail is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What would be more than a header is refused, also from options that were
// stored before anybody checked them.
func TestHeaderInjection(t *testing.T) {
	for name, d := range map[string]*notify.Delivery{
		"line feed in the subject": to("mailto:ops@example.org", delivery.Options{Subject: "a\nBcc: x@example.org"}),
		"carriage return":          to("mailto:ops@example.org", delivery.Options{Subject: "a\rBcc: x@example.org"}),
		"line feed in the sender":  to("mailto:ops@example.org", delivery.Options{From: "a@example.org\nBcc: x@example.org"}),
		"in the query":             to("mailto:ops@example.org?subject=a%0aBcc:%20x@example.org", delivery.Options{}),
		"in the address":           to("mailto:ops@example.org%0aBcc:x@example.org", delivery.Options{}),
		"NUL":                      to("mailto:ops@example.org", delivery.Options{Subject: "a\x00b"}),
		"no UTF-8":                 to("mailto:ops@example.org", delivery.Options{Subject: "a\xffb"}),
		"a word without end":       to("mailto:ops@example.org", delivery.Options{Subject: strings.Repeat("x", 1000)}),
		"no address":               to("mailto:", delivery.Options{}),
		"no URI":                   to("mailto:%zz", delivery.Options{}),
		"several to be asked":      {Subscription: &messaging.Subscription{Subscriber: "mailto:ops@example.org,boss@example.org"}, Kind: delivery.SubscriptionConfirmation, Document: []byte(confirmationDocument)},
		"another kind":             {Subscription: &messaging.Subscription{Subscriber: "mailto:ops@example.org"}, Kind: delivery.UnsubscribeConfirmation},
	} {
		text, err := written(t, d)
		want(t, name, err, notify.GiveUp)
		if text != "" {
			t.Errorf("%s: there is a mail:\n%s", name, text)
		}
	}
}

func TestCheck(t *testing.T) {
	s := sender(t, mail.Config{Command: []string{"true"}})
	for _, good := range []string{
		"mailto:ops@example.org", "MAILTO:ops@example.org", "mailto:aa@example.com?subject=x", "mailto:a@b.example,c@d.example",
		"mailto:a.b+c@localhost", "mailto:o'hara@example.org", "mailto:a@[192.0.2.1]", "mailto:a@xn--bcher-kva.example",
		"mailto:a%40example.org", "mailto:a@example.org?subject=Z%C3%BCrich",
	} {
		if err := check(t, s, good, delivery.Options{}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"mailto:", "mailto:?subject=x", "mailto://a@example.org", "mailto:ops", "mailto:@example.org", "mailto:ops@", "mailto:a@b@c",
		"mailto:a@example.org,", "mailto:,a@example.org", "mailto:a@example.org;b@example.org", "mailto:a@example.org%0d%0aBcc:x@example.org",
		"mailto:a@b%C3%BCcher.example", "mailto:%C3%A4@example.org", "mailto:a@example.org?subject=%0a", "mailto:a@example.org?subject=%ff",
		"mailto:a@example.org?subject=%zz", "mailto:%7Csh@localhost", "mailto:/etc/x@localhost", "mailto:-oQ@example.org",
		"mailto:%22a%20b%22@example.org", "mailto:all:a@example.org;", "mailto:a@example.org#x", "mailto:a@example.org%00",
		"mailto:" + strings.Repeat("a", 250) + "@example.org", "mailto:" + strings.Repeat("a@b.c,", 50) + "a@b.c", "mailto:a@-x", "mailto:a@.x",
	} {
		if err := check(t, s, bad, delivery.Options{}); !errors.Is(err, messaging.Invalid) {
			t.Errorf("%s: %v, want invalid", bad, err)
		}
	}
	for _, o := range []delivery.Options{{Subject: "a\nb"}, {From: "a\rb"}, {Subject: strings.Repeat("x", 1000)}} {
		if err := check(t, s, "mailto:a@example.org", o); !errors.Is(err, messaging.Invalid) {
			t.Errorf("%+v: %v, want invalid", o, err)
		}
	}
	// The subject of the URI counts in place of the option.
	if err := check(t, s, "mailto:a@example.org?subject=x", delivery.Options{Subject: "a\nb"}); err != nil {
		t.Error(err)
	}
}

// FuzzMail has a tenant say anything: a mail has the headers it is to have, the
// recipients of the subscriber, and the document for a body.
func FuzzMail(f *testing.F) {
	f.Add("mailto:a@example.org", "b@example.org", "s", `{"body": 1}`)
	f.Add("mailto:a%40b?subject=%E2%80%94", "ü <b@c>", "ü\tx", "ü\r\n.\r\n")
	f.Add("mailto:a@b,c@d?Subject=x%0ay", "\"", strings.Repeat("ü", 600), "From x\n.")
	f.Add("mailto:a@b", "=?utf-8?q?a=0Ab?= <c@d>", "=?x?q?a?=", "")
	f.Add("mailto:a@b", "a", "a"+strings.Repeat(" ", 3000)+"b", "")
	f.Fuzz(func(t *testing.T, subscriber, from, subject, document string) {
		m, err := mail.Compose(subscriber, from, subject, []byte(document))
		if err != nil {
			return
		}
		got, err := netmail.ReadMessage(bytes.NewReader(m.Text))
		if err != nil {
			t.Fatalf("not a mail: %v\n%q", err, m.Text)
		}
		if len(got.Header) != 6 {
			t.Fatalf("headers %q", got.Header)
		}
		for line := range bytes.Lines(m.Text) {
			if len(line) > 999 {
				t.Fatalf("a line of %d bytes", len(line))
			}
		}
		head, _, _ := strings.Cut(string(m.Text), "\n\n")
		for line := range strings.Lines(head) {
			if strings.TrimSpace(line) == "" {
				t.Fatalf("a header has a line of blanks: %q", head)
			}
		}
		if to, err := got.Header.AddressList("To"); err != nil || len(to) != len(m.Recipients) {
			t.Fatalf("to %q, recipients %q, %v", got.Header.Get("To"), m.Recipients, err)
		}
		// ASCII stands as it is, also where it reads as an encoded word.
		subject = got.Header.Get("Subject")
		if strings.ContainsFunc(m.Subject, func(r rune) bool { return r > '~' }) {
			subject, err = new(mime.WordDecoder).DecodeHeader(subject)
		}
		if err != nil || !slices.Equal(strings.Fields(subject), strings.Fields(m.Subject)) {
			t.Fatalf("subject %q of %q, %v", subject, m.Subject, err)
		}
		body, _ := io.ReadAll(got.Body)
		if got.Header.Get("Content-Transfer-Encoding") == "base64" {
			body = mail.Decode(t, body)
		}
		if string(body) != document {
			t.Fatalf("the body is %q, want %q", body, document)
		}
		if strings.ContainsAny(m.From, "<> \r\n") {
			t.Fatalf("sender %q", m.From)
		}
	})
}

// Where subscribers have to confirm, one address does so for itself.
func TestCheckSingle(t *testing.T) {
	s := sender(t, mail.Config{Command: []string{"true"}, Single: true})
	for _, good := range []string{"mailto:a@b.example", "mailto:A%20%3Ca@b.example%3E"} {
		if err := check(t, s, good, delivery.Options{}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"mailto:a@b.example,c@d.example", "mailto:a@b.example%2Cc@d.example", "mailto:a@b.example,a@b.example"} {
		if err := check(t, s, bad, delivery.Options{}); !errors.Is(err, messaging.Invalid) {
			t.Errorf("%s: %v, want invalid", bad, err)
		}
	}
}
