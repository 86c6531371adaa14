package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"zaqar/auth/keystone"
	"zaqar/notify/trust"
	"zaqar/notify/webhook"
	"zaqar/storage"
)

// Trustee is the user under whose name deliveries are made on behalf of
// subscribers.
type Trustee struct {
	Keystone keystone.Config // without AuthURL: there is none
	TLS      ClientTLS
}

// trusted builds what delivers under trusts.
func (a *App) trusted(hooks *webhook.Sender, store storage.Subscriptions) (*trust.Sender, error) {
	c := trust.Config{Webhook: hooks, Stored: store.Subscription, Now: time.Now, Log: a.log}
	if t := a.options.Trustee; t.Keystone.AuthURL != "" {
		k := t.Keystone
		k.Proxy = http.ProxyFromEnvironment
		var err error
		if k.TLS, err = t.TLS.load(); err != nil {
			return nil, fmt.Errorf("[trustee]: %w", err)
		}
		trusts, err := keystone.NewTrusts(k, time.Now, a.log)
		if err != nil {
			return nil, fmt.Errorf("[trustee]: %w", err)
		}
		a.undo.add("end connections of the trustee", closeTime, func(context.Context) error { trusts.Close(); return nil })
		c.Keystone = trusts
	}
	s := trust.New(c)
	a.undo.add("remove trusts", closeTime, func(ctx context.Context) error { s.Close(ctx); return nil })
	return s, nil
}
