package conn

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRefusal has net/http refuse what it cannot read, in our words, and
// answer the rest in its own.
func TestRefusal(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner, time.Now)
	l.Refuse(func(status int) []byte { return fmt.Appendf(nil, "refused with %d", status) })
	server := &http.Server{MaxHeaderBytes: 4096, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/error" {
			w.Header().Set("Connection", "close")
			http.Error(w, "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n", 400)
		}
	})}
	defer server.Close()
	go server.Serve(l)
	for text, want := range map[string]string{
		"nonsense\r\n\r\n":       "refused with 400",
		"GET / HTTP/1.1\r\n\r\n": "refused with 400",
		"GET / HTTP/7.0\r\n\r\n": "refused with 505",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n":                   "refused with 501",
		"GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("a", 20_000) + "\r\n\r\n": "refused with 431",
		"GET /error HTTP/1.1\r\nHost: a\r\n\r\n":                                      "HTTP/1.1 400 Bad Request\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":                      "HTTP/1.1 200 OK\r\n",
	} {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, text)
		got, _ := io.ReadAll(c)
		c.Close()
		if !strings.HasPrefix(string(got), want) {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
}
