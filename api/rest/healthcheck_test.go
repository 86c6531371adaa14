package rest_test

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"zaqar/api/rest"
	"zaqar/internal/testlog"
)

func withHealthcheck(edit func(*rest.Healthcheck)) func(*setup) {
	return func(set *setup) {
		h := &set.rest.Healthcheck
		h.Path, h.Ask = "/healthcheck", func(context.Context) (string, bool) { return "OK", true }
		edit(h)
	}
}

func TestHealthcheck(t *testing.T) {
	well := func(*rest.Healthcheck) {}
	disabled := func(h *rest.Healthcheck) {
		h.Ask = func(context.Context) (string, bool) { return "DISABLED BY FILE", false }
	}
	from := func(network string) func(*rest.Healthcheck) {
		return func(h *rest.Healthcheck) { h.Sources = []netip.Prefix{netip.MustParsePrefix(network)} }
	}
	for _, c := range []struct {
		name           string
		edit           func(*rest.Healthcheck)
		method, accept string
		headers        []string
		status         int
		contentType    string
		body           string
	}{
		{"well", well, "GET", "", nil, 200, "text/plain; charset=utf-8", "OK"},
		{"as curl asks", well, "GET", "*/*", nil, 200, "text/plain; charset=utf-8", "OK"},
		{"for programs", well, "GET", "application/json", nil, 200, "application/json", `{"detailed":false,"reasons":["OK"]}`},
		{"the head", well, "HEAD", "", nil, 204, "text/plain; charset=utf-8", ""},
		{"disabled", disabled, "GET", "", nil, 503, "text/plain; charset=utf-8", "DISABLED BY FILE"},
		{"disabled, for programs", disabled, "GET", "application/json", nil, 503, "application/json", `{"detailed":false,"reasons":["DISABLED BY FILE"]}`},
		{"the head, disabled", disabled, "HEAD", "", nil, 503, "text/plain; charset=utf-8", ""},
		{"another method", well, "POST", "", nil, 405, "application/json", ""},
		{"from where one may ask", from("127.0.0.0/8"), "GET", "", nil, 200, "text/plain; charset=utf-8", "OK"},
		{"from elsewhere", from("192.0.2.0/24"), "GET", "", nil, 404, "application/json", ""},
		{"through a proxy", well, "GET", "", []string{"X-Forwarded-For: 192.0.2.1"}, 200, "text/plain; charset=utf-8", "OK"},
		{"through a proxy, which is ignored", func(h *rest.Healthcheck) { h.Unproxied = true }, "GET", "",
			[]string{"X-Forwarded-Proto: https"}, 404, "application/json", ""},
		{"directly", func(h *rest.Healthcheck) { h.Unproxied = true }, "GET", "", nil, 200, "text/plain; charset=utf-8", "OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, openMemory, withKeystone(t), withHealthcheck(c.edit))
			headers := append([]string{"-Client-ID", "-X-Project-ID"}, c.headers...)
			if c.accept != "" {
				headers = append(headers, "Accept: "+c.accept)
			}
			r := s.do(c.method, "/healthcheck", "", headers...)
			r.wantHeader("Content-Type", c.contentType)
			if r.status != c.status {
				t.Errorf("status %d, want %d", r.status, c.status)
			}
			if c.body != "" && string(r.body) != c.body {
				t.Errorf("body %q, want %q", r.body, c.body)
			}
		})
	}
}

func TestHealthcheckElsewhereAndNowhere(t *testing.T) {
	newServer(t, openMemory).get("/healthcheck", "-Client-ID").want(404)
	s := newServer(t, openMemory, withHealthcheck(func(h *rest.Healthcheck) { h.Path = "/lb" }))
	s.get("/lb", "-Client-ID").want(200)
	s.get("/healthcheck", "-Client-ID").want(404)
}

// TestHealthchecksAreNotLogged keeps probes out of the access log, except for
// those that failed.
func TestHealthchecksAreNotLogged(t *testing.T) {
	healthy := true
	logs, served := new(testlog.Buffer), make(chan rest.Served, 1)
	s := newServer(t, openMemory, withHealthcheck(func(h *rest.Healthcheck) {
		h.Ask = func(context.Context) (string, bool) { return "state", healthy }
	}), func(set *setup) {
		set.rest.Access = slog.New(slog.NewTextHandler(logs, nil))
		set.rest.Served = func(d rest.Served) { served <- d }
	})
	s.get("/healthcheck").want(200)
	if d := <-served; d.Route != "/healthcheck" {
		t.Errorf("metrics get %+v", d)
	}
	healthy = false
	s.get("/healthcheck")
	<-served
	s.get("/openapi.yaml").want(200) // its record comes behind all others
	<-served
	s.get("/openapi.yaml").want(200)
	<-served
	if text := logs.String(); strings.Count(text, "route=/healthcheck") != 1 || !strings.Contains(text, "status=503") {
		t.Errorf("access log:\n%s", text)
	}
}
