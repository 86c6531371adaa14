package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"zaqar/test/e2e/daemon"
)

// exchange is what a client sends on one connection, and what may come back:
// statuses in their order, and "closed" for the end of the connection; several
// such texts if the server has a choice. Behind everything that is sent comes
// a request whose status, 300, nothing else has: where it is answered, server
// and client agree on where the request before it ended.
type exchange struct {
	name, text string
	may        []string
}

// TestRequestsEndWhereTheyEnd sends requests that servers have been known to
// see the end of in different places. Each is refused or understood in one
// way, and what was put into the body of one request is never taken for
// another.
func TestRequestsEndWhereTheyEnd(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: "[drivers:transport:wsgi]\nheader_timeout = 2\nbody_timeout = 2\nidle_timeout = 2\n[cors]\nallowed_origin = https://a.example.org\n"})
	c := d.Client()
	for _, list := range [][]exchange{lengthsAndChunks(c), spellingsOfChunked(c), chunkForms(c), headerForms(c), requestLines(c), bodiesNobodyReads(c)} {
		for _, x := range list {
			t.Run(x.name, func(t *testing.T) { x.run(t, d, c) })
		}
	}
	queues := c.Do(t, http.MethodGet, "/v2/queues?limit=20", nil).Want(200)
	if strings.Contains(string(queues.Body), "smuggled") {
		t.Errorf("a request in a body was served: %s", queues.Body)
	}
	for _, r := range d.Records("request") {
		if r.Number("status") >= 500 && r.Number("status") != 501 {
			t.Errorf("a failure of the server: %v", r)
		}
	}
}

func (x exchange) run(t *testing.T, d *daemon.Daemon, c *daemon.Client) {
	r := dial(t, d)
	r.write(x.text + head(c, "GET", "/"))
	got := r.statuses("300")
	for _, want := range x.may {
		if got == want {
			return
		}
	}
	t.Errorf("got %q, want one of %q", got, x.may)
}

// statuses reads answers until one has the last status or the connection ends.
func (r *raw) statuses(last string) string {
	r.t.Helper()
	var all []string
	for {
		resp, body, err := r.answer()
		switch {
		case errors.Is(err, io.EOF):
			return strings.Join(append(all, "closed"), " ")
		case err != nil:
			r.t.Fatalf("after %v: %v", all, err)
		}
		if resp.StatusCode >= 400 && (resp.Header.Get("Content-Type") != "application/json" || !json.Valid(body)) && resp.StatusCode != 417 && resp.StatusCode != 505 {
			r.t.Errorf("status %d with %q, not JSON", resp.StatusCode, body)
		}
		all = append(all, strconv.Itoa(resp.StatusCode))
		if all[len(all)-1] == last {
			return strings.Join(all, " ")
		}
	}
}

const (
	okBody      = `{"messages": [{"body": 1}]}`
	messagesAt  = "/v2/queues/q/messages"
	chunkedLine = "Transfer-Encoding: chunked\r\n"
)

// smuggled is a request that must not be served.
func smuggled(c *daemon.Client) string { return head(c, "PUT", "/v2/queues/smuggled") }

// post is a request with exactly these bytes behind its headers.
func post(c *daemon.Client, rest string, headers ...string) string {
	return head(c, "POST", messagesAt, headers...) + rest
}

// chunk is one chunk of text.
func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

const end = "0\r\n\r\n"

