package load

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"zaqar/bench/rawhttp"
)

// Target is a server that is put under load.
type Target struct {
	Addr    string      // host:port
	TLS     *tls.Config // nil: plain HTTP
	Prefix  string      // of all paths, before /v2
	Project string      // whose queues are used
	Headers []string    // sent with every request, as "Name: value", instead of others of that name
	// Timeout bounds the wait for one answer; 0 stands for a minute.
	Timeout time.Duration
	// Real says that it stores messages; else it answers what was prepared,
	// and nothing is accounted for.
	Real bool
}

// ParseURL returns the target that a URL names: http or https, host, port if
// it is not the usual one, and a path if the server is below one.
func ParseURL(text string) (Target, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Target{}, fmt.Errorf("%q is not the URL of a server, such as http://127.0.0.1:8888", text)
	}
	port := u.Port()
	t := Target{Prefix: strings.TrimSuffix(strings.TrimSuffix(u.EscapedPath(), "/"), "/v2"), Real: true}
	switch u.Scheme {
	case "http":
		port = orDefault(port, "80")
	case "https":
		port = orDefault(port, "443")
		t.TLS = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	default:
		return Target{}, fmt.Errorf("%q is not a URL that begins with http:// or https://", text)
	}
	if u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return Target{}, fmt.Errorf("%q is not the URL of a server, such as http://127.0.0.1:8888", text)
	}
	t.Addr = net.JoinHostPort(u.Hostname(), port)
	return t, nil
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// String returns the URL.
func (t *Target) String() string {
	if t.TLS != nil {
		return "https://" + t.Addr + t.Prefix
	}
	return "http://" + t.Addr + t.Prefix
}

// Dial connects to the server.
func (t *Target) Dial() (*rawhttp.Conn, error) {
	var c *rawhttp.Conn
	var err error
	if t.TLS != nil {
		c, err = rawhttp.DialTLS(t.Addr, t.TLS)
	} else {
		c, err = rawhttp.Dial(t.Addr)
	}
	if err != nil {
		return nil, fmt.Errorf("no connection to %s: %w", t, err)
	}
	return c, nil
}

func (t *Target) timeout() time.Duration {
	if t.Timeout == 0 {
		return time.Minute
	}
	return t.Timeout
}

// Body returns a JSON object of the given size in bytes, at least 64.
func Body(size int) []byte {
	const head, tail = `{"event":"volume.attached","data":"`, `"}`
	n := max(size, 64) - len(head) - len(tail)
	return []byte(head + strings.Repeat("0123456789abcdef", n/16+1)[:n] + tail)
}

// template builds the bytes of requests of one client for queues whose names
// end with a number of fixed width.
type template struct {
	prefix string
	paths  string // "/v2/queues/name", before it the prefix; begins all paths
	width  int    // of the number; 0: the name has none
	common string // the headers that all requests have
}

func newTemplate(t *Target, name string, width int, client string) template {
	paths := t.Prefix + "/v2/queues/" + name
	if width > 0 {
		paths += "-" + strings.Repeat("0", width)
	}
	common := " HTTP/1.1\r\n"
	for _, h := range []string{"Host: " + t.Addr, "User-Agent: zaqar-bench", "Accept: application/json",
		"Client-ID: " + client, "X-Project-ID: " + t.Project} {
		if !t.replaces(h) {
			common += h + "\r\n"
		}
	}
	for _, h := range t.Headers {
		common += h + "\r\n"
	}
	return template{prefix: t.Prefix, paths: paths, width: width, common: common}
}

// replaces reports whether Headers has one of the same name.
func (t *Target) replaces(header string) bool {
	return slices.ContainsFunc(t.Headers, func(h string) bool { return HeaderName(h) == HeaderName(header) })
}

// HeaderName returns the name in "Name: value", in lower case.
func HeaderName(header string) string {
	name, _, _ := strings.Cut(header, ":")
	return strings.ToLower(name)
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

// aim makes a request that on has built one for the queue of a number.
func (t *template) aim(request []byte, method string, queue int) []byte {
	t.enter(request[:len(method)+1+len(t.paths)], queue)
	return request
}

// queue appends the path of the queue of a number.
func (t *template) queue(dst []byte, queue int) []byte {
	dst = append(dst, t.paths...)
	t.enter(dst, queue)
	return dst
}

// enter writes the number of a queue over the digits that b ends with.
func (t *template) enter(b []byte, queue int) {
	for i := len(b) - 1; i >= len(b)-t.width; i-- {
		b[i] = byte('0' + queue%10)
		queue /= 10
	}
}

// path appends the path of a link: a server behind a proxy may not know its
// prefix.
func (t *template) path(dst, href []byte) []byte {
	if !strings.HasPrefix(string(href), t.prefix) {
		dst = append(dst, t.prefix...)
	}
	return append(dst, href...)
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
