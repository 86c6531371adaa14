package egress

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// List names targets: addresses, networks and hosts. The zero List names none.
type List struct {
	networks []netip.Prefix
	hosts    []string // as canonicalName gives them
	domains  []string // with a leading dot: all names below
}

var errEntry = errors.New("not an address, a network, a host name or *. and a domain")

// ParseList reads entries: an address, a network in CIDR notation without bits
// of hosts, a host name, or "*." and a domain for all names below it.
func ParseList(entries []string) (List, error) {
	var l List
	for _, e := range entries {
		if err := l.add(e); err != nil {
			return List{}, err
		}
	}
	return l, nil
}

func (l *List) add(entry string) error {
	if p, err := netip.ParsePrefix(entry); err == nil {
		if p != p.Masked() || p.Addr().Is4In6() {
			return errEntry
		}
		l.networks = append(l.networks, p)
		return nil
	}
	domain, below := strings.CutPrefix(entry, "*.")
	t, err := parseHost(domain)
	switch {
	case err != nil || below && t.addr.IsValid():
		return errEntry
	case t.addr.IsValid():
		a := t.addr.WithZone("").Unmap()
		l.networks = append(l.networks, netip.PrefixFrom(a, a.BitLen()))
	case below:
		l.domains = append(l.domains, "."+t.name)
	default:
		l.hosts = append(l.hosts, t.name)
	}
	return nil
}

// names reports whether the list has the host name, as canonicalName gives it.
func (l *List) names(host string) bool {
	return slices.Contains(l.hosts, host) ||
		slices.ContainsFunc(l.domains, func(d string) bool { return strings.HasSuffix(host, d) })
}

// contains reports whether one of the addresses is in a network of the list.
func (l *List) contains(as ...netip.Addr) bool {
	return slices.ContainsFunc(l.networks, func(p netip.Prefix) bool {
		return slices.ContainsFunc(as, p.Contains)
	})
}
