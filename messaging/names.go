package messaging

// MaxNameLength is the longest queue, topic, pool or flavor name, in characters.
const MaxNameLength = 64

// MaxProjectLength is the longest project id, in characters.
const MaxProjectLength = 256

// MaxClientIDSize is the longest client id, in bytes.
const MaxClientIDSize = 255

// ValidName reports whether s may name a queue, topic, pool or flavor: 1-64
// ASCII letters, digits, '_', '-' and '.', but not "." or ".." (http-v2 §4.1).
func ValidName(s string) bool {
	return s != "." && s != ".." && len(s) <= MaxNameLength && made(s, true)
}

// ValidID reports whether s could be an id of a message, claim or subscription
// (http-v2 §4.4). Anything else behaves like an id that does not exist.
func ValidID(s string) bool { return len(s) <= 64 && made(s, false) }

func made(s string, dots bool) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		case c == '.' && dots:
		default:
			return false
		}
	}
	return s != ""
}
