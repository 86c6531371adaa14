package load

import (
	"fmt"
	"strconv"
	"strings"
)

// Target is a server that is put under load.
type Target struct {
	Addr    string // host:port
	Project string // whose queues are used
	// Real says that it stores messages; else it answers what was prepared,
	// and nothing is accounted for.
	Real bool
}

// Body returns a JSON object of the given size in bytes, at least 64.
func Body(size int) []byte {
	const head, tail = `{"event":"volume.attached","data":"`, `"}`
	n := max(size, 64) - len(head) - len(tail)
	return []byte(head + strings.Repeat("0123456789abcdef", n/16+1)[:n] + tail)
}

// template builds the bytes of requests of one client.
type template struct {
	paths  string // "/v2/queues/name", the prefix of all paths
	common string // the headers that all requests have
}

func newTemplate(t Target, queue, client string) template {
	return template{
		paths: "/v2/queues/" + queue,
		common: " HTTP/1.1\r\nHost: " + t.Addr + "\r\nUser-Agent: zaqar-bench\r\nAccept: application/json\r\n" +
			"Client-ID: " + client + "\r\nX-Project-ID: " + t.Project + "\r\n",
	}
}

// request appends a request for a path, without a body if that is nil.
func (t *template) request(dst []byte, method string, path, body []byte) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, path...)
	dst = append(dst, t.common...)
	if body == nil {
		return append(dst, "\r\n"...)
	}
	dst = append(dst, "Content-Type: application/json\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}

// on is request for a path below the queue's.
func (t *template) on(method, below string, body []byte) []byte {
	return t.request(nil, method, []byte(t.paths+below), body)
}

// posting returns the body of a post of n messages.
func posting(n int, body []byte) []byte {
	b := []byte(`{"messages":[`)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"ttl":86400,"body":`...)
		b = append(b, body...)
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

// clientID returns the UUID of a connection.
func clientID(n int) string { return fmt.Sprintf("6f6d6e69-2062-4e63-8000-%012x", n) }
