package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"zaqar/messaging"
)

// MaxDepth is how deep arrays and objects of one document may nest, the
// outermost counted as 1.
const MaxDepth = 200

// Reader reads JSON documents, one after the other. It keeps its memory
// between documents; the zero value is ready. Not for concurrent use.
type Reader struct {
	raw []byte
	buf bytes.Buffer
	dec jsontext.Decoder
}

// open starts on a document. What is cut out of it aliases raw.
func (r *Reader) open(raw []byte) error {
	if err := checkLimits(raw); err != nil {
		return err
	}
	r.raw = raw
	r.buf = *bytes.NewBuffer(raw)
	r.dec.Reset(&r.buf, jsontext.AllowDuplicateNames(true))
	switch kind := r.dec.PeekKind(); kind {
	case '{', '[':
		return nil
	case 0:
		_, err := r.dec.ReadToken()
		return r.syntax(err)
	default:
		return invalid("The document must be an object or an array, not %s.", kindName(kind))
	}
}

// object reads an object and calls member for each of its members, which must
// read the value. name is valid until then.
func (r *Reader) object(member func(name []byte) error) error {
	if err := r.enter('{', "an object"); err != nil {
		return err
	}
	for r.dec.PeekKind() == '"' {
		name, err := r.dec.ReadValue()
		if err != nil {
			return r.syntax(err)
		}
		if err := member(unquoted(name)); err != nil {
			return err
		}
	}
	return r.leave()
}

// array reads an array and calls element for each of its elements, which must
// read the value.
func (r *Reader) array(element func() error) error {
	if err := r.enter('[', "an array"); err != nil {
		return err
	}
	for k := r.dec.PeekKind(); k != ']' && k != 0; k = r.dec.PeekKind() {
		if err := element(); err != nil {
			return err
		}
	}
	return r.leave()
}

func (r *Reader) enter(open jsontext.Kind, want string) error {
	kind := r.dec.PeekKind()
	if kind == 0 {
		_, err := r.dec.ReadToken()
		return r.syntax(err)
	}
	if kind != open {
		if err := r.skip(); err != nil {
			return err
		}
		return r.wrong("must be " + want + ", not " + kindName(kind))
	}
	_, err := r.dec.ReadToken()
	return r.syntax(err)
}

func (r *Reader) leave() error {
	_, err := r.dec.ReadToken()
	return r.syntax(err)
}

// value reads the next value and returns its text, a part of the document.
func (r *Reader) value() ([]byte, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return nil, r.syntax(err)
	}
	end := r.dec.InputOffset()
	return r.raw[end-int64(len(v)) : end : end], nil
}

// skip reads the next value and drops it.
func (r *Reader) skip() error { return r.syntax(r.dec.SkipValue()) }

// integer reads an integer: no fraction, no exponent. With null allowed, null
// gives nil.
func (r *Reader) integer(null bool) (*int64, error) {
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	switch kind := jsontext.Value(v).Kind(); {
	case kind == 'n' && null:
		return nil, nil
	case kind != '0':
		return nil, r.wrong("must be an integer, not " + kindName(kind))
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return nil, r.wrong("must be an integer, without fraction and exponent")
	}
	return &n, nil
}

// text reads a string.
func (r *Reader) text() (string, error) {
	v, err := r.value()
	if err != nil {
		return "", err
	}
	if kind := jsontext.Value(v).Kind(); kind != '"' {
		return "", r.wrong("must be a string, not " + kindName(kind))
	}
	return string(unquoted(v)), nil
}

// end makes sure that nothing follows the document.
func (r *Reader) end() error {
	at := r.dec.InputOffset()
	rest := bytes.TrimLeft(r.raw[at:], " \t\r\n")
	if len(rest) > 0 {
		return invalid("There is text behind the JSON document, at offset %d.", len(r.raw)-len(rest))
	}
	return nil
}

// close forgets the document, so that a pooled Reader does not keep it alive.
func (r *Reader) close() {
	r.raw = nil
	r.buf = bytes.Buffer{}
	r.dec.Reset(&r.buf)
}

// wrong reports the value just read.
func (r *Reader) wrong(what string) error {
	where := pointer(r.dec.StackPointer())
	if where == "" {
		where = "The document"
	}
	return invalid("%s %s.", where, what)
}

func (r *Reader) syntax(err error) error {
	if err == nil {
		return nil
	}
	var bad *jsontext.SyntacticError
	switch {
	case errors.As(err, &bad) && !errors.Is(bad.Err, io.ErrUnexpectedEOF):
		what := strings.TrimPrefix(bad.Err.Error(), "jsontext: ")
		if in := pointer(bad.JSONPointer); in != "" {
			return invalid("Malformed JSON: %s, in %s at offset %d.", what, in, bad.ByteOffset)
		}
		return invalid("Malformed JSON: %s, at offset %d.", what, bad.ByteOffset)
	default:
		return invalid("Malformed JSON: the document ends too early, at offset %d.", len(r.raw))
	}
}

// checkLimits refuses nesting beyond MaxDepth and integers that do not fit 64
// bits. It finds them lexically: what is malformed is left to the decoder.
func checkLimits(raw []byte) error {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			i = stringEnd(raw, i)
		case c == '{', c == '[':
			if depth++; depth > MaxDepth {
				return invalid("The document nests deeper than %d, at offset %d.", MaxDepth, i)
			}
		case c == '}', c == ']':
			depth--
		case c == '-', '0' <= c && c <= '9':
			end := numberEnd(raw, i)
			if hugeInteger(raw[i:end]) {
				return invalid("An integer does not fit 64 bits, at offset %d.", i)
			}
			i = end - 1
		}
	}
	return nil
}

// stringEnd returns the index of the quote that closes the string opened at
// start, or len(raw).
func stringEnd(raw []byte, start int) int {
	for i := start + 1; ; i++ {
		n := bytes.IndexByte(raw[i:], '"')
		if n < 0 {
			return len(raw)
		}
		i += n
		escapes := 0
		for raw[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}

func numberEnd(raw []byte, i int) int {
	for i < len(raw) {
		switch c := raw[i]; {
		case '0' <= c && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			i++
		default:
			return i
		}
	}
	return i
}

func hugeInteger(text []byte) bool {
	if len(text) < len("1000000000000000000") || bytes.ContainsAny(text, ".eE") {
		return false
	}
	_, err := strconv.ParseInt(string(text), 10, 64)
	return errors.Is(err, strconv.ErrRange)
}

// unquoted returns the content of a valid JSON string text, aliasing it where
// nothing is escaped.
func unquoted(text []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text[1 : len(text)-1]
	}
	out, _ := jsontext.AppendUnquote(nil, text) // cannot fail: the text was read as a string
	return out
}

// pointer shortens a pointer that the client's own names made long.
func pointer(p jsontext.Pointer) string {
	const longest = 120
	if len(p) > longest {
		return strings.ToValidUTF8(string(p[:longest]), "") + "…"
	}
	return string(p)
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "something else"
}

func invalid(format string, args ...any) error {
	return messaging.E(messaging.Invalid, fmt.Sprintf(format, args...))
}
