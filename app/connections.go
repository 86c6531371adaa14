package app

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"zaqar/api/conn"
	"zaqar/quota"
)

// connections keeps the books on those that clients have open. A connection
// with a parked request leaves net/http's books and comes back to them; it
// stays in these.
type connections struct {
	open, ever atomic.Int64
	links      sync.Map // net.Conn -> *quota.Link, if there are quotas
}

// connContext prepares the context of a connection, and enters it into the
// books if it is new.
func (a *App) connContext(ctx context.Context, c net.Conn) context.Context {
	ctx = conn.Context(ctx, c)
	own, tells := c.(*conn.Conn)
	if !tells || !own.Returns() {
		a.conns.open.Add(1)
		a.conns.ever.Add(1)
		if a.quotas != nil {
			a.conns.links.Store(c, a.quotas.NewLink())
		}
		if tells {
			own.AfterClose(func() { a.conns.closed(c) })
		}
	}
	if l, ok := a.conns.links.Load(c); ok {
		ctx = quota.WithLink(ctx, l.(*quota.Link))
	}
	return ctx
}

// connState takes connections out of the books that do not tell themselves that
// they are closed.
func (a *App) connState(c net.Conn, s http.ConnState) {
	if _, tells := c.(*conn.Conn); !tells && s == http.StateClosed {
		a.conns.closed(c)
	}
}

func (cs *connections) closed(c net.Conn) {
	cs.open.Add(-1)
	if l, ok := cs.links.LoadAndDelete(c); ok {
		l.(*quota.Link).Close()
	}
}
