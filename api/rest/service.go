package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"zaqar/api/wire"
	"zaqar/messaging"
)

// versions serves http-v2 §6.1.
func (c *call) versions() error {
	return c.json(http.StatusMultipleChoices, func(dst []byte) []byte { return wire.AppendVersions(dst, c.Trust.Prefix(c.r)) })
}

// openAPI serves the description of this API.
func (c *call) openAPI() error { return c.send(http.StatusOK, typesYAML, wire.OpenAPI()) }

// homeDocument serves http-v2 §6.2.
func (c *call) homeDocument() error {
	c.w.Header()["Cache-Control"] = []string{"max-age=86400"}
	return c.send(http.StatusOK, typesHome, c.home)
}

// ping serves http-v2 §6.3: the one failure without a body.
func (c *call) ping() error {
	switch err := c.broker.Ping(c.r.Context(), c.who); {
	case err == nil:
		return c.empty(http.StatusNoContent)
	case errors.Is(err, messaging.Unavailable):
		c.logFailure(http.StatusServiceUnavailable, err)
		c.varies()
		return c.empty(http.StatusServiceUnavailable)
	default:
		return err
	}
}

// pingHead tells that the server itself is there.
func (c *call) pingHead() error { return c.empty(http.StatusNoContent) }

// health serves http-v2 §6.4.
func (c *call) health() error {
	h, err := c.broker.Health(c.r.Context(), c.who)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendHealth(dst, h) })
}

// relation is an entry of the home document.
type relation struct {
	rel     string
	query   string // the template's part for query parameters
	allow   []string
	accepts bool   // the entry says that bodies are JSON
	limit   string // what the parameter limit is called, if not limit
	plain   bool   // a path without template

	rename [2]string // a variable of the path, and what the entry calls it
	more   []string  // parameters that the entry explains beside those of its template
}

// homeDocument writes the home document of the routes.
func homeDocument(routes []route) []byte {
	type hints struct {
		Allow   []string            `json:"allow"`
		Formats map[string]struct{} `json:"formats"`
		Post    []string            `json:"accept-post,omitempty"`
	}
	type entry struct {
		Template string             `json:"href-template,omitempty"`
		Href     string             `json:"href,omitempty"`
		Vars     *map[string]string `json:"href-vars,omitempty"`
		Hints    hints              `json:"hints"`
	}
	resources := map[string]entry{}
	for _, route := range routes {
		for _, r := range route.home {
			e := entry{Hints: hints{Allow: r.allow, Formats: map[string]struct{}{typeJSON: {}}}}
			if r.accepts {
				e.Hints.Post = []string{typeJSON}
			}
			if r.plain {
				e.Href = route.path
			} else {
				vars := r.vars(&route)
				e.Template, e.Vars = r.template(route.path), &vars
			}
			resources["rel/"+r.rel] = e
		}
	}
	doc, err := json.Marshal(map[string]any{"resources": resources})
	if err != nil {
		panic("rest: home document: " + err.Error()) // strings alone cannot fail
	}
	return doc
}

// template is the route's path as the entry writes it.
func (r *relation) template(path string) string {
	if r.rename[0] != "" {
		path = strings.Replace(path, "{"+r.rename[0]+"}", "{"+r.rename[1]+"}", 1)
	}
	return path + r.query
}

// vars names the parameters of the template's variables.
func (r *relation) vars(route *route) map[string]string {
	vars := map[string]string{}
	add := func(name string) {
		switch {
		case name == "limit" && r.limit != "":
			vars[name] = "param/" + r.limit
		case name == "claim":
			vars[name] = "param/claim_id"
		default:
			vars[name] = "param/" + name
		}
	}
	for segment := range strings.SplitSeq(r.template(route.path), "/") {
		segment, _, _ = strings.Cut(segment, "{?")
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			add(strings.TrimSuffix(name, "}"))
		}
	}
	if r.query != "" {
		for name := range strings.SplitSeq(strings.Trim(r.query, "{?}"), ",") {
			add(name)
		}
	}
	for _, name := range r.more {
		add(name)
	}
	return vars
}
