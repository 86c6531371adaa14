package egress

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// target is a host as a URL names it: a name or an address.
type target struct {
	name string     // ASCII, lower case, no trailing dot; empty for an address
	addr netip.Addr // invalid for a name
}

var (
	errHost   = errors.New("is not a host name")
	errNumber = errors.New("is an address in an unusual spelling")
)

// parseHost reads the host of a URL, without brackets. What some resolvers
// take for an address and others for a name is refused: 127.1, 0x7f000001.
func parseHost(host string) (target, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return target{addr: a}, nil
	}
	name, err := canonicalName(host)
	if err != nil {
		return target{}, err
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return target{addr: a}, nil // fullwidth digits and the like
	}
	if endsInNumber(name) {
		return target{}, errNumber
	}
	return target{name: name}, nil
}

// canonicalName is a host name as it is looked up: ASCII, lower case, without
// the trailing dot.
func canonicalName(host string) (string, error) {
	name := strings.ToLower(host)
	if !isASCII(host) {
		var err error
		if name, err = idna.Lookup.ToASCII(host); err != nil {
			return "", errHost
		}
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return "", errHost
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", errHost
		}
	}
	return name, nil
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// endsInNumber reports whether the last label of a name is a number in the
// notations of inet_aton. No top-level domain is one.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// isLocalhost reports whether a name means this machine wherever it is asked
// for, by RFC 6761 or by the habit of systems.
func isLocalhost(name string) bool {
	switch name {
	case "localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4",
		"localhost6", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback":
		return true
	}
	return strings.HasSuffix(name, ".localhost")
}

// isPrivateName reports whether a name is never one of the public Internet's:
// top-level domains that are reserved for use inside of organisations.
func isPrivateName(name string) bool {
	for _, d := range []string{".internal", ".local", ".localdomain", ".home.arpa", ".intranet", ".lan", ".corp", ".home"} {
		if strings.HasSuffix(name, d) {
			return true
		}
	}
	return !strings.Contains(name, ".")
}
