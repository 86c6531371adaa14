package edge

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// The headers in which proxies tell for whom they ask.
const (
	XForwardedFor = "X-Forwarded-For"
	Forwarded     = "Forwarded" // RFC 7239
)

// Trust says whose word is taken on where a request came from and on the path
// under which the service is reached. The zero value trusts nobody.
type Trust struct {
	// Proxies are the networks of the proxies that are believed. Empty with
	// Anyone: whoever connects is believed, but nobody that he quotes.
	Proxies []netip.Prefix
	Anyone  bool
	// Header is the one that the proxies write: XForwardedFor, also when it is
	// empty, or Forwarded. The other one is the client's and says nothing.
	Header string
}

// Client returns where a request came from: the other end of its connection
// or, as long as that is a trusted proxy, whom it names. What cannot be read
// as an address ends the search at the proxy that passed it on. The address is
// never an IPv4 address in IPv6 form and has no zone; it is invalid only if
// RemoteAddr is none. Addresses that can be read take no memory.
func (t *Trust) Client(r *http.Request) netip.Addr {
	at := peer(r)
	if !t.believes(at) {
		return at
	}
	header, read := XForwardedFor, address
	if t.Header == Forwarded {
		header, read = Forwarded, forwardedFor
	}
	for _, line := range slices.Backward(r.Header[header]) {
		for more := true; more; {
			var last string
			line, last, more = cutLast(line)
			next, ok := read(last)
			if !ok {
				return at
			}
			at = next
			if !t.names(at) {
				return at
			}
		}
	}
	return at
}

// Prefix returns the path under which a trusted proxy serves this server, from
// X-Forwarded-Prefix; empty if there is none, or if links made of it could
// lead to another host.
func (t *Trust) Prefix(r *http.Request) string {
	value := r.Header["X-Forwarded-Prefix"]
	if len(value) == 0 || !t.believes(peer(r)) {
		return ""
	}
	prefix, _, _ := strings.Cut(value[0], ",")
	prefix = strings.TrimRight(strings.TrimSpace(prefix), "/")
	if !strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, "//") {
		return ""
	}
	if u, err := url.Parse(prefix); err != nil || u.EscapedPath() != prefix {
		return ""
	}
	return prefix
}

// peer returns the other end of a request's connection.
func peer(r *http.Request) netip.Addr {
	p, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap().WithZone("")
}

// believes reports whether what this peer says about others counts.
func (t *Trust) believes(peer netip.Addr) bool {
	if len(t.Proxies) == 0 {
		return t.Anyone
	}
	return t.names(peer)
}

// names reports whether an address is one of the proxies'.
func (t *Trust) names(a netip.Addr) bool {
	for _, p := range t.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// cutLast cuts the last element off a comma-separated list. It heeds no
// quotes: an element that it cuts out of a quoted text has one quote too many,
// which forwardedFor refuses. Reading from the left would let a client's open
// quote swallow what the proxy added.
func cutLast(list string) (rest, last string, more bool) {
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		return list[:i], strings.Trim(list[i+1:], " \t"), true
	}
	return "", strings.Trim(list, " \t"), false
}

// address reads an address with or without a port, in brackets or not.
func address(s string) (netip.Addr, bool) {
	bare := s
	if host, ok := strings.CutPrefix(s, "["); ok {
		end := strings.IndexByte(host, ']')
		if end < 0 || host[end+1:] != "" && !isPort(host[end+1:]) {
			return netip.Addr{}, false
		}
		bare = host[:end]
	} else if colon := strings.IndexByte(s, ':'); colon >= 0 && isPort(s[colon:]) {
		bare = s[:colon]
	}
	a, err := netip.ParseAddr(bare)
	return a.Unmap().WithZone(""), err == nil
}

// isPort reports whether s is a colon and a port.
func isPort(s string) bool {
	return len(s) > 1 && len(s) <= 6 && s[0] == ':' && strings.Trim(s[1:], "0123456789") == ""
}

// forwardedFor reads the address in one element of a Forwarded header.
func forwardedFor(element string) (a netip.Addr, found bool) {
	if strings.Count(element, `"`)%2 != 0 || strings.Contains(element, `\`) {
		return a, false // a piece of a quoted text
	}
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "for") {
			continue
		}
		if found {
			return a, false
		}
		value = strings.Trim(value, " \t")
		if strings.HasPrefix(value, `"`) {
			value = strings.Trim(value, `"`)
		}
		if a, found = address(value); !found {
			return a, false
		}
	}
	return a, found
}
