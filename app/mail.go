package app

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"zaqar/notify/confirm"
	"zaqar/notify/mail"
)

// Mail says how notifications go by mail.
type Mail struct {
	SMTP    bool   // speak to Server; else run Command
	Command string // a program and its arguments, separated by blanks
	Server  mail.Server
	TLS     ClientTLS     // of connections to Server
	Timeout time.Duration // of one mail
	Limit   int64         // mails at a time
}

// sender builds what sends mail; asked says that subscribers have to confirm. It
// reads files.
func (m Mail) sender(documents *confirm.Documents, asked bool, log *slog.Logger) (*mail.Sender, error) {
	c := mail.Config{Confirmation: documents.Mail, Single: asked, Timeout: m.Timeout, Limit: m.Limit, Log: log}
	if m.SMTP {
		c.Server = m.Server
		var err error
		if c.Server.TLS, err = m.TLS.load(); err != nil {
			return nil, fmt.Errorf("[notification] mail: %w", err)
		}
	} else {
		c.Command = strings.Fields(m.Command)
	}
	s, err := mail.New(c)
	if err != nil {
		return nil, fmt.Errorf("[notification] mail: %w", err)
	}
	return s, nil
}
