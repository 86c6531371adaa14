package egress

import "net/netip"

// special is a range of addresses that are not the public Internet's.
type special struct {
	prefix netip.Prefix
	what   string
}

// specials are the special-purpose registries of IANA, of IPv6 those parts that
// lie in its global unicast space, and what else is not for unicast.
func specials() []special {
	var all []special
	for _, s := range [][2]string{
		{"0.0.0.0/8", "this network"},
		{"10.0.0.0/8", "private"},
		{"100.64.0.0/10", "shared by providers"},
		{"127.0.0.0/8", "loopback"},
		{"169.254.0.0/16", "link-local"},
		{"172.16.0.0/12", "private"},
		{"192.0.0.0/24", "protocol assignments"},
		{"192.0.2.0/24", "documentation"},
		{"192.31.196.0/24", "AS112"},
		{"192.52.193.0/24", "AMT"},
		{"192.88.99.0/24", "6to4 relays"},
		{"192.168.0.0/16", "private"},
		{"192.175.48.0/24", "AS112"},
		{"198.18.0.0/15", "benchmarking"},
		{"198.51.100.0/24", "documentation"},
		{"203.0.113.0/24", "documentation"},
		{"224.0.0.0/4", "multicast"},
		{"240.0.0.0/4", "reserved"},           // and broadcast
		{"2001::/23", "protocol assignments"}, // Teredo, benchmarking, ORCHID among them
		{"2001:db8::/32", "documentation"},
		{"2002::/16", "6to4"},
		{"2620:4f:8000::/48", "AS112"},
		{"3fff::/20", "documentation"},
	} {
		all = append(all, special{netip.MustParsePrefix(s[0]), s[1]})
	}
	return all
}

// ranges judges addresses by what they are for.
type ranges struct {
	special []special
	unicast netip.Prefix // all that IPv6 has given out for the Internet
	nat64   netip.Prefix // IPv4 addresses as hosts without IPv4 see them
}

func newRanges() ranges {
	return ranges{specials(), netip.MustParsePrefix("2000::/3"), netip.MustParsePrefix("64:ff9b::/96")}
}

// plain returns what a stands for: an IPv4 address if it is one in the
// clothes of IPv6 that routers or the kernel take off.
func (r ranges) plain(a netip.Addr) netip.Addr {
	a = a.WithZone("").Unmap()
	if r.nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// why says why a plain address is none of the public Internet's, or nothing.
func (r ranges) why(a netip.Addr) string {
	if !a.IsValid() {
		return "no address"
	}
	if a.Is6() && !r.unicast.Contains(a) {
		return "not global"
	}
	for _, s := range r.special {
		if s.prefix.Contains(a) {
			return s.what
		}
	}
	return ""
}
