package wire

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"zaqar/broker"
	"zaqar/messaging"
)

// Metadata reads the metadata object of a queue or topic (http-v2 §7.2).
func (r *Reader) Metadata(raw []byte) (*messaging.Metadata, error) {
	if err := r.open(raw); err != nil {
		return nil, err
	}
	if err := r.object(func([]byte) error { return r.skip() }); err != nil {
		return nil, err
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	m, err := messaging.DecodeMetadata(raw)
	if err != nil {
		return nil, messaging.Wrap(messaging.Invalid, "Malformed JSON.", err)
	}
	return m, nil
}

// Patch reads a patch document: [{"op", "path", "value"}, …] (http-v2 §7.5).
// The values are copies.
func (r *Reader) Patch(raw []byte) ([]broker.PatchOp, error) {
	if err := r.open(raw); err != nil {
		return nil, err
	}
	ops := []broker.PatchOp{}
	err := r.array(func() error {
		op, err := r.patchOp()
		ops = append(ops, op)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ops, r.end()
}

func (r *Reader) patchOp() (op broker.PatchOp, err error) {
	var path string
	var hasOp, hasPath bool
	err = r.object(func(name []byte) (err error) {
		switch string(name) {
		case "op":
			hasOp = true
			op.Op, err = r.text()
		case "path":
			hasPath = true
			path, err = r.text()
		case "value":
			op.Value, err = r.value()
		default:
			err = r.skip()
		}
		return err
	})
	switch {
	case err != nil:
		return op, err
	case !hasOp:
		return op, r.wrong(`lacks the member "op"`)
	case op.Op != "add" && op.Op != "remove" && op.Op != "replace":
		return op, r.wrong(`has an unknown "op": it must be add, remove or replace`)
	case !hasPath:
		return op, r.wrong(`lacks the member "path"`)
	case op.Op == "remove":
		op.Value = nil
	case op.Value == nil:
		return op, r.wrong(`lacks the member "value"`)
	default:
		op.Value = bytes.Clone(op.Value)
	}
	key, bad := patchKey(path)
	if bad != "" {
		return op, r.wrong(`has a wrong "path": ` + bad)
	}
	op.Key = key
	return op, nil
}

// patchKey returns the key a path addresses, or what is wrong with the path.
func patchKey(path string) (key, bad string) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "", "it must start with a slash"
	}
	root, leaf, ok := strings.Cut(rest, "/")
	if !ok || strings.Contains(leaf, "/") {
		return "", "it must have the form /metadata/<key>"
	}
	for _, segment := range []*string{&root, &leaf} {
		*segment, ok = unescape(strings.TrimSpace(*segment))
		switch {
		case !ok:
			return "", "a tilde must be followed by 0 or 1"
		case *segment == "":
			return "", "a segment is empty"
		}
	}
	if !strings.EqualFold(root, "metadata") {
		return "", "it must have the form /metadata/<key>"
	}
	return leaf, ""
}

// unescape resolves the escapes of a pointer segment: ~0 is ~, ~1 is a slash.
func unescape(segment string) (string, bool) {
	if !strings.Contains(segment, "~") {
		return segment, true
	}
	var b strings.Builder
	for i := 0; i < len(segment); i++ {
		if segment[i] != '~' {
			b.WriteByte(segment[i])
			continue
		}
		i++
		switch {
		case i < len(segment) && segment[i] == '0':
			b.WriteByte('~')
		case i < len(segment) && segment[i] == '1':
			b.WriteByte('/')
		default:
			return "", false
		}
	}
	return b.String(), true
}

// Purge reads {"resource_types": […]} (http-v2 §7.7).
func (r *Reader) Purge(raw []byte) (broker.Purge, error) {
	var p broker.Purge
	if err := r.open(raw); err != nil {
		return p, err
	}
	given := false
	err := r.object(func(name []byte) error {
		if string(name) != "resource_types" {
			return r.skip()
		}
		given, p = true, broker.Purge{}
		return r.array(func() error {
			what, err := r.text()
			switch {
			case err != nil:
				return err
			case what == "messages":
				p.Messages = true
			case what == "subscriptions":
				p.Subscriptions = true
			default:
				return r.wrong("must be messages or subscriptions")
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return p, err
	case !given:
		return p, r.refuse("resource_types is missing.")
	}
	return p, r.end()
}

// Queues is a page of queues or topics to be written.
type Queues struct {
	Topics   bool
	List     []messaging.Queue
	Detailed bool // write the metadata as given in List
	Count    *int // written unless nil
	Next     string
}

// AppendQueues appends a page of queues or topics (http-v2 §7.1).
func AppendQueues(dst []byte, page Queues) []byte {
	if page.Topics {
		dst = append(dst, `{"topics":[`...)
	} else {
		dst = append(dst, `{"queues":[`...)
	}
	for i, q := range page.List {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":"`...)
		dst = append(dst, q.Ref.Name...)
		if page.Detailed {
			dst = append(dst, `","metadata":`...)
			dst = append(dst, q.Metadata.JSON()...)
			dst = append(dst, `,"href":"`...)
		} else {
			dst = append(dst, `","href":"`...)
		}
		dst = AppendQueueHref(dst, q.Ref)
		dst = append(dst, `"}`...)
	}
	dst = append(dst, ']')
	dst = appendLinks(dst, len(page.List) > 0, page.Next)
	if page.Count != nil {
		dst = append(dst, `,"count":`...)
		dst = strconv.AppendInt(dst, int64(*page.Count), 10)
	}
	return append(dst, '}')
}

// AppendStats appends the statistics of a queue as seen at now (http-v2 §7.6).
func AppendStats(dst []byte, q messaging.QueueRef, t messaging.Tally, now time.Time) []byte {
	dst = append(dst, `{"messages":{"claimed":`...)
	dst = strconv.AppendInt(dst, int64(t.Claimed), 10)
	dst = append(dst, `,"free":`...)
	dst = strconv.AppendInt(dst, int64(t.Free()), 10)
	dst = append(dst, `,"total":`...)
	dst = strconv.AppendInt(dst, int64(t.Total), 10)
	dst = appendStat(dst, "oldest", q, t.Oldest, now)
	dst = appendStat(dst, "newest", q, t.Newest, now)
	return append(dst, "}}"...)
}

func appendStat(dst []byte, name string, q messaging.QueueRef, m *messaging.Message, now time.Time) []byte {
	if m == nil {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":{"age":`...)
	dst = strconv.AppendInt(dst, m.Age(now), 10)
	dst = append(dst, `,"created":"`...)
	dst = m.Posted.UTC().AppendFormat(dst, "2006-01-02T15:04:05Z")
	dst = append(dst, `","href":"`...)
	dst = appendMessageHref(dst, q, m.ID)
	return append(dst, `"}`...)
}

// appendString appends a JSON string; what is not UTF-8 in it is replaced.
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // the error only tells about the replacement
	return dst
}
