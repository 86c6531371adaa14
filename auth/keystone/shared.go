package keystone

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"zaqar/messaging"
)

// Protection is how entries in memcached are protected from whoever reaches
// it.
type Protection string

// The protections.
const (
	None    Protection = "None"    // not: whoever writes there can make tokens
	MAC     Protection = "MAC"     // nobody without the key can make entries
	Encrypt Protection = "ENCRYPT" // nor read them
)

// Memcached is a cache that several nodes share, behind the cache of each.
type Memcached struct {
	Servers     []string // host:port, or unix:/path; none: there is none
	Protection  Protection
	Key         string // secret
	Connections int64  // idle ones kept, to each server
	Timeout     time.Duration
	TLS         *tls.Config // nil: plain
}

// String tells nothing of the key.
func (m Memcached) String() string { return strings.Join(m.Servers, ",") }

// GoString is String.
func (m Memcached) GoString() string { return m.String() }

func (m *Memcached) check() error {
	if len(m.Servers) == 0 {
		return nil
	}
	for _, s := range m.Servers {
		if _, err := newServer(s); err != nil {
			return err
		}
	}
	if (m.Protection == MAC || m.Protection == Encrypt) && m.Key == "" {
		return fmt.Errorf("memcache_secret_key is missing, which memcache_security_strategy = %s needs", m.Protection)
	}
	return nil
}

// shared is the cache in memcached. A nil one is none. Whatever goes wrong
// with it is a miss.
type shared struct {
	client       *memcache.Client
	servers      servers
	seal         sealer
	log          *slog.Logger
	hits, errors atomic.Uint64
}

func newShared(m Memcached, log *slog.Logger) *shared {
	if len(m.Servers) == 0 {
		return nil
	}
	s := &shared{seal: newSealer(m.Protection, m.Key), log: log}
	for _, text := range m.Servers {
		server, _ := newServer(text) // was checked
		s.servers.all = append(s.servers.all, server)
	}
	s.servers.down = map[server]time.Time{}
	s.client = memcache.NewFromSelector(&s.servers)
	s.client.Timeout, s.client.MaxIdleConns = m.Timeout, int(m.Connections)
	dialer := &net.Dialer{}
	s.client.DialContext = dialer.DialContext
	if m.TLS != nil {
		s.client.DialContext = (&tls.Dialer{NetDialer: dialer, Config: m.TLS}).DialContext
	}
	return s
}

func (s *shared) close() {
	if s != nil {
		_ = s.client.Close()
	}
}

func (s *shared) count() (hits, errors uint64) {
	if s == nil {
		return 0, 0
	}
	return s.hits.Load(), s.errors.Load()
}

// record is an entry as it is stored. Old formats are not understood, which
// is a miss: raise the number when the meaning of a field changes.
type record struct {
	Format        int      `json:"format"`
	Until         int64    `json:"until"` // milliseconds since 1970
	Project       string   `json:"project,omitempty"`
	User          string   `json:"user"`
	Roles         []string `json:"roles,omitempty"`
	Domain        string   `json:"domain,omitempty"`
	ProjectDomain string   `json:"project_domain,omitempty"`
	UserDomain    string   `json:"user_domain,omitempty"`
	System        string   `json:"system,omitempty"`
	Limits        *limits  `json:"limits,omitempty"`
}

const recordFormat = 1

// get returns an entry that is still believed, for longest at most, or nil.
func (s *shared) get(k *key, now time.Time, longest time.Duration) *entry {
	if s == nil || longest <= 0 {
		return nil
	}
	name := s.seal.name(k)
	if !s.servers.up(name, now) {
		return nil
	}
	item, err := s.client.Get(name)
	if err != nil {
		if !errors.Is(err, memcache.ErrCacheMiss) {
			s.failed(name, now, err)
		}
		return nil
	}
	text, ok := s.seal.open(k, item.Value)
	if !ok {
		return nil
	}
	e := stored(text, now, longest)
	if e != nil {
		s.hits.Add(1)
	}
	return e
}

