package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"zaqar/messaging"
)

// What became of a request, in the audit log.
const (
	outcomeSuccess = "success"
	outcomeFailure = "failure" // the request was let in, but could not be carried out
	outcomeRefused = "refused" // the caller may not do this, or not now
)

// changes lists the methods of a route that change the control plane: of the
// rules that guard it those that are not about messages and do more than read.
func changes(rules map[string]string) map[string]bool {
	found := map[string]bool{}
	for method, rule := range rules {
		thing, action, _ := strings.Cut(rule, ":")
		switch thing {
		case "messages", "claims", "ping", "health":
			continue
		}
		if !strings.HasPrefix(action, "get") && action != "stats" && action != "deliveries" {
			found[method] = true
		}
	}
	return found
}

// audit leaves a record of requests that change the control plane, and of all
// that were refused. It is called once the answer is known.
func (c *call) audit(done *Served) {
	refused := refuses(c.failure) || c.signed && !c.who.Signed
	route, method := c.deed()
	if !refused && !c.created && (route == nil || !route.changes[method]) {
		return
	}
	list := make([]slog.Attr, 0, 20)
	add := func(key, value string) {
		if value != "" {
			list = append(list, slog.String(key, value))
		}
	}
	outcome := outcomeSuccess
	switch {
	case refused:
		outcome = outcomeRefused
	case done.Status >= http.StatusBadRequest:
		outcome = outcomeFailure
	}
	action, by := "", ""
	if route != nil {
		action = route.rules[method]
	}
	if c.created { // whatever became of the messages
		action, by, outcome = creation(c.queue), action, outcomeSuccess
	}
	add("action", action)
	add("by", by)
	add("outcome", outcome)
	list = append(list, slog.Int("status", done.Status))
	if refused {
		add("reason", c.reason())
	}
	add("project", string(done.Project))
	add("user", bounded(c.who.User))
	if roles := boundedRoles(c.who.Roles); len(roles) > 0 {
		list = append(list, slog.Any("roles", roles))
	}
	add("system", bounded(c.who.System))
	if c.who.Signed {
		list = append(list, slog.Bool("signed", true))
	}
	c.target(add)
	add("method", knownMethod(done.Method))
	add("route", done.Route)
	if done.Address.IsValid() {
		add("address", done.Address.String())
	}
	add("client", string(done.Client))
	add("request_id", done.Request)
	add("caller_request_id", done.Caller)
	c.Audit.LogAttrs(context.WithoutCancel(c.r.Context()), slog.LevelInfo, "audit", list...)
}

// creation is the action of creating a queue or topic.
func creation(q messaging.QueueRef) string {
	if q.Topic {
		return "topics:create"
	}
	return "queues:create"
}

// refuses reports whether a failure is one of the caller's rights or limits.
func refuses(err error) bool {
	if err == nil {
		return false // as nearly always, and without the memory that follows
	}
	var e *messaging.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case messaging.Unauthenticated, messaging.Denied, messaging.Exceeded, messaging.OverQuota:
		return true
	}
	return false
}

// reason says in our own words why a request was refused.
func (c *call) reason() string {
	var e *messaging.Error
	if errors.As(c.failure, &e) {
		if e.What != "" {
			return e.What
		}
		return string(e.Kind)
	}
	return "The pre-signed URL is not valid for this request."
}

// target names what the request is about, as its path says. Names that cannot
// exist are left out: a caller who was refused may write anything there.
func (c *call) target(add func(key, value string)) {
	route, _ := c.deed()
	if route == nil {
		return
	}
	n := 0
	for _, segment := range route.segments {
		name, ok := strings.CutPrefix(segment, "{")
		if !ok {
			continue
		}
		value := c.vars[n]
		n++
		possible := messaging.ValidName(value)
		if name == "project_id}" {
			_, err := c.quotaProject()
			possible = err == nil
		}
		if possible {
			add(strings.TrimSuffix(strings.TrimSuffix(name, "}"), "_name"), value)
		}
	}
}

// knownMethod keeps tokens that are no methods out of the record.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
