package delivery

import (
	"cmp"
	"strings"

	"zaqar/messaging"
)

// MayPost reports whether a header that a subscription asks for goes into its
// requests. Those do not that belong to the connection or to the framing of the
// request, tell the receiver whom to believe, or are ours to sign. trusted is
// for deliveries under a trust, which may carry X-Auth headers of the client's
// choice.
func MayPost(name string, trusted bool) bool {
	name = strings.ToLower(name)
	switch name {
	case "host", "content-length", "expect",
		"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
		"webhook-id", "webhook-timestamp", "webhook-signature":
		return false
	}
	switch {
	case strings.HasPrefix(name, "proxy-"):
		return false
	case strings.HasPrefix(name, "x-auth-"):
		return trusted
	}
	return true
}

// setPostHeaders takes strings, and numbers and booleans as their text. Of names
// that differ in letter case only, the last counts.
func (o *Options) setPostHeaders(m messaging.Member) error {
	members, err := messaging.DecodeMetadata(m.Value)
	if err != nil {
		return mustBe(m, "an object")
	}
	headers, spelled := map[string]string{}, map[string]string{}
	var first error
	for _, h := range members.Members() {
		if string(h.Value) == "null" {
			continue
		}
		value, err := headerValue(h)
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		folded := strings.ToLower(h.Name)
		delete(headers, spelled[folded])
		spelled[folded] = h.Name
		headers[h.Name] = value
	}
	if len(headers) > 0 {
		o.PostHeaders = headers
	}
	return first
}

func headerValue(m messaging.Member) (string, error) {
	if !token(m.Name) {
		return "", invalid("options.%s has a member %s, which cannot name a header.", KeyPostHeaders, messaging.Quoted(m.Name))
	}
	value := string(m.Value)
	switch value[0] {
	case '"':
		value, _ = messaging.Text(m.Value)
		value = strings.Trim(value, " \t")
	case '{', '[':
		return "", invalid("options.%s.%s must be a string, not %s.", KeyPostHeaders, m.Name, messaging.Given(m.Value))
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r != '\t' && control(r) }) {
		return "", invalid("options.%s.%s must be one line without control characters.", KeyPostHeaders, m.Name)
	}
	return value, nil
}

// control reports whether a character could end a line or hide in one.
func control(r rune) bool { return r < ' ' || r == 0x7f }

// token reports whether s may name a header (RFC 9110 §5.6.2).
func token(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