func lengthsAndChunks(c *daemon.Client) []exchange {
	inside := smuggled(c)
	whole := chunk(okBody) + end
	return []exchange{
		{"a length", post(c, okBody, length(len(okBody))), []string{"201 300"}},
		{"chunks", post(c, whole, chunkedLine), []string{"201 closed"}},
		{"chunks, and a length that covers a further request", post(c, whole+inside, length(len(whole+inside)), chunkedLine), []string{"201 closed", "400 closed"}},
		{"chunks before a length that covers a further request", post(c, whole+inside, chunkedLine, length(len(whole+inside))), []string{"201 closed", "400 closed"}},
		{"no chunk, and a length that covers a further request", post(c, end+inside, length(len(end+inside)), chunkedLine), []string{"400 closed"}},
		{"a chunk with a request, and a length before it", post(c, chunk(inside)+end, length(4), chunkedLine), []string{"400 closed"}},
		{"chunks and a length of nonsense", post(c, whole, "Content-Length: x\r\n", chunkedLine), []string{"400 closed"}},
		{"chunks and two lengths", post(c, whole, length(1), length(2), chunkedLine), []string{"400 closed"}},
		{"the same length twice", post(c, okBody, length(len(okBody)), length(len(okBody))), []string{"201 300", "400 closed"}},
		{"two lengths", post(c, okBody+inside, length(len(okBody)), length(len(okBody+inside))), []string{"400 closed"}},
		{"two lengths the other way round", post(c, okBody+inside, length(len(okBody+inside)), length(len(okBody))), []string{"400 closed"}},
		{"two lengths in a line", post(c, okBody, fmt.Sprintf("Content-Length: %d, %[1]d\r\n", len(okBody))), []string{"400 closed"}},
		{"a length in hexadecimal", post(c, okBody, fmt.Sprintf("Content-Length: 0x%x\r\n", len(okBody))), []string{"400 closed"}},
		{"a length with a blank in it", post(c, okBody, "Content-Length: 2 7\r\n"), []string{"400 closed"}},
		{"a length with an underscore", post(c, okBody, "Content-Length: 2_7\r\n"), []string{"400 closed"}},
		{"a length in other digits", post(c, okBody, "Content-Length: ２７\r\n"), []string{"400 closed"}},
		{"a length with a NUL", post(c, okBody, "Content-Length: 27\x00\r\n"), []string{"400 closed"}},
		{"an empty length", post(c, inside, "Content-Length: \r\n"), []string{"400 closed"}},
		{"a length of another name", post(c, okBody, length(len(okBody)), "Content_Length: 1\r\nX-Content-Length: 2\r\n"), []string{"201 300"}},
		{"a length with a blank before the colon", post(c, okBody, "Content-Length : 27\r\n"), []string{"400 closed"}},
		{"HTTP/1.0 with chunks and a length", old(post(c, whole+inside, length(len(whole)), chunkedLine)), []string{"400 closed"}},
		{"HTTP/1.0 with chunks that keeps the connection", old(post(c, chunk(inside)+end, chunkedLine, "Connection: keep-alive\r\n")), []string{"400 closed"}},
		{"HTTP/1.0 that keeps the connection", old(post(c, okBody, length(len(okBody)), "Connection: keep-alive\r\n")), []string{"201 closed"}},
		{"a body, and empty lines behind it", post(c, okBody+"\r\n\r\n", length(len(okBody))), []string{"201 300"}},
		{"a body, and garbage behind it", post(c, okBody+"garbage\r\n\r\n", length(len(okBody))), []string{"201 400 closed"}},
	}
}

// old makes a request one of HTTP/1.0.
func old(request string) string { return strings.Replace(request, " HTTP/1.1\r\n", " HTTP/1.0\r\n", 1) }

// spellingsOfChunked sends a body whose end both the length and the chunks
// tell, under many names of the chunks: a server in front may understand each.
func spellingsOfChunked(c *daemon.Client) []exchange {
	body := chunk(okBody) + end
	var list []exchange
	refused := []string{"400 closed", "501 closed"}
	for spelling, may := range map[string][]string{
		"Transfer-Encoding: xchunked":                              refused,
		"Transfer-Encoding: chunked, identity":                     refused,
		"Transfer-Encoding: identity, chunked":                     refused,
		"Transfer-Encoding: gzip, chunked":                         refused,
		"Transfer-Encoding: identity":                              refused,
		"Transfer-Encoding: chunked;q=1":                           refused,
		"Transfer-Encoding: \"chunked\"":                           refused,
		"Transfer-Encoding: 'chunked'":                             refused,
		"Transfer-Encoding: ch\u00fcnked":                          refused,
		"Transfer-Encoding: \x0bchunked":                           refused,
		"Transfer-Encoding: chunked\x0c":                           refused,
		"Transfer-Encoding: chunked\x00":                           refused,
		"Transfer-Encoding: chunked\x85":                           refused,
		"Transfer-Encoding: \xa0chunked":                           refused,
		"Transfer-Encoding:":                                       refused,
		"Transfer-Encoding : chunked":                              refused,
		"Transfer-Encoding\t: chunked":                             refused,
		"Transfer-Encoding\x00: chunked":                           refused,
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: x":       refused,
		"Transfer-Encoding: x\r\nTransfer-Encoding: chunked":       refused,
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked": refused,
		"X-Before: a\rTransfer-Encoding: chunked":                  refused,
		"Transfer-Encoding:\tchunked":                              {"201 closed"},
		"Transfer-Encoding:chunked":                                {"201 closed"},
		"TRANSFER-ENCODING: CHUNKED \t":                            {"201 closed"},
		"Transfer-Encoding:\r\n chunked":                           {"201 closed", "400 closed"},
		"X-Before: a\nTransfer-Encoding: chunked":                  {"201 closed", "400 closed"},
	} {
		list = append(list, exchange{fmt.Sprintf("%q", spelling), post(c, body, length(len(body)), spelling+"\r\n"), may})
	}
	// These are no Transfer-Encoding: the length counts.
	for _, spelling := range []string{"Transfer_Encoding: chunked", "X-Transfer-Encoding: chunked", "TE: chunked", "X-Before: a\r\n Transfer-Encoding: chunked"} {
		list = append(list, exchange{fmt.Sprintf("%q", spelling), post(c, okBody, length(len(okBody)), spelling+"\r\n"), []string{"201 300", "400 closed"}})
	}
	return append(list, exchange{"a blank before the first header", "POST " + messagesAt + " HTTP/1.1\r\n " + chunkedLine + length(len(body)) + "\r\n" + body, []string{"400 closed"}})
}

