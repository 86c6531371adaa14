package conn

import (
	"bytes"
	"strconv"
)

// refusalHead are the headers, all of them, that net/http writes to a client
// whose request it cannot read. No handler sees those, and no reply of a
// handler looks so, because it has a date.
const refusalHead = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// refusal returns the status of a reply by which net/http refuses what it
// cannot read; 0 if p is none.
func refusal(p []byte) int {
	const begin = "HTTP/1.1 "
	line := bytes.IndexByte(p, '\r')
	if line < len(begin)+3 || !bytes.HasPrefix(p, []byte(begin)) || !bytes.HasPrefix(p[line:], []byte(refusalHead)) {
		return 0
	}
	status, err := strconv.Atoi(string(p[len(begin) : len(begin)+3]))
	if err != nil {
		return 0
	}
	return status
}

// Refuse has replies to requests that net/http cannot read be those that reply
// returns, whole, for a status. It is called before the first Accept.
func (l *Listener) Refuse(reply func(status int) []byte) { l.refuse = reply }
