package config

import "zaqar/app"

// maxSeries bounds what a scrape may have to carry.
const maxSeries = 100_000

func observeSections() []Section {
	return []Section{
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
