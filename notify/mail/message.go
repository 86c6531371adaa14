package mail

import (
	"bytes"
	"encoding/base64"
	"mime"
	"net/mail"
	"strings"
	"unicode/utf8"
)

// message is a mail that is ready to go.
type message struct {
	from       string // of the envelope; empty: nobody gets bounces
	recipients []string
	text       []byte // headers and body, lines end with \n
}

// compose writes a mail (notifications §8). Invalid: a header does not fit into
// one line, or would be more than one.
func compose(to target, from, subject string, body []byte) (*message, error) {
	for name, value := range map[string]string{"sender": from, "subject": subject} {
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) || !utf8.ValidString(value) {
			return nil, invalid("The " + name + " of a mail must be UTF-8 of one line, without control characters.")
		}
	}
	var b bytes.Buffer
	mime := "Content-Type: text/plain; charset=\"us-ascii\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: 7bit\n"
	if plain := isPlain(body); !plain {
		charset := "us-ascii"
		if !ascii(body) {
			charset = "utf-8"
		}
		mime = "Content-Type: text/plain; charset=\"" + charset + "\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n"
		body = inBase64(body)
	}
	b.WriteString(mime)
	for _, h := range [][2]string{{"to", fold(to.header, ",")}, {"from", fromHeader(from)}, {"subject", words(subject)}} {
		line := h[0] + ": " + h[1] + "\n"
		for part := range strings.Lines(line) {
			if len(part) > longestLine {
				return nil, invalid("The " + h[0] + " header of the mail is too long.")
			}
		}
		b.WriteString(line)
	}
	b.WriteByte('\n')
	b.Write(body)
	return &message{from: envelope(from), recipients: to.recipients, text: b.Bytes()}, nil
}

// isPlain reports whether a body can go as it is: printable ASCII in lines that
// no mail server breaks.
func isPlain(body []byte) bool {
	for line := range bytes.Lines(body) {
		if len(line) > longestLine {
			return false
		}
	}
	return bytes.IndexFunc(body, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r > '~' }) < 0
}

func ascii(b []byte) bool {
	return bytes.IndexFunc(b, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// inBase64 encodes a body in lines of 76 characters.
func inBase64(body []byte) []byte {
	const width = 76
	text := base64.StdEncoding.AppendEncode(nil, body)
	out := make([]byte, 0, len(text)+len(text)/width+1)
	for len(text) > 0 {
		n := min(width, len(text))
		out = append(append(out, text[:n]...), '\n')
		text = text[n:]
	}
	return out
}

// words writes text for a header: as it is, or as encoded words of RFC 2047,
// each on a line of its own.
func words(text string) string {
	if printable(text) {
		return fold(text, " ")
	}
	return strings.ReplaceAll(mime.BEncoding.Encode("utf-8", text), "?= =?", "?=\n =?")
}

// fromHeader encodes the name of an address and leaves the address alone. What
// is no address is text.
func fromHeader(from string) string {
	if printable(from) {
		return fold(from, " ")
	}
	if name, address := addressIn(from); address != "" {
		return words(name) + " <" + address + ">"
	}
	return words(from)
}

// addressIn takes a sender apart; the address is empty if there is none. Names
// need no quotes, as they do in headers.
func addressIn(from string) (name, address string) {
	a, err := mail.ParseAddress(from)
	if err == nil {
		name = a.Name
	} else if i := strings.LastIndexByte(from, '<'); i >= 0 {
		name = strings.TrimSpace(from[:i])
		a, err = mail.ParseAddress(from[i:])
	}
	if err != nil || !ordinary(a.Address) {
		return "", ""
	}
	return name, a.Address
}

// fold breaks a line that is too long behind one of the separators, but not so
// that a line has blanks alone. Shorter lines stay whole, as those of the
// original do.
func fold(text, separator string) string {
	const enough = 900
	if len(text) > enough {
		text = strings.TrimRight(text, " ")
	}
	var b strings.Builder
	for len(text) > enough {
		i := strings.LastIndex(text[:enough], separator)
		if i < 1 {
			break
		}
		if separator == " " {
			if b.Len() == 0 || !blank(text[:i]) {
				b.WriteString(text[:i] + "\n")
			}
			text = text[i:]
		} else {
			b.WriteString(text[:i+1] + "\n ")
			text = text[i+1:]
		}
	}
	return b.String() + text
}

// envelope is the address that bounces go to: the one of the sender, a bare
// name as it is, or nobody's.
func envelope(from string) string {
	if _, address := addressIn(from); address != "" {
		return address
	}
	from = strings.TrimSpace(from)
	if from == "" || len(from) > longestAddress || strings.ContainsFunc(from, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>()\",:;\\", r) }) {
		return ""
	}
	return from
}
