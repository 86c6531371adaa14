package keystone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/messaging"
)

// cut closes the connection without an answer.
func cut(w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset
		}
		_ = c.Close()
	}
}

// TestFaults has what a Keystone does when it is not well, once instead of
// answering about a token and once instead of a login. Nobody passes, nobody
// is told that the token is bad, and what was valid stays so.
func TestFaults(t *testing.T) {
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			reply(w, code, object{"error": object{"message": password + " tok-x own-1"}})
		}
	}
	text := func(code int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("X-Subject-Token", "own-9")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	both := func(body string) func(http.ResponseWriter) { return text(http.StatusOK, body) }
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		tries  int64
	}{
		"500":              {status(500), 1},
		"501":              {status(501), 1},
		"502":              {status(502), 4},
		"503":              {status(503), 4},
		"504":              {status(504), 4},
		"403":              {status(403), 1},
		"429":              {status(429), 1},
		"204":              {status(204), 1},
		"reset":            {cut, 4},
		"garbage":          {both("<html>gateway</html>"), 1},
		"no token":         {both(`{}`), 1},
		"null":             {both(`null`), 1},
		"empty token":      {both(`{"token":{}}`), 1},
		"no end":           {both(`{"token":{"user":{"id":"u"}}}`), 1},
		"odd end":          {both(`{"token":{"user":{"id":"u"},"expires_at":"tok-x soon"}}`), 1},
		"roles of a shape": {both(`{"token":{"user":{"id":"u"},"expires_at":"2999-01-01T00:00:00Z","roles":"admin"}}`), 1},
		"huge":             {both(`{"token":{"user":{"id":"` + strings.Repeat("u", mostAnswer) + `"},"expires_at":"2999-01-01T00:00:00Z"}}`), 1},
		"cut short": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"token":`)
		}, 4},
		"redirect elsewhere": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://localhost:1/v3/auth/tokens")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, 1},
		"redirect round and round": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "/v3/auth/tokens")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, 4},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(name+"/"+method, func(t *testing.T) {
				f := newFake(t)
				f.issue("tok-a", "p1", time.Hour)
				f.issue("tok-b", "p1", time.Hour)
				f.life = 10 * time.Minute
				i, _ := f.identity(func(c *Config) { c.AuthURL += "/v3" })
				f.want(i, nil, "X-Auth-Token: tok-a")
				if method == http.MethodPost {
					f.clock.Advance(9 * time.Minute) // time for another login
				}
				var tries atomic.Int64
				f.do(func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method == method {
						tries.Add(1)
						c.answer(w)
						return true
					}
					return false
				})
				f.want(i, messaging.Unavailable, "X-Auth-Token: tok-b")
				// net/http itself repeats what broke off on a connection that it
				// had used before.
				if n := tries.Load(); n != c.tries && (name != "reset" || n != c.tries+1) {
					t.Errorf("%d tries, want %d", tries.Load(), c.tries)
				}
				if method == http.MethodGet {
					f.want(i, nil, "X-Auth-Token: tok-a")
				}
				f.do(nil)
				f.clock.Advance(refusedPause)
				f.want(i, nil, "X-Auth-Token: tok-b") // nothing wrong was remembered
			})
		}
	}
}

func TestNobodyThere(t *testing.T) {
	f := newFake(t)
	f.issue("tok-a", "p1", time.Hour)
	i, _ := f.identity()
	f.want(i, nil, "X-Auth-Token: tok-a")
	f.Close()
	f.want(i, nil, "X-Auth-Token: tok-a")
	f.want(i, messaging.Unavailable, "X-Auth-Token: tok-b")
	f.clock.Advance(5 * time.Minute)
	f.want(i, messaging.Unavailable, "X-Auth-Token: tok-a")
	if s := i.Stats(); s.Failed != 2 || s.Valid != 1 || s.Hits != 1 {
		t.Errorf("%+v", s)
	}
}

// TestNoAnswer has a Keystone that takes requests and says nothing.
func TestNoAnswer(t *testing.T) {
	f := newFake(t)
	i, _ := f.identity(func(c *Config) { c.Timeout, c.Retries = 20*time.Millisecond, 1 })
	end := make(chan struct{})
	defer close(end)
	f.do(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-end:
		case <-r.Context().Done():
		}
		return true
	})
	_, err := i.Identify(t.Context(), request("X-Auth-Token: tok-a"))
	wantKind(t, err, messaging.Unavailable)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), f.Listener.Addr().String()) {
		t.Errorf("nobody learns who gave no answer, and why: %v", err)
	}
}

// TestWhoGoesDoesNotEndTheValidation has the first of two who ask leave.
func TestWhoGoesDoesNotEndTheValidation(t *testing.T) {
	f := newFake(t)
	f.issue("tok-a", "p1", time.Hour)
	i, _ := f.identity()
	gate, arrived := make(chan struct{}), make(chan struct{}, 2)
	f.do(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && r.URL.Path != "/" {
			arrived <- struct{}{}
			<-gate
		}
		return false
	})
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := i.Identify(ctx, request("X-Auth-Token: tok-a"))
		first <- err
	}()
	<-arrived
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	second := make(chan error)
	go func() {
		_, err := i.Identify(t.Context(), request("X-Auth-Token: tok-a"))
		second <- err
	}()
	close(gate)
	if err := <-second; err != nil {
		t.Error(err)
	}
	f.wantAsked(1, 1)
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	f := newFake(t)
	i, _ := f.identity()
	arrived := make(chan struct{}, 1)
	f.do(func(_ http.ResponseWriter, r *http.Request) bool {
		arrived <- struct{}{}
		<-r.Context().Done()
		return true
	})
	done := make(chan error)
	go func() {
		_, err := i.Identify(t.Context(), request("X-Auth-Token: tok-a"))
		done <- err
	}()
	<-arrived
	i.Close()
	wantKind(t, <-done, messaging.Unavailable)
	f.want(i, messaging.Unavailable, "X-Auth-Token: tok-b")
}

// TestOwnToken has the service's own token end, or be taken from it.
func TestOwnToken(t *testing.T) {
	f := newFake(t)
	f.life = time.Hour
	for n := range 5 {
		f.issue(fmt.Sprint("tok-", n), "p1", 24*time.Hour)
	}
	i, _ := f.identity()
	f.want(i, nil, "X-Auth-Token: tok-0")
	f.clock.Advance(59*time.Minute - time.Second)
	f.want(i, nil, "X-Auth-Token: tok-1")
	f.wantAsked(2, 1)
	f.clock.Advance(time.Second) // renewed a minute before its end
	f.want(i, nil, "X-Auth-Token: tok-2")
	f.wantAsked(3, 2)
	f.mu.Lock()
	f.own = "own-revoked"
	f.mu.Unlock()
	f.want(i, nil, "X-Auth-Token: tok-3")
	f.wantAsked(5, 3)
	// A Keystone that refuses even the new one is out of order.
	f.do(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			reply(w, http.StatusUnauthorized, object{})
			return true
		}
		return false
	})
	f.want(i, messaging.Unavailable, "X-Auth-Token: tok-4")
	f.wantAsked(5, 4)
	if s := i.Stats(); s.Logins != 4 || s.LoginFailures != 0 {
		t.Errorf("%+v", s)
	}
}

// TestRefusedCredentials are not tried over and over: Keystone locks users
// out.
func TestRefusedCredentials(t *testing.T) {
	f := newFake(t)
	i, log := f.identity(func(c *Config) { c.AuthURL += "/v3" })
	var tries atomic.Int64
	f.do(func(w http.ResponseWriter, r *http.Request) bool {
		tries.Add(1)
		reply(w, http.StatusUnauthorized, object{})
		return true
	})
	for n := range 20 {
		f.want(i, messaging.Unavailable, fmt.Sprint("X-Auth-Token: tok-", n))
	}
	if tries.Load() != 1 {
		t.Errorf("%d tries to log in", tries.Load())
	}
	if strings.Count(log.String(), "refuses the credentials") != 1 {
		t.Errorf("the log tells this otherwise than once:\n%s", log)
	}
	f.do(nil)
	f.issue("tok-a", "p1", time.Hour)
	f.want(i, messaging.Unavailable, "X-Auth-Token: tok-a")
	f.clock.Advance(refusedPause)
	f.want(i, nil, "X-Auth-Token: tok-a")
}

func TestDelayAuthDecision(t *testing.T) {
	f := newFake(t)
	i, log := f.identity(func(c *Config) { c.Delay = true })
	f.do(func(w http.ResponseWriter, _ *http.Request) bool { reply(w, 500, object{}); return true })
	f.want(i, messaging.Unauthenticated, "X-Auth-Token: tok-a")
	if !strings.Contains(log.String(), "could not be validated") {
		t.Errorf("the log says nothing:\n%s", log)
	}
}

// TestRedirects follows those that stay.
func TestRedirects(t *testing.T) {
	f := newFake(t)
	f.issue("tok-a", "p1", time.Hour)
	i, _ := f.identity(func(c *Config) { c.AuthURL += "/identity/v3" })
	f.do(func(w http.ResponseWriter, r *http.Request) bool {
		path, moved := strings.CutPrefix(r.URL.Path, "/identity")
		if moved {
			w.Header().Set("Location", path)
			w.WriteHeader(http.StatusPermanentRedirect)
		}
		return moved
	})
	f.want(i, nil, "X-Auth-Token: tok-a")
}

// TestSecretsStayOnTheHost has a Keystone that points to a thief.
func TestSecretsStayOnTheHost(t *testing.T) {
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	elsewhere := strings.Replace(thief.URL, "127.0.0.1", "localhost", 1)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, path := range []string{"/", "/v3/auth/tokens"} {
			f := newFake(t)
			i, _ := f.identity(func(c *Config) { c.Retries = 0 })
			f.do(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == path {
					w.Header().Set("Location", elsewhere)
					w.WriteHeader(status)
				}
				return r.URL.Path == path
			})
			f.want(i, messaging.Unavailable, "X-Auth-Token: tok-a")
		}
	}
	// Versions at another address count for nothing.
	f := newFake(t)
	f.issue("tok-a", "p1", time.Hour)
	i, _ := f.identity()
	f.do(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/" {
			reply(w, 300, object{"versions": object{"values": []any{object{"id": "v3.14", "links": []any{object{"rel": "self", "href": elsewhere + "/v3"}}}}}})
		}
		return r.URL.Path == "/"
	})
	f.want(i, nil, "X-Auth-Token: tok-a")
	if stolen.Load() != 0 {
		t.Error("something went to another host")
	}
}
