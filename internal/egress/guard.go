package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// ErrRefused is what all refusals of a Guard are. Their text is for logs.
var ErrRefused = errors.New("target not allowed")

// Config says what a Guard allows.
type Config struct {
	Allow List // also allowed, whatever their addresses are
	Deny  List // never allowed; wins over Allow
	// Proxy is the host and port of a proxy through which all connections go, or
	// empty. It may be anywhere. It resolves names, so only what the text of
	// a target tells can be judged here.
	Proxy string
	// Timeout bounds making one connection; 0: 10 s.
	Timeout time.Duration
	// Own gives the addresses of this machine; nil: those of its interfaces.
	Own func() ([]netip.Addr, error)
	// Resolver looks names up; nil: the system's way.
	Resolver *net.Resolver
	Now      func() time.Time
}

// Guard connects to allowed targets. It may be used concurrently.
type Guard struct {
	c      Config
	ranges ranges
	open   net.Dialer // connects to what is allowed by name
	strict net.Dialer // looks at addresses

	mu    sync.Mutex
	own   map[netip.Addr]bool
	asked time.Time
}

// ownFor is how long the addresses of this machine are believed.
const ownFor = 30 * time.Second

// resolveTime bounds how long Check waits for names.
const resolveTime = 2 * time.Second

// New returns a guard. Now must be set.
func New(c Config) *Guard {
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Own == nil {
		c.Own = interfaces
	}
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	g := &Guard{c: c, ranges: newRanges()}
	g.open = net.Dialer{Timeout: c.Timeout, Resolver: c.Resolver}
	g.strict = g.open
	g.strict.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return refusal(address, "no address")
		}
		return g.address(ap.Addr())
	}
	return g
}

func interfaces() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	for _, f := range found {
		if p, err := netip.ParsePrefix(f.String()); err == nil {
			all = append(all, p.Addr())
		}
	}
	return all, nil
}

// DialContext connects to host:port if that is allowed; else the error wraps
// ErrRefused. With a proxy it connects to that only.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if g.c.Proxy != "" {
		if address != g.c.Proxy {
			return nil, refusal(address, "not the proxy")
		}
		return g.open.DialContext(ctx, network, address)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, refusal(address, "no address")
	}
	v, err := g.host(host, port)
	if err != nil {
		return nil, err
	}
	if v == allowed {
		return g.open.DialContext(ctx, network, address)
	}
	return g.strict.DialContext(ctx, network, address)
}

// Target says what the text of a target tells: an error that wraps ErrRefused
// if a connection to it would be refused whatever its name resolves to. port may
// be empty.
func (g *Guard) Target(host, port string) error {
	_, err := g.host(host, port)
	return err
}

// Check is Target, and looks at the addresses of a name if they can be
// found soon: if all are refused, so is the name.
func (g *Guard) Check(ctx context.Context, host, port string) error {
	v, err := g.host(host, port)
	if err != nil || v != byAddress || g.c.Proxy != "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	found, err := g.c.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for _, a := range found {
		if err = g.address(a); err == nil {
			return nil
		}
	}
	return err
}

// verdict is what a host's text tells.
type verdict int

const (
	byAddress verdict = iota // its addresses decide
	allowed                  // by the operator, wherever it is
)

func (g *Guard) host(host, port string) (verdict, error) {
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return 0, refusal(host, "no port")
	}
	t, err := parseHost(host)
	switch {
	case err != nil:
		return 0, refusal(host, err.Error())
	case t.addr.IsValid():
		return byAddress, g.address(t.addr)
	case g.c.Deny.names(t.name):
		return 0, refusal(host, "denied")
	case g.c.Allow.names(t.name):
		return allowed, nil
	case isLocalhost(t.name):
		return byAddress, g.localhost(host)
	case g.c.Proxy != "" && isPrivateName(t.name):
		return 0, refusal(host, "private name")
	}
	return byAddress, nil
}

// localhost allows the names of this machine if one of its loopback addresses is.
func (g *Guard) localhost(host string) error {
	if g.address(netip.AddrFrom4([4]byte{127, 0, 0, 1})) == nil || g.address(netip.IPv6Loopback()) == nil {
		return nil
	}
	return refusal(host, "loopback")
}

// address judges an address that is about to be connected to.
func (g *Guard) address(a netip.Addr) error {
	a = a.WithZone("")
	p := g.ranges.plain(a)
	switch {
	case g.c.Deny.contains(a, p):
		return refusal(a.String(), "denied")
	case g.c.Allow.contains(a, p):
		return nil
	}
	if why := g.ranges.why(p); why != "" {
		return refusal(a.String(), why)
	}
	own, err := g.isOwn(p)
	switch {
	case err != nil:
		return fmt.Errorf("%w: addresses of this machine: %w", ErrRefused, err)
	case own:
		return refusal(a.String(), "this machine")
	}
	return nil
}

// isOwn reports whether an address is one of this machine's. Without knowing
// them nothing is allowed.
func (g *Guard) isOwn(a netip.Addr) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := g.c.Now(); g.own == nil || now.Sub(g.asked) >= ownFor || now.Before(g.asked) {
		found, err := g.c.Own()
		if err != nil {
			return false, err
		}
		g.own, g.asked = map[netip.Addr]bool{}, now
		for _, f := range found {
			g.own[g.ranges.plain(f)] = true
		}
	}
	return g.own[a], nil
}

func refusal(what, why string) error { return fmt.Errorf("%w: %s: %s", ErrRefused, what, why) }
