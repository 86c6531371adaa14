package wire

import (
	"slices"
	"strconv"

	"zaqar/broker"
	"zaqar/messaging"
)

// Posts reads {"messages": [{"body", "ttl", "delay"}, …]} (http-v2 §8.2). The
// bodies and delays alias raw; what holds them is valid until the next document.
func (r *Reader) Posts(raw []byte) ([]broker.Post, error) {
	if err := r.open(raw); err != nil {
		return nil, err
	}
	posts, given := r.posts[:0], false
	err := r.object(func(name []byte) error {
		if string(name) != "messages" {
			return r.skip()
		}
		clear(posts) // of an earlier member of this name
		given, posts = true, posts[:0]
		return r.array(func() error {
			post, err := r.post()
			posts = append(posts, post)
			return err
		})
	})
	r.posts = posts
	switch {
	case err != nil:
		return nil, err
	case !given:
		return nil, r.refuse("messages is missing.")
	case len(posts) == 0:
		return nil, r.refuse("messages must hold at least one message.")
	}
	return posts, r.end()
}

func (r *Reader) post() (p broker.Post, err error) {
	err = r.object(func(name []byte) (err error) {
		switch string(name) {
		case "body":
			p.Body, err = r.value()
		case "ttl":
			p.TTL, err = r.integer(false)
		case "delay":
			p.Delay, err = r.value()
		default:
			err = r.skip()
		}
		return err
	})
	if err == nil && p.Body == nil {
		err = r.wrong(`lacks the member "body"`)
	}
	return p, err
}

// AppendMessages appends a page of messages (http-v2 §8.3); next is the href
// of the next page.
func AppendMessages(dst []byte, q messaging.QueueRef, ms broker.Messages, next []byte) []byte {
	dst = append(dst, `{"messages":`...)
	dst = appendMessages(dst, q, ms)
	dst = appendLinks(dst, len(ms.List) > 0, next)
	return append(dst, '}')
}

// AppendFound appends messages without links: asked for by id (http-v2 §8.4),
// or claimed (§9.1).
func AppendFound(dst []byte, q messaging.QueueRef, ms broker.Messages) []byte {
	dst = append(dst, `{"messages":`...)
	dst = appendMessages(dst, q, ms)
	return append(dst, '}')
}

// AppendMessage appends one message (http-v2 §8.5). ms must hold one.
func AppendMessage(dst []byte, q messaging.QueueRef, ms broker.Messages) []byte {
	return appendMessage(dst, q, ms, &ms.List[0])
}

// AppendPopped appends messages that were popped (http-v2 §8.6).
func AppendPopped(dst []byte, ms broker.Messages) []byte {
	dst = append(withRoom(dst, ms), `{"messages":[`...)
	for i := range ms.List {
		if i > 0 {
			dst = append(dst, ',')
		}
		m := &ms.List[i]
		dst = append(dst, `{"id":"`...)
		dst = append(dst, m.ID...)
		dst = append(dst, `","age":`...)
		dst = strconv.AppendInt(dst, m.Age(ms.Now), 10)
		dst = append(dst, `,"ttl":`...)
		dst = strconv.AppendInt(dst, m.TTL, 10)
		dst = append(dst, `,"claim_count":`...)
		dst = strconv.AppendInt(dst, int64(m.Claims), 10)
		dst = append(dst, `,"claim_id":null`...)
		dst = appendBody(dst, m)
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}

// AppendPosted appends the answer to a post (http-v2 §8.2).
func AppendPosted(dst []byte, q messaging.QueueRef, ids []messaging.MessageID) []byte {
	dst = append(dst, `{"resources":[`...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = appendMessageHref(dst, q, id)
		dst = append(dst, '"')
	}
	return append(dst, "]}"...)
}

// aroundBody is about as much as stands around the body of a message, in
// bytes: members, ids, href.
const aroundBody = 512

// withRoom makes room for the messages in one step: to grow piece by piece
// takes five times the memory of a large page.
func withRoom(dst []byte, ms broker.Messages) []byte {
	size := aroundBody
	for i := range ms.List {
		size += aroundBody + len(ms.List[i].Body)
	}
	return slices.Grow(dst, size)
}

func appendMessages(dst []byte, q messaging.QueueRef, ms broker.Messages) []byte {
	dst = append(withRoom(dst, ms), '[')
	for i := range ms.List {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMessage(dst, q, ms, &ms.List[i])
	}
	return append(dst, ']')
}

func appendMessage(dst []byte, q messaging.QueueRef, ms broker.Messages, m *messaging.Message) []byte {
	dst = append(dst, `{"id":"`...)
	dst = append(dst, m.ID...)
	dst = append(dst, `","href":"`...)
	dst = appendMessageHref(dst, q, m.ID)
	if m.Claim != "" {
		dst = append(dst, "?claim_id="...)
		dst = append(dst, m.Claim...)
	}
	dst = append(dst, `","ttl":`...)
	dst = strconv.AppendInt(dst, m.TTL, 10)
	dst = append(dst, `,"age":`...)
	dst = strconv.AppendInt(dst, m.Age(ms.Now), 10)
	dst = appendBody(dst, m)
	return append(dst, '}')
}

func appendBody(dst []byte, m *messaging.Message) []byte {
	dst = append(dst, `,"body":`...)
	dst = append(dst, m.Body...)
	if m.Checksum != "" {
		dst = append(dst, `,"checksum":"`...)
		dst = append(dst, m.Checksum...)
		dst = append(dst, '"')
	}
	return dst
}
