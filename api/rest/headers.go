package rest

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"zaqar/messaging"
)

// parse checks the values of the Client-ID header and returns the canonical
// client id (http-v2 §4.3). Several spellings of one id count as one.
func (rules ClientIDs) parse(values []string) (messaging.ClientID, error) {
	if len(values) == 0 {
		return "", invalid("The Client-ID header is missing.")
	}
	id, err := rules.one(strings.TrimSpace(values[0]))
	if err != nil {
		return "", err
	}
	for _, other := range values[1:] {
		if same, err := rules.one(strings.TrimSpace(other)); err != nil || same != id {
			return "", invalid("There are several Client-ID headers.")
		}
	}
	return id, nil
}

func (rules ClientIDs) one(s string) (messaging.ClientID, error) {
	id, isUUID := canonicalUUID(s)
	if !rules.AnyString {
		if !isUUID {
			return "", invalid("The Client-ID header must be a UUID.")
		}
		return messaging.ClientID(id), nil
	}
	n := utf8.RuneCountInString(s)
	if n < rules.MinLength || n > rules.MaxLength || !utf8.ValidString(s) {
		return "", invalid("The Client-ID header must have " + strconv.Itoa(rules.MinLength) +
			" to " + strconv.Itoa(rules.MaxLength) + " characters.")
	}
	if len(s) > messaging.MaxClientIDSize {
		return "", invalid("The Client-ID header must have at most " + strconv.Itoa(messaging.MaxClientIDSize) + " bytes.")
	}
	if isUUID {
		return messaging.ClientID(id), nil
	}
	return messaging.ClientID(s), nil
}

// canonicalUUID returns the lower-case hyphenated form of any spelling of a
// UUID: with or without hyphens, in braces, or with urn:uuid: in front.
func canonicalUUID(s string) (string, bool) {
	const urn = "urn:uuid:"
	switch {
	case len(s) > len(urn) && strings.EqualFold(s[:len(urn)], urn):
		s = s[len(urn):]
	case len(s) > 2 && s[0] == '{' && s[len(s)-1] == '}':
		s = s[1 : len(s)-1]
	}
	if len(s) != 32 && len(s) != 36 {
		return "", false
	}
	var out [36]byte
	from := 0
	for i := range out {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen && len(s) == 32 {
			out[i] = '-'
			continue
		}
		b := s[from]
		from++
		switch {
		case hyphen && b == '-', !hyphen && ('0' <= b && b <= '9' || 'a' <= b && b <= 'f'):
			out[i] = b
		case !hyphen && 'A' <= b && b <= 'F':
			out[i] = b + 'a' - 'A'
		default:
			return "", false
		}
	}
	if s == string(out[:]) {
		return s, true // as most clients spell it
	}
	return string(out[:]), true
}

// accepts reports whether Accept headers admit application/<sub>: the most
// specific range that covers it decides, and a weight of 0 excludes. No
// header, or blank ones, admit everything.
func accepts(headers []string, sub string) bool {
	best, weight, blank := -1, 0.0, true
	for _, header := range headers {
		for header != "" {
			var item string
			item, header = cutRange(header)
			mediaRange, params, _ := strings.Cut(item, ";")
			mediaRange = strings.TrimSpace(mediaRange)
			if mediaRange == "" && strings.TrimSpace(params) == "" {
				continue
			}
			blank = false
			if s := specificity(mediaRange, sub); s > best {
				best, weight = s, quality(params)
			} else if s == best && s >= 0 {
				weight = max(weight, quality(params))
			}
		}
	}
	return blank || best >= 0 && weight > 0
}

// cutRange cuts the first element off a comma-separated list; commas between
// quotes do not count.
func cutRange(list string) (first, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '"':
			quoted = !quoted
		case list[i] == '\\' && quoted:
			i++
		case list[i] == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}

// specificity tells how closely a media range covers application/<sub>: 2
// exactly, 1 by its main type, 0 as any type, -1 not at all.
func specificity(mediaRange, sub string) int {
	m, s, found := strings.Cut(mediaRange, "/")
	m, s = strings.TrimSpace(m), strings.TrimSpace(s)
	switch {
	case m == "*" && (s == "*" || !found):
		return 0
	case !strings.EqualFold(m, "application"):
		return -1
	case strings.EqualFold(s, sub):
		return 2
	case s == "*":
		return 1
	}
	return -1
}

// quality returns the weight among the parameters of a media range; 1 when
// there is none or it makes no sense.
func quality(params string) float64 {
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, ";")
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 1
		}
		return q
	}
	return 1
}
