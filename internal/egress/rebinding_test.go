package egress_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"zaqar/internal/egress"
)

// nameServer answers each question for a name with the next of its answers;
// the last one stays.
type nameServer struct {
	mu      sync.Mutex
	answers map[string][][]string // by name and address family, "name." + "A"
	asked   int
}

// resolver asks the name server over UDP.
func (n *nameServer) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if answer, err := n.answer(b[:size]); err == nil {
				conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *nameServer) answer(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil, errors.New("no question")
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	for _, s := range n.next(strings.ToLower(q.Name.String()) + strings.TrimPrefix(q.Type.String(), "Type")) {
		a := netip.MustParseAddr(s)
		r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 0}}
		if a.Is4() {
			r.Body = &dnsmessage.AResource{A: a.As4()}
		} else {
			r.Body = &dnsmessage.AAAAResource{AAAA: a.As16()}
		}
		m.Answers = append(m.Answers, r)
	}
	return m.Pack()
}

func (n *nameServer) next(question string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	all := n.answers[question]
	if len(all) == 0 {
		return nil
	}
	if len(all) > 1 {
		n.answers[question] = all[1:]
	}
	return all[0]
}

func (n *nameServer) questions() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

// TestRebinding has a name that is public when it is checked, and this
// machine's when it is connected to.
func TestRebinding(t *testing.T) {
	l := listen(t)
	accepted := make(chan struct{}, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Close()
			accepted <- struct{}{}
		}
	}()
	n := &nameServer{answers: map[string][][]string{
		"rebind.example.A":    {{"8.8.8.8"}, {"127.0.0.1"}},
		"rebind.example.AAAA": {{}, {"::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"}},
	}}
	g := guard(t, egress.Config{Resolver: n.resolver(t)})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := g.Check(t.Context(), "rebind.example", port); err != nil {
		t.Fatalf("the public address is refused: %v", err)
	}
	for range 5 {
		c, err := g.DialContext(t.Context(), "tcp", net.JoinHostPort("rebind.example", port))
		if c != nil {
			c.Close()
		}
		if !errors.Is(err, egress.ErrRefused) {
			t.Errorf("the second answer: %v", err)
		}
	}
	select {
	case <-accepted:
		t.Error("a connection was made")
	default:
	}
	if n.questions() < 4 {
		t.Errorf("the name server was asked %d times", n.questions())
	}

	open := guard(t, egress.Config{Resolver: n.resolver(t), Allow: list(t, "127.0.0.0/8")})
	c, err := open.DialContext(t.Context(), "tcp", net.JoinHostPort("rebind.example", port))
	if err != nil {
		t.Fatalf("with the address allowed: %v", err)
	}
	c.Close()
	<-accepted
}

func TestCheckResolves(t *testing.T) {
	n := &nameServer{answers: map[string][][]string{
		"inside.example.A":  {{"10.0.0.1", "192.168.1.1"}},
		"mixed.example.A":   {{"10.0.0.1", "8.8.8.8"}},
		"six.example.AAAA":  {{"fd00::1"}},
		"public.example.A":  {{"8.8.8.8"}},
		"allowed.example.A": {{"10.0.0.1"}},
	}}
	g := guard(t, egress.Config{Resolver: n.resolver(t), Allow: list(t, "allowed.example")})
	for host, pass := range map[string]bool{
		"inside.example": false, "six.example": false, "mixed.example": true, "public.example": true,
		"allowed.example": true, "unknown.example": true,
	} {
		if err := g.Check(t.Context(), host, ""); (err == nil) != pass {
			t.Errorf("%s: %v", host, err)
		}
	}
}
