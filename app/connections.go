package app

import (
	"context"
	"net"
	"net/http"
	"sync"

	"zaqar/api/conn"
	"zaqar/quota"
)

// links are those of the connections that clients have open, if there are
// quotas. A connection with a parked request leaves net/http's books and comes
// back to them; it stays in these.
type links struct{ m sync.Map } // net.Conn -> *quota.Link

// connContext prepares the context of a connection.
func (a *App) connContext(ctx context.Context, c net.Conn) context.Context {
	ctx = conn.Context(ctx, c)
	if a.quotas == nil {
		return ctx
	}
	own, tells := c.(*conn.Conn)
	if !tells || !own.Returns() {
		a.links.m.Store(c, a.quotas.NewLink())
		if tells {
			own.AfterClose(func() { a.links.forget(c) })
		}
	}
	if l, ok := a.links.m.Load(c); ok {
		ctx = quota.WithLink(ctx, l.(*quota.Link))
	}
	return ctx
}

// connState heeds the end of connections that do not tell it themselves.
func (a *App) connState(c net.Conn, s http.ConnState) {
	if _, tells := c.(*conn.Conn); !tells && s == http.StateClosed {
		a.links.forget(c)
	}
}

func (ls *links) forget(c net.Conn) {
	if l, ok := ls.m.LoadAndDelete(c); ok {
		l.(*quota.Link).Close()
	}
}
