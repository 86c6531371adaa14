package keystone

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"zaqar/messaging"
)

// memcached is the part of one that this package uses.
type memcached struct {
	address string
	mu      sync.Mutex
	items   map[string]string
	lives   map[string]int // seconds
	broken  bool
	gets    int
}

func newMemcached(t *testing.T, listener net.Listener, address string) *memcached {
	t.Helper()
	m := &memcached{address: address, items: map[string]string{}, lives: map[string]int{}}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() { m.serve(c) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); work.Wait() })
	return m
}

func localMemcached(t *testing.T) *memcached {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newMemcached(t, l, l.Addr().String())
}

func (m *memcached) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		words := strings.Fields(line)
		if err != nil || len(words) < 2 || !m.answer(c, r, words) {
			return
		}
	}
}

func (m *memcached) answer(c net.Conn, r *bufio.Reader, words []string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		return false
	}
	switch words[0] {
	case "get", "gets":
		m.gets++
		if v, ok := m.items[words[1]]; ok {
			fmt.Fprintf(c, "VALUE %s 0 %d 1\r\n%s\r\n", words[1], len(v), v)
		}
		fmt.Fprint(c, "END\r\n")
	case "set":
		n, _ := strconv.Atoi(words[4])
		value := make([]byte, n+2)
		if _, err := io.ReadFull(r, value); err != nil {
			return false
		}
		m.items[words[1]] = string(value[:n])
		m.lives[words[1]], _ = strconv.Atoi(words[3])
		fmt.Fprint(c, "STORED\r\n")
	default:
		return false
	}
	return true
}

// change does something to every item.
func (m *memcached) change(f func(key, value string) (string, string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := map[string]string{}
	for k, v := range m.items {
		k, v = f(k, v)
		items[k] = v
	}
	m.items = items
}

func (m *memcached) only(t *testing.T) (key, value string, life int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.items) != 1 {
		t.Fatalf("%d items", len(m.items))
	}
	for key, value = range m.items {
	}
	return key, value, m.lives[key]
}

func using(p Protection, secret string, m ...*memcached) func(*Config) {
	return func(c *Config) {
		c.Memcached.Protection, c.Memcached.Key = p, secret
		for _, one := range m {
			c.Memcached.Servers = append(c.Memcached.Servers, one.address)
		}
	}
}

func TestNodesShareMemcached(t *testing.T) {
	for _, p := range []Protection{None, MAC, Encrypt} {
		t.Run(string(p), func(t *testing.T) {
			f, m := newFake(t), localMemcached(t)
			token := f.issue("tok-a", "p1", time.Hour, "member")
			token["application_credential"] = object{"access_rules": []any{object{"service": "messaging", "method": "GET", "path": "/v2/queues"}}}
			token["catalog"] = []any{object{"type": "messaging"}}
			typed := func(c *Config) { c.ServiceType = "messaging" }
			one, _ := f.identity(using(p, "k", m), typed)
			other, _ := f.identity(using(p, "k", m), typed)
			want := f.want(one, nil, "X-Auth-Token: tok-a")
			got := f.want(other, nil, "X-Auth-Token: tok-a")
			f.wantAsked(1, 1)
			if fmt.Sprint(got) != fmt.Sprint(want) || got.Project != "p1" {
				t.Errorf("the other node knows %+v, the first %+v", got, want)
			}
			r := httptest.NewRequest("DELETE", "/v2/queues", nil)
			r.Header.Set("X-Auth-Token", "tok-a")
			if _, err := other.Identify(t.Context(), r); err == nil {
				t.Error("the access rules got lost")
			}
			if s := other.Stats(); s.SharedHits != 1 || s.SharedErrors != 0 {
				t.Errorf("%+v", s)
			}
			key, value, life := m.only(t)
			k := newKey("tok-a", false)
			if plain := strings.Contains(key, fmt.Sprintf("%x", k.hash)); plain != (p == None) {
				t.Errorf("%s: the key shows the hash: %t", p, plain)
			}
			if strings.Contains(key+value, "tok-a") || strings.Contains(value, "p1") != (p != Encrypt) {
				t.Errorf("%s: stored is %q", p, value)
			}
			if life != 300 {
				t.Errorf("it lives for %d seconds", life)
			}
			// Together the caches keep it no longer than one.
			f.revoke("tok-a")
			f.clock.Advance(5 * time.Minute)
			f.want(other, messaging.Unauthenticated, "X-Auth-Token: tok-a")
		})
	}
}

