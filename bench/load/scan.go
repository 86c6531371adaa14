package load

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Answers are scanned, not decoded: that would cost as much as the server
// spends. The scan relies on what the load itself controls: no message body of
// its own holds the text "href" in quotes or a path in an array.

var errForm = errors.New("the answer has an unexpected form")

// hrefs calls f with every "href" of the document.
func hrefs(doc []byte, f func(href []byte) error) error {
	for {
		i := bytes.Index(doc, []byte(`"href"`))
		if i < 0 {
			return nil
		}
		href, rest, ok := text(skip(doc[i+len(`"href"`):], ':'))
		if !ok {
			return errForm
		}
		if err := f(href); err != nil {
			return err
		}
		doc = rest
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
		if !ok {
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
	end := 1
	for ; end < len(b) && b[end] != '"'; end++ {
		if b[end] == '\\' {
			end++
		}
	}
	if end >= len(b) {
		return nil, nil, false
	}
	content = b[1:end]
	if bytes.IndexByte(content, '\\') >= 0 {
		var s string
		if json.Unmarshal(b[:end+1], &s) != nil {
			return nil, nil, false
		}
		content = []byte(s)
	}
	return content, b[end+1:], true
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
