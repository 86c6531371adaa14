package edge

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound how many connections are open at a time. Those beyond are
// refused at once, instead of being left to wait for the others.
type Limits struct {
	Total      int // 0: no limit
	PerAddress int // from one IPv4 address or IPv6 /64; 0: no limit
	// Exempt are the networks to which PerAddress does not apply: proxies, who
	// connect for many.
	Exempt []netip.Prefix
	// Refusal is sent before a refused connection is closed; nil: nothing.
	Refusal []byte
	Log     *slog.Logger
	Now     func() time.Time
}

// Limit returns a listener that accepts what inner does within the limits. What
// is beyond them is told so and closed.
func Limit(inner net.Listener, l Limits) *Limited {
	return &Limited{Listener: inner, Limits: l, open: map[netip.Addr]int{}, farewells: make(chan struct{}, most)}
}

// Limited is a listener with limits, which counts what it accepts and refuses.
type Limited struct {
	net.Listener
	Limits
	accepted  atomic.Int64
	refused   atomic.Int64
	farewells chan struct{} // holds one for each refused connection that is still being closed

	mu    sync.Mutex // guards the rest
	total int
	open  map[netip.Addr]int // connections by who is counted
	told  time.Time          // of refusals, last
	since int64              // refused then
}

// Open returns how many connections are open, those that have yet to shake
// hands included.
func (l *Limited) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// Accepted returns how many connections have been accepted.
func (l *Limited) Accepted() int64 { return l.accepted.Load() }

// Refused returns how many connections have been refused.
func (l *Limited) Refused() int64 { return l.refused.Load() }

// Accept implements net.Listener. The kernel probes its connections, each at
// moments of its own.
func (l *Limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			return c, nil // others have no address to count
		}
		who := l.counted(tcp)
		if why := l.take(who); why != "" {
			l.refuse(tcp, why)
			continue
		}
		l.accepted.Add(1)
		probe(tcp)
		return &limitedConn{TCPConn: tcp, release: sync.OnceFunc(func() { l.release(who) })}, nil
	}
}

// counted returns under which address a connection counts; invalid if under
// none.
func (l *Limited) counted(c *net.TCPConn) netip.Addr {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if l.PerAddress == 0 || !ok {
		return netip.Addr{}
	}
	a := remote.AddrPort().Addr().Unmap().WithZone("")
	for _, p := range l.Exempt {
		if p.Contains(a) {
			return netip.Addr{}
		}
	}
	return site(a)
}

// site returns what addresses count as that one client may have.
func site(a netip.Addr) netip.Addr {
	const bits = 64 // of an IPv6 address are given to a network
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a
	}
	p, _ := a.Prefix(bits)
	return p.Addr()
}

// take counts a connection, unless there are too many; then it says of what.
func (l *Limited) take(who netip.Addr) (why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.Total > 0 && l.total >= l.Total:
		return "connections"
	case who.IsValid() && l.open[who] >= l.PerAddress:
		return "connections from this address"
	}
	l.total++
	if who.IsValid() {
		l.open[who]++
	}
	return ""
}

func (l *Limited) release(who netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if !who.IsValid() {
		return
	}
	if l.open[who]--; l.open[who] == 0 {
		delete(l.open, who)
	}
}

const (
	most     = 16               // farewells at a time: they take files, too
	farewell = time.Second      // for a client to read that it is refused
	silence  = 10 * time.Second // between two records of refusals
)

// refuse says no and closes the connection. It waits for the client to close
// its side first, because what the client has sent by then would make the
// system drop what it is told.
func (l *Limited) refuse(c *net.TCPConn, why string) {
	l.refused.Add(1)
	l.tell(c, why)
	select {
	case l.farewells <- struct{}{}:
	default:
		_ = c.Close()
		return
	}
	go func() {
		defer func() { <-l.farewells }()
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(l.Now().Add(farewell))
		if _, err := c.Write(l.Refusal); err != nil || c.CloseWrite() != nil {
			return
		}
		var waste [512]byte
		for range 64 {
			if _, err := c.Read(waste[:]); err != nil {
				return
			}
		}
	}()
}

// tell logs that connections are refused, now and then.
func (l *Limited) tell(c *net.TCPConn, why string) {
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.told.IsZero() && now.Sub(l.told) < silence {
		return
	}
	count := l.refused.Load()
	l.Log.Warn("connections are refused: too many "+why, "address", c.RemoteAddr().String(),
		"open", l.total, "refused", count-l.since)
	l.told, l.since = now, count
}

// limitedConn is a connection that counts until it is closed.
type limitedConn struct {
	*net.TCPConn
	release func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.release()
	return c.TCPConn.Close()
}
