package config

import "time"

func processSection() section {
	return section{
		Name: "process",
		Help: "The process itself. These keys are new; older servers do not know them.",
		Options: []Option{
			of("shutdown_timeout", seconds(0, time.Hour), func(s *settings) *time.Duration { return &s.ShutdownTimeout },
				"How long SIGTERM waits for requests in flight, seconds."),
			of("memory_limit", whole[int64](0, 1<<30), func(s *settings) *int64 { return &s.memoryLimit },
				"Above so many MiB memory is collected harder. 0: 70 % of what the machine or the container has. The environment variable GOMEMLIMIT comes first."),
			of("gc_percent", whole[int64](10, 10_000), func(s *settings) *int64 { return &s.gcPercent },
				"How much memory may grow, in percent of what is in use, before it is collected, as far as that is up to 512 MiB. Beyond, it grows by 512 MiB or doubles, whichever is more. The environment variable GOGC comes first."),
		},
	}
}
