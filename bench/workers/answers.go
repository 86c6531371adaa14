package workers

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// received is one message of a list or a claim.
type received struct {
	id, href, body []byte
}

// reader reads answers. What it returns is valid until its next use.
type reader struct {
	doc      []byte
	d        *jsontext.Decoder
	messages []received
	next     []byte // href of the next page, or nil
	ids      [][]byte
}

func newReader() *reader {
	return &reader{d: jsontext.NewDecoder(new(bytes.Buffer))}
}

var (
	errForm  = errors.New("the answer has an unexpected form")
	errEmpty = errors.New("the answer is empty")
)

// page reads the answer to a list or a claim of a queue, into messages and
// next.
func (r *reader) page(queue string, doc []byte) error {
	r.messages, r.next = r.messages[:0], nil
	has := false
	err := r.document(doc, func(name []byte) error {
		switch string(name) {
		case "messages":
			has = true
			return r.array(func() error { return r.message(queue) })
		case "links":
			return r.array(r.link)
		}
		return r.d.SkipValue()
	})
	if err == nil && !has {
		err = errForm
	}
	return err
}

// resources reads the answer to a post, into ids.
func (r *reader) resources(queue string, doc []byte) error {
	r.ids = r.ids[:0]
	return r.document(doc, func(name []byte) error {
		if string(name) != "resources" {
			return r.d.SkipValue()
		}
		return r.array(func() error {
			path, err := r.text()
			if err != nil {
				return err
			}
			id, query, err := messageOf(queue, path)
			if err != nil || len(query) > 0 {
				return errors.Join(err, errForm)
			}
			r.ids = append(r.ids, id)
			return nil
		})
	})
}

// document calls member for each member of the object that the document is.
func (r *reader) document(doc []byte, member func(name []byte) error) error {
	if len(doc) == 0 {
		return errEmpty
	}
	r.doc = doc
	r.d.Reset(bytes.NewBuffer(doc), jsontext.AllowDuplicateNames(true))
	return r.object(member)
}

func (r *reader) object(member func(name []byte) error) error {
	if err := r.token('{'); err != nil {
		return err
	}
	for r.d.PeekKind() != '}' {
		name, err := r.text()
		if err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
	return r.token('}')
}

func (r *reader) array(element func() error) error {
	if err := r.token('['); err != nil {
		return err
	}
	for r.d.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	return r.token(']')
}

func (r *reader) token(kind jsontext.Kind) error {
	t, err := r.d.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() != kind {
		return errForm
	}
	return nil
}

// value reads any value. It is a part of the document.
func (r *reader) value() ([]byte, error) {
	v, err := r.d.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(r.d.InputOffset())
	return r.doc[end-len(v) : end], nil
}

// text reads a string.
func (r *reader) text() ([]byte, error) {
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	if v[0] != '"' {
		return nil, errForm
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1], nil
	}
	return jsontext.AppendUnquote(nil, v)
}

func (r *reader) message(queue string) error {
	var m received
	var given []byte
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			given, err = r.text()
		case "href":
			m.href, err = r.text()
		case "body":
			m.body, err = r.value()
		default:
			err = r.d.SkipValue()
		}
		return err
	})
	if err != nil {
		return err
	}
	if m.id, _, err = messageOf(queue, m.href); err != nil {
		return err
	}
	if m.body == nil || given != nil && !bytes.Equal(given, m.id) {
		return errForm
	}
	r.messages = append(r.messages, m)
	return nil
}

func (r *reader) link() error {
	var href []byte
	next := false
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "href":
			href, err = r.text()
		case "rel":
			var rel []byte
			rel, err = r.text()
			next = string(rel) == "next"
		default:
			err = r.d.SkipValue()
		}
		return err
	})
	if err == nil && next {
		r.next = href
	}
	return err
}

// messageOf returns the id in the path of a message of a queue, and what
// follows it as a query.
func messageOf(queue string, path []byte) (id, query []byte, err error) {
	rest, ok := bytes.CutPrefix(path, []byte("/v2/queues/"))
	if ok {
		rest, ok = bytes.CutPrefix(rest, []byte(queue))
	}
	if ok {
		rest, ok = bytes.CutPrefix(rest, []byte("/messages/"))
	}
	id, query, _ = bytes.Cut(rest, []byte("?"))
	if !ok || len(id) == 0 || bytes.ContainsAny(id, "/=,\r\n ") {
		return nil, nil, fmt.Errorf("%w: %.200q is no message of queue %s", errForm, path, queue)
	}
	return id, query, nil
}
