package mail

import (
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"zaqar/messaging"
)

// target is where a mailto: URI leads.
type target struct {
	header     string   // what stands behind to:
	recipients []string // addresses alone
	subject    string   // of the query; empty: it has none
}

// Limits of what tenants may say. RFC 5321 has a command line of 512 bytes and
// servers take at least 100 recipients; RFC 5322 has lines of 998 bytes.
const (
	mostRecipients = 50
	longestAddress = 254
	longestLine    = 998
)

// parseTarget reads a mailto: URI: addresses separated by commas and, in its
// query, subject (RFC 6068, notifications §8). Other members of the query have
// no effect.
func parseTarget(u *url.URL) (target, error) {
	if u.Opaque == "" || u.Fragment != "" {
		return target{}, invalid("A mailto: subscriber is written mailto:user@host.example, with no slashes and no fragment.")
	}
	list, err := url.PathUnescape(u.Opaque)
	if err != nil || !printable(list) {
		return target{}, invalid("The address of a mailto: subscriber holds something that is neither a printable ASCII character nor a percent escape of one. International domains are written with xn--.")
	}
	t := target{header: list}
	addresses, err := mail.ParseAddressList(list)
	if err != nil || strings.ContainsAny(list, ":;\"") || slices.ContainsFunc(strings.Split(list, ","), blank) {
		return target{}, invalid("What follows mailto: must be a mail address, or several separated by commas.")
	}
	if len(addresses) > mostRecipients {
		return target{}, invalid("A mailto: subscriber has at most 50 addresses.")
	}
	for _, a := range addresses {
		if !ordinary(a.Address) {
			return target{}, invalid("A mail address must be of the form user@host.example, without quotes, and not begin with a slash, a bar or a hyphen.")
		}
		t.recipients = append(t.recipients, a.Address)
	}
	if t.subject, err = subjectOf(u.RawQuery); err != nil {
		return target{}, invalid("The subject in a mailto: subscriber must be percent-encoded UTF-8 of one line.")
	}
	return t, nil
}

// subjectOf is the first subject of a query. As in RFC 6068, a plus is a plus.
func subjectOf(query string) (string, error) {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		key, err := url.PathUnescape(key)
		if err != nil || !strings.EqualFold(key, "subject") {
			continue
		}
		return url.PathUnescape(value)
	}
	return "", nil
}

// ordinary reports whether an address is one that no program on its way takes
// for anything else: an atom, @ and a host name or an address in brackets.
func ordinary(address string) bool {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || len(address) > longestAddress || strings.ContainsAny(address[:1], "-/|") {
		return false
	}
	local, host := address[:at], address[at+1:]
	return !strings.ContainsFunc(local, func(r rune) bool { return !letterOrDigit(r) && !strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r) }) &&
		host != "" && !strings.ContainsFunc(host, func(r rune) bool { return !letterOrDigit(r) && !strings.ContainsRune(".-_[]:", r) }) &&
		host[0] != '-' && host[0] != '.'
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

func letterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// printable reports whether a text is ASCII without control characters.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func invalid(what string) error { return messaging.E(messaging.Invalid, what) }
