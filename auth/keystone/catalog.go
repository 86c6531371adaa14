package keystone

import (
	"context"
	"net/url"
)

// Public returns the public address of the service of that name, as the
// catalogue of this service's own token has it; empty if it has none. The
// catalogue is read again whenever that token is renewed. An error says why
// this service has no token.
func (i *Identity) Public(ctx context.Context, name string) (string, error) {
	s, err := i.sessions.get(ctx, nil)
	if err != nil {
		return "", err
	}
	for _, c := range s.catalog {
		if c.Name != name {
			continue
		}
		for address := range c.endpoints("public", i.config.Region) {
			if u, err := url.Parse(address); err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" {
				return address, nil
			}
		}
	}
	return "", nil
}
