package config

import (
	"time"

	"zaqar/auth/keystone"
	"zaqar/messaging"
	"zaqar/notify/confirm"
	"zaqar/notify/mail"
)

// mailOptions are those of [notification] about mail.
func mailOptions() []Option {
	server := func(at func(*mail.Server) *string) func(*settings) *string {
		return func(s *settings) *string { return at(&s.Mail.Server) }
	}
	return []Option{
		of("smtp_mode", choice("third_part", "self_local"), func(s *settings) *string { return &s.smtpMode },
			"How mail is sent: third_part runs smtp_command, self_local speaks SMTP to smtp_host."),
		of("smtp_command", text(), func(s *settings) *string { return &s.Mail.Command },
			"The command that takes a mail, with its headers, on standard input. It is split at blanks, and no shell sees it. Exit status 0: taken; 65, 67, 68: refused for good; others: to be tried again."),
		of("smtp_host", host(), server(func(m *mail.Server) *string { return &m.Host }), "The mail server."),
		of("smtp_port", port(), func(s *settings) *int64 { return &s.Mail.Server.Port }, "Its port. Empty: 465, 587 or 25, as smtp_security says.").defaultText(""),
		of("smtp_security", security(), func(s *settings) *mail.Security { return &s.Mail.Server.Security },
			"tls: TLS from the beginning. starttls: STARTTLS, without which nothing is sent. none: no TLS, and a login at this machine only."),
		of("smtp_cafile", path(), func(s *settings) *string { return &s.Mail.TLS.CAFile }, "TLS authorities of the mail server, PEM. Empty: the system's.").read(withSMTP),
		of("smtp_insecure", boolean(), func(s *settings) *bool { return &s.Mail.TLS.Insecure },
			"Do not check the mail server's certificate: whoever answers in its place gets the password and all mail."),
		of("smtp_user_name", text(), server(func(m *mail.Server) *string { return &m.User }), "Login at the mail server, PLAIN or LOGIN. Empty: none."),
		of("smtp_user_password", text(), server(func(m *mail.Server) *string { return &m.Password }), "Password at the mail server.").secret(),
		of("smtp_timeout", seconds(time.Second, time.Hour), func(s *settings) *time.Duration { return &s.Mail.Timeout },
			"How long a mail may take to be handed over, seconds. A command that takes longer is killed with all it has started."),
		of("smtp_max_in_flight", whole[int64](1, 10_000), func(s *settings) *int64 { return &s.Mail.Limit },
			"Mails being handed over at a time: processes of smtp_command, or connections to smtp_host."),
	}
}

func withSMTP(s *settings) bool { return s.Delivers() && s.Mail.SMTP }

func withTrustee(s *settings) bool { return s.Delivers() && s.Trustee.Keystone.AuthURL != "" }

// confirmationOptions are those of [notification] about what subscribers are
// asked.
func confirmationOptions() []Option {
	return []Option{
		of("public_url", publicURL("http", "https"), func(s *settings) *string { return &s.Confirmation.PublicURL },
			"Where clients reach this server, without /v2: https://cloud.example/messaging. It stands in confirmations. Empty: what the catalogue has for the service named zaqar, with auth_strategy = keystone."),
		of("public_websocket_url", publicURL("ws", "wss"), func(s *settings) *string { return &s.Confirmation.PublicWebSocketURL },
			"The same for WebSocket: wss://cloud.example:9000. Empty: what the catalogue has for the service named zaqar-websocket."),
		of("external_confirmation_url", publicURL("http", "https"), func(s *settings) *string { return &s.Confirmation.Page },
			"The page that confirmation mails point to. Empty: /v2/confirm of this server, if it is known where clients reach it."),
		of("subscription_confirmation_email_template", template(), func(s *settings) *confirm.Template { return &s.Confirmation.Subscribed },
			"The mail that asks for confirmation. In its body {0} is the queue or topic, {1} the project, {2} the link. Empty: a text of our own."),
		of("unsubscribe_confirmation_email_template", template(), func(s *settings) *confirm.Template { return &s.Confirmation.Unsubscribed },
			"The mail that confirms the end of a subscription, likewise."),
	}
}

// trusteeOptions are the credentials for deliveries under a trust.
func trusteeOptions() []Option {
	login := func(at func(*keystone.Login) *string) func(*settings) *string {
		return func(s *settings) *string { return at(&s.Trustee.Keystone.Login) }
	}
	return append([]Option{
		of("auth_type", choice("password", "v3password"), func(s *settings) *string { return &s.trusteeType }, "How to log in.").alias("auth_plugin"),
		of("auth_url", text(), func(s *settings) *string { return &s.Trustee.Keystone.AuthURL },
			"The identity service, with or without /v3. Empty: there is no trustee, and subscribers with trust+http and trust+https are answered 503."),
		of("username", text(), login(func(l *keystone.Login) *string { return &l.Username }),
			"The user to whom subscribers give trusts. It needs no role. Keep it: trusts that were given name it.").alias("user_name", "user-name"),
		of("password", text(), login(func(l *keystone.Login) *string { return &l.Password }), "Password.").secret(),
		of("user_id", text(), login(func(l *keystone.Login) *string { return &l.UserID }), "User, by id."),
		of("user_domain_id", text(), login(func(l *keystone.Login) *string { return &l.UserDomainID }), "The user's domain, by id."),
		of("user_domain_name", text(), login(func(l *keystone.Login) *string { return &l.UserDomainName }), "The user's domain."),
		of("cafile", path(), func(s *settings) *string { return &s.Trustee.TLS.CAFile }, "TLS authorities of the identity service, PEM. Empty: the system's.").read(withTrustee),
		of("certfile", path(), func(s *settings) *string { return &s.Trustee.TLS.CertFile }, "TLS certificate shown to it, PEM.").read(withTrustee),
		of("keyfile", path(), func(s *settings) *string { return &s.Trustee.TLS.KeyFile }, "Its key, PEM. Empty: in certfile.").read(withTrustee),
		of("insecure", boolean(), func(s *settings) *bool { return &s.Trustee.TLS.Insecure },
			"Do not check the identity service's certificate: whoever answers in its place gets the password and the tokens of subscribers."),
		of("timeout", seconds(10*time.Millisecond, time.Hour), func(s *settings) *time.Duration { return &s.Trustee.Keystone.Timeout },
			"How long the identity service may take to answer, seconds."),
	}, ignored("a trust names its project itself", "project_id", "project_name", "project_domain_id", "project_domain_name")...)
}

// queueName is the name of a queue, or none.
func queueName() kind[string] {
	k := text()
	k.parse = func(s string) (string, error) {
		if s != "" && !messaging.ValidName(s) {
			return "", errBad
		}
		return s, nil
	}
	k.allowed = "the name of a queue"
	return k
}

func security() kind[mail.Security] {
	k := choice(string(mail.Implicit), string(mail.StartTLS), string(mail.Plain))
	return kind[mail.Security]{
		parse:   func(s string) (mail.Security, error) { text, err := k.parse(s); return mail.Security(text), err },
		format:  func(s mail.Security) string { return string(s) },
		allowed: k.allowed,
	}
}

// template is a mail.
func template() kind[confirm.Template] {
	return kind[confirm.Template]{
		parse: confirm.ParseTemplate, format: confirm.Template.String,
		allowed: `topic:…,body:…,sender:… with no commas in them, or a JSON object {"topic": "…", "body": "…", "sender": "…"}`,
	}
}
