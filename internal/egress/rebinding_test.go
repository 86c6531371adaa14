package egress_test

import (
	"errors"
	"net"
	"testing"

	"zaqar/internal/dnstest"
	"zaqar/internal/egress"
)

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
	n := dnstest.New(t, map[string][][]string{
		"rebind.example.A":    {{"8.8.8.8"}, {"127.0.0.1"}},
		"rebind.example.AAAA": {{}, {"::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"}},
	})
	g := guard(t, egress.Config{Resolver: n.Resolver()})
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
	if n.Asked() < 4 {
		t.Errorf("the name server was asked %d times", n.Asked())
	}

	open := guard(t, egress.Config{Resolver: n.Resolver(), Allow: list(t, "127.0.0.0/8")})
	c, err := open.DialContext(t.Context(), "tcp", net.JoinHostPort("rebind.example", port))
	if err != nil {
		t.Fatalf("with the address allowed: %v", err)
	}
	c.Close()
	<-accepted
}

func TestCheckResolves(t *testing.T) {
	n := dnstest.New(t, map[string][][]string{
		"inside.example.A":  {{"10.0.0.1", "192.168.1.1"}},
		"mixed.example.A":   {{"10.0.0.1", "8.8.8.8"}},
		"six.example.AAAA":  {{"fd00::1"}},
		"public.example.A":  {{"8.8.8.8"}},
		"allowed.example.A": {{"10.0.0.1"}},
	})
	g := guard(t, egress.Config{Resolver: n.Resolver(), Allow: list(t, "allowed.example")})
	for host, pass := range map[string]bool{
		"inside.example": false, "six.example": false, "mixed.example": true, "public.example": true,
		"allowed.example": true, "unknown.example": true,
	} {
		if err := g.Check(t.Context(), host, ""); (err == nil) != pass {
			t.Errorf("%s: %v", host, err)
		}
	}
}
