package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"zaqar/broker"
	"zaqar/messaging"
)

// MaxDepth is how deep arrays and objects of one document may nest, the
// outermost counted as 1.
const MaxDepth = 200

// Reader reads JSON documents, one after the other. It keeps its memory
// between documents; the zero value is ready. Not for concurrent use.
//
// It goes through a document once. Only when the scanner refuses a text does
// it go through it again, to say what is wrong and where.
type Reader struct {
	raw  []byte
	at   int    // offset of what comes next
	path []step // the arrays and objects around it

	posts    []broker.Post
	integers []int64
}

// step is a place in an array or object.
type step struct {
	name  []byte // of the member, as in the document; nil in arrays
	index int    // of the element; -1 before the first
}

// open starts on a document.
func (r *Reader) open(raw []byte) error {
	r.raw, r.at, r.path, r.integers = raw, 0, r.path[:0], r.integers[:0]
	switch kind := r.peek(); kind {
	case '{', '[':
		return nil
	case 0:
		return r.malformed()
	default:
		return r.refuse("The document must be an object or an array, not %s.", kindName(kind))
	}
}

// peek returns the kind of the value that comes next, 0 if there is none.
func (r *Reader) peek() jsontext.Kind {
	r.at = scanBlank(r.raw, r.at)
	switch c := at(r.raw, r.at); {
	case c == '-', '0' <= c && c <= '9':
		return '0'
	case c == '{', c == '[', c == '"', c == 't', c == 'f', c == 'n':
		return jsontext.Kind(c)
	}
	return 0
}

// object reads an object and calls member for each of its members, which must
// read the value. name is valid until then.
func (r *Reader) object(member func(name []byte) error) error {
	if err := r.enter('{', "an object"); err != nil {
		return err
	}
	for first := true; r.more('}', first); first = false {
		if at(r.raw, r.at) != '"' {
			return r.malformed()
		}
		end := scanString(r.raw, r.at)
		if end < 0 {
			return r.malformed()
		}
		name := r.raw[r.at:end]
		if r.at = scanBlank(r.raw, end); at(r.raw, r.at) != ':' {
			return r.malformed()
		}
		r.at++
		r.path[len(r.path)-1].name = name
		if err := member(unquoted(name)); err != nil {
			return err
		}
	}
	return r.leave('}')
}

// array reads an array and calls element for each of its elements, which must
// read the value.
func (r *Reader) array(element func() error) error {
	if err := r.enter('[', "an array"); err != nil {
		return err
	}
	for first := true; r.more(']', first); first = false {
		r.path[len(r.path)-1].index++
		if err := element(); err != nil {
			return err
		}
	}
	return r.leave(']')
}

func (r *Reader) enter(open jsontext.Kind, want string) error {
	kind := r.peek()
	if kind != open {
		if err := r.skip(); err != nil {
			return err
		}
		return r.wrong("must be " + want + ", not " + kindName(kind))
	}
	if len(r.path) == MaxDepth {
		return r.malformed()
	}
	r.at++
	r.path = append(r.path, step{index: -1})
	return nil
}

// more reports whether a further member or element begins, and takes the comma
// in front of it.
func (r *Reader) more(end byte, first bool) bool {
	r.at = scanBlank(r.raw, r.at)
	switch c := at(r.raw, r.at); {
	case first:
		return c != end
	case c != ',':
		return false
	}
	r.at = scanBlank(r.raw, r.at+1)
	return true
}

func (r *Reader) leave(end byte) error {
	if at(r.raw, r.at) != end {
		return r.malformed()
	}
	r.at++
	r.path = r.path[:len(r.path)-1]
	return nil
}

// value reads the next value and returns its text, a part of the document.
func (r *Reader) value() ([]byte, error) {
	start := scanBlank(r.raw, r.at)
	end := scanValue(r.raw, start, len(r.path))
	if end < 0 {
		return nil, r.malformed()
	}
	r.at = end
	return r.raw[start:end:end], nil
}

// skip reads the next value and drops it.
func (r *Reader) skip() error {
	_, err := r.value()
	return err
}

