package quota

import (
	"context"
	"sync"

	"zaqar/messaging"
)

// Link is a connection that counts for the project whose request came over it
// last: before the first request nobody knows whose it is.
type Link struct {
	guard *Guard

	mu      sync.Mutex
	account *account // nil: nobody's
	closed  bool
}

// NewLink returns the link of a new connection, nil of a nil Guard. Close is
// called when the connection is closed.
func (g *Guard) NewLink() *Link {
	if g == nil {
		return nil
	}
	return &Link{guard: g}
}

// Use counts the connection for the project of a request, or returns Exceeded:
// the project has too many. A nil Link counts nothing.
func (l *Link) Use(ctx context.Context, p messaging.Project) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.account != nil && l.account.project == p {
		return nil
	}
	a, t := l.guard.account(ctx, p, l.guard.ns())
	if a.conns.Add(1) > t.connections {
		a.conns.Add(-1)
		a.unpin()
		return l.guard.tooMany(messaging.LimitConnections, t, "connections")
	}
	l.leave()
	l.account = a
	return nil
}

// Close says that the connection is closed.
func (l *Link) Close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.leave()
}

func (l *Link) leave() {
	if l.account != nil {
		l.account.conns.Add(-1)
		l.account.unpin()
		l.account = nil
	}
}

type linkKey struct{}

// WithLink returns the context of a connection with its link.
func WithLink(ctx context.Context, l *Link) context.Context {
	if l == nil {
		return ctx
	}
	return context.WithValue(ctx, linkKey{}, l)
}

// LinkOf returns the link of a request's connection, or nil.
func LinkOf(ctx context.Context) *Link {
	l, _ := ctx.Value(linkKey{}).(*Link)
	return l
}