func chunkForms(c *daemon.Client) []exchange {
	n := len(okBody)
	refused := []string{"400 closed"}
	either := []string{"201 closed", "400 closed"}
	var list []exchange
	for _, f := range []struct {
		name, body string
		may        []string
	}{
		{"an extension", fmt.Sprintf("%x;a=b\r\n%s\r\n0;c\r\n\r\n", n, okBody), either},
		{"an extension in quotes", fmt.Sprintf("%x;a=\"b\"\r\n%s\r\n0\r\n\r\n", n, okBody), either},
		{"an extension with a line in it", fmt.Sprintf("%x;a=\"\n%s\r\n0\r\n\r\n", n, okBody), refused},
		{"an extension with a return in it", fmt.Sprintf("%x;a=\rb\r\n%s\r\n0\r\n\r\n", n, okBody), either},
		{"an extension of a megabyte", fmt.Sprintf("%x;%s\r\n%s\r\n0\r\n\r\n", n, strings.Repeat("a", 1<<20), okBody), refused},
		{"an extension for every byte", strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\n{\r\n", 100) + end, refused},
		{"a size that ends in a line feed", fmt.Sprintf("%x\n%s\r\n0\r\n\r\n", n, okBody), refused},
		{"data that end in a line feed", fmt.Sprintf("%x\r\n%s\n0\r\n\r\n", n, okBody), refused},
		{"an end of line feeds", fmt.Sprintf("%x\r\n%s\r\n0\n\n", n, okBody), refused},
		{"data that end in nothing", fmt.Sprintf("%x\r\n%s0\r\n\r\n", n, okBody), refused},
		{"data that end in other bytes", fmt.Sprintf("%x\r\n%sXX0\r\n\r\n", n, okBody), refused},
		{"a size with blanks", fmt.Sprintf("%x  \r\n%s\r\n0\r\n\r\n", n, okBody), either},
		{"a size behind a blank", fmt.Sprintf(" %x\r\n%s\r\n0\r\n\r\n", n, okBody), refused},
		{"a size with 0x", fmt.Sprintf("0x%x\r\n%s\r\n0\r\n\r\n", n, okBody), refused},
		{"a size with a sign", fmt.Sprintf("+%x\r\n%s\r\n0\r\n\r\n", n, okBody), refused},
		{"a size below zero", fmt.Sprintf("-%x\r\n%s\r\n0\r\n\r\n", n, okBody), refused},
		{"a size of many zeros", fmt.Sprintf("%s%x\r\n%s\r\n0\r\n\r\n", strings.Repeat("0", 64), n, okBody), refused},
		{"a size of 2^64 and more", fmt.Sprintf("1%016x\r\n%s\r\n0\r\n\r\n", n, okBody), refused},
		{"an empty size", "\r\n" + okBody + "\r\n0\r\n\r\n", refused},
		{"a trailer", fmt.Sprintf("%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n", n, okBody), either},
		{"a trailer that is a length", fmt.Sprintf("%x\r\n%s\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", n, okBody), either},
		{"a trailer of nonsense", fmt.Sprintf("%x\r\n%s\r\n0\r\nnonsense\r\n\r\n", n, okBody), either},
		{"a trailer of a megabyte", fmt.Sprintf("%x\r\n%s\r\n0\r\nX-Trailer: %s\r\n\r\n", n, okBody, strings.Repeat("a", 1<<20)), either},
		{"a trailer that is a request", fmt.Sprintf("%x\r\n%s\r\n0\r\n%s", n, okBody, smuggled(c)), either},
	} {
		list = append(list, exchange{"chunks: " + f.name, post(c, f.body, chunkedLine), f.may})
	}
	return list
}

func headerForms(c *daemon.Client) []exchange {
	request := func(lines string) string { return "GET /v2/ping HTTP/1.1\r\n" + lines + "\r\n" }
	ids := fmt.Sprintf("Client-ID: %s\r\nX-Project-ID: %s\r\n", c.ID, c.Project)
	refused := []string{"400 closed"}
	return []exchange{
		{"no host", request(ids), refused},
		{"two hosts", request("Host: a\r\nHost: a\r\n" + ids), refused},
		{"an empty host", request("Host:\r\n" + ids), []string{"204 300", "400 closed"}},
		{"a host with a blank", request("Host: a b\r\n" + ids), refused},
		{"a host with a NUL", request("Host: a\x00b\r\n" + ids), refused},
		{"a host that is a URL", request("Host: http://a/\r\n" + ids), []string{"204 300", "400 closed"}},
		{"another host in the target", "GET http://elsewhere/v2/ping HTTP/1.1\r\nHost: zaqar\r\n" + ids + "\r\n", []string{"204 300", "400 closed"}},
		{"a host in the target only", "GET http://elsewhere/v2/ping HTTP/1.1\r\n" + ids + "\r\n", refused},
		{"lines that end in line feeds", strings.ReplaceAll(request("Host: a\r\n"+ids), "\r\n", "\n"), []string{"204 300", "400 closed"}},
		{"lines that end in returns", strings.ReplaceAll(request("Host: a\r\n"+ids), "\r\n", "\r"), refused},
		{"a return in a value", request("Host: a\r\nX-A: b\rc\r\n" + ids), refused},
		{"a NUL in a value", request("Host: a\r\nX-A: b\x00c\r\n" + ids), refused},
		{"a NUL in a name", request("Host: a\r\nX\x00A: b\r\n" + ids), refused},
		{"a bell in a value", request("Host: a\r\nX-A: \x07\r\n" + ids), refused},
		{"a DEL in a value", request("Host: a\r\nX-A: \x7f\r\n" + ids), refused},
		{"a name with a blank", request("Host: a\r\nX A: b\r\n" + ids), refused},
		{"an empty name", request("Host: a\r\n: b\r\n" + ids), refused},
		{"a name that is not ASCII", request("Host: a\r\nX-\xc3\xa4: b\r\n" + ids), refused},
		{"a folded value", request("Host: a\r\nX-A: b\r\n\tc\r\n" + ids), []string{"204 300", "400 closed"}},
		{"a folded client id", request("Host: a\r\n" + strings.Replace(ids, ": ", ":\r\n ", 1)), []string{"204 300", "400 closed"}},
		{"two client ids", request("Host: a\r\nClient-ID: 00000000-0000-4000-8000-000000000000\r\n" + ids), []string{"400 300"}},
		{"two projects", request("Host: a\r\nX-Project-ID: other\r\n" + ids), []string{"400 300"}},
		{"a project that the connection header names", request("Host: a\r\nConnection: X-Project-ID\r\n" + ids), []string{"204 300"}},
		{"an upgrade to HTTP/2", request("Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n" + ids), []string{"204 300"}},
		{"another method in a header", request("Host: a\r\nX-HTTP-Method-Override: DELETE\r\n" + ids), []string{"204 300"}},
		{"another path in a header", request("Host: a\r\nX-Original-URL: /v2/queues\r\nX-Rewrite-URL: /v2/queues\r\n" + ids), []string{"204 300"}},
		{"headers over the limit", request("Host: a\r\nX-A: " + strings.Repeat("a", 100<<10) + "\r\n" + ids), []string{"431 closed"}},
		{"many headers over the limit", request("Host: a\r\n" + strings.Repeat("A:\r\n", 30_000) + ids), []string{"431 closed"}},
		{"one header a thousand times", request("Host: a\r\n" + strings.Repeat("A: b\r\n", 1000) + ids), []string{"204 300"}},
	}
}

func requestLines(c *daemon.Client) []exchange {
	rest := strings.TrimPrefix(head(c, "GET", "/v2/ping"), "GET /v2/ping HTTP/1.1")
	refused := []string{"400 closed"}
	var list []exchange
	for line, may := range map[string][]string{
		"GET /v2/ping HTTP/1.1":       {"204 300"},
		"GET /v2/ping":                refused,
		"GET  /v2/ping HTTP/1.1":      refused,
		"GET /v2/ping  HTTP/1.1":      refused,
		"GET\t/v2/ping\tHTTP/1.1":     refused,
		" GET /v2/ping HTTP/1.1":      refused,
		"GET /v2/ping HTTP/1.1 ":      refused,
		"GET /v2/ping http/1.1":       refused,
		"GET /v2/ping HTTP/1.10":      refused,
		"GET /v2/ping HTTP/01.1":      refused,
		"GET /v2/ping HTTP/1":         refused,
		"GET /v2/ping HTTP/1.2":       {"204 300", "400 closed", "505 closed"},
		"GET /v2/ping HTTP/0.9":       {"400 closed", "505 closed"},
		"GET /v2/ping HTTP/2.0":       {"400 closed", "505 closed"},
		"GET /v2/ping HTTP/3.0":       {"400 closed", "505 closed"},
		"GET /v2/ping SMTP/1.1":       refused,
		"GET /v2/ping\x00 HTTP/1.1":   refused,
		"GET /v2/\rping HTTP/1.1":     refused,
		"GET /v2/p ing HTTP/1.1":      refused,
		"GET v2/ping HTTP/1.1":        refused,
		"GET /v2/ping#part HTTP/1.1":  {"204 300", "400 closed", "404 300"},
		"GE\x00T /v2/ping HTTP/1.1":   refused,
		"GET, /v2/ping HTTP/1.1":      refused,
		"get /v2/ping HTTP/1.1":       {"405 300"},
		"\r\nGET /v2/ping HTTP/1.1":   {"204 300", "400 closed"},
		"GET /v2/ping HTTP/1.1\r\n\r": refused,
	} {
		list = append(list, exchange{fmt.Sprintf("line %q", line), line + rest, may})
	}
	return append(list,
		exchange{"HTTP/0.9", "GET /\r\n", refused},
		exchange{"the beginning of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", []string{"505 closed"}},
		exchange{"the beginning of TLS", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", refused},
		exchange{"the beginning of PROXY", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", refused},
	)
}

// bodiesNobodyReads has bodies where none is looked for.
func bodiesNobodyReads(c *daemon.Client) []exchange {
	inside := smuggled(c)
	big := strings.Repeat(inside, 1+300_000/len(inside))
	preflight := "Origin: https://a.example.org\r\nAccess-Control-Request-Method: GET\r\n"
	return []exchange{
		{"GET with a body", head(c, "GET", "/v2/ping", length(len(inside))) + inside, []string{"204 300"}},
		{"GET with chunks", head(c, "GET", "/v2/ping", chunkedLine) + chunk(inside) + end, []string{"204 closed"}},
		{"GET with a large body", head(c, "GET", "/v2/ping", length(len(big))) + big, []string{"204 closed", "204 300"}},
		{"a long poll with a body", head(c, "GET", "/v2/queues/none/messages?wait=1", length(len(inside))) + inside, []string{"200 300"}},
		{"a long poll with chunks", head(c, "GET", "/v2/queues/none/messages?wait=1", chunkedLine) + chunk(inside) + end, []string{"200 closed"}},
		{"a claim that waits, with chunks", head(c, "POST", "/v2/queues/none/claims?wait=1", chunkedLine) + chunk("{}") + end, []string{"204 closed"}},
		{"DELETE with a body", head(c, "DELETE", "/v2/queues/none", length(len(inside))) + inside, []string{"204 300"}},
		{"an unknown path with a body", head(c, "POST", "/none", length(len(inside))) + inside, []string{"404 300"}},
		{"an unknown path with a large body", head(c, "POST", "/none", length(len(big))) + big, []string{"404 closed"}},
		{"an unknown method with a body", head(c, "BREW", messagesAt, length(len(inside))) + inside, []string{"405 300"}},
		{"a preflight with a body", head(c, "OPTIONS", messagesAt, preflight, length(len(inside))) + inside, []string{"200 300"}},
		{"a preflight with chunks and a length", head(c, "OPTIONS", messagesAt, preflight, length(len(end+inside)), chunkedLine) + end + inside, []string{"200 closed"}},
		{"a body over the limit", post(c, big, length(len(big))), []string{"400 closed"}},
		{"a body that was announced and not waited for", post(c, okBody, length(len(okBody)), "Expect: 100-continue\r\n"), []string{"100 201 300"}},
		{"a refused body that was announced", head(c, "POST", "/none", length(len(inside)), "Expect: 100-continue\r\n") + inside, []string{"404 closed"}},
		{"an expectation nobody knows", post(c, inside, length(len(inside)), "Expect: miracles\r\n"), []string{"417 closed", "417 300"}},
	}
}
