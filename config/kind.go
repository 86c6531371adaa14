package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"zaqar/internal/egress"
)

// kind is the type of an option's value: how its text is read, how it is
// written and, in words, what is allowed.
type kind[T any] struct {
	parse   func(string) (T, error) // the error's text is not shown
	format  func(T) string
	allowed string
}

var errBad = errors.New("not allowed")

// boolean reads the spellings of operations §1.1.
func boolean() kind[bool] {
	return kind[bool]{
		parse: func(s string) (bool, error) {
			switch strings.ToLower(s) {
			case "true", "1", "on", "yes":
				return true, nil
			case "false", "0", "off", "no":
				return false, nil
			}
			return false, errBad
		},
		format: func(b bool) string {
			if b {
				return "True"
			}
			return "False"
		},
		allowed: "true, 1, on, yes or false, 0, off, no",
	}
}

// whole is a whole number between two bounds, both included.
func whole[T int | int64](lo, hi T) kind[T] {
	allowed := fmt.Sprintf("a whole number from %d to %d", lo, hi)
	if int64(hi) == math.MaxInt64 {
		allowed = fmt.Sprintf("a whole number, at least %d", lo)
	}
	return kind[T]{
		parse: func(s string) (T, error) {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < int64(lo) || n > int64(hi) {
				return 0, errBad
			}
			return T(n), nil
		},
		format:  func(n T) string { return strconv.FormatInt(int64(n), 10) },
		allowed: allowed,
	}
}

// decimal is a number of seconds or the like, not below zero.
func decimal() kind[float64] {
	return kind[float64]{
		parse: func(s string) (float64, error) {
			f, err := strconv.ParseFloat(s, 64)
			if err != nil || !(f >= 0) || math.IsInf(f, 0) {
				return 0, errBad
			}
			return f, nil
		},
		format:  func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) },
		allowed: "a number, at least 0",
	}
}

// part is a number from 0 to 1.
func part() kind[float64] {
	k := decimal()
	parse := k.parse
	k.parse = func(s string) (float64, error) {
		f, err := parse(s)
		if err != nil || f > 1 {
			return 0, errBad
		}
		return f, nil
	}
	k.allowed = "a number from 0 to 1"
	return k
}

// seconds is a duration written as a number of seconds.
func seconds(lo, hi time.Duration) kind[time.Duration] {
	return kind[time.Duration]{
		parse: func(s string) (time.Duration, error) {
			f, err := strconv.ParseFloat(s, 64)
			if err != nil || !(f >= lo.Seconds() && f <= hi.Seconds()) {
				return 0, errBad
			}
			return time.Duration(f * float64(time.Second)), nil
		},
		format:  inSeconds,
		allowed: "a number of seconds from " + inSeconds(lo) + " to " + inSeconds(hi),
	}
}

func port() kind[int64] {
	k := whole[int64](0, 65535)
	k.allowed = "a port from 0 to 65535"
	return k
}

// text is any text.
func text() kind[string] {
	return kind[string]{
		parse:   func(s string) (string, error) { return s, nil },
		format:  func(s string) string { return s },
		allowed: "any text",
	}
}

func path() kind[string] {
	k := text()
	k.allowed = "a path"
	return k
}

func choice(of ...string) kind[string] {
	return kind[string]{
		parse: func(s string) (string, error) {
			if !slices.Contains(of, s) {
				return "", errBad
			}
			return s, nil
		},
		format:  func(s string) string { return s },
		allowed: "one of " + strings.Join(of, ", "),
	}
}

