package rest_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpguts"

	"zaqar/api/rest"
)

// TestParkedRequests waits on connections with requests of many shapes, and
// with more behind them.
func TestParkedRequests(t *testing.T) {
	const headers = "Client-ID: " + clientB + "\r\nX-Project-ID: " + project + "\r\n"
	for name, c := range map[string]struct {
		request, behind string
		status          []int  // of the answers
		contains        string // in the first
		closes          bool
	}{
		"list":            {"GET /v2/queues/q/messages?wait=20 HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n", "", []int{200}, `"body":"m"`, false},
		"list, pipelined": {"GET /v2/queues/q/messages?wait=20 HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n", "GET /v2/ping HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n", []int{200, 204}, `"body":"m"`, false},
		"list, with more behind than is read at once": {"GET /v2/queues/q/messages?wait=20 HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n",
			strings.Repeat("GET /v2/ping HTTP/1.1\r\nHost: h\r\n"+headers+"\r\n", 200), append([]int{200}, slices.Repeat([]int{204}, 200)...), `"body":"m"`, false},
		"claim":          {"POST /v2/queues/q/claims?wait=20 HTTP/1.1\r\nHost: h\r\n" + headers + "Content-Length: 12\r\n\r\n" + `{"ttl": 120}`, "", []int{201}, "claim_id=", false},
		"claim, chunked": {"POST /v2/queues/q/claims?wait=20 HTTP/1.1\r\nHost: h\r\n" + headers + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n6\r\n{\"ttl\"\r\n6\r\n: 120}\r\n0\r\nX-T: x\r\n\r\n", "", []int{201}, "claim_id=", false},
		"claim, expecting": {"POST /v2/queues/q/claims?wait=20 HTTP/1.1\r\nHost: h\r\n" + headers + "Expect: 100-continue\r\nContent-Length: 12\r\n\r\n" + `{"ttl": 120}`, "",
			[]int{100, 201}, "", false},
		"two that wait":  {"GET /v2/queues/q/messages?wait=20 HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n", "POST /v2/queues/q/claims?wait=20 HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n", []int{200, 201}, `"body":"m"`, false},
		"last":           {"GET /v2/queues/q/messages?wait=20 HTTP/1.1\r\nConnection: close\r\nHost: h\r\n" + headers + "\r\n", "", []int{200}, `"body":"m"`, true},
		"old":            {"GET /v2/queues/q/messages?wait=20 HTTP/1.0\r\n" + headers + "\r\n", "", []int{200}, `"body":"m"`, true},
		"absolute":       {"GET http://other/v2/queues/q/messages?wait=20 HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n", "", []int{200}, `"body":"m"`, false},
		"several values": {"GET /v2/queues/q/messages?wait=20 HTTP/1.1\r\nHost: h\r\nX-Roles: a\r\nX-Roles: b,c\r\n" + headers + "\r\n", "", []int{200}, `"body":"m"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan rest.Served, 10)
			entered := make(chan struct{}, 1000)
			s := newServer(t, openMemory, func(set *setup) {
				set.rest.Patience = 0
				set.rest.Served = func(d rest.Served) { ended <- d }
				set.rest.Identity = announcing{entered}
			})
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, c.request+c.behind); err != nil {
				t.Fatal(err)
			}
			<-entered
			posted := s.post("/v2/queues/q/messages", `{"messages":[{"body":"m","ttl":3600}]}`).want(201).header.Get("X-Openstack-Request-Id")
			records := recorded{ended, map[string]rest.Served{}}
			records.of(posted)
			in := bufio.NewReader(conn)
			for i, status := range c.status {
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("answer %d: %v", i, err)
				}
				body, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != status {
					t.Fatalf("answer %d: %d, %s, %v; want %d", i, res.StatusCode, body, err, status)
				}
				if i == 0 && !strings.Contains(string(body), c.contains) {
					t.Errorf("answer: %s", body)
				}
				if status == http.StatusContinue {
					continue
				}
				id := res.Header.Get("X-Openstack-Request-Id")
				if done := records.of(id); done.Status != status || id == posted {
					t.Errorf("request id %q, record %+v", id, done)
				}
				if strings.Contains(c.request, "ttl") {
					claim := s.get(res.Header.Get("location")).want(200)
					equal(t, "ttl of the claim", claim.num("ttl"), 120)
					records.of(claim.header.Get("X-Openstack-Request-Id"))
				}
			}
			if c.closes {
				if n, err := in.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("behind the last answer: %d bytes, %v", n, err)
				}
			}
			if n := len(ended) + len(records.early); n != 0 {
				t.Errorf("%d more requests are recorded", n)
			}
		})
	}
}

// recorded are the records of requests. They come in no order: a client may
// have its answer before there is one.
type recorded struct {
	ended <-chan rest.Served
	early map[string]rest.Served // by request id
}

// of returns the record of a request, once.
func (r recorded) of(id string) rest.Served {
	for {
		if done, ok := r.early[id]; ok {
			delete(r.early, id)
			return done
		}
		done := <-r.ended
		r.early[done.Request] = done
	}
}

// TestRequestAgainIsNoLonger has heads without any byte to spare: what was
// within the limits of the server still is.
func TestRequestAgainIsNoLonger(t *testing.T) {
	for _, sent := range []string{
		"GET / HTTP/1.1\r\nHost:h\r\n" + strings.Repeat("A:\r\n", 100) + "\r\n",
		"GET / HTTP/1.1\r\nHost:\r\n\r\n",
		"GET / HTTP/1.0\r\nHost:h\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n",
		"GET http://h/ HTTP/1.0\r\n\r\n",
		"GET http://h/ HTTP/1.1\r\nHost:\r\n\r\n",
		"POST / HTTP/1.1\r\nHost:h\r\nContent-Length:2\r\n\r\n{}",
	} {
		r, body := readRequest([]byte(sent))
		if again := rest.AppendRequest(nil, r, body); len(again) > len(sent) {
			t.Errorf("%q is %q", sent, again)
		}
	}
}

// FuzzRequestAgain writes requests as they are read from a connection once
// more: they must be the same.
func FuzzRequestAgain(f *testing.F) {
	f.Add([]byte("GET /v2/queues/q/messages?wait=20 HTTP/1.1\r\nHost: h\r\nClient-ID: x\r\n\r\n"))
	f.Add([]byte("POST http://u@h:1/%2F?a=%00 HTTP/1.0\r\nX: a\r\nX: \tb \r\nConnection: keep-alive, close\r\nContent-Length: 4\r\n\r\n{}{}"))
	f.Add([]byte("POST * HTTP/1.1\r\nHost: [::1]:80\r\nTrailer: T\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		first, body := readRequest(sent)
		if first == nil || first.TransferEncoding != nil {
			t.Skip() // chunks wait in their handlers
		}
		again, secondBody := readRequest(rest.AppendRequest(nil, first, body))
		if again == nil {
			t.Fatalf("cannot be read again: %q", rest.AppendRequest(nil, first, body))
		}
		if !bytes.Equal(body, secondBody) {
			t.Errorf("body %q, then %q", body, secondBody)
		}
		for _, r := range []*http.Request{first, again} {
			for _, name := range []string{"Content-Length", "Expect"} {
				r.Header.Del(name)
			}
		}
		type seen struct {
			Method, URI, Proto, Host string
			Close                    bool
			Header                   http.Header
		}
		one := seen{first.Method, first.RequestURI, first.Proto, first.Host, first.Close, first.Header}
		two := seen{again.Method, again.RequestURI, again.Proto, again.Host, again.Close, again.Header}
		if d := cmp.Diff(one, two); d != "" {
			t.Error(d)
		}
	})
}

// readRequest reads what a server would accept.
func readRequest(text []byte) (*http.Request, []byte) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
	if err != nil || r.ProtoMajor != 1 || !httpguts.ValidHostHeader(r.Host) {
		return nil, nil
	}
	for _, values := range r.Header {
		for i, v := range values {
			values[i] = strings.Trim(v, " \t") // a fold may leave a blank
			if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return nil, nil // net/http's server refuses it
			}
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, nil
	}
	return r, body
}
