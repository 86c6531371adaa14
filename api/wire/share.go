package wire

import (
	"zaqar/auth/signed"
)

// Share is what a client wants signed (http-v2 §7.9). Members that are absent,
// null or, of lists, empty are nil.
type Share struct {
	Paths   []string // messages, claims, subscriptions
	Methods []string
	Expires *string
}

// Share reads {"paths": […], "methods": […], "expires": "…"}, all of it
// optional. Other members are refused.
func (r *Reader) Share(raw []byte) (Share, error) {
	var s Share
	if err := r.open(raw); err != nil {
		return s, err
	}
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "paths":
			s.Paths, err = r.texts()
		case "methods":
			s.Methods, err = r.texts()
		case "expires":
			s.Expires = nil
			if r.peek() == 'n' {
				return r.skip()
			}
			var text string
			text, err = r.text()
			s.Expires = &text
		default:
			err = r.wrong("is unknown: there are paths, methods and expires")
		}
		return err
	})
	if err != nil {
		return s, err
	}
	return s, r.end()
}

// texts reads an array of strings, or null.
func (r *Reader) texts() ([]string, error) {
	if r.peek() == 'n' {
		return nil, r.skip()
	}
	var list []string
	err := r.array(func() error {
		text, err := r.text()
		list = append(list, text)
		return err
	})
	return list, err
}

// AppendShared appends a grant with its signature (http-v2 §7.9). The grant's
// lists are written as they are.
func AppendShared(dst []byte, g signed.Grant, signature string) []byte {
	dst = append(dst, `{"project":`...)
	dst = appendString(dst, string(g.Project))
	dst = append(dst, `,"paths":`...)
	dst = appendStrings(dst, g.Paths)
	dst = append(dst, `,"methods":`...)
	dst = appendStrings(dst, g.Methods)
	dst = append(dst, `,"expires":"`...)
	dst = append(dst, signed.FormatInstant(g.Expires)...)
	dst = append(dst, `","signature":"`...)
	dst = append(dst, signature...)
	return append(dst, `"}`...)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}
