package keystone

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"zaqar/internal/testclock"
	"zaqar/internal/testlog"
)

// password is what the service logs in with. No log and no error may show it.
const password = "the-password-of-the-service"

// fake is a Keystone that does what a test wants.
type fake struct {
	*httptest.Server
	t     *testing.T
	clock *testclock.Clock

	mu          sync.Mutex
	tokens      map[string]object // "token" of the answers about tokens of users
	logins      []object          // bodies of requests for tokens
	own         string            // the service's token that counts
	life        time.Duration     // of the service's tokens
	validations []*http.Request
	catalog     []any
	// instead answers in place of the fake if it returns true.
	instead func(w http.ResponseWriter, r *http.Request) bool
	ahead   time.Duration // of its clock to the test's
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{
		t: t, clock: testclock.New(time.Date(2031, 5, 4, 10, 0, 0, 0, time.UTC)),
		tokens: map[string]object{}, life: time.Hour,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", f.versions)
	mux.HandleFunc("POST /v3/auth/tokens", f.login)
	mux.HandleFunc("GET /v3/auth/tokens", f.validate)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		instead := f.instead
		w.Header().Set("Date", f.clock.Now().Add(f.ahead).UTC().Format(http.TimeFormat))
		f.mu.Unlock()
		if instead == nil || !instead(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) versions(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusMultipleChoices, object{"versions": object{"values": []any{object{
		"id": "v3.14", "status": "stable", "links": []any{object{"rel": "self", "href": f.URL + "/v3/"}},
	}}}})
}

func (f *fake) login(w http.ResponseWriter, r *http.Request) {
	var in object
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins = append(f.logins, in)
	f.own = fmt.Sprint("own-", len(f.logins))
	w.Header().Set("X-Subject-Token", f.own)
	reply(w, http.StatusCreated, object{"token": object{
		"user": object{"id": "service"}, "expires_at": f.stamp(f.life), "catalog": f.catalog,
	}})
}

// stamp is a moment from now on, as Keystone writes it.
func (f *fake) stamp(in time.Duration) string {
	return f.clock.Now().Add(f.ahead + in).UTC().Format("2006-01-02T15:04:05.000000Z")
}

func (f *fake) validate(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.validations = append(f.validations, r)
	if r.Header.Get("X-Auth-Token") != f.own {
		reply(w, http.StatusUnauthorized, object{"error": object{"code": 401}})
		return
	}
	token, known := f.tokens[r.Header.Get("X-Subject-Token")]
	if known && r.URL.Query().Get("allow_expired") == "" {
		end, err := time.Parse(time.RFC3339, token["expires_at"].(string))
		known = err == nil && f.clock.Now().Add(f.ahead).Before(end)
	}
	if !known {
		reply(w, http.StatusNotFound, object{"error": object{"code": 404, "message": "no token " + r.Header.Get("X-Subject-Token")}})
		return
	}
	reply(w, http.StatusOK, object{"token": token})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// issue makes a token for a project that lasts so long.
func (f *fake) issue(token, project string, lasts time.Duration, roles ...string) object {
	f.mu.Lock()
	defer f.mu.Unlock()
	named := []any{}
	for _, r := range roles {
		named = append(named, object{"id": "id-" + r, "name": r})
	}
	o := object{
		"user":       object{"id": "user-of-" + project, "name": "u", "domain": object{"id": "default"}},
		"project":    object{"id": project, "name": "p", "domain": object{"id": "default"}},
		"roles":      named,
		"expires_at": f.stamp(lasts),
	}
	f.tokens[token] = o
	return o
}

func (f *fake) revoke(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tokens, token)
}

// do makes the fake answer so.
func (f *fake) do(instead func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instead = instead
}

// asked is how many validations and logins there were.
func (f *fake) asked() (validations, logins int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.validations), len(f.logins)
}

func (f *fake) wantAsked(validations, logins int) {
	f.t.Helper()
	if v, l := f.asked(); v != validations || l != logins {
		f.t.Errorf("Keystone had %d validations and %d logins, want %d and %d", v, l, validations, logins)
	}
}

// config is a configuration for the fake.
func (f *fake) config() Config {
	c := Defaults()
	c.AuthURL = f.URL
	c.Pause = time.Millisecond
	c.Login = Login{Username: "zaqar", UserDomainName: "Default", Password: password, ProjectName: "service", ProjectDomainID: "default"}
	return c
}

// identity returns an Identity that uses the fake, and its log.
func (f *fake) identity(changes ...func(*Config)) (*Identity, *testlog.Buffer) {
	f.t.Helper()
	c := f.config()
	for _, change := range changes {
		change(&c)
	}
	log, text := f.log()
	i, err := New(c, f.clock.Now, log)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(i.Close)
	return i, text
}

// log returns a log of everything and what is in it: no secret, when the test
// ends.
func (f *fake) log() (*slog.Logger, *testlog.Buffer) {
	text := new(testlog.Buffer)
	f.t.Cleanup(func() {
		for _, secret := range []string{password, "own-", "tok-"} {
			if strings.Contains(text.String(), secret) {
				f.t.Errorf("the log holds %q:\n%s", secret, text)
			}
		}
	})
	return slog.New(slog.NewTextHandler(text, &slog.HandlerOptions{Level: slog.LevelDebug})), text
}

// request is a request with headers, as "Name: value".
func request(headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/v2/queues", nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	return r
}
