package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"zaqar/api/wire"
	"zaqar/messaging"
	"zaqar/quota"
)

// checkQuota lets the request in if its project is neither too fast nor has too
// many connections. It comes as soon as the project is known: requests that are
// refused for their form count like others. Those of no project are nobody's.
func (c *call) checkQuota() error {
	if c.Quotas == nil || c.route.needs != needsCaller && c.stands == nil || c.checkProject() != nil {
		return nil
	}
	ctx := c.r.Context()
	if err := quota.LinkOf(ctx).Use(ctx, c.who.Project); err != nil {
		c.hangUp() // what is too many goes
		return err
	}
	if c.waiting != nil { // it was let in when it came
		c.visit = c.Quotas.Return(ctx, c.who.Project)
		return nil
	}
	visit, err := c.Quotas.Enter(ctx, c.who.Project)
	c.visit = visit
	return err
}

// leave charges the project for what was read and sent.
func (c *call) leave() { c.visit.Leave(max(0, c.received-c.charged) + c.bytes) }

// listQuotas shows what administrators granted to projects.
func (c *call) listQuotas() error {
	q := c.parameters()
	marker, limit := q.text("marker"), q.count("limit")
	if q.err != nil {
		return q.err
	}
	page, err := c.broker.ListQuotas(c.r.Context(), c.who, messaging.Project(marker), limit)
	if err != nil {
		return err
	}
	next := ""
	if n := len(page); n > 0 {
		link := newNextPage(nil, c.route.path)
		link.ints(q, "limit")
		next = string(link.href(string(page[n-1].Project)))
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendQuotas(dst, page, next) })
}

// quotaProject returns the project that the path names.
func (c *call) quotaProject() (messaging.Project, error) {
	p := c.vars[0]
	if p == "" || !utf8.ValidString(p) || utf8.RuneCountInString(p) > messaging.MaxProjectLength {
		return "", invalid("The path names no project.")
	}
	return messaging.Project(p), nil
}

// showQuota shows what a project may have and has.
func (c *call) showQuota() error {
	p, err := c.quotaProject()
	if err != nil {
		return err
	}
	view, err := c.broker.ShowQuota(c.r.Context(), c.who, p)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendQuota(dst, view) })
}

// defaultQuota shows what a project may have unless it is granted something
// else.
func (c *call) defaultQuota() error {
	p, err := c.quotaProject()
	if err != nil {
		return err
	}
	l, err := c.broker.DefaultQuota(c.r.Context(), c.who, p)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendDefaultQuota(dst, p, l) })
}

// updateQuota grants a project some limits, and takes back those that are null.
func (c *call) updateQuota() error {
	p, err := c.quotaProject()
	if err != nil {
		return err
	}
	s := c.memory()
	if err := c.read(s, smallBody); err != nil {
		return err
	}
	if len(s.In) == 0 {
		return invalid("A quota needs a body.")
	}
	in, err := s.Quota(s.In)
	if err != nil {
		return err
	}
	view, err := c.broker.UpdateQuota(c.r.Context(), c.who, p, in)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendQuota(dst, view) })
}

// deleteQuota takes back what a project was granted.
func (c *call) deleteQuota() error {
	p, err := c.quotaProject()
	if err != nil {
		return err
	}
	if err := c.broker.DeleteQuota(c.r.Context(), c.who, p); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// quotaRoutes are the routes about quotas. Those that tell of all projects, or
// change something, are for administrators.
func quotaRoutes(admin bool) []route {
	const one = "/v2/quotas/{project_id}"
	get, put, del := http.MethodGet, http.MethodPut, http.MethodDelete
	show := route{path: one, on: verbs{get: (*call).showQuota}, home: []relation{{rel: "quota", allow: []string{get}}}}
	list := []route{{path: one + "/defaults", on: verbs{get: (*call).defaultQuota}, home: []relation{
		{rel: "quota_defaults", allow: []string{get}}}}}
	if admin {
		show.on[put], show.on[del] = (*call).updateQuota, (*call).deleteQuota
		show.home[0].allow = []string{get, put, del}
		list = append(list, route{path: "/v2/quotas", on: verbs{get: (*call).listQuotas}, home: []relation{
			{rel: "quotas", query: "{?marker,limit}", allow: []string{get}, limit: "quota_limit"}}})
	}
	return append(list, show)
}

// RateStatus is the status of an answer to who goes too fast.
type RateStatus int

// The statuses. ByClient is 429, but 503 for clients that take 429 for success.
const (
	ByClient    RateStatus = 0
	TooMany     RateStatus = http.StatusTooManyRequests
	Unavailable RateStatus = http.StatusServiceUnavailable
)

// misreads is how the User-Agent begins of clients that take every status they
// do not know for success, 429 among them: python-zaqarclient, which leaves the
// header to the library under it, would lose messages without noticing. To
// other users of that library 503 with Retry-After says the same.
const misreads = "python-requests/"

// slowDown says when to try again and returns the status of the answer.
func (c *call) slowDown(e *messaging.Error) int {
	after := time.Second
	if e != nil && e.After > after {
		after = e.After
	}
	seconds := int64((after + time.Second - 1) / time.Second)
	c.w.Header()["Retry-After"] = []string{strconv.FormatInt(seconds, 10)}
	switch {
	case c.RateStatus != ByClient:
		return int(c.RateStatus)
	case strings.HasPrefix(first(c.r.Header["User-Agent"]), misreads):
		return http.StatusServiceUnavailable
	}
	return http.StatusTooManyRequests
}
