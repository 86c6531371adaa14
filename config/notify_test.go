package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/app"
	"zaqar/auth/keystone"
	"zaqar/notify/confirm"
	"zaqar/notify/mail"
)

func TestMail(t *testing.T) {
	c := mustLoad(t, `
[notification]
smtp_mode = self_local
smtp_host = mail.example
smtp_port = 2525
smtp_security = starttls
smtp_user_name = bus
smtp_user_password = SECRET
smtp_cafile = /etc/mail.pem
smtp_timeout = 12.5
smtp_max_in_flight = 3
`)
	want := app.Mail{
		SMTP: true, Command: "/usr/sbin/sendmail -t -oi", Timeout: 12500 * time.Millisecond, Limit: 3, TLS: app.ClientTLS{CAFile: "/etc/mail.pem"},
		Server: mail.Server{Host: "mail.example", Port: 2525, Security: mail.StartTLS, User: "bus", Password: "SECRET"},
	}
	if d := cmp.Diff(want, c.Options.Mail); d != "" {
		t.Error(d)
	}
	if strings.Contains(c.Masked(), "SECRET") {
		t.Error("the password of the mail server is shown")
	}
}

func TestWrongMail(t *testing.T) {
	for text, key := range map[string]string{
		"smtp_mode = self_local": "smtp_mode",
		"smtp_mode = self_local\nsmtp_host = mail.example\nsmtp_security = none\nsmtp_user_name = u\nsmtp_user_password = p": "smtp_user_name",
		"smtp_mode = self_local\nsmtp_host = mail.example\nsmtp_user_password = p":                                           "smtp_user_name",
	} {
		_, r := load(t, "[drivers]\nmessage_store = memory\n[notification]\n"+text+"\n")
		if len(r.Errors()) != 1 || r.Errors()[0].Key != key {
			t.Errorf("%q: %v", text, r.Errors())
		}
	}
	// Keys of the other mode do not matter.
	mustLoad(t, "[notification]\nsmtp_user_password = p\nsmtp_host = mail.example\n")
}

func TestTrustee(t *testing.T) {
	c := mustLoad(t, `
[trustee]
auth_type = v3password
auth_url = http://keystone:5000
username = trustee
password = SECRET
user_domain_name = Default
cafile = /ca.pem
timeout = 3
`)
	want := keystone.Login{Method: keystone.Password, Username: "trustee", UserDomainName: "Default", Password: "SECRET"}
	got := c.Options.Trustee
	if d := cmp.Diff(want, got.Keystone.Login); d != "" {
		t.Error(d)
	}
	if got.Keystone.AuthURL != "http://keystone:5000" || got.Keystone.Timeout != 3*time.Second || got.TLS.CAFile != "/ca.pem" {
		t.Errorf("%+v", got)
	}
	if strings.Contains(c.Masked(), "SECRET") {
		t.Error("the password of the trustee is shown")
	}
	for _, text := range []string{
		"auth_url = http://keystone:5000", "auth_url = keystone\nuser_id = u\npassword = p",
		"auth_url = http://keystone:5000\nusername = u\npassword = p", "auth_url = http://keystone:5000\nuser_id = u",
	} {
		if _, r := load(t, "[drivers]\nmessage_store = memory\n[trustee]\n"+text+"\n"); len(r.Errors()) != 1 || r.Errors()[0].Section != "trustee" {
			t.Errorf("%q: %v", text, r.Errors())
		}
	}
	_, r := load(t, "[drivers]\nmessage_store = memory\n[trustee]\nusername = u\n")
	only(t, r, Warning, "[trustee] username")
}

func TestConfirmation(t *testing.T) {
	c := mustLoad(t, `
[signed_url]
secret_key = a very long secret text
[notification]
require_confirmation = True
public_url = https://cloud.example/messaging
public_websocket_url = wss://cloud.example:9000
external_confirmation_url = https://pages.example
subscription_confirmation_email_template = topic:Hello,body:See below: {2},sender:bus@example.org
unsubscribe_confirmation_email_template = {"body": "Bye, {0}"}
`)
	want := app.Confirmation{
		PublicURL: "https://cloud.example/messaging", PublicWebSocketURL: "wss://cloud.example:9000", Page: "https://pages.example",
		Subscribed:   confirm.Template{Topic: "Hello", Body: "See below: {2}", Sender: "bus@example.org"},
		Unsubscribed: confirm.Template{Body: "Bye, {0}"},
	}
	if d := cmp.Diff(want, c.Options.Confirmation); d != "" {
		t.Error(d)
	}
	_, r := load(t, "[drivers]\nmessage_store = memory\n[notification]\nrequire_confirmation = on\n")
	if !strings.Contains(r.String(), "secret_key") {
		t.Errorf("that nothing can be signed is not warned of: %s", r)
	}
}

// Stages that the program does not have are left out, or refused.
func TestStagesThatThereAreNot(t *testing.T) {
	const text = "[storage]\nmessage_pipeline = mine,zaqar.notification.notifer\nclaim_pipeline = mine\n"
	c, r := load(t, text)
	only(t, r, Warning, ":2", "message_pipeline", "zaqar.notification.notifer")
	if got := c.Options.Pipelines; !cmp.Equal(got.Message, []string{"mine"}) || !cmp.Equal(got.Claim, []string{"mine"}) {
		t.Errorf("%+v", got)
	}
	_, r = load(t, text+"strict_pipelines = True\n")
	only(t, r, Error, ":2", "message_pipeline", "zaqar.notification.notifer")
	_, r = load(t, "[storage]\nqueue_pipeline = zaqar.http\n")
	only(t, r, Error, "queue_pipeline", "url", "[pipeline:http]")
	mustLoad(t, "[storage]\nqueue_pipeline = zaqar.http\n[pipeline:http]\nurl = http://h/\n")
}

func TestEventQueue(t *testing.T) {
	_, r := load(t, "[notification]\nevent_queue = a/b\n")
	only(t, r, Error, "event_queue", "the name of a queue")
	if c := mustLoad(t, "[notification]\nevent_queue =\n"); c.Options.Notification.EventQueue != "" {
		t.Errorf("events go to %q", c.Options.Notification.EventQueue)
	}
}

// A section that was copied from [keystone_authtoken] names a project.
func TestTrusteeWithAProject(t *testing.T) {
	_, r := load(t, "[trustee]\nauth_url = http://h:5000\nusername = u\npassword = p\nuser_domain_id = default\nproject_name = service\n")
	only(t, r, Warning, "project_name", "is ignored", "a trust names its project")
}
