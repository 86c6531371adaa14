package config

import (
	"slices"
	"time"
)

func librarySections() []section {
	return []section{
		policySection(),
		corsSection(),
		tlsSection(),
		{
			Name: "oslo_middleware",
			Help: "What stands in front of the API.",
			Options: slices.Concat(
				[]Option{
					of("enable_proxy_headers_parsing", boolean(), func(s *settings) *bool { return &s.proxyHeaders },
						"The same as [drivers:transport:wsgi] trust_proxy, which says what it means; better name the proxies in trusted_proxies."),
				},
				ignored("the limits of bodies are those of [transport]", "max_request_body_size"),
			),
		},
		{
			Name: "cache",
			Help: "The cache of queue records.",
			Options: secretNamed(replaced("the embedded store keeps queue records in memory, so there is nothing to cache",
				"enabled", "backend", "expiration_time", "backend_expiration_time", "config_prefix", "backend_argument", "proxies",
				"debug_cache_backend", "memcache_servers", "memcache_dead_retry", "memcache_socket_timeout", "memcache_pool_maxsize",
				"memcache_pool_unused_timeout", "memcache_pool_connection_get_timeout", "memcache_pool_flush_on_reconnect",
				"memcache_sasl_enabled", "memcache_username", "memcache_password", "redis_server", "redis_db", "redis_username",
				"redis_password", "redis_sentinels", "redis_socket_timeout", "redis_sentinel_service_name", "username", "password",
				"tls_enabled", "tls_cafile", "tls_certfile", "tls_keyfile", "tls_allowed_ciphers", "enable_socket_keepalive",
				"socket_keepalive_idle", "socket_keepalive_interval", "socket_keepalive_count", "enable_retry_client",
				"retry_attempts", "retry_delay", "hashclient_retry_attempts", "hashclient_retry_delay", "hashclient_dead_timeout",
				"dead_timeout", "enforce_fips_mode"), "memcache_password", "redis_password", "password", "backend_argument", "redis_server"),
		},
		{
			Name: "profiler",
			Help: "Traces.",
			Options: secretNamed(replaced("[tracing] does this, with OpenTelemetry", "enabled", "trace_wsgi_transport", "trace_message_store",
				"trace_management_store", "trace_sqlalchemy", "trace_requests", "hmac_keys", "connection_string", "es_doc_type",
				"es_scroll_time", "es_scroll_size", "socket_timeout", "sentinel_service_name", "filter_error_trace"),
				"hmac_keys", "connection_string"),
		},
		{Name: "profiler_otlp", Help: "Traces.", Options: replaced("[tracing] does this, with OpenTelemetry", "service_name_prefix")},
		{
			Name:    "oslo_reports",
			Help:    "Reports on the process.",
			Options: replaced("SIGUSR2 makes the server write a report to standard error", "log_dir", "file_event_handler", "file_event_handler_interval"),
		},
	}
}

func withTLS(s *settings) bool { return s.HTTP.TLS.On() }

func tlsSection() section {
	return section{
		Name: "ssl",
		Help: "TLS for the HTTP API. The files are read again when they change, and at SIGHUP.",
		Options: slices.Concat(
			[]Option{
				of("cert_file", path(), func(s *settings) *string { return &s.HTTP.TLS.Cert },
					"The certificate, as PEM, followed by those of the authorities between it and a root. It turns TLS on.").read(withTLS),
				of("key_file", path(), func(s *settings) *string { return &s.HTTP.TLS.Key },
					"The key of the certificate, as PEM. None: it is in cert_file.").read(withTLS),
				of("ca_file", path(), func(s *settings) *string { return &s.HTTP.TLS.CA },
					"The authorities, as PEM, that sign certificates of clients. None: clients are not asked for certificates.").read(withTLS),
				of("client_certificates", choice("required", "optional"), func(s *settings) *string { return &s.clientCertificates },
					"With ca_file. required: clients without a certificate are not served. optional: they are, and one that is sent must be good."),
				of("min_version", choice("1.2", "1.3"), func(s *settings) *string { return &s.minTLS },
					"The oldest version of TLS that is spoken."),
				of("reload_interval", seconds(time.Second, 24*time.Hour), func(s *settings) *time.Duration { return &s.HTTP.TLS.Interval },
					"How often the files are looked at, seconds."),
			},
			ignored("TLS 1.2 and 1.3 are spoken; min_version chooses", "version"),
			ignored("the cipher suites are those that Go's TLS library takes for safe", "ciphers"),
		),
	}
}

func policySection() section {
	return section{
		Name: "oslo_policy",
		Help: "Who may do what.",
		Options: slices.Concat(
			[]Option{
				of("policy_file", path(), func(s *settings) *string { return &s.policyFile },
					"The file with the operator's own rules, in YAML or JSON. A relative path is looked for in the directories of the configuration files, then in those where configuration is searched. If it is missing, the default rules are in force. See docs/access-control.md.").live(),
				each("policy_dirs", path(), func(s *settings) *[]string { return &s.policyDirs }, "policy.d",
					"A directory with further files of rules, looked for alike. They are read after policy_file, in the order of their names. May be repeated.").live(),
				of("policy_default_rule", text(), func(s *settings) *string { return &s.Policy.DefaultRule },
					"The rule that stands for rules that others refer to and nobody defined.").live(),
				of("policy_check_interval", seconds(0, time.Hour), func(s *settings) *time.Duration { return &s.Policy.Interval },
					"How often the server looks whether a file of rules has changed, seconds; a change takes effect at the second look. 0: only at SIGHUP. Whatever cannot be understood is logged, and the old rules stay."),
			},
			ignored("there are no deprecated defaults to choose from", "enforce_new_defaults"),
			ignored("rules do not depend on scopes", "enforce_scope"),
			ignored("rules that ask another server (http:) are not offered", "remote_content_type", "remote_ssl_verify_server_crt",
				"remote_ssl_ca_crt_file", "remote_ssl_client_crt_file", "remote_ssl_client_key_file", "remote_timeout"),
		),
	}
}

func corsSection() section {
	return section{
		Name: "cors",
		Help: "Which scripts of other sites browsers let at the API.",
		Options: []Option{
			of("allowed_origin", list(), func(s *settings) *[]string { return &s.CORS.Origins },
				"Origins such as https://dashboard.example.org; * is any. None: no CORS headers."),
			of("allow_credentials", boolean(), func(s *settings) *bool { return &s.CORS.Credentials },
				"Scripts may send cookies and the like."),
			of("max_age", seconds(0, 24*time.Hour), func(s *settings) *time.Duration { return &s.CORS.MaxAge },
				"How long browsers remember what is allowed, seconds."),
			of("allow_methods", list(), func(s *settings) *[]string { return &s.CORS.Methods },
				"Methods that scripts may use."),
			of("allow_headers", list(), func(s *settings) *[]string { return &s.CORS.Headers },
				"Headers that scripts may send."),
			of("expose_headers", list(), func(s *settings) *[]string { return &s.CORS.Exposed },
				"Headers of answers that scripts may read."),
		},
	}
}
