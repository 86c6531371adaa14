package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
)

// Healthcheck is a page for load balancers, which have no token: what
// oslo.middleware offers in front of other services (operations §7.2).
type Healthcheck struct {
	// Path of one segment, such as /healthcheck; empty: there is none.
	Path string
	// Ask says whether requests are to be sent here, and why or why not: "OK",
	// "DISABLED BY FILE". nil: there is no page.
	Ask func(context.Context) (reason string, healthy bool)
	// Sources are the networks that may ask; for others the page does not
	// exist. None: everybody may.
	Sources []netip.Prefix
	// Unproxied hides the page from what came through a proxy.
	Unproxied bool
}

var typesText = []string{"text/plain; charset=utf-8"}

// route returns the page's route.
func (h *Healthcheck) route() route {
	return route{path: h.Path, needs: needsNothing, quiet: true,
		on: verbs{http.MethodGet: (*call).healthcheck, http.MethodHead: (*call).healthcheck}}
}

func (c *call) healthcheck() error {
	h := &c.Healthcheck
	mayAsk := len(h.Sources) == 0 || slices.ContainsFunc(h.Sources, func(p netip.Prefix) bool { return p.Contains(c.who.Address) })
	if !mayAsk || h.Unproxied && proxied(c.r.Header) {
		return errNothing()
	}
	reason, healthy := h.Ask(c.r.Context())
	status := http.StatusOK
	switch {
	case !healthy:
		status = http.StatusServiceUnavailable
	case c.r.Method == http.MethodHead:
		status = http.StatusNoContent
	}
	c.w.Header()["Cache-Control"] = []string{"no-store"}
	// Only who names JSON gets it: */* is what everybody sends.
	if accept := c.r.Header["Accept"]; accepts(accept, "json") && !accepts(accept, "octet-stream") {
		body, err := json.Marshal(map[string]any{"detailed": false, "reasons": []string{reason}})
		if err != nil {
			return err
		}
		return c.send(status, typesJSON, body)
	}
	return c.send(status, typesText, []byte(reason))
}

// proxied reports whether a request says that a proxy passed it on.
func proxied(h http.Header) bool {
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded"} {
		if h[name] != nil {
			return true
		}
	}
	return false
}
