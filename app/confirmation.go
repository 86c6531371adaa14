package app

import (
	"cmp"
	"context"

	"time"

	"zaqar/auth/signed"
	"zaqar/messaging"
	"zaqar/notify/confirm"
)

// Confirmation says what subscribers are asked, and where they can answer.
type Confirmation struct {
	// Where clients reach this server, without /v2. Empty: as the catalogue says.
	PublicURL, PublicWebSocketURL string
	// Page is the page that mails point to; empty: our own.
	Page string
	// Subscribed and Unsubscribed are the mails; what is empty has a default.
	Subscribed, Unsubscribed confirm.Template
}

// documents builds what writes confirmations.
func (a *App) documents() *confirm.Documents {
	c := a.options.Confirmation
	return confirm.New(confirm.Config{
		Sign: func(p messaging.Project, method, path string, expires time.Time) (string, error) {
			return a.signatures.Sign(signed.Grant{Project: p, Methods: []string{method}, Paths: []string{path}, Expires: expires})
		},
		Public: a.publicURLs, Page: c.Page, Subscribed: c.Subscribed, Unsubscribed: c.Unsubscribed,
	})
}

// The names under which the catalogue has the two APIs (notifications §11.3).
const (
	serviceHTTP      = "zaqar"
	serviceWebSocket = "zaqar-websocket"
)

// catalogTime is how long a confirmation waits for the catalogue. It is at hand
// unless this server has to log in first.
const catalogTime = 5 * time.Second

// publicURLs tells where clients reach this server, as far as that is known.
func (a *App) publicURLs(ctx context.Context) (api, websocket string) {
	c := a.options.Confirmation
	ctx, cancel := context.WithTimeout(ctx, catalogTime)
	defer cancel()
	return cmp.Or(c.PublicURL, a.catalogued(ctx, serviceHTTP)), cmp.Or(c.PublicWebSocketURL, a.catalogued(ctx, serviceWebSocket))
}

func (a *App) catalogued(ctx context.Context, name string) string {
	if a.keystone == nil {
		return ""
	}
	address, err := a.keystone.Public(ctx, name)
	if err != nil {
		a.log.Warn("a confirmation does not say where clients reach this server: the catalogue cannot be read", "service", name, "error", err)
	}
	return address
}
