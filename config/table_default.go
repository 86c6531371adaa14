package config

import (
	"slices"

	"zaqar/observe"
)

func defaultSection() section {
	supervisor := "a service supervisor does this"
	rotation := "rotate with logrotate and send SIGHUP, which reopens the file"
	fields := "records carry these facts as fields; see log_format"
	return section{
		Name: "DEFAULT",
		Help: "The service as a whole, and its log.",
		Options: slices.Concat(
			[]Option{
				of("admin_mode", boolean(), func(s *settings) *bool { return &s.adminMode },
					"Offer the private endpoints: /v2/health today. Without any configuration file and listening on a loopback address only, the default is True.").defaultText("False"),
				of("auth_strategy", text(), func(s *settings) *string { return &s.authStrategy },
					"How callers are authenticated. Empty: not at all, X-Project-Id is believed; keep such a server behind something that can be trusted. keystone: by tokens, see [keystone_authtoken]."),
				of("pooling", boolean(), func(s *settings) *bool { return &s.pooling },
					"Spread queues over pools. This version has no pools and refuses True.").alias("sharding"),
				of("enable_checksum", boolean(), func(s *settings) *bool { return &s.Broker.Checksums },
					"Give each message posted from now on a checksum: MD5 of the JSON text of its body.").live(),

				of("debug", boolean(), func(s *settings) *bool { return &s.debug },
					"Log at level debug. Also --debug.").live(),
				of("log_level", choice("debug", "info", "warning", "error"), func(s *settings) *string { return &s.level },
					"The least important records that are logged. debug = True comes first.").live(),
				of("log_format", choice("text", "json"), func(s *settings) *string { return &s.format },
					"The form of log lines: text (key=value) or json (one object a line)."),
				of("use_json", boolean(), func(s *settings) *bool { return &s.json },
					"The same as log_format = json."),
				of("log_file", path(), func(s *settings) *string { return &s.logFile },
					"Append the log to this file instead of standard output. SIGHUP reopens it.").alias("logfile"),
				of("log_dir", path(), func(s *settings) *string { return &s.logDir },
					"The directory of log_file if that is a relative path; alone: log to zaqar-server.log in it.").alias("logdir"),
				of("use_syslog", boolean(), func(s *settings) *bool { return &s.syslog },
					"Send the log to syslog."),
				of("syslog_log_facility", facility(), func(s *settings) *string { return &s.facility },
					"The facility of what is sent to syslog."),
				of("use_stderr", boolean(), func(s *settings) *bool { return &s.stderr },
					"Log to standard error."),
			},
			ignored("it concerned MongoDB without redundancy", "unreliable"),
			ignored("version 1.1 of the API is gone", "enable_deprecated_api_versions"),
			ignored(supervisor, "daemon"),
			[]Option{{
				Key: "log_config_append", Aliases: []string{"log_config", "log-config"}, Effect: Ignored,
				Note: "a Python logging configuration cannot be honoured; use log_level, log_format, log_file",
				set:  func(*settings, string) error { return nil },
			}},
			ignored("journald collects standard output", "use_journal"),
			ignored(rotation, "watch_log_file", "log_rotate_interval", "log_rotate_interval_type",
				"max_logfile_count", "max_logfile_size_mb", "log_rotation_type"),
			replaced(fields, "logging_context_format_string"),
			ignored(fields, "log_date_format", "logging_default_format_string", "logging_debug_format_suffix",
				"logging_exception_prefix", "logging_user_identity_format", "default_log_levels", "publish_errors",
				"instance_format", "instance_uuid_format", "rate_limit_interval", "rate_limit_burst",
				"rate_limit_except_level", "fatal_deprecations"),
		),
	}
}

// facility accepts the syslog facilities as LOG_USER or user.
func facility() kind[string] {
	names := observe.Facilities()
	k := choice(names...)
	inner := k.parse
	k.parse = func(s string) (string, error) { return inner(facilityName(s)) }
	return k
}
