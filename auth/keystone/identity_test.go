package keystone

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"zaqar/messaging"
)

// wantKind fails unless the error is of the kind (nil: none) and tells no
// secret.
func wantKind(t *testing.T, err error, kind error) {
	t.Helper()
	if kind == nil && err != nil || kind != nil && !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
	if err == nil {
		return
	}
	for _, secret := range []string{password, "own-", "tok-"} {
		if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
			t.Errorf("the error holds %q: %v", secret, err)
		}
	}
}

func (f *fake) want(i *Identity, kind error, headers ...string) messaging.Caller {
	f.t.Helper()
	who, err := i.Identify(f.t.Context(), request(headers...))
	wantKind(f.t, err, kind)
	return who
}

func TestTheTokenAloneSaysWhoCalls(t *testing.T) {
	f := newFake(t)
	f.issue("tok-a", "p1", time.Hour, "member", "Reader")
	i, _ := f.identity()
	want := messaging.Caller{Project: "p1", User: "user-of-p1", Roles: []string{"member", "Reader"}, ProjectDomain: "default", UserDomain: "default", Token: "tok-a"}
	for range 2 {
		got := f.want(i, nil, "X-Auth-Token: tok-a", "X-Project-Id: p2", "X-Tenant-Id: p2", "X-User-Id: root", "X-Roles: admin",
			"X-Identity-Status: Confirmed", "X-Domain-Id: d", "X-Is-Admin-Project: True", "OpenStack-System-Scope: all", "X-Service-Roles: service")
		if d := cmp.Diff(want, got, addresses()); d != "" {
			t.Error(d)
		}
	}
	f.wantAsked(1, 1)
	for _, header := range []string{"X-Auth-Token:   tok-a  ", "X-Storage-Token: tok-a"} {
		if got := f.want(i, nil, header); got.Project != "p1" {
			t.Errorf("%s: project %q", header, got.Project)
		}
	}
	f.wantAsked(1, 1)
}

func TestScopes(t *testing.T) {
	f := newFake(t)
	unscoped := f.issue("tok-unscoped", "p", time.Hour)
	delete(unscoped, "project")
	domain := f.issue("tok-domain", "p", time.Hour, "admin")
	delete(domain, "project")
	domain["domain"] = object{"id": "d1", "name": "D"}
	system := f.issue("tok-system", "p", time.Hour, "admin")
	delete(system, "project")
	system["system"] = object{"all": true}
	i, _ := f.identity()
	for token, want := range map[string]messaging.Caller{
		"tok-unscoped": {Token: "tok-unscoped", User: "user-of-p", UserDomain: "default"},
		"tok-domain":   {Token: "tok-domain", User: "user-of-p", UserDomain: "default", Domain: "d1", Roles: []string{"admin"}},
		"tok-system":   {Token: "tok-system", User: "user-of-p", UserDomain: "default", System: "all", Roles: []string{"admin"}},
	} {
		if d := cmp.Diff(want, f.want(i, nil, "X-Auth-Token: "+token, "X-Project-Id: p2"), addresses()); d != "" {
			t.Error(token, d)
		}
	}
}

// TestWithoutToken has what never passes, and never gets as far as Keystone.
func TestWithoutToken(t *testing.T) {
	f := newFake(t)
	f.issue("tok-a", "p1", time.Hour)
	f.issue("", "p1", time.Hour)
	i, _ := f.identity()
	for _, headers := range [][]string{
		{},
		{"X-Auth-Token:"},
		{"X-Auth-Token:   "},
		{"X-Auth-Token:", "X-Storage-Token: tok-a"},
		{"X-Project-Id: p1", "X-Roles: admin", "X-Identity-Status: Confirmed"},
		{"URL-Signature:"},
		{"URL-Signature:  ", "X-Project-Id: p1"},
		{"EXTRA-SPEC:", "X-Project-Id: p1"},
		{"EXTRA-SPEC: :", "X-Project-Id: p1", "X-Roles: admin"},
		{"EXTRA-SPEC: messagecode:1", "X-Project-Id: p1"},
		{"X-Service-Token: tok-a"},
		{"X-Auth-Token: tok-a", "X-Auth-Token: tok-b"},
		{"X-Auth-Token: tok a"},
		{"X-Auth-Token: tök"},
		{"X-Auth-Token: " + strings.Repeat("x", longest+1)},
	} {
		f.want(i, messaging.Unauthenticated, headers...)
	}
	f.wantAsked(0, 0)
	// The same token twice is one token.
	f.want(i, nil, "X-Auth-Token: tok-a", "X-Auth-Token: tok-a")
}

func TestAValidTokenIsBelievedForAWhile(t *testing.T) {
	f := newFake(t)
	f.issue("tok-a", "p1", time.Hour)
	i, _ := f.identity()
	f.want(i, nil, "X-Auth-Token: tok-a")
	f.revoke("tok-a")
	f.clock.Advance(299 * time.Second)
	f.want(i, nil, "X-Auth-Token: tok-a")
	f.wantAsked(1, 1)
	f.clock.Advance(time.Second)
	f.want(i, messaging.Unauthenticated, "X-Auth-Token: tok-a")
	f.wantAsked(2, 1)
}

