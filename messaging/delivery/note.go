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
	// Origin is common to all that comes of one step into a first queue, on
	// whatever ways: one word, empty if there was none.
	Origin string
}

// Append appends the note as one line without its end: the hops, the trace and
// the origin, with spaces between and a hyphen for no trace. The zero note is
// empty. What would not be one word of printable ASCII is left out.
func (n Note) Append(dst []byte) []byte {
	trace, origin := word(n.Trace), word(n.Origin)
	if n.Hops == 0 && trace == "" && origin == "" {
		return dst
	}
	dst = strconv.AppendInt(dst, int64(n.Hops), 10)
	if origin != "" && trace == "" {
		trace = noTrace
	}
	for _, w := range [2]string{trace, origin} {
		if w != "" {
			dst = append(append(dst, ' '), w...)
		}
	}
	return dst
}

// noTrace stands for none where an origin follows.
const noTrace = "-"

func word(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return ""
	}
	return s
}

// ReadNote reads what Append wrote. It takes what it knows: words behind are of
// later versions, and of anything else the hops count as used up, so that
// nothing goes in circles.
func ReadNote(line []byte) Note {
	if len(line) == 0 {
		return Note{}
	}
	hops, rest, _ := bytes.Cut(line, []byte(" "))
	trace, rest, _ := bytes.Cut(rest, []byte(" "))
	origin, _, _ := bytes.Cut(rest, []byte(" "))
	n, err := strconv.ParseUint(string(hops), 10, 16)
	if err != nil {
		return Note{Hops: MaxHops}
	}
	if string(trace) == noTrace {
		trace = nil
	}
	return Note{Hops: int(n), Trace: string(trace), Origin: string(origin)}
}
