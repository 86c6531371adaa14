package load

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Answers are scanned, not decoded: that would cost as much as the server
// spends. The scan goes from string to string and knows no structure; it relies
// on what the load itself controls: no message body has a member "href".

var errForm = errors.New("it has an unexpected form")

// hrefs calls f with every "href" of the document, and counts the strings that
// are equal to proof, which has its quotes and no escapes.
func hrefs(doc, proof []byte, f func(href []byte) error) (proofs int, err error) {
	for {
		i := bytes.IndexByte(doc, '"')
		if i < 0 {
			return proofs, nil
		}
		doc = doc[i:]
		if len(proof) > 0 && bytes.HasPrefix(doc, proof) {
			proofs++
			doc = doc[len(proof):]
			continue
		}
		end := endOf(doc)
		if end < 0 {
			return proofs, errForm
		}
		isHref := string(doc[:end]) == `"href"`
		doc = doc[end:]
		if !isHref {
			continue
		}
		href, rest, ok := text(skip(doc, ':'))
		if !ok || !plain(href) {
			return proofs, errForm
		}
		if err := f(href); err != nil {
			return proofs, err
		}
		doc = rest
	}
}

// endOf returns where the string that b begins with ends, quotes included, or
// -1.
func endOf(b []byte) int {
	for at := 1; ; {
		i := bytes.IndexByte(b[at:], '"')
		if i < 0 {
			return -1
		}
		at += i
		escapes := 0
		for b[at-1-escapes] == '\\' {
			escapes++
		}
		at++
		if escapes%2 == 0 {
			return at
		}
	}
}

// resources calls f with every path of the answer to a post.
func resources(doc []byte, f func(path []byte) error) error {
	const member = `"resources"`
	i := bytes.Index(doc, []byte(member))
	if i < 0 {
		return errForm
	}
	doc = skip(skip(doc[i+len(member):], ':'), '[')
	for {
		path, rest, ok := text(doc)
		if !ok || !plain(path) {
			return errForm
		}
		if err := f(path); err != nil {
			return err
		}
		rest = bytes.TrimLeft(rest, " \r\n\t")
		if len(rest) == 0 || rest[0] != ',' {
			return nil
		}
		doc = skip(rest, ',')
	}
}

// skip drops one character with the white space around it.
func skip(b []byte, c byte) []byte {
	b = bytes.TrimLeft(b, " \r\n\t")
	if len(b) == 0 || b[0] != c {
		return nil
	}
	return bytes.TrimLeft(b[1:], " \r\n\t")
}

// text cuts a JSON string off b. Its content is what is between the quotes,
// unless there are escapes.
func text(b []byte) (content, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	end := endOf(b)
	if end < 0 {
		return nil, nil, false
	}
	content = b[1 : end-1]
	if bytes.IndexByte(content, '\\') >= 0 {
		var s string
		if json.Unmarshal(b[:end], &s) != nil {
			return nil, nil, false
		}
		content = []byte(s)
	}
	return content, b[end:], true
}

// plain reports whether a path can be sent as it is.
func plain(path []byte) bool {
	for _, c := range path {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// messageOf returns the id in the path of a message and, if it has one, its
// claim's; ok is false for other paths.
func messageOf(href []byte) (id, claim []byte, ok bool) {
	const parent, query = "/messages/", "?claim_id="
	i := bytes.Index(href, []byte(parent))
	if i < 0 {
		return nil, nil, false
	}
	id = href[i+len(parent):]
	if i := bytes.Index(id, []byte(query)); i >= 0 {
		id, claim = id[:i], id[i+len(query):]
	}
	return id, claim, len(id) > 0
}