func TestNoTokenOutlivesItself(t *testing.T) {
	f := newFake(t)
	f.issue("tok-a", "p1", 20*time.Second)
	i, _ := f.identity()
	f.want(i, nil, "X-Auth-Token: tok-a")
	f.clock.Advance(19 * time.Second)
	f.want(i, nil, "X-Auth-Token: tok-a")
	f.wantAsked(1, 1)
	f.clock.Advance(time.Second)
	f.want(i, messaging.Unauthenticated, "X-Auth-Token: tok-a")
	// Keystone's word is not enough if the time is up by its own clock.
	f.do(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			reply(w, http.StatusOK, object{"token": object{"user": object{"id": "u"}, "expires_at": f.stamp(0)}})
			return true
		}
		return false
	})
	f.want(i, messaging.Unauthenticated, "X-Auth-Token: tok-b")
}

func TestRefusedTokensAreRemembered(t *testing.T) {
	f := newFake(t)
	i, _ := f.identity()
	f.want(i, messaging.Unauthenticated, "X-Auth-Token: tok-new")
	f.issue("tok-new", "p1", time.Hour)
	f.clock.Advance(9 * time.Second)
	f.want(i, messaging.Unauthenticated, "X-Auth-Token: tok-new")
	f.wantAsked(1, 1)
	f.clock.Advance(time.Second)
	f.want(i, nil, "X-Auth-Token: tok-new")
	f.wantAsked(2, 1)
	if s := i.Stats(); s.RefusedHits != 1 || s.Refused != 1 || s.Valid != 1 || s.Misses != 2 || s.Entries != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWithoutCache(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Second} {
		f := newFake(t)
		f.issue("tok-a", "p1", time.Hour)
		i, _ := f.identity(func(c *Config) { c.CacheTime = d })
		for range 2 {
			f.want(i, nil, "X-Auth-Token: tok-a")
			f.want(i, messaging.Unauthenticated, "X-Auth-Token: tok-b")
		}
		f.wantAsked(4, 1)
		if s := i.Stats(); s.Entries+s.RefusedEntries != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestOneValidationAtATime has many requests for each of a few tokens while
// Keystone is slow.
func TestOneValidationAtATime(t *testing.T) {
	const tokens, each = 5, 100
	f := newFake(t)
	for n := range tokens - 1 { // the last is refused
		f.issue(fmt.Sprint("tok-", n), fmt.Sprint("p", n), time.Hour)
	}
	i, _ := f.identity()
	gate, arrived := make(chan struct{}), make(chan struct{}, tokens)
	f.do(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && r.URL.Path == "/v3/auth/tokens" {
			arrived <- struct{}{}
			<-gate
		}
		return false
	})
	var work sync.WaitGroup
	for n := range tokens * each {
		work.Go(func() {
			n %= tokens
			who, err := i.Identify(t.Context(), request(fmt.Sprint("X-Auth-Token: tok-", n)))
			switch {
			case n == tokens-1:
				if !errors.Is(err, messaging.Unauthenticated) {
					t.Errorf("error %v", err)
				}
			case err != nil || who.Project != messaging.Project(fmt.Sprint("p", n)):
				t.Errorf("token %d: project %q, error %v", n, who.Project, err)
			}
		})
	}
	for range tokens {
		<-arrived
	}
	close(gate)
	work.Wait()
	f.wantAsked(tokens, 1)
}

// TestTheCacheIsBounded floods both caches.
func TestTheCacheIsBounded(t *testing.T) {
	f := newFake(t)
	i, _ := f.identity(func(c *Config) { c.Entries = 2 * shards })
	f.issue("tok-a", "p1", time.Hour)
	f.want(i, nil, "X-Auth-Token: tok-a")
	for n := range 10 * shards {
		f.want(i, messaging.Unauthenticated, fmt.Sprint("X-Auth-Token: tok-guess-", n))
	}
	if s := i.Stats(); s.RefusedEntries > 2*shards || s.RefusedEntries < shards/2 {
		t.Errorf("%d refused tokens are kept, the bound is %d", s.RefusedEntries, 2*shards)
	}
	asked, _ := f.asked()
	f.want(i, nil, "X-Auth-Token: tok-a") // guesses push no valid token out
	f.wantAsked(asked, 1)
	for n := range 10 * shards {
		token := fmt.Sprint("tok-valid-", n)
		f.issue(token, "p1", time.Hour)
		f.want(i, nil, "X-Auth-Token: "+token)
	}
	if s := i.Stats(); s.Entries > 2*shards || s.Entries < shards/2 {
		t.Errorf("%d valid tokens are kept, the bound is %d", s.Entries, 2*shards)
	}
}

// TestTheCacheForgetsWhatEnded fills it at different times.
func TestTheCacheForgetsWhatEnded(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := newCache(1000 * shards)
	for n := range 20 * shards {
		k := newKey(fmt.Sprint(n), false)
		c.put(&k, &entry{until: now.Add(time.Second)}, now)
		now = now.Add(100 * time.Millisecond)
	}
	if entries, _ := c.count(); entries > 10*shards {
		t.Errorf("%d entries are kept, of which 10 have not ended", entries)
	}
}

func TestClocksThatDiffer(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, time.Hour} {
		f := newFake(t)
		f.ahead = ahead
		f.issue("tok-a", "p1", time.Minute)
		i, log := f.identity()
		f.want(i, nil, "X-Auth-Token: tok-a")
		f.clock.Advance(59 * time.Second)
		f.want(i, nil, "X-Auth-Token: tok-a")
		f.clock.Advance(time.Second)
		f.want(i, messaging.Unauthenticated, "X-Auth-Token: tok-a")
		f.wantAsked(2, 1)
		if !strings.Contains(log.String(), "clocks") {
			t.Errorf("nobody is told that the clocks differ:\n%s", log)
		}
	}
}

func addresses() cmp.Option { return cmpopts.EquateComparable(netip.Addr{}) }
