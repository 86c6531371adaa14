package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"zaqar/test/e2e/daemon"
)

// attack is nonsense on the wire and what it may bring: one of the statuses,
// or a closed connection if 0 is among them.
type attack struct {
	name string
	text string
	may  []int
	half bool // the client stops sending after the text
}

// TestHostileInput sends what no client should. Each gets an answer or is cut
// off, none gets a failure of the server, and nothing is left behind.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	c := d.Client()
	var attacks []attack
	attacks = append(attacks, brokenHTTP(c)...)
	attacks = append(attacks, brokenLengths(c)...)
	attacks = append(attacks, brokenPaths(c)...)
	attacks = append(attacks, brokenBodies(c)...)
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) { a.run(t, d) })
	}
	if left := c.Do(t, http.MethodGet, "/v2/queues?limit=20", nil).Want(200); string(left.Body) != `{"queues":[],"links":[]}` {
		t.Errorf("left behind: %s", left.Body)
	}
	for _, r := range d.Records("request") {
		if r.Number("status") >= 500 {
			t.Errorf("a failure of the server: %v", r)
		}
	}
	for _, message := range []string{"panic", "request failed"} {
		if r := d.Records(message); len(r) > 0 {
			t.Errorf("the server logged %v", r)
		}
	}
}

func (a attack) run(t *testing.T, d *daemon.Daemon) {
	r := dial(t, d)
	r.write(a.text)
	if a.half {
		if half, ok := r.conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // an error is a connection that the server has closed
		}
	}
	status := 0
	resp, body, err := r.answer()
	switch {
	case err == nil:
		status = resp.StatusCode
	case !errors.Is(err, io.EOF):
		t.Fatalf("no answer: %v", err)
	}
	for _, s := range a.may {
		if s == status {
			return
		}
	}
	t.Errorf("status %d, want one of %d (0 is a closed connection): %.300s", status, a.may, body)
}

