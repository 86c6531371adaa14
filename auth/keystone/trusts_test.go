package keystone

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/internal/testlog"
	"zaqar/messaging"
)

// trusting adds trusts to a fake, by id, and returns the Trusts that use it.
func (f *fake) trusting(trusts map[string]object) (*Trusts, *testlog.Buffer) {
	f.t.Helper()
	answer := func(w http.ResponseWriter, r *http.Request) bool {
		id, one := strings.CutPrefix(r.URL.Path, "/v3/OS-TRUST/trusts/")
		switch {
		case r.URL.Path == "/v3/OS-TRUST/trusts" && r.Method == "POST":
			if r.Header.Get("X-Auth-Token") != "tok-alice" {
				reply(w, http.StatusForbidden, object{})
				return true
			}
			var in struct{ Trust object }
			_ = json.NewDecoder(r.Body).Decode(&in)
			in.Trust["id"] = fmt.Sprint("trust-", len(trusts))
			trusts[in.Trust["id"].(string)] = in.Trust
			reply(w, http.StatusCreated, object{"trust": in.Trust})
		case one && trusts[id] == nil:
			reply(w, http.StatusNotFound, object{})
		case one && r.Method == "DELETE" && r.Header.Get("X-Auth-Token") == "own-under-"+id:
			delete(trusts, id)
			w.WriteHeader(http.StatusNoContent)
		case one && r.Method == "GET":
			reply(w, http.StatusOK, object{"trust": trusts[id]})
		case one:
			reply(w, http.StatusForbidden, object{})
		default:
			return false
		}
		return true
	}
	f.do(func(w http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return answer(w, r) || r.URL.Path == "/v3/auth/tokens" && f.under(w, r, trusts)
	})
	c := f.config()
	c.Retries = 0
	c.Login = Login{Username: "trustee", UserDomainName: "Default", Password: password}
	log, text := f.log()
	t, err := NewTrusts(c, f.clock.Now, log)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(t.Close)
	return t, text
}

