package config

import (
	"net/netip"
	"regexp"
	"slices"

	"zaqar/app"
)

// maxSeries bounds what a scrape may have to carry.
const maxSeries = 100_000

// healthcheckSection has the keys of oslo.middleware.
func healthcheckSection() section {
	return section{
		Name: "healthcheck",
		Help: "A page at the API for load balancers, which needs no token: 200 while the server is ready, else 503. For other probes see [metrics].",
		Options: slices.Concat(
			[]Option{
				of("path", pagePath(), func(s *settings) *string { return &s.REST.Healthcheck.Path },
					"The path of the page, of one segment; off: there is none."),
				of("backends", subset(backendDisable, backendPorts, backendEnable), func(s *settings) *[]string { return &s.healthBackends },
					"Which of the files below are looked at."),
				of("disable_by_file_path", path(), func(s *settings) *string { return &s.healthDisable },
					"With disable_by_file: while this file exists the page says 503, so that a server can be taken out of service before it is stopped."),
				of("disable_by_file_paths", list(), func(s *settings) *[]string { return &s.healthPorts },
					"With disable_by_files_ports: such files for servers on a port, as port:path."),
				of("enable_by_file_paths", list(), func(s *settings) *[]string { return &s.healthEnable },
					"With enable_by_files: while none of these files exists the page says 503."),
				of("allowed_source_ranges", networks(), func(s *settings) *[]netip.Prefix { return &s.REST.Healthcheck.Sources },
					"For requests from other addresses there is no such page. None: everybody may ask."),
				of("ignore_proxied_requests", boolean(), func(s *settings) *bool { return &s.REST.Healthcheck.Unproxied },
					"There is no such page for requests that came through a proxy."),
			},
			ignored("it showed the inside of a Python process", "detailed"),
		),
	}
}

// The names of the switches of the healthcheck page.
const (
	backendDisable = "disable_by_file"
	backendPorts   = "disable_by_files_ports"
	backendEnable  = "enable_by_files"
)

// pagePath is a path of one segment that no route of the API has, or off.
func pagePath() kind[string] {
	one := regexp.MustCompile(`^/[A-Za-z0-9._-]+$`)
	return kind[string]{
		parse: func(s string) (string, error) {
			switch {
			case s == "off":
				return "", nil
			case !one.MatchString(s), s == "/v2", s == "/openapi.yaml", s == "/.", s == "/..":
				return "", errBad
			}
			return s, nil
		},
		format: func(s string) string {
			if s == "" {
				return "off"
			}
			return s
		},
		allowed: "a path of one segment, as /healthcheck, or off",
	}
}

func observeSections() []section {
	return []section{
		{
			Name: "metrics",
			Help: "A listener for those who watch the server: /metrics, /healthz, /readyz. It asks nobody who he is. These keys are new.",
			Options: []Option{
				of("enabled", boolean(), func(s *settings) *bool { return &s.Monitor.Enabled },
					"Listen. Off by default, so that no port is open that nobody asked for."),
				of("bind", host(), func(s *settings) *string { return &s.Monitor.Bind },
					"The address to listen on."),
				of("port", port(), func(s *settings) *int64 { return &s.Monitor.Port },
					"The port to listen on; 0: any free one, named in the log."),
				of("backlog", choice(app.BacklogTotal, app.BacklogProject, app.BacklogQueue), func(s *settings) *string { return &s.Monitor.Backlog },
					"What the metrics of stored messages tell apart: total (nothing), project, or queue, with the age of the oldest message and dead letters. Names of projects and queues are then in the metrics."),
				of("max_series", whole(0, maxSeries), func(s *settings) *int { return &s.Monitor.MaxSeries },
					"For how many projects or queues there are such metrics at most: for those with most messages."),
				of("pprof", boolean(), func(s *settings) *bool { return &s.Monitor.Profiles },
					"Offer profiles under /debug/pprof/. Taking one slows the server down."),
			},
		},
		healthcheckSection(),
		{
			Name: "tracing",
			Help: "Spans of OpenTelemetry, sent to a collector by OTLP over HTTP. What the standard variables OTEL_EXPORTER_OTLP_… and OTEL_RESOURCE_ATTRIBUTES say counts where nothing is said here. These keys are new.",
			Options: []Option{
				of("enabled", boolean(), func(s *settings) *bool { return &s.Tracing.Enabled },
					"Follow requests."),
				of("endpoint", text(), func(s *settings) *string { return &s.Tracing.Endpoint },
					"The collector: http://host:4318, with /v1/traces if there is no path. None: OTEL_EXPORTER_OTLP_ENDPOINT, or http://localhost:4318.").secret(),
				of("headers", dict(), func(s *settings) *[]pair { return &s.traceHeaders },
					"Sent to the collector, as name:value,name:value.").secret(),
				of("service_name", text(), func(s *settings) *string { return &s.Tracing.Service },
					"The name of the service in the spans."),
				of("sampling", part(), func(s *settings) *float64 { return &s.Tracing.Sampling },
					"Which part of the requests is followed: 1 is all of them, 0.01 one in a hundred."),
				of("trust_parent", boolean(), func(s *settings) *bool { return &s.Tracing.TrustParent },
					"A request that belongs to a trace (traceparent) continues it, and is followed if the trace is, whatever sampling says. Only where nobody but services of your own can send that header. Otherwise its trace is a new one, with a link to the other."),
			},
		},
		{
			Name: "audit",
			Help: "Records of who changed what, and of who was refused. These keys are new.",
			Options: []Option{
				of("enabled", boolean(), func(s *settings) *bool { return &s.Audit },
					"Write a record of each request that creates, changes, empties, shares or deletes queues, topics and the like, and of each one refused because of who asked or how much."),
				of("file", path(), func(s *settings) *string { return &s.auditFile },
					"Append the records to this file, one JSON object a line. SIGHUP reopens it. None: they are in the log, in its format."),
			},
		},
	}
}
