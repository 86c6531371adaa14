package storage

import (
	"bytes"
	"errors"
	"strconv"

	"zaqar/messaging"
)

// AppendOptions say what else an Append does. The zero value is nothing else.
type AppendOptions struct {
	// Announce asks for word to the subscribers: for each of the queues appended
	// to that has subscriptions, a copy of each draft goes to the end of its
	// outbox (QueueRef.In(messaging.Outbox)), together with the drafts or not at
	// all. Subscriptions that have expired may count for a while. Nil: no word.
	Announce *Announcement
	// Also are further queues that get the drafts, each with ids of its own.
	// All of them get the drafts together where a store can do that. Where it
	// cannot, because it spreads queues over machines, these come first, one after
	// the other, and after a failure some may have the drafts. No queue may be
	// named twice.
	Also []messaging.QueueRef
}

// Announcement is how copies are kept in an outbox.
type Announcement struct {
	Note []byte // goes with each copy; no line feeds, 4 KiB at most
	TTL  int64  // seconds that a copy lives, ≥ 1
}

// Appended is what an Append has stored.
type Appended struct {
	IDs []messaging.MessageID // in the queue named first, in the order of the drafts
	// Announced says that copies went to an outbox, of the queue named first or
	// of another one.
	Announced bool
}

// Copy is a message in an outbox, as ReadCopy finds it in its body. Poster, Key,
// Checksum, which a sealed body may be bound to, and the instant of posting are
// those of the message that holds it.
type Copy struct {
	ID         messaging.MessageID // of the message in the queue
	Index      int                 // its place in the post, from 0
	TTL, Delay int64               // as in its Draft
	Note       []byte
	Body       []byte // as in its Draft
}

// AppendCopy appends the body that the i-th draft of a post has in an outbox,
// once the id of the message is known, up to where the body of the draft begins:
//
//	<id> <index> <ttl> <delay> LF <note> LF <body>
func AppendCopy(b []byte, id messaging.MessageID, i int, d *messaging.Draft, note []byte) []byte {
	b = append(b, id...)
	for _, n := range []int64{int64(i), d.TTL, d.Delay} {
		b = append(b, ' ')
		b = strconv.AppendInt(b, n, 10)
	}
	b = append(b, '\n')
	b = append(b, note...)
	return append(b, '\n')
}

var errNoCopy = errors.New("not the body of a message in an outbox")

// ReadCopy takes the body of a message in an outbox apart. Note and Body are
// parts of it.
func ReadCopy(body []byte) (c Copy, err error) {
	head, rest, ok := bytes.Cut(body, []byte{'\n'})
	if !ok {
		return Copy{}, errNoCopy
	}
	if c.Note, c.Body, ok = bytes.Cut(rest, []byte{'\n'}); !ok {
		return Copy{}, errNoCopy
	}
	fields := bytes.Split(head, []byte{' '})
	if len(fields) != 4 {
		return Copy{}, errNoCopy
	}
	c.ID = messaging.MessageID(fields[0])
	var numbers [3]int64
	for i, f := range fields[1:] {
		if numbers[i], err = strconv.ParseInt(string(f), 10, 64); err != nil || numbers[i] < 0 {
			return Copy{}, errNoCopy
		}
	}
	c.Index, c.TTL, c.Delay = int(numbers[0]), numbers[1], numbers[2]
	return c, nil
}
