package secrets

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"zaqar/internal/testlog"
)

// heard is what somebody was told.
type heard struct{ testlog.Buffer }

func (h *heard) hear(format string, args ...any) { fmt.Fprintf(h, format, args...) }

const project = "518b51ea133c4facadae42c328d6b77b"

// keystone is an identity service that knows the good token. To others it
// answers with what it was asked, and with failures of several kinds.
type keystone struct {
	*httptest.Server
	heard
}

func newKeystone(t *testing.T) *keystone {
	t.Helper()
	k := new(keystone)
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		k.hear("%s %s %v %s\n", r.Method, r.URL, r.Header, body)
		token := r.Header.Get("X-Subject-Token")
		switch {
		case strings.Contains(r.URL.Path, "/OS-TRUST/"):
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "no trust for %v: %s", r.Header, body)
		case r.Method == http.MethodPost:
			w.Header().Set("X-Subject-Token", secretOwnToken)
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"token":{"user":{"id":"zaqar"},"expires_at":"2999-01-01T00:00:00Z"}}`)
		case token == secretToken:
			fmt.Fprintf(w, `{"token":{"user":{"id":"u1"},"expires_at":"2999-01-01T00:00:00Z","project":{"id":%q},"roles":[{"name":"member"}]}}`, project)
		case token == secretFailing:
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "while looking at %s: %s", token, body)
		case token == secretGarbage:
			fmt.Fprintf(w, `{"token": {"user": %q, "expires_at": "when"`, token)
		default:
			w.WriteHeader(http.StatusNotFound)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"message": "no token " + token}})
		}
	}))
	t.Cleanup(k.Close)
	return k
}

// collector takes spans, and answers with the credentials every other time.
type collector struct {
	*httptest.Server
	heard
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := new(collector)
	var mu sync.Mutex
	n := 0
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			if unzipped, err := gzip.NewReader(r.Body); err == nil {
				body = unzipped
			}
		}
		raw, _ := io.ReadAll(body)
		c.hear("%s\n", raw)
		c.hear("headers %v\n", r.Header)
		mu.Lock()
		n++
		refuse := n%2 == 0
		mu.Unlock()
		if refuse {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "you are %v", r.Header)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// spans is what was sent to the collector, without the credentials that are
// meant for it.
func (c *collector) spans() string {
	var b strings.Builder
	for line := range strings.Lines(c.String()) {
		if !strings.HasPrefix(line, "headers ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// memcached says what it was told and that this is an error.
func memcached(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				line := make([]byte, 4096)
				n, _ := c.Read(line)
				fmt.Fprintf(c, "SERVER_ERROR %s\r\n", strings.TrimSpace(string(line[:n])))
			}()
		}
	}()
	return l
}
