package edge

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func networks(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range texts {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

func TestClient(t *testing.T) {
	const (
		proxy    = "10.0.0.1:5555"
		stranger = "203.0.113.9:5555"
	)
	named := Trust{Proxies: networks("10.0.0.0/8", "fd00::/8")}
	rfc := Trust{Proxies: named.Proxies, Header: Forwarded}
	for _, c := range []struct {
		name   string
		trust  Trust
		peer   string
		header []string // name, value, ...
		want   string
	}{
		{"nobody is trusted", Trust{}, proxy, []string{"X-Forwarded-For", "192.0.2.1", "Forwarded", "for=192.0.2.1"}, "10.0.0.1"},
		{"no header", named, proxy, nil, "10.0.0.1"},
		{"a proxy's word", named, proxy, []string{"X-Forwarded-For", "192.0.2.1"}, "192.0.2.1"},
		{"a stranger's word", named, stranger, []string{"X-Forwarded-For", "192.0.2.1"}, "203.0.113.9"},
		{"a client's claim before the proxy's word", named, proxy, []string{"X-Forwarded-For", "127.0.0.1, 192.0.2.1"}, "192.0.2.1"},
		{"a client's claim in a line of its own", named, proxy, []string{"X-Forwarded-For", "127.0.0.1", "X-Forwarded-For", "192.0.2.1"}, "192.0.2.1"},
		{"a client that claims to be a proxy", named, proxy, []string{"X-Forwarded-For", "127.0.0.1, 10.9.9.9, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", named, proxy, []string{"X-Forwarded-For", "127.0.0.1, 192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"two proxies, a line each", named, proxy, []string{"X-Forwarded-For", "192.0.2.1", "X-Forwarded-For", "10.0.0.2"}, "192.0.2.1"},
		{"a client among the proxies", named, proxy, []string{"X-Forwarded-For", "10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"the other header is the client's", named, proxy, []string{"Forwarded", "for=192.0.2.1"}, "10.0.0.1"},
		{"nonsense", named, proxy, []string{"X-Forwarded-For", "192.0.2.1, localhost"}, "10.0.0.1"},
		{"nonsense behind a proxy", named, proxy, []string{"X-Forwarded-For", "192.0.2.1, , 10.0.0.2"}, "10.0.0.2"},
		{"empty", named, proxy, []string{"X-Forwarded-For", ""}, "10.0.0.1"},
		{"an address with a port", named, proxy, []string{"X-Forwarded-For", "192.0.2.1:99"}, "192.0.2.1"},
		{"an address with too much of a port", named, proxy, []string{"X-Forwarded-For", "192.0.2.1:999999"}, "10.0.0.1"},
		{"IPv6", named, proxy, []string{"X-Forwarded-For", "2001:db8::1"}, "2001:db8::1"},
		{"IPv6 that ends like a port", named, proxy, []string{"X-Forwarded-For", "2001:db8::80"}, "2001:db8::80"},
		{"IPv6 with a port", named, proxy, []string{"X-Forwarded-For", "[2001:db8::1]:99"}, "2001:db8::1"},
		{"IPv6 with a zone", named, proxy, []string{"X-Forwarded-For", "fe80::1%eth0"}, "fe80::1"},
		{"IPv4 in IPv6", named, proxy, []string{"X-Forwarded-For", "::ffff:192.0.2.1"}, "192.0.2.1"},
		{"an open bracket", named, proxy, []string{"X-Forwarded-For", "[2001:db8::1"}, "10.0.0.1"},
		{"a proxy over IPv6", named, "[fd00::1]:5555", []string{"X-Forwarded-For", "192.0.2.1"}, "192.0.2.1"},
		{"a proxy as IPv4 in IPv6", named, "[::ffff:10.0.0.1]:5555", []string{"X-Forwarded-For", "192.0.2.1"}, "192.0.2.1"},
		{"a peer with a zone", named, "[fe80::1%eth0]:5555", nil, "fe80::1"},
		{"anyone is trusted", Trust{Anyone: true}, stranger, []string{"X-Forwarded-For", "127.0.0.1, 192.0.2.1"}, "192.0.2.1"},
		{"names count before anyone", Trust{Anyone: true, Proxies: named.Proxies}, stranger, []string{"X-Forwarded-For", "192.0.2.1"}, "203.0.113.9"},
		{"no address at all", named, "@", []string{"X-Forwarded-For", "192.0.2.1"}, "invalid IP"},

		{"RFC 7239", rfc, proxy, []string{"Forwarded", "for=192.0.2.1;proto=https;by=10.0.0.1"}, "192.0.2.1"},
		{"RFC 7239 in other letters", rfc, proxy, []string{"Forwarded", "Proto=https ; FOR = 192.0.2.1"}, "192.0.2.1"},
		{"RFC 7239 with IPv6", rfc, proxy, []string{"Forwarded", `for="[2001:db8::1]:4711"`}, "2001:db8::1"},
		{"RFC 7239, two proxies", rfc, proxy, []string{"Forwarded", "for=127.0.0.1, for=192.0.2.1, for=10.0.0.2"}, "192.0.2.1"},
		{"RFC 7239, unknown", rfc, proxy, []string{"Forwarded", "for=192.0.2.1, for=unknown"}, "10.0.0.1"},
		{"RFC 7239, hidden", rfc, proxy, []string{"Forwarded", "for=_secret"}, "10.0.0.1"},
		{"RFC 7239 without for", rfc, proxy, []string{"Forwarded", "for=192.0.2.1, proto=https"}, "10.0.0.1"},
		{"RFC 7239 with for twice", rfc, proxy, []string{"Forwarded", "for=192.0.2.1;for=192.0.2.2"}, "10.0.0.1"},
		{"a client's open quote", rfc, proxy, []string{"Forwarded", `for=127.0.0.1;host=", for=192.0.2.1`}, "192.0.2.1"},
		{"a client's host with an element in it", rfc, proxy, []string{"Forwarded", `for=192.0.2.1;host="a, for=127.0.0.1"`}, "10.0.0.1"},
		{"a client's host with half an element in it", rfc, proxy, []string{"Forwarded", `host="a, for=127.0.0.1;x=";for=192.0.2.1`}, "10.0.0.1"},
		{"a client's host with quotes", rfc, proxy, []string{"Forwarded", `for=192.0.2.1;host="a\", for=127.0.0.1;x=\"b"`}, "10.0.0.1"},
		{"a client's host with a pair in it", rfc, proxy, []string{"Forwarded", `for=192.0.2.1;host="a;for=127.0.0.1"`}, "10.0.0.1"},
		{"the usual header is the client's", rfc, proxy, []string{"X-Forwarded-For", "192.0.2.1"}, "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Add(c.header[i], c.header[i+1])
			}
			if got := c.trust.Client(r).String(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestClientTakesNoMemory keeps the request path as it was.
func TestClientTakesNoMemory(t *testing.T) {
	for _, trust := range []Trust{{}, {Proxies: networks("10.0.0.0/8")}, {Proxies: networks("10.0.0.0/8"), Header: Forwarded}} {
		r := &http.Request{RemoteAddr: "10.0.0.1:5555", Header: http.Header{
			"X-Forwarded-For": {"2001:db8::1, 192.0.2.1, 10.0.0.2"}, "Forwarded": {`for="[2001:db8::1]:4711", for=10.0.0.2`},
		}}
		if n := testing.AllocsPerRun(100, func() { trust.Client(r) }); n > 0 {
			t.Errorf("%+v: %v allocations", trust, n)
		}
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct {
		peer, header, want string
	}{
		{"10.0.0.1:1", "/messaging", "/messaging"},
		{"10.0.0.1:1", "/messaging/", "/messaging"},
		{"10.0.0.1:1", "/a/b, /c", "/a/b"},
		{"10.0.0.1:1", "", ""},
		{"10.0.0.1:1", "/", ""},
		{"10.0.0.1:1", "messaging", ""},
		{"10.0.0.1:1", "//evil.example", ""},
		{"10.0.0.1:1", "http://evil.example/x", ""},
		{"10.0.0.1:1", `/a"b`, ""},
		{"10.0.0.1:1", "/a?b", ""},
		{"10.0.0.1:1", "/a b", ""},
		{"203.0.113.9:1", "/messaging", ""},
	} {
		trust := Trust{Proxies: networks("10.0.0.0/8")}
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-Prefix": {c.header}}}
		if got := trust.Prefix(r); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// FuzzClient has whatever a client sends before what the proxy adds: it is
// never the client's word that counts.
func FuzzClient(f *testing.F) {
	for _, s := range []string{"", "1.2.3.4", `for="`, `for="[::1]`, `for=1.2.3.4;host="a,`, `\`, `"\"`, "[", "::ffff:1.2.3.4", ",;,="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for header, added := range map[string]string{XForwardedFor: "192.0.2.1", Forwarded: "for=192.0.2.1"} {
			trust := Trust{Anyone: true, Header: header}
			for _, lines := range [][]string{{s + ", " + added}, {s, added}} {
				r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{header: lines}}
				if got := trust.Client(r); got.String() != "192.0.2.1" {
					t.Errorf("%q: %v", lines, got)
				}
			}
			// The proxy quotes what the client calls the host.
			quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
			for _, line := range []string{"for=192.0.2.1;host=" + quoted, "host=" + quoted + ";for=192.0.2.1"} {
				r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{Forwarded: {line}}}
				trust := Trust{Anyone: true, Header: Forwarded}
				if got := trust.Client(r).String(); got != "192.0.2.1" && got != "10.0.0.1" {
					t.Errorf("%q: %v", line, got)
				}
			}
		}
	})
}
