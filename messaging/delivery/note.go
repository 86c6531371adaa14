package delivery

import (
	"bytes"
	"strconv"
	"strings"
)

// MaxHops is how many queues a message may pass on its way through
// subscribers that are queues.
const MaxHops = 8

// Note travels with an announcement from the post to the deliveries it causes.
type Note struct {
	Hops  int    // queues that the message has passed already
	Trace string // W3C traceparent of the post, or empty
}

// Append appends the note as one line without its end: the hops and the trace,
// with a space between. The zero note is empty. A trace that would not be one
// word of printable ASCII is left out.
func (n Note) Append(dst []byte) []byte {
	trace := n.Trace
	if strings.ContainsFunc(trace, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		trace = ""
	}
	if n.Hops == 0 && trace == "" {
		return dst
	}
	dst = strconv.AppendInt(dst, int64(n.Hops), 10)
	if trace != "" {
		dst = append(dst, ' ')
		dst = append(dst, trace...)
	}
	return dst
}

// ReadNote reads what Append wrote. It takes what it knows: words behind are of
// later versions, and of anything else the hops count as used up, so that
// nothing goes in circles.
func ReadNote(line []byte) Note {
	if len(line) == 0 {
		return Note{}
	}
	hops, rest, _ := bytes.Cut(line, []byte(" "))
	trace, _, _ := bytes.Cut(rest, []byte(" "))
	n, err := strconv.ParseUint(string(hops), 10, 16)
	if err != nil {
		return Note{Hops: MaxHops}
	}
	return Note{Hops: int(n), Trace: string(trace)}
}
