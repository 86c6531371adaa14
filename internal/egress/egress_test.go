package egress_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"code.dny.dev/ssrf"

	"zaqar/internal/egress"
	"zaqar/internal/testclock"
)

func guard(t testing.TB, c egress.Config) *egress.Guard {
	t.Helper()
	if c.Now == nil {
		c.Now = testclock.New(time.Unix(1_800_000_000, 0)).Now
	}
	if c.Own == nil {
		c.Own = func() ([]netip.Addr, error) { return nil, nil }
	}
	return egress.New(c)
}

func list(t testing.TB, entries ...string) egress.List {
	t.Helper()
	l, err := egress.ParseList(entries)
	if err != nil {
		t.Fatalf("%v: %v", entries, err)
	}
	return l
}

// corpus reads the lines of testdata/targets.txt.
func corpus(t testing.TB, each func(host string, pass bool)) {
	t.Helper()
	f, err := os.Open("testdata/targets.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		verdict, host, ok := strings.Cut(s.Text(), " ")
		if !ok || verdict == "#" {
			continue
		}
		if verdict != "pass" && verdict != "refuse" {
			t.Fatalf("line %q", s.Text())
		}
		n++
		each(host, verdict == "pass")
	}
	if n < 150 {
		t.Fatalf("only %d targets", n)
	}
}

func TestTargets(t *testing.T) {
	g := guard(t, egress.Config{})
	corpus(t, func(host string, pass bool) {
		err := g.Target(host, "80")
		if (err == nil) != pass || err != nil && !errors.Is(err, egress.ErrRefused) {
			t.Errorf("%s: %v", host, err)
		}
	})
}

// TestNoRefusedTargetIsDialled dials the whole corpus: a connection is made
// to none of what is refused, whoever listens there.
func TestNoRefusedTargetIsDialled(t *testing.T) {
	l := listen(t)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	g := guard(t, egress.Config{Resolver: deaf()})
	corpus(t, func(host string, pass bool) {
		if pass {
			return
		}
		c, err := g.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if c != nil {
			c.Close()
		}
		if !errors.Is(err, egress.ErrRefused) {
			t.Errorf("%s: %v", host, err)
		}
	})
}

// deaf resolves nothing.
func deaf() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestRegistries walks the edges of all special-purpose ranges as somebody
// else keeps them.
func TestRegistries(t *testing.T) {
	g := guard(t, egress.Config{})
	for _, p := range append(ssrf.IPv4DeniedPrefixes, ssrf.IPv6DeniedPrefixes...) {
		for _, a := range []netip.Addr{p.Addr(), p.Addr().Next(), last(p)} {
			if !p.Contains(a) {
				t.Fatalf("%v is not in %v", a, p)
			}
			if g.Target(a.String(), "80") == nil {
				t.Errorf("%v of %v is allowed", a, p)
			}
		}
	}
	// What the other one lets pass, so does this.
	other := ssrf.New(ssrf.WithAnyPort())
	for _, p := range append(ssrf.IPv4DeniedPrefixes, ssrf.IPv6DeniedPrefixes...) {
		for _, a := range []netip.Addr{p.Addr().Prev(), last(p).Next()} {
			if a.IsValid() && (other.SafeAddr(a) == nil) != (g.Target(a.String(), "80") == nil) {
				t.Errorf("%v beside %v: %v", a, p, g.Target(a.String(), "80"))
			}
		}
	}
}

