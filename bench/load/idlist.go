package load

import (
	"bytes"
	"iter"
	"strconv"
	"strings"
)

// idList is keys of messages, each ended by a line feed. Millions of them cost
// neither allocations nor the garbage collector's time. A key is the id, and
// before it the number of the queue with a slash unless that is 0.
type idList []byte

func (l idList) add(queue int, id []byte) idList {
	if queue != 0 {
		l = append(strconv.AppendInt(l, int64(queue), 10), '/')
	}
	return append(append(l, id...), '\n')
}

func (l idList) len() int { return bytes.Count(l, []byte("\n")) }

// all yields the keys. They share one copy of the list.
func (l idList) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		for key := range strings.SplitSeq(strings.TrimSuffix(string(l), "\n"), "\n") {
			if key != "" && !yield(key) {
				return
			}
		}
	}
}

// each yields the keys in place.
func (l idList) each() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for rest := l; len(rest) > 0; {
			i := bytes.IndexByte(rest, '\n')
			if !yield(rest[:i]) {
				return
			}
			rest = rest[i+1:]
		}
	}
}

// queueOf returns the number of the queue in a key.
func queueOf(key string) int32 {
	number, _, found := strings.Cut(key, "/")
	if !found {
		return 0
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}
