package keystone

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// session is what this service asks Keystone with.
type session struct {
	token    string
	user     string    // id of whom it is for
	endpoint string    // with /v3
	catalog  []service // as far as it is for a project
	renew    time.Time // when it is time for another one
}

// sessions keeps one session and renews it.
type sessions struct {
	http    *transport
	config  *Config
	section string // of the configuration, for logs
	now     func() time.Time
	log     *slog.Logger
	turn    chan struct{} // who holds it may log in

	mu      sync.Mutex
	current *session
	base    string    // AuthURL with the version, once it is known
	refused time.Time // when the credentials were

	logins, failures atomic.Uint64
}

// refusedPause is how long refused credentials are not tried again: Keystone
// may lock users out who fail too often.
const refusedPause = 15 * time.Second

// tolerated is the difference of clocks that nobody is told of.
const tolerated = 30 * time.Second

// get returns the session in use, or another one than the one that turned out
// to be stale.
func (s *sessions) get(ctx context.Context, stale *session) (*session, error) {
	if c := s.usable(stale); c != nil {
		return c, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a token of our own: %w", ctx.Err())
	}
	if c := s.usable(stale); c != nil {
		return c, nil
	}
	if s.lockedOut() {
		return nil, errLoginRefused
	}
	c, err := s.login(ctx)
	if err != nil {
		s.failures.Add(1)
		return nil, err
	}
	s.logins.Add(1)
	s.mu.Lock()
	s.current = c
	s.mu.Unlock()
	return c, nil
}

// lockedOut reports whether the credentials were refused just now.
func (s *sessions) lockedOut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Before(s.refused.Add(refusedPause)) && !s.refused.IsZero()
}

func (s *sessions) usable(stale *session) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.current; c != nil && c != stale && s.now().Before(c.renew) {
		return c
	}
	return nil
}

func (s *sessions) login(ctx context.Context) (*session, error) {
	g, err := s.authenticate(ctx, &s.config.Login)
	if err != nil {
		return nil, err
	}
	now := s.now()
	s.compareClocks(g.date, now)
	return &session{
		token:    g.token,
		user:     g.document.Token.User.ID,
		endpoint: cmp.Or(g.document.endpoint(s.config.Interface, s.config.Region), g.base),
		catalog:  g.document.Token.Catalog,
		renew:    now.Add(g.lasts(now)),
	}, nil
}

// granted is a token that Keystone gave us.
type granted struct {
	token    string
	base     string // who gave it
	document *document
	date     time.Time
}

// lasts is how long the token is used: not to its very end.
func (g *granted) lasts(now time.Time) time.Duration {
	life := g.document.lasts(g.date, now)
	return life - min(time.Minute, life/10)
}

// authenticate logs in.
func (s *sessions) authenticate(ctx context.Context, l *Login) (*granted, error) {
	base, err := s.address(ctx)
	if err != nil {
		return nil, err
	}
	body, err := l.request()
	if err != nil {
		return nil, err
	}
	a, err := s.http.do(ctx, http.MethodPost, base+"/auth/tokens", http.Header{}, body)
	switch {
	case err != nil:
		return nil, err
	case l.TrustID != s.config.Login.TrustID && refuses(a.status):
		return nil, fmt.Errorf("%w (status %d)", errTrustRefused, a.status)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		s.mu.Lock()
		s.refused = s.now()
		s.mu.Unlock()
		s.log.Error("keystone refuses the credentials of this service: requests that need them fail until the section is right",
			"section", s.section, "login", l, "status", a.status, "address", base)
		return nil, fmt.Errorf("%w (status %d)", errLoginRefused, a.status)
	case a.status != http.StatusCreated:
		return nil, statusError("a request for a token of our own", a.status)
	}
	d, err := read(a.body)
	if err != nil {
		return nil, err
	}
	token := a.header.Get("X-Subject-Token")
	if token == "" {
		return nil, oddAnswer("keystone's answer holds no token")
	}
	return &granted{token, base, d, a.date}, nil
}

// refuses reports whether a status says that a trust cannot be used.
func refuses(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound
}

// compareClocks tells about clocks that differ: Keystone's decides when tokens
// end, but other services may go by theirs.
func (s *sessions) compareClocks(date, now time.Time) {
	if by := skew(date, now); by.Abs() > tolerated {
		s.log.Warn("the clocks of this machine and of keystone differ", "by", by.Round(time.Second))
	}
}

// address is AuthURL with the version: what it says, else what Keystone says
// about its versions.
func (s *sessions) address(ctx context.Context) (string, error) {
	s.mu.Lock()
	base := s.base
	s.mu.Unlock()
	if base != "" {
		return base, nil
	}
	given := strings.TrimRight(s.config.AuthURL, "/")
	base = versioned(given)
	if base != given {
		a, err := s.http.do(ctx, http.MethodGet, given+"/", http.Header{}, nil)
		if err != nil {
			return "", err
		}
		base = discovered(a, base)
	}
	s.mu.Lock()
	s.base = base
	s.mu.Unlock()
	return base, nil
}

// discovered is the address of version 3 in a list of versions if it is one on
// the same host: credentials go nowhere else. Otherwise it is the fallback.
func discovered(a *answer, fallback string) string {
	var list struct {
		Versions struct {
			Values []struct {
				ID    string `json:"id"`
				Links []struct {
					Rel  string `json:"rel"`
					Href string `json:"href"`
				} `json:"links"`
			} `json:"values"`
		} `json:"versions"`
	}
	if json.Unmarshal(a.body, &list) != nil {
		return fallback
	}
	own, err := url.Parse(fallback)
	if err != nil {
		return fallback
	}
	for _, v := range list.Versions.Values {
		if v.ID != "v3" && !strings.HasPrefix(v.ID, "v3.") {
			continue
		}
		for _, l := range v.Links {
			if u, err := own.Parse(l.Href); err == nil && l.Rel == "self" && u.Scheme == own.Scheme && u.Host == own.Host && u.RawQuery == "" {
				return strings.TrimRight(u.String(), "/")
			}
		}
	}
	return fallback
}
