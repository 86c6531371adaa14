package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"zaqar/api/wire"
	"zaqar/auth/policy"
	"zaqar/auth/signed"
)

// shareTime is how long a grant is good for that does not say.
const shareTime = 24 * time.Hour

// shareQueue serves http-v2 §7.9. The queue need not exist.
func (c *call) shareQueue() error {
	if err := c.broker.ShareQueue(c.r.Context(), c.who, c.queue); err != nil {
		return err
	}
	grant, err := c.grant()
	if err != nil {
		return err
	}
	if err := c.permitAll(grant); err != nil {
		return err
	}
	signature, err := c.Signatures.Sign(grant)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendShared(dst, grant, signature) })
}

// permitAll asks whether the caller may do all that the grant permits. Whoever
// uses it has neither user nor roles, so that rules which refuse some of those
// could otherwise be passed by sharing with oneself.
func (c *call) permitAll(g signed.Grant) error {
	for _, rule := range policy.Rules() {
		for _, o := range rule.Operations {
			path := strings.Replace(o.Path, "{queue_name}", c.queue.Name, 1)
			granted := slices.ContainsFunc(g.Paths, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
			if !granted || !slices.Contains(g.Methods, o.Method) {
				continue
			}
			if err := c.broker.Permit(c.r.Context(), c.who, rule.Name, c.queue); err != nil {
				return err
			}
		}
	}
	return nil
}

// grant reads what the client wants to share.
func (c *call) grant() (g signed.Grant, err error) {
	s := c.memory()
	if err := c.read(s, smallBody); err != nil {
		return g, err
	}
	if len(s.In) == 0 {
		return g, invalid("A body is required; it may be an empty object.")
	}
	share, err := s.Share(s.In)
	if err != nil {
		return g, err
	}
	g = signed.Grant{Project: c.queue.Project, Methods: share.Methods}
	if len(g.Methods) == 0 {
		g.Methods = []string{http.MethodGet}
	}
	slices.Sort(g.Methods)
	if g.Paths, err = c.sharedPaths(share.Paths); err != nil {
		return g, err
	}
	now := c.broker.Now()
	limit := c.ShareLimit
	g.Expires = now.Add(shareTime).Truncate(time.Second)
	if limit > 0 && limit < shareTime {
		g.Expires = now.Add(limit).Truncate(time.Second)
	}
	if share.Expires != nil {
		if g.Expires, err = signed.ParseInstant(*share.Expires); err != nil {
			return g, invalid("expires must be a date, or a date and time, of ISO 8601.")
		}
	}
	switch {
	case !g.Expires.After(now):
		return g, invalid("expires must be in the future.")
	case limit > 0 && g.Expires.After(now.Add(limit)):
		return g, invalid(fmt.Sprintf("expires must be at most %d seconds ahead.", int64(limit.Seconds())))
	}
	return g, nil
}

// sharedPaths returns the full paths of the parts of the queue, sorted.
func (c *call) sharedPaths(parts []string) ([]string, error) {
	if len(parts) == 0 {
		parts = []string{"messages"}
	}
	var paths []string
	for _, part := range parts {
		if part != "messages" && part != "claims" && part != "subscriptions" {
			return nil, invalid("paths must hold messages, claims and subscriptions, and nothing else.")
		}
		paths = append(paths, string(wire.AppendQueueHref(nil, c.queue))+"/"+part)
	}
	slices.Sort(paths)
	return paths, nil
}