// integer reads an integer: no fraction, no exponent. With null allowed, null
// gives nil. What it returns is valid until the next document.
func (r *Reader) integer(null bool) (*int64, error) {
	kind := r.peek()
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	switch {
	case kind == 'n' && null:
		return nil, nil
	case kind != '0':
		return nil, r.wrong("must be an integer, not " + kindName(kind))
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return nil, r.wrong("must be an integer, without fraction and exponent")
	}
	r.integers = append(r.integers, n)
	return &r.integers[len(r.integers)-1], nil
}

// text reads a string.
func (r *Reader) text() (string, error) {
	kind := r.peek()
	v, err := r.value()
	if err != nil {
		return "", err
	}
	if kind != '"' {
		return "", r.wrong("must be a string, not " + kindName(kind))
	}
	return string(unquoted(v)), nil
}

// end makes sure that nothing follows the document.
func (r *Reader) end() error {
	if r.at = scanBlank(r.raw, r.at); r.at < len(r.raw) {
		return r.refuse("There is text behind the JSON document, at offset %d.", r.at)
	}
	return nil
}

// close forgets the document, so that a pooled Reader does not keep it alive.
func (r *Reader) close() {
	r.raw = nil
	clear(r.path[:cap(r.path)])
	clear(r.posts)
	if cap(r.posts) > keptPosts {
		r.posts, r.integers = nil, nil
	}
}

// wrong reports the value just read.
func (r *Reader) wrong(what string) error {
	where := r.here()
	if where == "" {
		where = "The document"
	}
	return r.refuse("%s %s.", where, what)
}

// here names the place in the document of the value just read as all errors of
// the API do: messages[0].ttl.
func (r *Reader) here() string {
	var p []byte
	for _, s := range r.path {
		if s.name != nil {
			p = appendMember(p, unquoted(s.name))
		} else {
			p = appendElement(p, strconv.Itoa(s.index))
		}
	}
	return shortened(p)
}

func appendMember[T string | []byte](place []byte, name T) []byte {
	if len(place) > 0 {
		place = append(place, '.')
	}
	return append(place, name...)
}

func appendElement(place []byte, index string) []byte {
	return append(append(append(place, '['), index...), ']')
}

// named writes a pointer as here does. Numbers are taken for places in arrays.
func named(p jsontext.Pointer) string {
	var place []byte
	for token := range p.Tokens() {
		if strings.Trim(token, "0123456789") == "" && token != "" {
			place = appendElement(place, token)
		} else {
			place = appendMember(place, token)
		}
	}
	return shortened(place)
}

// refuse returns an Invalid error, unless the document breaks a limit: that is
// told first, wherever it is.
func (r *Reader) refuse(format string, args ...any) error {
	if err := checkLimits(r.raw); err != nil {
		return err
	}
	return invalid(format, args...)
}

// malformed finds out what the scanner did not like.
func (r *Reader) malformed() error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(r.raw), jsontext.AllowDuplicateNames(true))
	err := dec.SkipValue()
	var bad *jsontext.SyntacticError
	switch {
	case errors.As(err, &bad) && !errors.Is(bad.Err, io.ErrUnexpectedEOF):
		what := strings.TrimPrefix(bad.Err.Error(), "jsontext: ")
		if in := named(bad.JSONPointer); in != "" {
			return r.refuse("Malformed JSON: %s, in %s at offset %d.", what, in, bad.ByteOffset)
		}
		return r.refuse("Malformed JSON: %s, at offset %d.", what, bad.ByteOffset)
	default:
		return r.refuse("Malformed JSON: the document ends too early, at offset %d.", len(r.raw))
	}
}

// checkLimits reports nesting beyond MaxDepth and integers that do not fit 64
// bits. It finds them lexically, in any text.
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

// shortened cuts a place off that the client's own names made long.
func shortened(place []byte) string {
	const longest = 120
	if len(place) > longest {
		return strings.ToValidUTF8(string(place[:longest]), "") + "…"
	}
	return string(place)
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
