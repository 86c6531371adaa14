package keystone

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// validate asks Keystone about a token and remembers what it says.
func (i *Identity) validate(ctx context.Context, k *key, token string) (*entry, error) {
	if e := i.shared.get(k, i.now(), i.config.CacheTime); e != nil {
		i.valid.put(k, e, i.now())
		return e, nil
	}
	begun := i.now()
	e, err := i.question(ctx, k, token)
	switch {
	case errors.Is(err, errNoSuchToken):
		i.counts.refused.Add(1)
		i.refused.remember(k, &entry{until: i.now().Add(min(i.config.RefusedTime, i.config.CacheTime))}, i.now())
	case err != nil:
		i.counts.failed.Add(1)
	default:
		i.counts.valid.Add(1)
		i.valid.remember(k, e, i.now())
		i.shared.put(k, e, i.now())
	}
	i.counts.took.Add(int64(i.now().Sub(begun)))
	return e, err
}

// question asks Keystone, with another session if the first is stale.
func (i *Identity) question(ctx context.Context, k *key, token string) (*entry, error) {
	s, err := i.sessions.get(ctx, nil)
	if err != nil {
		return nil, err
	}
	e, status, err := i.ask(ctx, s, k, token)
	if status == http.StatusUnauthorized {
		if s, err = i.sessions.get(ctx, s); err != nil {
			return nil, err
		}
		e, _, err = i.ask(ctx, s, k, token)
	}
	return e, err
}

// ask asks Keystone once (operations §5.1 A3).
func (i *Identity) ask(ctx context.Context, s *session, k *key, token string) (*entry, int, error) {
	header := http.Header{
		"X-Auth-Token":                    {s.token},
		"X-Subject-Token":                 {token},
		"Openstack-Identity-Access-Rules": {"1"},
	}
	query := url.Values{}
	if !i.config.Catalog {
		query.Set("nocatalog", "1")
	}
	if k.late {
		query.Set("allow_expired", "1")
	}
	address := s.endpoint + "/auth/tokens"
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	a, err := i.sessions.http.do(ctx, http.MethodGet, address, header, nil)
	if err != nil {
		return nil, 0, err
	}
	if a.status != http.StatusOK {
		return nil, a.status, verdict(a.status)
	}
	e, err := i.entry(a, k.late)
	return e, a.status, err
}

// verdict is what a status other than 200 says.
func verdict(status int) error {
	switch status {
	case http.StatusNotFound,
		// No token of Keystone's is malformed or too long for it.
		http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return errNoSuchToken
	case http.StatusForbidden:
		return errors.New("keystone does not let the user of this service validate tokens (403): give it the role service or admin")
	}
	return statusError("the question about a token", status)
}

// entry is what an answer says about a token. An expired token counts if the
// question was whether it was valid lately.
func (i *Identity) entry(a *answer, late bool) (*entry, error) {
	d, err := read(a.body)
	if err != nil {
		return nil, err
	}
	now := i.now()
	believed := max(i.config.CacheTime, 0)
	if !late {
		lasts := d.lasts(a.date, now)
		if lasts <= 0 {
			return nil, errNoSuchToken
		}
		believed = min(believed, lasts)
	}
	return &entry{caller: d.caller(), limits: d.limits(), until: now.Add(believed)}, nil
}

// remember adds an entry unless it has ended.
func (c *cache) remember(k *key, e *entry, now time.Time) {
	if now.Before(e.until) {
		c.put(k, e, now)
	}
}