// under answers requests for tokens.
func (f *fake) under(w http.ResponseWriter, r *http.Request, trusts map[string]object) bool {
	var in struct {
		Auth struct {
			Scope struct {
				Trust struct{ ID string } `json:"OS-TRUST:trust"`
			}
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	id := in.Auth.Scope.Trust.ID
	user := "trustee-id"
	if id != "" {
		if trusts[id] == nil {
			reply(w, http.StatusForbidden, object{})
			return true
		}
		user = trusts[id]["trustor_user_id"].(string)
	}
	f.logins = append(f.logins, object{"trust": id})
	w.Header().Set("X-Subject-Token", "own-under-"+id)
	reply(w, http.StatusCreated, object{"token": object{"user": object{"id": user}, "expires_at": f.stamp(f.life)}})
	return true
}

func alice() messaging.Caller {
	return messaging.Caller{Project: "p1", User: "alice", Roles: []string{"member", "reader"}, Token: "tok-alice"}
}

func TestTrusts(t *testing.T) {
	f := newFake(t)
	trusts := map[string]object{}
	k, _ := f.trusting(trusts)
	id, err := k.Create(t.Context(), alice(), time.Date(9013, 5, 4, 12, 0, 0, 500, time.FixedZone("", 7200)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(object{
		"id": "trust-0", "trustor_user_id": "alice", "trustee_user_id": "trustee-id", "project_id": "p1", "impersonation": true,
		"expires_at": "9013-05-04T10:00:00.000000Z", "roles": []any{object{"name": "member"}, object{"name": "reader"}},
	}, trusts[id]); diff != "" {
		t.Error(diff)
	}
	if ends, err := k.Verify(t.Context(), alice(), id); err != nil || ends.Year() != 9013 {
		t.Errorf("%v, %v", ends, err)
	}
	token, lasts, err := k.Token(t.Context(), id)
	if err != nil || string(token) != "own-under-trust-0" || lasts != 59*time.Minute {
		t.Errorf("%q for %v, %v", string(token), lasts, err)
	}
	for range 2 {
		if err := k.Delete(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if len(trusts) != 0 {
		t.Errorf("%v", trusts)
	}
	if _, _, err := k.Token(t.Context(), id); !errors.Is(err, errTrustRefused) {
		t.Errorf("%v", err)
	}
}

func TestTrustsOfNobody(t *testing.T) {
	f := newFake(t)
	k, _ := f.trusting(map[string]object{})
	for name, change := range map[string]func(*messaging.Caller){
		"no token":    func(c *messaging.Caller) { c.Token = "" },
		"no user":     func(c *messaging.Caller) { c.User = "" },
		"no project":  func(c *messaging.Caller) { c.Project = "" },
		"not allowed": func(c *messaging.Caller) { c.Token = "tok-restricted" },
	} {
		who := alice()
		change(&who)
		if id, err := k.Create(t.Context(), who, f.clock.Now()); !errors.Is(err, messaging.Unavailable) || id != "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
}

func TestVerify(t *testing.T) {
	f := newFake(t)
	mine := object{"id": "mine", "trustor_user_id": "alice", "trustee_user_id": "trustee-id", "project_id": "p1"}
	with := func(id, key, value string) object {
		o := object{}
		for k, v := range mine {
			o[k] = v
		}
		o["id"], o[key] = id, value
		return o
	}
	k, _ := f.trusting(map[string]object{
		"mine":          mine,
		"other-trustor": with("other-trustor", "trustor_user_id", "bob"),
		"other-project": with("other-project", "project_id", "p2"),
		"other-trustee": with("other-trustee", "trustee_user_id", "heat"),
	})
	if _, err := k.Verify(t.Context(), alice(), "mine"); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"other-trustor", "other-project", "other-trustee", "missing", "", "..", "../users/alice", "mine?x", strings.Repeat("a", 65), "mine\n"} {
		if _, err := k.Verify(t.Context(), alice(), id); !errors.Is(err, messaging.Invalid) {
			t.Errorf("%q: %v", id, err)
		}
	}
	nobody := alice()
	nobody.Token = ""
	if _, err := k.Verify(t.Context(), nobody, "mine"); !errors.Is(err, messaging.Invalid) {
		t.Errorf("without a token: %v", err)
	}
	f.Close()
	if _, err := k.Verify(t.Context(), alice(), "mine"); !errors.Is(err, messaging.Unavailable) {
		t.Errorf("without Keystone: %v", err)
	}
}

// TestTrustsInTrouble has a Keystone that answers everything but what it
// should. What callers are told names neither it nor a secret.
func TestTrustsInTrouble(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"500":     func(w http.ResponseWriter) { w.WriteHeader(500) },
		"401":     func(w http.ResponseWriter) { w.WriteHeader(401) },
		"nothing": func(w http.ResponseWriter) { w.Header().Set("X-Subject-Token", "own-1"); w.WriteHeader(201) },
		"a list":  func(w http.ResponseWriter) { w.Header().Set("X-Subject-Token", "own-1"); reply(w, 201, []any{}) },
		"hang-up": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			k, _ := f.trusting(map[string]object{"mine": {}})
			f.do(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/" {
					return false
				}
				answer(w)
				return true
			})
			_, err := k.Create(t.Context(), alice(), f.clock.Now())
			var e *messaging.Error
			if !errors.As(err, &e) || e.Kind != messaging.Unavailable || strings.Contains(e.What, "127.0.0.1") {
				t.Errorf("%v", err)
			}
			if _, _, err := k.Token(t.Context(), "mine"); err == nil {
				t.Error("there is a token")
			}
			if _, err := k.Verify(t.Context(), alice(), "mine"); !errors.Is(err, messaging.Unavailable) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A wrong password is not tried again and again: Keystone may lock the user.
func TestTrusteeLockedOut(t *testing.T) {
	f := newFake(t)
	k, log := f.trusting(map[string]object{})
	logins := 0
	f.do(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v3/auth/tokens" {
			return false
		}
		logins++
		w.WriteHeader(401)
		return true
	})
	for range 3 {
		if _, err := k.Create(t.Context(), alice(), f.clock.Now()); !errors.Is(err, messaging.Unavailable) {
			t.Error(err)
		}
		if _, _, err := k.Token(t.Context(), "mine"); !errors.Is(err, errLoginRefused) {
			t.Error(err)
		}
	}
	if logins != 1 || !strings.Contains(log.String(), "section=trustee") {
		t.Errorf("%d logins; the log says %s", logins, log)
	}
}

func TestPublic(t *testing.T) {
	f := newFake(t)
	endpoint := func(face, region, url string) object {
		return object{"interface": face, "region": region, "url": url}
	}
	f.catalog = []any{
		object{"type": "identity", "name": "keystone", "endpoints": []any{endpoint("public", "r1", "http://k.example")}},
		object{"type": "messaging", "name": "zaqar", "endpoints": []any{
			endpoint("internal", "r1", "http://inside.example"), endpoint("public", "r2", "http://two.example/messaging"), endpoint("public", "r1", "http://one.example/messaging"),
		}},
		object{"type": "messaging-websocket", "name": "zaqar-websocket", "endpoints": []any{endpoint("public", "r1", "ws://one.example:9000/")}},
		object{"type": "odd", "name": "odd", "endpoints": []any{endpoint("public", "r1", "nonsense"), endpoint("public", "r1", "http://u:p@h")}},
	}
	i, _ := f.identity(func(c *Config) { c.Region = "r1" })
	for name, want := range map[string]string{"zaqar": "http://one.example/messaging", "zaqar-websocket": "ws://one.example:9000/", "odd": "", "missing": ""} {
		if got, err := i.Public(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	f.wantAsked(0, 1)
	f.Close()
	f.clock.Advance(2 * time.Hour)
	if got, err := i.Public(t.Context(), "zaqar"); err == nil || got != "" {
		t.Errorf("%q without Keystone", got)
	}
}

// The caller has his token with him, whether it was in the cache or not.
func TestCallersHaveTheirTokens(t *testing.T) {
	f := newFake(t)
	f.issue("tok-alice", "p1", time.Hour)
	i, _ := f.identity()
	for range 2 {
		who, err := i.Identify(t.Context(), request("X-Auth-Token: tok-alice"))
		if err != nil || string(who.Token) != "tok-alice" {
			t.Errorf("%q, %v", string(who.Token), err)
		}
	}
}
