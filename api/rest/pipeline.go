package rest

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"zaqar/messaging"
)

// serve takes the request through the steps of http-v2 §2.1, in that order.
func (c *call) serve() error {
	for _, step := range [...]func(*call) error{
		(*call).find,
		(*call).identify,
		(*call).known,
		(*call).checkSignature,
		(*call).checkQuota,
		(*call).checkForm,
		(*call).checkAccept,
		(*call).checkClient,
		(*call).checkProject,
		(*call).checkQueue,
		(*call).checkExtraSpec,
		(*call).checkMethod,
		(*call).checkPolicy,
	} {
		if err := step(c); err != nil {
			return err
		}
	}
	if c.r.Method == http.MethodOptions {
		return c.options()
	}
	return c.route.on[c.r.Method](c)
}

// find looks the route up, for those that follow.
func (c *call) find() error {
	c.route, c.vars, _ = c.table.find(c.r.URL)
	return nil
}

// identify asks who calls, except on paths open to all: an unknown path is
// only admitted to be unknown to those who may ask. A signature stands for all
// other credentials.
func (c *call) identify() error {
	if c.signed = isSigned(c.r.Header); c.signed || c.route != nil && c.route.needs != needsCaller {
		return nil
	}
	who, err := c.Identity.Identify(c.r.Context(), c.r)
	if err != nil {
		return err
	}
	c.is(who)
	return nil
}

// is says who the caller is. Where the request came from stays.
func (c *call) is(who messaging.Caller) {
	who.Request, who.Address = c.who.Request, c.who.Address
	c.who = who
}

func (c *call) known() error {
	if c.route == nil {
		return errNothing()
	}
	return nil
}

// errNothing is the answer to unknown paths and to whatever can be wrong with a
// signature, so that who guesses learns nothing.
func errNothing() error {
	return &refusal{http.StatusNotFound, "There is nothing at this path.", ""}
}

// checkSignature lets requests with a signature pass that it covers. Of their
// other headers only the project is believed, which is part of what was signed.
func (c *call) checkSignature() error {
	if c.route.page {
		return c.openPage()
	}
	if !c.signed {
		return nil
	}
	p, ok := presented(c.r.Header)
	if !ok || !c.Signatures.Open(p, c.r.Method, c.r.URL.EscapedPath(), c.broker.Now()) {
		return errNothing()
	}
	c.is(messaging.Caller{Project: messaging.Project(p.Project), Signed: true})
	return nil
}

// checkForm refuses bodies that claim to be forms, so that no browser can be
// led into posting one without a CORS check.
func (c *call) checkForm() error {
	if c.route.page || !strings.EqualFold(strings.TrimSpace(first(c.r.Header["Content-Type"])), "application/x-www-form-urlencoded") {
		return nil
	}
	has, err := c.hasBody()
	if has {
		err = invalid("Form bodies are not accepted; send JSON.")
	}
	return err
}

func (c *call) checkAccept() error {
	if c.route.needs == needsNothing {
		return nil
	}
	accept := c.r.Header["Accept"]
	if accepts(accept, "json") || c.route.path == "/v2/" && accepts(accept, "json-home") {
		return nil
	}
	return &refusal{http.StatusNotAcceptable, "The reply is application/json, which the Accept header excludes.", ""}
}

func (c *call) checkClient() error {
	if c.route.needs != needsCaller {
		return nil
	}
	id, err := c.ClientIDs.parse(c.r.Header["Client-Id"])
	c.who.Client = id
	return err
}

func (c *call) checkProject() error {
	if c.route.needs != needsCaller {
		return nil
	}
	switch project := string(c.who.Project); {
	case project == "" && c.Challenge != "":
		return invalid("The token is for no project.")
	case project == "" && c.r.Header["X-Project-Id"] != nil:
		return invalid("The X-Project-ID header is empty.")
	case project == "":
		return invalid("The X-Project-ID header is missing.")
	case !utf8.ValidString(project):
		return invalid("The project id is not UTF-8.")
	case utf8.RuneCountInString(project) > messaging.MaxProjectLength:
		return invalid(fmt.Sprintf("A project id has at most %d characters.", messaging.MaxProjectLength))
	}
	return nil
}

func (c *call) checkQueue() error {
	topic := c.route.names("topic_name")
	if !topic && !c.route.names("queue_name") {
		return nil
	}
	c.queue = messaging.QueueRef{Project: c.who.Project, Name: c.vars[0], Topic: topic}
	if !messaging.ValidName(c.queue.Name) {
		return invalid(fmt.Sprintf("The name of a queue or topic has 1 to %d characters, each a letter, a digit, _, - or a dot.", messaging.MaxNameLength))
	}
	return nil
}

func (c *call) checkMethod() error {
	if c.r.Method == http.MethodOptions || c.route.on[c.r.Method] != nil {
		return nil
	}
	return &refusal{http.StatusMethodNotAllowed, "This path answers to " + c.route.allow + ".", c.route.allow}
}

// checkPolicy asks whether the caller may do this, before anything of the
// request is looked at that concerns only those who may. Use cases ask again:
// they do not know what a front has asked.
func (c *call) checkPolicy() error {
	rule := c.route.rules[c.r.Method]
	if rule == "" {
		return nil
	}
	on := c.queue
	switch {
	case c.route.names("project_id"):
		on.Project = messaging.Project(c.vars[0])
	case on.Project == "":
		on.Project = c.who.Project
	}
	return c.broker.Permit(c.r.Context(), c.who, rule, on)
}

func (c *call) options() error {
	c.w.Header()["Allow"] = []string{c.route.allow}
	return c.empty(http.StatusOK)
}