// stored reads an entry; nil if it is none or not believed any more.
func stored(text []byte, now time.Time, longest time.Duration) *entry {
	var r record
	if json.Unmarshal(text, &r) != nil || r.Format != recordFormat || r.User == "" {
		return nil
	}
	e := &entry{
		until:  time.UnixMilli(r.Until),
		limits: r.Limits,
		caller: messaging.Caller{
			Project: messaging.Project(r.Project), User: r.User, Roles: r.Roles,
			Domain: r.Domain, ProjectDomain: r.ProjectDomain, UserDomain: r.UserDomain, System: r.System,
		},
	}
	if latest := now.Add(longest); e.until.After(latest) {
		e.until = latest
	}
	if !now.Before(e.until) {
		return nil
	}
	return e
}

// mostRelative is the longest life that memcached does not take for a date.
const mostRelative = 30 * 24 * time.Hour

// put stores an entry.
func (s *shared) put(k *key, e *entry, now time.Time) {
	if s == nil || !now.Before(e.until) {
		return
	}
	name := s.seal.name(k)
	if !s.servers.up(name, now) {
		return
	}
	who := &e.caller
	text, err := json.Marshal(record{
		Format: recordFormat, Until: e.until.UnixMilli(), Limits: e.limits,
		Project: string(who.Project), User: who.User, Roles: who.Roles,
		Domain: who.Domain, ProjectDomain: who.ProjectDomain, UserDomain: who.UserDomain, System: who.System,
	})
	if err != nil {
		return
	}
	life := min(e.until.Sub(now), mostRelative)
	err = s.client.Set(&memcache.Item{Key: name, Value: s.seal.seal(k, text), Expiration: max(1, int32(life.Seconds()))})
	if err != nil {
		s.failed(name, now, err)
	}
}

func (s *shared) failed(name string, now time.Time, err error) {
	s.errors.Add(1)
	if s.servers.fail(name, now) {
		s.log.Warn("memcached fails; tokens are validated without it for a while", "error", err, "for", deadTime)
	}
}

// deadTime is how long a server that failed is left alone.
const deadTime = 30 * time.Second

// server is the address of a memcached.
type server struct{ network, address string }

func (s server) Network() string { return s.network }
func (s server) String() string  { return s.address }

// newServer reads an address in the forms of memcached_servers: a port is
// added where it is missing.
func newServer(text string) (server, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok && path != "" {
		return server{"unix", path}, nil
	}
	bad := fmt.Errorf("memcached_servers: %q is not a server like 192.0.2.1:11211 or unix:/path", text)
	address := strings.TrimPrefix(strings.TrimPrefix(text, "inet6:"), "inet:")
	if host, port, err := net.SplitHostPort(address); err == nil && host != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return server{}, bad
		}
		return server{"tcp", address}, nil
	}
	host := strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	if host == "" || strings.ContainsAny(host, "[]/ ") || text == "unix:" {
		return server{}, bad
	}
	return server{"tcp", net.JoinHostPort(host, "11211")}, nil
}

// servers chooses the server of a key. Names are resolved when a connection is
// made, not before.
type servers struct {
	all  []server
	mu   sync.Mutex
	down map[server]time.Time // until when it is left alone
}

// PickServer returns the server of a key.
func (s *servers) PickServer(key string) (net.Addr, error) { return s.of(key), nil }

// Each calls a function with each server.
func (s *servers) Each(f func(net.Addr) error) error {
	for _, server := range s.all {
		if err := f(server); err != nil {
			return err
		}
	}
	return nil
}

func (s *servers) of(key string) server {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return s.all[int(h.Sum32()%uint32(len(s.all)))]
}

func (s *servers) up(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !now.Before(s.down[s.of(key)])
}

// fail leaves the server of a key alone for a while, and reports whether it
// was not before.
func (s *servers) fail(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	server := s.of(key)
	first := !now.Before(s.down[server])
	s.down[server] = now.Add(deadTime)
	return first
}
