package delivery

import (
	"encoding/hex"
	"strings"

	"zaqar/messaging"
)

// QueueScheme is that of subscribers that are queues.
const QueueScheme = "queue"

// TargetQueue returns the queue that a subscriber of QueueScheme names with what
// follows the colon, percent escapes among it: one of the own project, unless it
// names another. It returns false if that names none.
func TargetQueue(own messaging.Project, text string) (messaging.QueueRef, bool) {
	path, ok := unescaped(text)
	q := messaging.QueueRef{Project: own, Name: path}
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		q.Project, q.Name = messaging.Project(path[:i]), path[i+1:]
	}
	return q, ok && q.Project != "" && messaging.ValidName(q.Name)
}

// unescaped resolves percent escapes, and returns false if one is none.
func unescaped(s string) (string, bool) {
	var b strings.Builder
	for {
		plain, rest, found := strings.Cut(s, "%")
		b.WriteString(plain)
		if !found {
			return b.String(), true
		}
		if len(rest) < 2 {
			return "", false
		}
		c, err := hex.DecodeString(rest[:2])
		if err != nil {
			return "", false
		}
		b.Write(c)
		s = rest[2:]
	}
}