func brokenHTTP(c *daemon.Client) []attack {
	many := strings.Repeat("X-Header: value\r\n", 10_000)
	return []attack{
		{name: "nothing", half: true, may: []int{0, 400, 408}},
		{name: "binary", text: "\x00\x01\x02\xff\xfe\r\n\r\n", may: []int{0, 400}},
		{name: "TLS", text: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\xaa", 500) + "\r\n\r\n", may: []int{0, 400}},
		{name: "HTTP/9.9", text: "GET /v2/ping HTTP/9.9\r\nHost: zaqar\r\n\r\n", may: []int{400, 505}},
		{name: "a header without a colon", text: head(c, "GET", "/v2/ping", "Nonsense\r\n"), may: []int{400}},
		{name: "a header of a megabyte", text: head(c, "GET", "/v2/ping", "X-Long: "+strings.Repeat("a", 1<<20)+"\r\n"), may: []int{0, 431}},
		{name: "ten thousand headers", text: head(c, "GET", "/v2/ping", many), may: []int{0, 431}},
		{name: "a request line of a megabyte", text: head(c, "GET", "/v2/queues?marker="+strings.Repeat("a", 1<<20)), may: []int{0, 400, 414, 431}},
		{name: "an unknown method", text: head(c, "BREW", "/v2/queues/q"), may: []int{405}},
		{name: "a method with a blank in it", text: head(c, "GE T", "/v2/queues/q"), may: []int{400}},
		{name: "CONNECT", text: "CONNECT zaqar:443 HTTP/1.1\r\nHost: zaqar:443\r\n\r\n", may: []int{400, 404, 405}},
		{name: "TRACE", text: head(c, "TRACE", "/v2/queues/q"), may: []int{405}},
		{name: "an unknown expectation", text: head(c, "POST", "/v2/queues/q/messages", length(2), "Expect: miracles\r\n") + "{}", may: []int{400, 417}},
		{name: "an upgrade", text: head(c, "GET", "/v2/ping", "Connection: Upgrade\r\nUpgrade: websocket\r\n"), may: []int{204, 400}},
	}
}

func brokenLengths(c *daemon.Client) []attack {
	post := func(rest string, headers ...string) string {
		return head(c, "POST", "/v2/queues/q/messages", headers...) + rest
	}
	const chunked = "Transfer-Encoding: chunked\r\n"
	return []attack{
		{name: "a negative length", text: post("", "Content-Length: -1\r\n"), may: []int{400}},
		{name: "a length of 2^64", text: post("", "Content-Length: 18446744073709551616\r\n"), may: []int{400}},
		{name: "a length that is no number", text: post("", "Content-Length: many\r\n"), may: []int{400}},
		{name: "a length with a sign", text: post("{}", "Content-Length: +2\r\n"), may: []int{400}},
		{name: "a chunk of no size", text: post("zz\r\n{}\r\n0\r\n\r\n", chunked), may: []int{400}},
		{name: "a chunk of 2^64", text: post("10000000000000000\r\n", chunked), may: []int{400}},
		{name: "a chunk longer than said", text: post("1\r\n{}\r\n0\r\n\r\n", chunked), may: []int{400}},
		{name: "chunks that end early", text: post("5\r\n{\"m", chunked), half: true, may: []int{0, 400}},
		{name: "a body that ends early", text: post(`{"messages"`, length(100)), half: true, may: []int{0, 400}},
		{name: "chunks over the limit", text: post(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", 300_000, strings.Repeat("x", 300_000)), chunked), may: []int{400}},
		{name: "a length over the limit", text: post("", length(300_000)), may: []int{400}},
		{name: "a length of a terabyte", text: post("", "Content-Length: 1099511627776\r\n"), may: []int{400}},
		{name: "a body with GET", text: head(c, "GET", "/v2/queues/q", length(1<<30)), may: []int{200, 400}},
	}
}

func brokenPaths(c *daemon.Client) []attack {
	var list []attack
	for target, may := range map[string][]int{
		"v2/queues":                    {400},
		"*":                            {400, 404},
		"http://elsewhere/v2/queues/a": {200},
		"//v2/queues":                  {404},
		"/v2/queues/..":                {400, 404},
		"/v2/queues/../../etc/passwd":  {400, 404},
		"/v2/queues/%2e%2e":            {400},
		"/v2/queues/a%2fb":             {400},
		"/v2/queues/a%00b":             {400},
		"/v2/queues/%zz":               {400},
		"/v2/queues/%":                 {400},
		"/v2/queues/a\x80b":            {400},
		"/v2/queues/" + strings.Repeat("a", 5000):                          {400},
		"/v2/queues/" + strings.Repeat("a/", 500):                          {404},
		"/v2/queues?limit=%zz":                                             {200, 400},
		"/v2/queues?limit=1;limit=2":                                       {200, 400},
		"/v2/queues?marker=%ff%fe%00":                                      {200, 400},
		"/v2/queues?limit=99999999999999999999":                            {400},
		"/v2/queues?limit=0x10":                                            {400},
		"/v2/queues?" + strings.Repeat("a=b&", 10_000):                     {200, 400},
		"/v2/queues/q/messages?ids=" + strings.Repeat(",", 10_000):         {400},
		"/v2/queues/q/messages?ids=%00,%ff":                                {404},
		"/v2/queues/q/messages?marker=" + strings.Repeat("9", 10_000):      {200},
		"/v2/queues/q/messages?wait=-1":                                    {400},
		"/v2/queues/q/messages?wait=9223372036854775808":                   {400},
		"/v2/queues/q/messages/%00":                                        {404},
		"/v2/queues/q/claims/" + strings.Repeat("a", 1000) + "?claim_id=%": {404},
	} {
		name := target
		if len(name) > 40 {
			name = name[:40] + "..."
		}
		list = append(list, attack{name: fmt.Sprintf("GET %q", name), text: head(c, "GET", target), may: may})
	}
	return list
}

func brokenBodies(c *daemon.Client) []attack {
	var list []attack
	add := func(name, method, path, body string, headers ...string) {
		list = append(list, attack{name: name, text: head(c, method, path, append(headers, length(len(body)))...) + body, may: []int{400}})
	}
	const messages = "/v2/queues/q/messages"
	deep := strings.Repeat("[", 100_000)
	for name, body := range map[string]string{
		"no JSON":                  "messages",
		"no JSON at all":           "\x00\x01\x02",
		"a byte order mark":        "\xef\xbb\xbf" + `{"messages": [{"body": 1}]}`,
		"UTF-16":                   "{\x00}\x00",
		"half":                     `{"messages": [{"body": 1}`,
		"two documents":            `{"messages": [{"body": 1}]} {}`,
		"a deep array":             `{"messages": [{"body": ` + deep,
		"a deep array, closed":     `{"messages": [{"body": ` + deep + strings.Repeat("]", 100_000) + `}]}`,
		"a deep object":            strings.Repeat(`{"messages":`, 20_000),
		"invalid UTF-8":            "{\"messages\": [{\"body\": \"\xff\xfe\"}]}",
		"a number of 10,000 bytes": `{"messages": [{"body": ` + strings.Repeat("9", 10_000) + `}]}`,
		"a ttl of 1e400":           `{"messages": [{"ttl": 1e400, "body": 1}]}`,
		"NaN":                      `{"messages": [{"body": NaN}]}`,
		"a control character":      "{\"messages\": [{\"body\": \"\n\"}]}",
		"messages in an object":    `{"messages": {"0": {"body": 1}}}`,
		"messages in messages":     `{"messages": [[{"body": 1}]]}`,
		"messages of null":         `{"messages": [null]}`,
	} {
		add("post of "+name, "POST", messages, body)
	}
	add("post of a form", "POST", messages, "messages=1", "Content-Type: application/x-www-form-urlencoded\r\n")
	add("queue of an array", "PUT", "/v2/queues/q", `[]`)
	add("queue of 70,000 bytes", "PUT", "/v2/queues/q", `{"a": "`+strings.Repeat("x", 70_000)+`"}`)
	add("queue of a deep object", "PUT", "/v2/queues/q", strings.Repeat(`{"a":`, 10_000))
	add("claim of a string", "POST", "/v2/queues/q/claims", `"x"`)
	add("claim with a huge ttl", "POST", "/v2/queues/q/claims", `{"ttl": 99999999999999999999}`)
	add("patch of nonsense", "PATCH", "/v2/queues/q", `[{"op": "add", "path": "/metadata/`+strings.Repeat("~", 100)+`", "value": 1}]`,
		"Content-Type: application/openstack-messaging-v2.0-json-patch\r\n")
	add("purge of nonsense", "POST", "/v2/queues/q/purge", `{"resource_types": [[]]}`)
	list = append(list,
		attack{name: "a client id that is none", text: strings.Replace(head(c, "GET", "/v2/queues"), c.ID, "../../etc/passwd", 1), may: []int{400}},
		attack{name: "a project of 300 characters", text: strings.Replace(head(c, "GET", "/v2/queues"), c.Project, strings.Repeat("p", 300), 1), may: []int{400}},
		attack{name: "a project that is not UTF-8", text: strings.Replace(head(c, "GET", "/v2/queues"), c.Project, "\xff\xfe", 1), may: []int{400}},
	)
	return list
}

// TestPipelining sends requests without waiting for answers, as HTTP/1.1
// allows: they are answered in their order.
func TestPipelining(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	c := d.Client()
	r := dial(t, d)
	const body = `{"messages": [{"body": "first"}]}`
	r.write(head(c, "PUT", "/v2/queues/q") +
		head(c, "POST", "/v2/queues/q/messages", length(len(body))) + body +
		head(c, "BREW", "/v2/queues/q") +
		head(c, "GET", "/v2/queues/q/messages?echo=true") +
		head(c, "GET", "/v2/ping", "Connection: close\r\n"))
	r.want(201)
	r.want(201)
	r.want(405)
	if list := r.want(200); !strings.Contains(string(list), `"first"`) {
		t.Errorf("listed %s", list)
	}
	r.want(204)
	r.wantClosed()
}
