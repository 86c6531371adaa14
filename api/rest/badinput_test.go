package rest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"zaqar/api/rest"
)

// raw is a connection on which a test writes what no HTTP library would.
type raw struct {
	s    *server
	conn net.Conn
	in   *bufio.Reader
}

// patience bounds reads of tests that have failed.
const patience = time.Minute

func (s *server) dial() *raw {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return &raw{s, conn, bufio.NewReader(conn)}
}

// write sends text; {id} stands for the two headers every request needs.
func (r *raw) write(text string) *raw {
	r.s.t.Helper()
	text = strings.ReplaceAll(text, "{id}", "Host: x\r\nClient-ID: "+clientA+"\r\nX-Project-ID: "+project+"\r\n")
	if _, err := io.WriteString(r.conn, text); err != nil {
		r.s.t.Fatalf("writing %.60q: %v", text, err)
	}
	return r
}

// read reads one reply to a request with the method.
func (r *raw) read(method string) *reply {
	r.s.t.Helper()
	res, err := http.ReadResponse(r.in, &http.Request{Method: method})
	if err != nil {
		r.s.t.Fatalf("no reply: %v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.s.t.Fatalf("the reply breaks off: %v", err)
	}
	return &reply{t: r.s.t, what: method + " over TCP", status: res.StatusCode, header: res.Header, body: body}
}

// wantClosed fails the test unless the server closes the connection.
func (r *raw) wantClosed() {
	r.s.t.Helper()
	if n, err := io.Copy(io.Discard, r.in); err != nil && !strings.Contains(err.Error(), "reset") {
		r.s.t.Errorf("the connection stays open: %d bytes more, %v", n, err)
	}
}

func TestHeadersThatContradict(t *testing.T) {
	s := newServer(t, openMemory)
	bare := strings.ReplaceAll(clientA, "-", "")
	for headers, status := range map[string]int{
		"X-Project-ID: p\r\nX-Project-ID: q\r\nClient-ID: " + clientA:                           400,
		"X-Project-ID: p\r\nX-Project-ID: \r\nClient-ID: " + clientA:                            400,
		"X-Project-ID: p\r\nx-project-id: p\r\nClient-ID: " + clientA:                           200,
		"X-Project-ID: p\r\nX-Tenant-Id: q\r\nClient-ID: " + clientA:                            200,
		"X-Project-ID: p\r\nClient-ID: " + clientA + "\r\nClient-ID: " + clientB:                400,
		"X-Project-ID: p\r\nClient-ID: " + clientA + "\r\nClient-ID: " + bare:                   200,
		"X-Project-ID: p\r\nClient-ID: " + clientA + "\r\nClient-ID:":                           400,
		"X-Project-ID: \xff\r\nClient-ID: " + clientA:                                           400,
		"X-Project-ID: caf\u00e9/../*\r\nClient-ID: " + clientA:                                 200,
		"X-Project-ID: p\r\nClient-ID: " + strings.Repeat("a", 10000):                           400,
		"X-Project-ID: p\r\nX-User-Id: a\r\nX-User-Id: b\r\nClient-ID: " + clientA:              400,
		"X-Project-ID: p\r\nEXTRA-SPEC: messagecode\r\nEXTRA-SPEC: x:\r\nClient-ID: " + clientA: 400,
	} {
		s.dial().write("GET /v2/queues HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n\r\n").read("GET").want(status)
	}
}

// TestNotHTTP shows what net/http answers by itself, before our handler.
func TestNotHTTP(t *testing.T) {
	s := newServer(t, openMemory)
	for request, status := range map[string]int{
		"nonsense\r\n\r\n":                                                                         400,
		"GET /v2/queues HTTP/1.1\r\n\r\n":                                                          400, // no Host
		"GE T /v2/queues HTTP/1.1\r\n{id}\r\n":                                                     400,
		"G\x00T /v2/queues HTTP/1.1\r\n{id}\r\n":                                                   400,
		"GET /v2/queues/%zz HTTP/1.1\r\n{id}\r\n":                                                  400,
		"GET /v2/queues HTTP/1.1\r\n{id}A\x00: b\r\n\r\n":                                          400,
		"GET /v2/queues HTTP/1.1\r\n{id}A: \x01\r\n\r\n":                                           400,
		"GET /v2/queues HTTP/9.9\r\n{id}\r\n":                                                      505,
		"POST /v2/queues/q/claims HTTP/1.1\r\n{id}Content-Length: -1\r\n\r\n":                      400,
		"POST /v2/queues/q/claims HTTP/1.1\r\n{id}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx": 400,
		"POST /v2/queues/q/claims HTTP/1.1\r\n{id}Transfer-Encoding: gzip\r\n\r\n":                 501,
		"GET /v2/queues HTTP/1.1\r\n{id}X: " + strings.Repeat("a", 2<<20) + "\r\n\r\n":             431,
	} {
		r := s.dial()
		go func() { // the server may stop reading before the end
			_, _ = io.WriteString(r.conn, strings.ReplaceAll(request, "{id}", "Host: x\r\nClient-ID: "+clientA+"\r\nX-Project-ID: "+project+"\r\n"))
		}()
		if got := r.read("GET").status; got != status {
			t.Errorf("%.60q: %d, want %d", request, got, status)
		}
	}
	s.get("/v2/queues").want(200)
}

func TestUnknownMethods(t *testing.T) {
	s := newServer(t, openMemory)
	for _, method := range []string{"BREW", "get", "TRACE", "PROPFIND", "X-A_B.C!", strings.Repeat("A", 1000)} {
		r := s.dial().write(method + " /v2/queues HTTP/1.1\r\n{id}\r\n").read(method)
		r.want(405).wantHeader("Allow", "GET, OPTIONS")
	}
	s.dial().write("CONNECT /v2/queues HTTP/1.1\r\n{id}\r\n").read("GET").want(405)
	s.dial().write("CONNECT x:80 HTTP/1.1\r\n{id}\r\n").read("GET").want(404)
	s.dial().write("OPTIONS * HTTP/1.1\r\n{id}\r\n").read("OPTIONS").want(200)
	s.dial().write("GET * HTTP/1.1\r\n{id}\r\n").read("GET").want(404)
	s.dial().write("GET http://elsewhere/v2/queues HTTP/1.1\r\n{id}\r\n").read("GET").want(200)
	s.dial().write("GET /v2/queues HTTP/1.0\r\n{id}\r\n").read("GET").want(200)
}

// TestPathsAreTakenAsTheyCome makes sure that nothing is cleaned or redirected.
func TestPathsAreTakenAsTheyCome(t *testing.T) {
	s := newServer(t, openMemory)
	for path, status := range map[string]int{
		"/v2/queues/a/../b":               404,
		"/v2/queues/a%2F..%2Fb":           400,
		"/v2/queues/../queues":            404, // a queue named .. has no such thing
		"/v2/queues/..":                   400,
		"/v2/./queues":                    404,
		"//v2/queues":                     404,
		"/v2/queues//messages":            400,
		"/v2/queues/":                     400,
		"/v2/queues/q/":                   404,
		"/v2/queues/q/messages/":          404,
		"/V2/queues":                      404,
		"/v2/%71ueues":                    200,
		"/v2%2Fqueues":                    404,
		"/v2/queues/q%00":                 400,
		"/v2/queues/%E2%80%A8":            400,
		"/v2/queues/q?":                   200,
		"/v2/queues/q;x=y":                400,
		"/v2/" + strings.Repeat("a/", 99): 404,
		"/" + strings.Repeat("%41", 9999): 404,
	} {
		r := s.dial().write("GET " + path + " HTTP/1.1\r\n{id}\r\n").read("GET")
		if r.status != status {
			t.Errorf("%.60s: %d, want %d", path, r.status, status)
		}
	}
}

func TestBodiesOverTheLimit(t *testing.T) {
	for _, c := range []struct {
		method, path, headers string
		limit                 int
	}{
		{"POST", "/v2/queues/q/messages", "", 262144},
		{"PUT", "/v2/queues/q", "", 65536},
		{"PATCH", "/v2/queues/q", "Content-Type: " + patchType + "\r\n", 65536},
		{"POST", "/v2/queues/q/claims", "", 65536},
		{"PATCH", "/v2/queues/q/claims/c", "", 65536},
		{"POST", "/v2/queues/q/purge", "", 65536},
	} {
		t.Run(c.method+c.path, func(t *testing.T) {
			s := newServer(t, openMemory)
			head := c.method + " " + c.path + " HTTP/1.1\r\n{id}" + c.headers
			// None of the body is sent: the refusal cannot depend on it.
			announced := s.dial().write(fmt.Sprintf("%sContent-Length: %d\r\n\r\n", head, c.limit+1))
			announced.read(c.method).want(400)
			polite := s.dial().write(fmt.Sprintf("%sExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", head, c.limit+1))
			polite.read(c.method).want(400)
			// The body never ends: the refusal comes when the limit is passed.
			chunked := s.dial().write(fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", head, c.limit+1, strings.Repeat(" ", c.limit+1)))
			chunked.read(c.method).want(400)
			equal(t, "queue created", s.exists("q"), false)
		})
	}
}

// TestChunkedBodies makes sure that a body without a length is a body.
func TestChunkedBodies(t *testing.T) {
	s := newServer(t, openMemory)
	chunked := func(request, body string) *reply {
		text := request + " HTTP/1.1\r\n{id}Transfer-Encoding: chunked\r\n\r\n"
		for _, b := range body {
			text += fmt.Sprintf("1\r\n%c\r\n", b)
		}
		return s.dial().write(text + "0\r\n\r\n").read("POST")
	}
	chunked("POST /v2/queues/q/messages", `{"messages":[{"body":1}]}`).want(201)
	chunked("POST /v2/queues/q/messages", "").want(400)
	chunked("PUT /v2/queues/r", "").want(201)
	chunked("PUT /v2/queues/p", `{"a":1}`).want(201)
	equal(t, "a", s.get("/v2/queues/p").num("a"), 1)
	chunked("POST /v2/queues/q/claims?limit=1", "").want(201)
	chunked("PATCH /v2/queues/q/claims/c", "").want(400)
	chunked("POST /v2/queues/q/purge", `{"resource_types":[]}`).want(204)

	form := "PUT /v2/queues/f HTTP/1.1\r\n{id}Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
	s.dial().write(form + "1\r\na\r\n0\r\n\r\n").read("PUT").want(400)
	s.dial().write(form + "0\r\n\r\n").read("PUT").want(201)
	s.dial().write(strings.Replace(form, "urlencoded", "urlencoded;x=y", 1) + "2\r\n{}\r\n0\r\n\r\n").read("PUT").want(204)
}

// overdue makes time limits of bodies pass before the first byte is waited for.
func overdue(set *setup) {
	set.rest.BodyTime, set.rest.ReplyTime = time.Minute, 0
	set.rest.Now = func() time.Time { return time.Now().Add(-time.Hour) }
}

func TestSlowBodies(t *testing.T) {
	s := newServer(t, openMemory, overdue)
	for _, headers := range []string{"Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"} {
		for _, path := range []string{"POST /v2/queues/q/messages", "PUT /v2/queues/q", "POST /v2/queues/q/claims"} {
			r := s.dial().write(path + " HTTP/1.1\r\n{id}" + headers)
			got := r.read("POST").want(400)
			if !strings.Contains(got.str("description"), "1m0s") {
				t.Errorf("another reason: %s", got.body)
			}
			r.wantClosed()
		}
	}
	r := s.dial().write("PUT /v2/queues/q HTTP/1.1\r\n{id}Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n")
	r.read("PUT").want(400)
	equal(t, "queue created", s.exists("q"), false)
	// A reply that needs no body does not wait for one either.
	s.dial().write("POST /nothing HTTP/1.1\r\n{id}Content-Length: 100\r\n\r\n{").read("POST").want(404)
	s.dial().write("GET /v2/queues HTTP/1.1\r\n{id}Content-Length: 100\r\n\r\n{").read("GET").want(200)
}

// TestBodiesCutOff makes sure that a client that dies within a body leaves
// nothing behind.
func TestBodiesCutOff(t *testing.T) {
	served := make(chan rest.Served, 1)
	s := newServer(t, openMemory, func(set *setup) { set.rest.Served = func(d rest.Served) { served <- d } })
	for _, request := range []string{"POST /v2/queues/q/messages", "PUT /v2/queues/q", "POST /v2/queues/q/claims"} {
		r := s.dial().write(request + " HTTP/1.1\r\n{id}Content-Length: 100\r\n\r\n" + `{"messages":[{"body":1}]}`)
		r.conn.Close()
		if got := <-served; got.Status != 400 {
			t.Errorf("%s: %+v", request, got)
		}
	}
	equal(t, "queue created", s.exists("q"), false)
}

// TestRepliesNobodyTakes makes sure that a reply is given up in the end.
func TestRepliesNobodyTakes(t *testing.T) {
	s := newServer(t, openMemory, func(set *setup) {
		set.rest.ReplyTime = time.Minute
		set.rest.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	})
	r := s.dial().write("GET /v2/queues HTTP/1.1\r\n{id}\r\n")
	if n, _ := io.Copy(io.Discard, r.in); n > 0 {
		t.Errorf("%d bytes of a reply that is overdue", n)
	}
}

func TestManyIdleConnections(t *testing.T) {
	s := newServer(t, openMemory)
	for i := range 300 {
		r := s.dial()
		if i%2 == 0 {
			r.write("GET /v2/queues HTTP/1.1\r\n") // and no more
		}
	}
	s.posted("q", "1")
	equal(t, "listed", s.listed("q", ""), []string{"1"})
}

// TestJSONAttacks sends documents built to hurt parsers.
func TestJSONAttacks(t *testing.T) {
	s := newServer(t, openMemory, checksums)
	deep := func(n int) string { return strings.Repeat(`{"a":[`, n/2) + "1" + strings.Repeat(`]}`, n/2) }
	for name, body := range map[string]string{
		"deep arrays":     strings.Repeat("[", 200000),
		"deep objects":    deep(40000),
		"many quotes":     `{"messages":[{"body":"` + strings.Repeat(`\"`, 100000),
		"many escapes":    `{"messages":[{"body":"` + strings.Repeat(`\\`, 100000),
		"a huge integer":  `{"messages":[{"body":` + strings.Repeat("9", 200000) + `}]}`,
		"many names":      `{"messages":[{` + strings.Repeat(`"a":1,`, 40000) + `"a":1}]}`,
		"a huge name":     `{"` + strings.Repeat("a", 200000) + `":1}`,
		"a lone escape":   `{"messages":[{"body":"\u12`,
		"control in text": "{\"messages\":[{\"body\":\"a\nb\"}]}",
		"single quotes":   `{'messages':[{'body':1}]}`,
		"a comment":       `{"messages":[{"body":1}]} // x`,
		"UTF-16":          "\xff\xfe{\x00}\x00",
		"overlong UTF-8":  "{\"messages\":[{\"body\":\"\xc0\xaf\"}]}",
		"a surrogate":     "{\"messages\":[{\"body\":\"\xed\xa0\x80\"}]}",
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			r := s.post("/v2/queues/q/messages", body).want(400)
			if len(r.body) > 1000 {
				t.Errorf("a description of %d bytes", len(r.body))
			}
			equal(t, "queue created", s.exists("q"), false)
		})
	}
	s.t = t
	s.posted("q", deep(196), strings.Repeat("9", 50000)+".5", "1e"+strings.Repeat("9", 50000), "-0.0", `"\ud83d\ude00"`)
	equal(t, "listed", len(s.listed("q", "")), 5)
}

// TestManyMessagesInOnePost makes sure that the answer stays readable.
func TestManyMessagesInOnePost(t *testing.T) {
	s := newServer(t, openMemory)
	const n = 20000
	r := s.post("/v2/queues/q/messages", `{"messages":[`+strings.Repeat(`{"body":1},`, n-1)+`{"body":1}]}`).want(201)
	equal(t, "resources", r.count("resources"), n)
	location := r.header.Get("Location")
	if len(location) > 32<<10 || len(location) < 30<<10 || strings.HasSuffix(location, ",") {
		t.Errorf("Location of %d bytes ends in %q", len(location), location[len(location)-5:])
	}
	last := location[strings.LastIndex(location, ",")+1:]
	s.get("/v2/queues/q/messages/" + last).want(200)
}

// TestLocationIsLowerCase pins a spelling that one client depends on.
func TestLocationIsLowerCase(t *testing.T) {
	r := newServer(t, openMemory).dial().write("PUT /v2/queues/q HTTP/1.0\r\n{id}\r\n")
	text, err := io.ReadAll(r.in)
	if err != nil || !strings.Contains(string(text), "\r\nlocation: /v2/queues/q\r\n") {
		t.Errorf("%s, %v", text, err)
	}
}