func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func TestLists(t *testing.T) {
	for _, c := range []struct {
		name        string
		allow, deny []string
		host        string
		pass        bool
	}{
		{"address", []string{"127.0.0.1"}, nil, "127.0.0.1", true},
		{"its neighbour", []string{"127.0.0.1"}, nil, "127.0.0.2", false},
		{"network", []string{"10.0.0.0/8"}, nil, "10.9.8.7", true},
		{"network, IPv4 as IPv6", []string{"10.0.0.0/8"}, nil, "::ffff:10.9.8.7", true},
		{"network, behind NAT64", []string{"10.0.0.0/8"}, nil, "64:ff9b::a09:807", true},
		{"address as IPv6", []string{"::ffff:10.0.0.1"}, nil, "10.0.0.1", true},
		{"IPv6 network", []string{"fd00::/8"}, nil, "fd12::1", true},
		{"link-local with zone", []string{"fe80::/10"}, nil, "fe80::1%eth0", true},
		{"NAT64 of the site", []string{"64:ff9b:1::/48"}, nil, "64:ff9b:1::a00:1", true},
		{"odd spelling stays odd", []string{"127.0.0.1"}, nil, "127.1", false},
		{"localhost, by address", []string{"127.0.0.0/8"}, nil, "localhost", true},
		{"localhost, by IPv6 address", []string{"::1"}, nil, "localhost", true},
		{"localhost, by name", []string{"localhost"}, nil, "LOCALHOST.", true},
		{"host", []string{"hooks.corp"}, nil, "Hooks.Corp.", true},
		{"domain", []string{"*.localhost"}, nil, "a.b.localhost", true},
		{"not the domain itself", []string{"*.localhost"}, nil, "localhost", false},
		{"denied host", nil, []string{"example.org"}, "EXAMPLE.org.", false},
		{"denied domain", nil, []string{"*.example.org"}, "a.example.org", false},
		{"denied address", nil, []string{"8.8.8.8"}, "8.8.8.8", false},
		{"denied network", nil, []string{"8.8.0.0/16"}, "64:ff9b::808:808", false},
		{"denied, with a zone", nil, []string{"64:ff9b::/96"}, "64:ff9b::808:808%eth0", false},
		{"deny wins over allow", []string{"10.0.0.0/8"}, []string{"10.1.0.0/16"}, "10.1.2.3", false},
		{"deny wins by name", []string{"*.example.org"}, []string{"a.example.org"}, "a.example.org", false},
		{"IDN", nil, []string{"bücher.example"}, "xn--bcher-kva.example", false},
	} {
		g := guard(t, egress.Config{Allow: list(t, c.allow...), Deny: list(t, c.deny...)})
		if err := g.Target(c.host, "443"); (err == nil) != c.pass {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestWrongLists(t *testing.T) {
	for _, e := range []string{"", "10.0.0.1/8", "10.0.0.0/33", "::ffff:10.0.0.0/104", "a b", "http://a", "a:80", "*.", "*",
		"*.10.0.0.1", "127.1", "0x7f000001", "10/8", "a..b", "[::1]"} {
		if _, err := egress.ParseList([]string{"example.org", e}); err == nil {
			t.Errorf("%q is taken", e)
		}
	}
}

func TestPorts(t *testing.T) {
	g := guard(t, egress.Config{})
	for port, pass := range map[string]bool{"": true, "1": true, "22": true, "65535": true, "0": false, "00": false,
		"65536": false, "-1": false, "http": false, "+80": false} {
		if err := g.Target("example.org", port); (err == nil) != pass {
			t.Errorf("port %q: %v", port, err)
		}
	}
}

// TestOwnAddresses refuses public addresses that are this machine's, also those
// that it got meanwhile.
func TestOwnAddresses(t *testing.T) {
	clock := testclock.New(time.Unix(1_800_000_000, 0))
	own := []netip.Addr{netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("fe80::1%eth0")}
	var failing error
	g := guard(t, egress.Config{Now: clock.Now, Own: func() ([]netip.Addr, error) { return own, failing }})
	for host, pass := range map[string]bool{"9.9.9.9": false, "::ffff:9.9.9.9": false, "64:ff9b::909:909": false, "9.9.9.8": true} {
		if err := g.Target(host, ""); (err == nil) != pass {
			t.Errorf("%s: %v", host, err)
		}
	}
	own = append(own, netip.MustParseAddr("9.9.9.8"))
	clock.Advance(time.Minute)
	if g.Target("9.9.9.8", "") == nil {
		t.Error("an address that came later is allowed")
	}
	failing = errors.New("no netlink")
	clock.Advance(time.Minute)
	if err := g.Target("1.1.1.1", ""); !errors.Is(err, egress.ErrRefused) || !errors.Is(err, failing) {
		t.Errorf("without knowing the own addresses: %v", err)
	}
}

// TestInterfaces asks the system: its addresses are refused.
func TestInterfaces(t *testing.T) {
	g := egress.New(egress.Config{Now: testclock.New(time.Unix(1, 0)).Now, Allow: list(t, "8.8.8.8")})
	found, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if g.Target(netip.MustParsePrefix(f.String()).Addr().String(), "") == nil {
			t.Errorf("%v is allowed", f)
		}
	}
}

// TestProxy connects to the proxy only, and judges targets by their text.
func TestProxy(t *testing.T) {
	l := listen(t)
	g := guard(t, egress.Config{Proxy: l.Addr().String(), Resolver: deaf()})
	c, err := g.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := g.DialContext(t.Context(), "tcp", "8.8.8.8:80"); !errors.Is(err, egress.ErrRefused) {
		t.Errorf("past the proxy: %v", err)
	}
	corpus(t, func(host string, pass bool) {
		if !pass && g.Target(host, "80") == nil {
			t.Errorf("%s through the proxy", host)
		}
	})
	for host, pass := range map[string]bool{"example.org": true, "metadata.google.internal": false, "receiver": false,
		"printer.local": false, "8.8.8.8": true} {
		if err := g.Check(t.Context(), host, "80"); (err == nil) != pass {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// FuzzTarget holds the guard against what netip says.
func FuzzTarget(f *testing.F) {
	corpus(f, func(host string, _ bool) { f.Add(host) })
	g := guard(f, egress.Config{})
	f.Fuzz(func(t *testing.T, host string) {
		if g.Target(host, "80") != nil {
			return
		}
		a, err := netip.ParseAddr(host)
		if err != nil {
			return
		}
		a = a.WithZone("").Unmap()
		if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || !a.IsGlobalUnicast() {
			t.Errorf("%s is allowed", host)
		}
	})
}

// FuzzAddress does so for addresses whose bits the fuzzer chooses.
func FuzzAddress(f *testing.F) {
	corpus(f, func(host string, _ bool) {
		if a, err := netip.ParseAddr(host); err == nil {
			f.Add(a.AsSlice())
		}
	})
	g := guard(f, egress.Config{})
	other := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("64:ff9b::/96")))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok || g.Target(a.String(), "80") != nil {
			return
		}
		if err := other.SafeAddr(a.Unmap()); err != nil {
			t.Errorf("%v is allowed: %v", a, err)
		}
	})
}

func BenchmarkAddress(b *testing.B) {
	g := guard(b, egress.Config{})
	b.ReportAllocs()
	for b.Loop() {
		if g.Target("2606:4700:4700::1111", "443") != nil {
			b.Fatal("refused")
		}
	}
}
