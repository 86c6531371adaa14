package keystone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"zaqar/messaging"
)

// Trusts makes trusts from callers to the user of this service, its trustee,
// and gets tokens for them (notifications §9). It is safe for use by several
// goroutines.
type Trusts struct {
	config   Config
	sessions *sessions
	now      func() time.Time
}

// NewTrusts returns Trusts that have asked nothing yet. Of the configuration
// only what says how Keystone is reached and who logs in counts.
func NewTrusts(c Config, now func() time.Time, log *slog.Logger) (*Trusts, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Login.TrustID != "" {
		return nil, errors.New("trust_id comes from subscriptions")
	}
	t := &Trusts{config: c, now: now}
	t.sessions = &sessions{http: newTransport(&c), config: &t.config, section: "trustee", now: now, log: log, turn: make(chan struct{}, 1)}
	return t, nil
}

// Close ends connections.
func (t *Trusts) Close() { t.sessions.http.close() }

// trust is a trust in requests and answers.
type trust struct {
	ID            string `json:"id,omitempty"`
	Trustor       string `json:"trustor_user_id"`
	Trustee       string `json:"trustee_user_id"`
	Project       string `json:"project_id"`
	Roles         []role `json:"roles,omitempty"`
	Impersonation bool   `json:"impersonation"`
	Expires       string `json:"expires_at,omitempty"`
}

type role struct {
	Name string `json:"name"`
}

// Create makes a trust with which the trustee may act as the caller in his
// project, with the roles of his token, until expires, and returns its id.
// Errors are Unavailable.
func (t *Trusts) Create(ctx context.Context, who messaging.Caller, expires time.Time) (string, error) {
	if who.User == "" || who.Token == "" || who.Project == "" {
		return "", messaging.E(messaging.Unavailable, "A trust needs a caller whom the identity service knows; this request has no token.")
	}
	trustee, base, err := t.trustee(ctx)
	if err != nil {
		return "", unavailable(err)
	}
	made := trust{
		Trustor: who.User, Trustee: trustee, Project: string(who.Project), Impersonation: true,
		Expires: expires.UTC().Format("2006-01-02T15:04:05.000000Z"),
	}
	for _, name := range who.Roles {
		made.Roles = append(made.Roles, role{name})
	}
	body, err := json.Marshal(map[string]trust{"trust": made})
	if err != nil {
		return "", err
	}
	a, err := t.sessions.http.do(ctx, http.MethodPost, base+"/OS-TRUST/trusts", as(who.Token), body)
	switch {
	case err != nil:
		return "", unavailable(err)
	case a.status == http.StatusForbidden:
		return "", messaging.Wrap(messaging.Unavailable, "The identity service lets this token make no trust. Tokens of trusts and of restricted application credentials cannot.",
			statusError("a request for a trust", a.status))
	case a.status != http.StatusCreated:
		return "", unavailable(statusError("a request for a trust", a.status))
	}
	answered, err := readTrust(a.body)
	if err != nil {
		return "", unavailable(err)
	}
	return answered.ID, nil
}

// Verify says whether a trust is one from the caller, for his project, to the
// trustee: nil and when it ends, the zero time for never; Invalid, or
// Unavailable if that cannot be told.
func (t *Trusts) Verify(ctx context.Context, who messaging.Caller, id string) (ends time.Time, err error) {
	refused := messaging.E(messaging.Invalid, "options.trust_id must name a trust that the caller gave to this service for this project.")
	if who.User == "" || who.Token == "" || !plainID(id) {
		return ends, refused
	}
	trustee, base, err := t.trustee(ctx)
	if err != nil {
		return ends, unavailable(err)
	}
	a, err := t.sessions.http.do(ctx, http.MethodGet, base+"/OS-TRUST/trusts/"+url.PathEscape(id), as(who.Token), nil)
	switch {
	case err != nil:
		return ends, unavailable(err)
	case refuses(a.status), a.status == http.StatusBadRequest:
		return ends, refused
	case a.status != http.StatusOK:
		return ends, unavailable(statusError("a question about a trust", a.status))
	}
	found, err := readTrust(a.body)
	switch {
	case err != nil:
		return ends, unavailable(err)
	case found.ID != id, found.Trustor != who.User, found.Project != string(who.Project), found.Trustee != trustee:
		return ends, refused
	case found.Expires != "":
		ends, err = time.Parse(time.RFC3339, found.Expires)
		if err != nil {
			return ends, unavailable(errors.New("keystone's answer has a trust end at no instant"))
		}
	}
	return ends, nil
}

// Token returns a token with which the trustee acts under a trust, and how long
// it can be used. An error says why there is none, for logs: it has no kind.
func (t *Trusts) Token(ctx context.Context, id string) (token messaging.Secret, lasts time.Duration, err error) {
	g, err := t.login(ctx, id)
	if err != nil {
		return "", 0, err
	}
	return messaging.Secret(g.token), g.lasts(t.now()), nil
}

func (t *Trusts) login(ctx context.Context, id string) (*granted, error) {
	if !plainID(id) {
		return nil, errTrustRefused
	}
	if t.sessions.lockedOut() {
		return nil, errLoginRefused
	}
	under := t.config.Login
	under.TrustID = id
	under.ProjectID, under.ProjectName, under.DomainID, under.DomainName, under.SystemScope = "", "", "", "", ""
	return t.sessions.authenticate(ctx, &under)
}

// Delete removes a trust. One that is gone is no error; any other is for logs.
func (t *Trusts) Delete(ctx context.Context, id string) error {
	// Only its trustor may; under the trust, the trustee is the trustor.
	g, err := t.login(ctx, id)
	if errors.Is(err, errTrustRefused) {
		return nil
	}
	if err != nil {
		return err
	}
	a, err := t.sessions.http.do(ctx, http.MethodDelete, g.base+"/OS-TRUST/trusts/"+url.PathEscape(id), as(messaging.Secret(g.token)), nil)
	if err != nil {
		return err
	}
	if a.status != http.StatusNoContent && a.status != http.StatusNotFound {
		return statusError("a request to remove a trust", a.status)
	}
	return nil
}

// trustee returns the id of the user of this service and Keystone's address.
func (t *Trusts) trustee(ctx context.Context) (id, base string, err error) {
	if base, err = t.sessions.address(ctx); err != nil {
		return "", "", err
	}
	if id = t.config.Login.UserID; id != "" {
		return id, base, nil
	}
	s, err := t.sessions.get(ctx, nil)
	if err != nil {
		return "", "", err
	}
	return s.user, base, nil
}

func as(token messaging.Secret) http.Header { return http.Header{"X-Auth-Token": {string(token)}} }

func unavailable(err error) error {
	return messaging.Wrap(messaging.Unavailable, "The identity service cannot make or check the trust at present. Try again later.", err)
}

func readTrust(body []byte) (*trust, error) {
	var d struct {
		Trust trust `json:"trust"`
	}
	if json.Unmarshal(body, &d) != nil || d.Trust.ID == "" {
		return nil, fmt.Errorf("keystone's answer describes no trust")
	}
	return &d.Trust, nil
}

// plainID reports whether a text can be the id of a trust: it stands in paths.
func plainID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, ".") != "" && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
	})
}