// host is an IP address or a host name.
func host() kind[string] {
	label := regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*\.?$`)
	allowed := "an IP address or a host name"
	return kind[string]{
		parse: func(s string) (string, error) {
			bare := s
			if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
				bare = s[1 : len(s)-1]
			}
			// A zone may hold anything, and brackets in it would end the address early.
			if a, err := netip.ParseAddr(bare); err == nil && !strings.ContainsAny(bare, "[]") {
				return a.String(), nil
			}
			// What looks like a number is a mistyped address.
			if len(s) > 253 || !label.MatchString(s) || strings.Trim(s, "0123456789.") == "" {
				return "", errBad
			}
			return s, nil
		},
		format:  func(s string) string { return s },
		allowed: allowed,
	}
}

// networks is a list of addresses and networks.
func networks() kind[[]netip.Prefix] {
	return kind[[]netip.Prefix]{
		parse: func(s string) ([]netip.Prefix, error) {
			var l []netip.Prefix
			for _, e := range splitList(s) {
				p, err := network(e)
				if err != nil {
					return nil, err
				}
				l = append(l, p)
			}
			return l, nil
		},
		format: func(l []netip.Prefix) string {
			var es []string
			for _, p := range l {
				es = append(es, p.String())
			}
			return strings.Join(es, ",")
		},
		allowed: "a list of addresses and networks: 192.0.2.0/24,2001:db8::1",
	}
}

// network reads a network, or an address as the network of just that one. A
// network whose address has bits of hosts is taken for a slip.
func network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() || p != p.Masked() {
		return p, errBad
	}
	return p, nil
}

// list is a comma-separated list; blanks around elements and empty elements
// are dropped.
func list() kind[[]string] {
	return kind[[]string]{
		parse:   func(s string) ([]string, error) { return splitList(s), nil },
		format:  func(l []string) string { return strings.Join(l, ",") },
		allowed: "a list: a,b,c",
	}
}

// targets is a list of what egress.ParseList reads.
func targets() kind[[]string] {
	k := list()
	k.parse = func(s string) ([]string, error) {
		l := splitList(s)
		_, err := egress.ParseList(l)
		return l, err
	}
	k.allowed = "a list of addresses, networks and hosts: 192.0.2.0/24,2001:db8::1,host.example,*.domain.example"
	return k
}

// proxyURL is the URL of an HTTP proxy.
func proxyURL() kind[string] {
	k := text()
	k.parse = func(s string) (string, error) {
		u, err := url.Parse(s)
		if s != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "") {
			return "", errBad
		}
		return s, nil
	}
	k.allowed = "http:// or https://, a host and a port"
	return k
}

// subset is a list of some of the given words.
func subset(of ...string) kind[[]string] {
	k := list()
	k.parse = func(s string) ([]string, error) {
		l := splitList(s)
		for _, w := range l {
			if !slices.Contains(of, w) {
				return nil, errBad
			}
		}
		return l, nil
	}
	k.allowed = "a list of some of " + strings.Join(of, ", ")
	return k
}

func splitList(s string) []string {
	var l []string
	for e := range strings.SplitSeq(s, ",") {
		if e = strings.TrimSpace(e); e != "" {
			l = append(l, e)
		}
	}
	return l
}

// pair is one element of a dict.
type pair struct{ key, value string }

// dict is key:value,key:value. Order is kept. A value in quotes may hold
// commas and colons.
func dict() kind[[]pair] {
	return kind[[]pair]{
		parse: splitDict,
		format: func(ps []pair) string {
			var es []string
			for _, p := range ps {
				es = append(es, p.key+":"+p.value)
			}
			return strings.Join(es, ",")
		},
		allowed: "key:value pairs: a:x,b:y; quotes around a value protect commas in it",
	}
}

func splitDict(s string) ([]pair, error) {
	var ps []pair
	seen := map[string]bool{}
	for rest := strings.TrimSpace(s); rest != ""; {
		key, after, ok := strings.Cut(rest, ":")
		if key = strings.TrimSpace(key); !ok || key == "" || strings.Contains(key, ",") || seen[key] {
			return nil, errBad
		}
		seen[key] = true
		value, more, err := dictValue(strings.TrimSpace(after))
		if err != nil {
			return nil, err
		}
		ps = append(ps, pair{key, value})
		rest = strings.TrimSpace(more)
	}
	return ps, nil
}

// dictValue cuts the first value off s, which begins with it.
func dictValue(s string) (value, rest string, err error) {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		value, rest, _ = strings.Cut(s, ",")
		return strings.TrimSpace(value), rest, nil
	}
	end := strings.IndexByte(s[1:], s[0])
	if end < 0 {
		return "", "", errBad
	}
	value, rest = s[1:1+end], strings.TrimSpace(s[2+end:])
	if rest != "" && rest[0] != ',' {
		return "", "", errBad
	}
	return value, strings.TrimPrefix(rest, ","), nil
}

// inSeconds writes a duration as a number of seconds, without an exponent.
func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
