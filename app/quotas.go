package app

import (
	"context"
	"fmt"
	"net"
	"sync"

	"zaqar/api/conn"
	"zaqar/quota"
	"zaqar/storage"
)

// Quotas says what projects may have, and whether that is enforced.
type Quotas struct {
	Enabled bool
	quota.Config
}

// guard returns what enforces quotas, nil if nothing does.
func (a *App) guard(store storage.Control, data storage.Data, env storage.Env) (*quota.Guard, error) {
	if !a.options.Quotas.Enabled {
		return nil, nil
	}
	g, err := quota.New(a.options.Quotas.Config, quota.Parts{Control: store, Data: data, Now: env.Now, Log: a.log})
	if err != nil {
		return nil, fmt.Errorf("configuration: [quota] %w", err)
	}
	return g, nil
}

// links are the links of the connections that are open.
type links struct{ m sync.Map } // net.Conn -> *quota.Link

// connContext prepares the context of a new connection.
func (a *App) connContext(ctx context.Context, c net.Conn) context.Context {
	ctx = conn.Context(ctx, c)
	if a.quotas == nil {
		return ctx
	}
	known, returns := a.links.m.Load(c) // a request was parked on it
	if !returns {
		known = a.quotas.NewLink()
		a.links.m.Store(c, known)
		if c, ok := c.(*conn.Conn); ok {
			c.AfterClose(func() { a.unlink(c) })
		}
	}
	return quota.WithLink(ctx, known.(*quota.Link))
}

// unlink forgets the link of a connection that is closed.
func (a *App) unlink(c net.Conn) {
	if l, ok := a.links.m.LoadAndDelete(c); ok {
		l.(*quota.Link).Close()
	}
}

// left is called when the server gives up a connection. One of package conn may
// come back, and tells itself when it is closed.
func (a *App) left(c net.Conn) {
	if _, tells := c.(*conn.Conn); a.quotas != nil && !tells {
		a.unlink(c)
	}
}
