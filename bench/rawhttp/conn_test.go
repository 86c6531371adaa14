package rawhttp

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// script is a server that reads a request of one byte and sends its pieces,
// one write each.
func script(t *testing.T, pieces ...string) *Conn {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close(); server.Close() })
	go func() {
		defer server.Close()
		if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
			return
		}
		for _, p := range pieces {
			if _, err := io.WriteString(server, p); err != nil {
				return
			}
		}
	}()
	return newConn(client)
}

func TestDoReadsAnswers(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	tests := []struct {
		name   string
		pieces []string
		status int
		body   string
	}{
		{"at once", []string{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"}, 200, "hi"},
		{"no reason", []string{"HTTP/1.1 201\r\ncontent-length:3\r\n\r\nabc"}, 201, "abc"},
		{"byte by byte", strings.Split("HTTP/1.1 503 No\r\nA: b\r\nContent-Length: 4\r\n\r\nbody", ""), 503, "body"},
		{"no content", []string{"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"}, 204, ""},
		{"interim first", []string{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz"}, 200, "z"},
		{"long", []string{"HTTP/1.1 200 OK\r\nContent-Length: 102400\r\n\r\n", long[:5000], long[5000:]}, 200, long},
		{"chunks", []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"}, 200, "abc0123456789"},
		{"chunks, byte by byte", strings.Split("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\nT: x\r\n\r\n", ""), 200, "hi!"},
		{"no chunk", []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}, 200, ""},
		{"long chunk", []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19000\r\n", long, "\r\n0\r\n\r\n"}, 200, long},
		{"to the end", []string{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "to the", " end"}, 200, "to the end"},
		{"HTTP/1.0 to the end", []string{"HTTP/1.0 200 OK\r\n\r\nend"}, 200, "end"},
		{"empty body", []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := script(t, tt.pieces...).Do([]byte("?"))
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != tt.status || string(r.Body) != tt.body {
				t.Errorf("got %d with %d bytes, want %d with %d", r.Status, len(r.Body), tt.status, len(tt.body))
			}
		})
	}
}

func TestDoRefuses(t *testing.T) {
	for name, answer := range map[string]string{
		"not HTTP":            "SSH-2.0-OpenSSH\r\n\r\n",
		"no number":           "HTTP/1.1 abc OK\r\n\r\n",
		"long number":         "HTTP/1.1 2000 OK\r\n\r\n",
		"cut head":            "HTTP/1.1 200 OK\r\nContent-Le",
		"cut body":            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour",
		"no length":           "HTTP/1.1 200 OK\r\n\r\nhi",
		"negative length":     "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"contradicting":       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
		"gzip":                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
		"cut chunk":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"cut after a chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
		"long chunk":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
		"odd chunk":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"absurd chunk":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n",
		"endless size":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", maxHead+1),
		"endless head":        "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHead),
		"absurd length":       "HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n",
		"nothing":             "",
		"status under 100":    "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
		"no blank in between": "HTTP/1.1-200 OK\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := script(t, answer).Do([]byte("?")); err == nil {
				t.Errorf("got %+v, want an error", r)
			}
		})
	}
}

func TestKeepAlive(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	go func() {
		defer server.Close()
		one := make([]byte, 1)
		for _, answer := range []string{
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nb",
		} {
			if _, err := server.Read(one); err != nil {
				return
			}
			io.WriteString(server, answer)
		}
	}()
	c := newConn(client)
	for _, want := range []string{"a", "b"} {
		r, err := c.Do([]byte("?"))
		if err != nil || string(r.Body) != want || c.Closed() != (want == "b") {
			t.Fatalf("got %q, %v, closed %t, want %q", r.Body, err, c.Closed(), want)
		}
	}
	if _, err := c.Do([]byte("?")); !errors.Is(err, ErrClosed) {
		t.Errorf("after Connection: close: %v, want ErrClosed", err)
	}
}

func TestVersions(t *testing.T) {
	for answer, closed := range map[string]bool{
		"HTTP/1.1 204 No Content\r\n\r\n":                           false,
		"HTTP/1.0 204 No Content\r\n\r\n":                           true,
		"HTTP/1.0 204 No Content\r\nConnection: keep-alive\r\n\r\n": false,
		"HTTP/1.1 204 No Content\r\nconnection: Close\r\n\r\n":      true,
	} {
		c := script(t, answer)
		if _, err := c.Do([]byte("?")); err != nil || c.Closed() != closed {
			t.Errorf("%q: %v, closed %t", answer, err, c.Closed())
		}
	}
}

func FuzzDo(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
	f.Add("HTTP/1.0 200 OK\r\n\r\nhi")
	f.Fuzz(func(t *testing.T, answer string) {
		r, err := script(t, answer).Do([]byte("?"))
		if err == nil && (r.Status < 200 || len(r.Body) > len(answer)) {
			t.Errorf("status %d with %d bytes of %d", r.Status, len(r.Body), len(answer))
		}
	})
}
