package keystone

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"zaqar/messaging"
)

// Identity says who calls. It is safe for use by several goroutines.
type Identity struct {
	config   Config
	now      func() time.Time
	log      *slog.Logger
	valid    *cache
	refused  *cache
	shared   *shared
	flights  *flights
	sessions *sessions
	counts   counts

	ctx  context.Context // of validations
	stop context.CancelFunc
}

// New returns an Identity that has asked nothing yet: Keystone need not be
// there. Close ends it.
func New(c Config, now func() time.Time, log *slog.Logger) (*Identity, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	i := &Identity{
		config: c, now: now, log: log,
		valid: newCache(c.Entries), refused: newCache(c.Entries), shared: newShared(c.Memcached, log),
	}
	i.sessions = &sessions{http: newTransport(&c), config: &i.config, section: "keystone_authtoken", now: now, log: log, turn: make(chan struct{}, 1)}
	i.ctx, i.stop = context.WithCancel(context.Background())
	i.flights = newFlights(i.ctx, i.patience())
	return i, nil
}

// Close ends validations under way and connections.
func (i *Identity) Close() {
	i.stop()
	i.flights.close()
	i.sessions.http.close()
	i.shared.close()
}

// longest is the most bytes of a token. Keystone's have some hundred. With much
// longer ones, servers in front of Keystone drop the connection as if Keystone
// were down, and so could be made to look like it by anybody.
const longest = 2 << 10

// Identify returns the caller that the request's token stands for: of
// X-Auth-Token, or X-Storage-Token in its absence. Errors are Unauthenticated,
// or Unavailable if Keystone cannot be asked.
func (i *Identity) Identify(ctx context.Context, r *http.Request) (messaging.Caller, error) {
	values := r.Header["X-Auth-Token"]
	if values == nil {
		values = r.Header["X-Storage-Token"]
	}
	token, err := only(values)
	if err != nil {
		return messaging.Caller{}, err
	}
	if token == "" {
		return messaging.Caller{}, messaging.E(messaging.Unauthenticated, "This needs a token of the identity service in the X-Auth-Token header.")
	}
	chained := false
	if values := r.Header["X-Service-Token"]; values != nil {
		if chained, err = i.service(ctx, values); err != nil {
			return messaging.Caller{}, err
		}
	}
	e, err := i.known(ctx, token, chained)
	if err != nil {
		return messaging.Caller{}, err
	}
	if e.limits != nil && !e.limits.admit(r, i.prefix(r), i.config.ServiceType, chained) {
		return messaging.Caller{}, messaging.E(messaging.Unauthenticated, "The access rules of the application credential do not allow this request.")
	}
	who := e.caller
	who.Token = messaging.Secret(token)
	return who, nil
}

func (i *Identity) prefix(r *http.Request) string {
	if i.config.Prefix == nil {
		return ""
	}
	return i.config.Prefix(r)
}

// only returns the one token among the values of a header; empty if there is
// none.
func only(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	token := strings.TrimSpace(values[0])
	for _, other := range values[1:] {
		if strings.TrimSpace(other) != token {
			return "", messaging.E(messaging.Unauthenticated, "There are several tokens.")
		}
	}
	if len(token) > longest || strings.ContainsFunc(token, odd) {
		return "", refusal()
	}
	return token, nil
}

// odd finds what no token holds.
func odd(r rune) bool { return r <= ' ' || r > '~' }

func refusal() error {
	return messaging.E(messaging.Unauthenticated, "The token is not valid, or not any more.")
}

// service checks a service token (operations §5.1 A7). chained says that a
// service asks on behalf of a user: expired tokens of the user pass then, and
// access rules do not count. Without one of the roles it is no service, even
// where that is not required: users could bring their own token twice.
func (i *Identity) service(ctx context.Context, values []string) (chained bool, err error) {
	token, err := only(values)
	if token == "" || err != nil {
		return false, err
	}
	e, err := i.known(ctx, token, false)
	if err != nil {
		return false, err
	}
	chained = slices.ContainsFunc(i.config.ServiceRoles, func(role string) bool { return slices.Contains(e.caller.Roles, role) })
	if !chained && i.config.ServiceRolesRequired {
		return false, messaging.E(messaging.Unauthenticated, "The service token has none of the roles that make it one.")
	}
	return chained, nil
}

// known returns what is known of a token, after asking if need be. late asks
// for a token that was valid lately.
func (i *Identity) known(ctx context.Context, token string, late bool) (*entry, error) {
	k := newKey(token, late)
	if e := i.valid.get(&k, i.now()); e != nil {
		return e, nil
	}
	if i.refused.get(&k, i.now()) != nil {
		return nil, refusal()
	}
	return i.unknown(ctx, k, token)
}

// unknown asks about a token that is not in the cache. Its key is a copy, so
// that the one of known stays on the stack.
func (i *Identity) unknown(ctx context.Context, k key, token string) (*entry, error) {
	i.counts.misses.Add(1)
	e, err := i.find(ctx, &k, token)
	switch {
	case err == nil:
		return e, nil
	case errors.Is(err, errNoSuchToken):
		i.log.Debug("token refused", "token_sha256", hex.EncodeToString(k.hash[:6]))
		return nil, refusal()
	case i.config.Delay:
		i.log.Error("a token could not be validated", "error", err)
		return nil, refusal()
	}
	return nil, messaging.Wrap(messaging.Unavailable, "The identity service cannot be asked at present. Try again later.", err)
}

// find asks about a token, together with all others who ask about it.
func (i *Identity) find(ctx context.Context, k *key, token string) (*entry, error) {
	looked := func() (*entry, error, bool) {
		if e := i.valid.get(k, i.now()); e != nil {
			return e, nil, true
		}
		if i.refused.get(k, i.now()) != nil {
			return nil, errNoSuchToken, true
		}
		return nil, nil, false
	}
	return i.flights.join(ctx, k, looked, func() (*entry, error) {
		ctx, cancel := context.WithTimeout(i.ctx, i.patience())
		defer cancel()
		return i.validate(ctx, k, token)
	})
}

// patience is how long a validation may take.
func (i *Identity) patience() time.Duration { return max(i.config.Total, i.config.Timeout) }