// TestForgeriesInMemcached has whoever can write there.
func TestForgeriesInMemcached(t *testing.T) {
	for _, p := range []Protection{MAC, Encrypt} {
		for name, forge := range map[string]func(string) string{
			"altered": func(v string) string { return v[:len(v)-1] + string(v[len(v)-1]^1) },
			"plain":   func(string) string { return `{"format":1,"until":9999999999999,"user":"root","roles":["admin"]}` },
			"short":   func(string) string { return "x" },
			"empty":   func(string) string { return "" },
		} {
			t.Run(string(p)+"/"+name, func(t *testing.T) {
				f, m := newFake(t), localMemcached(t)
				f.issue("tok-a", "p1", time.Hour)
				one, _ := f.identity(using(p, "k", m))
				f.want(one, nil, "X-Auth-Token: tok-a")
				m.change(func(k, v string) (string, string) { return k, forge(v) })
				other, _ := f.identity(using(p, "k", m))
				if got := f.want(other, nil, "X-Auth-Token: tok-a"); got.Project != "p1" {
					t.Errorf("%+v", got)
				}
				f.wantAsked(2, 2) // it was a miss
			})
		}
		t.Run(string(p)+"/moved", func(t *testing.T) {
			f, m := newFake(t), localMemcached(t)
			f.issue("tok-a", "p1", time.Hour, "admin")
			one, _ := f.identity(using(p, "k", m))
			f.want(one, nil, "X-Auth-Token: tok-a")
			k := newKey("tok-guess", false)
			name := one.shared.seal.name(&k)
			m.change(func(_, v string) (string, string) { return name, v })
			f.want(one, messaging.Unauthenticated, "X-Auth-Token: tok-guess")
		})
		t.Run(string(p)+"/another secret", func(t *testing.T) {
			f, m := newFake(t), localMemcached(t)
			f.issue("tok-a", "p1", time.Hour)
			for _, secret := range []string{"k", "l"} {
				i, _ := f.identity(using(p, secret, m))
				f.want(i, nil, "X-Auth-Token: tok-a")
			}
			f.wantAsked(2, 2)
		})
	}
}

// TestMemcachedMayFail has one that ends, and one that never was there.
func TestMemcachedMayFail(t *testing.T) {
	f, m := newFake(t), localMemcached(t)
	for n := range 4 {
		f.issue(fmt.Sprint("tok-", n), "p1", time.Hour)
	}
	i, log := f.identity(using(None, "", m))
	f.want(i, nil, "X-Auth-Token: tok-0")
	m.mu.Lock()
	m.broken = true
	m.mu.Unlock()
	f.want(i, nil, "X-Auth-Token: tok-1")
	f.want(i, nil, "X-Auth-Token: tok-2")
	if s := i.Stats(); s.SharedErrors != 1 || strings.Count(log.String(), "memcached fails") != 1 {
		t.Errorf("it is not left alone: %d errors\n%s", s.SharedErrors, log)
	}
	m.mu.Lock()
	m.broken = false
	m.mu.Unlock()
	f.clock.Advance(deadTime)
	f.want(i, nil, "X-Auth-Token: tok-3")
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gets != 2 || len(m.items) != 2 {
		t.Errorf("%d gets, %d items", m.gets, len(m.items))
	}
	gone, _ := f.identity(func(c *Config) {
		c.Memcached.Servers = []string{"127.0.0.1:1", "unix:" + filepath.Join(t.TempDir(), "none"), "no.such.host.invalid"}
	})
	f.want(gone, nil, "X-Auth-Token: tok-0")
}

func TestMemcachedByTLS(t *testing.T) {
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS() // for its certificate
	defer web.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	m := newMemcached(t, l, l.Addr().String())
	f := newFake(t)
	f.issue("tok-a", "p1", time.Hour)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	i, _ := f.identity(using(None, "", m), func(c *Config) { c.Memcached.TLS = &tls.Config{RootCAs: roots} })
	f.want(i, nil, "X-Auth-Token: tok-a")
	m.only(t)
	stranger, _ := f.identity(using(None, "", m), func(c *Config) { c.Memcached.TLS = &tls.Config{} })
	f.want(stranger, nil, "X-Auth-Token: tok-a")
	if s := stranger.Stats(); s.SharedErrors != 1 {
		t.Errorf("a server that nobody vouches for is believed: %+v", s)
	}
}

func TestServersOfMemcached(t *testing.T) {
	for text, want := range map[string]string{
		"m": "tcp m:11211", "m:1": "tcp m:1", "192.0.2.1": "tcp 192.0.2.1:11211", "[2001:db8::1]:1": "tcp [2001:db8::1]:1",
		"[2001:db8::1]": "tcp [2001:db8::1]:11211", "2001:db8::1": "tcp [2001:db8::1]:11211", "inet:m:1": "tcp m:1",
		"inet6:[::1]:2": "tcp [::1]:2", "unix:/run/m": "unix /run/m",
		"": "", "unix:": "", "a b": "", "[]": "", "http://m": "",
	} {
		s, err := newServer(text)
		if got := strings.TrimSpace(s.Network() + " " + s.String()); got != want || (err != nil) != (want == "") {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
	s := servers{all: []server{{"tcp", "a:1"}, {"tcp", "b:1"}}, down: map[server]time.Time{}}
	seen := map[string]int{}
	for n := range 100 {
		addr, err := s.PickServer(fmt.Sprint("key", n))
		if err != nil {
			t.Fatal(err)
		}
		seen[addr.String()]++
	}
	if len(seen) != 2 {
		t.Errorf("keys go to %v", seen)
	}
}

// FuzzStored reads what somebody else might have put into memcached.
func FuzzStored(f *testing.F) {
	f.Add([]byte(`{"format":1,"until":2000000000000,"project":"p","user":"u","roles":["r"],"limits":{"rules":[{"path":"/**"}],"services":["messaging"]}}`))
	now := time.UnixMilli(1_900_000_000_000)
	f.Fuzz(func(t *testing.T, text []byte) {
		e := stored(text, now, time.Minute)
		if e != nil && (e.caller.User == "" || !e.until.After(now) || e.until.After(now.Add(time.Minute))) {
			t.Errorf("%+v", e)
		}
	})
}
