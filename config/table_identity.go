package config

import "slices"

func identitySections() []Section {
	return []Section{
		{
			Name: "keystone_authtoken",
			Help: "Token validation, with auth_strategy = keystone.",
			Options: slices.Concat(
				[]Option{
					later("www_authenticate_uri", text(), "", "The identity service as clients reach it.").alias("auth_uri"),
					later("auth_section", text(), "", "The section that holds the credentials instead."),
				},
				credentials(),
				[]Option{
					later("project_id", text(), "", "Project of the service user, by id.").alias("tenant_id"),
					later("project_name", text(), "", "Project of the service user.").alias("tenant_name"),
					later("project_domain_id", text(), "", "The project's domain, by id."),
					later("project_domain_name", text(), "", "The project's domain."),
					later("default_domain_id", text(), "", "Domain of user and project, by id."),
					later("default_domain_name", text(), "", "Domain of user and project."),
					later("system_scope", text(), "", "Log in to the system instead of a project."),
					later("trust_id", text(), "", "Log in with a trust."),
					later("domain_id", text(), "", "Log in to a domain, by id."),
					later("domain_name", text(), "", "Log in to a domain."),
					later("application_credential_id", text(), "", "Application credential, by id."),
					later("application_credential_name", text(), "", "Application credential."),
					later("application_credential_secret", text(), "", "Secret of the application credential.").secret(),
					later("token", text(), "", "A token to log in with.").secret(),
					later("interface", choice("internal", "public", "admin"), "internal", "Which of the identity service's addresses is called."),
					later("region_name", text(), "", "Region of the identity service."),
					later("delay_auth_decision", boolean(), "False", "Let requests with a bad token reach the service, which refuses them."),
					later("http_connect_timeout", decimal(), "", "Seconds to wait for the identity service."),
					later("http_request_max_retries", whole[int64](0, 1000), "3", "Tries after a failed connection."),
				},
				tokenCacheOptions(),
				[]Option{
					later("include_service_catalog", boolean(), "True", "Ask for the caller's catalogue."),
					later("service_token_roles", list(), "service", "Roles, one of which a service token needs."),
					later("service_token_roles_required", boolean(), "True", "Check those roles."),
					later("service_type", text(), "", "This service's type in access rules: messaging."),
				},
				ignored("only version 3 is spoken", "auth_version"),
				ignored("it named an object within a Python process", "cache"),
				ignored("the identity service no longer binds tokens", "enforce_token_bind"),
			),
		},
	}
}

func tokenCacheOptions() []Option {
	return slices.Concat(
		[]Option{
			later("memcached_servers", list(), "", "Cache of validated tokens; none: in the process.").alias("memcache_servers"),
			later("token_cache_time", whole[int64](-1, 1<<31), "300", "Seconds for which a validated token is believed; -1: none."),
			later("memcache_security_strategy", choice("None", "MAC", "ENCRYPT", ""), "None", "Protection of cached tokens."),
			later("memcache_secret_key", text(), "", "Key of that protection.").secret(),
			later("memcache_pool_maxsize", whole[int64](1, 1<<20), "10", "Connections to a memcached server."),
			later("memcache_pool_socket_timeout", decimal(), "3", "Seconds to wait for a memcached server."),
			later("memcache_tls_enabled", boolean(), "False", "Talk TLS to memcached."),
			later("memcache_tls_cafile", path(), "", "TLS authorities for memcached."),
			later("memcache_tls_certfile", path(), "", "TLS certificate for memcached."),
			later("memcache_tls_keyfile", path(), "", "TLS key for memcached."),
			later("memcache_tls_allowed_ciphers", text(), "", "TLS ciphers for memcached."),
			later("memcache_sasl_enabled", boolean(), "False", "Log in to memcached."),
			later("memcache_username", text(), "", "Login at memcached."),
			later("memcache_password", text(), "", "Password at memcached.").secret(),
		},
		ignored("connections are pooled and retried without it", "memcache_pool_dead_retry", "memcache_pool_unused_timeout",
			"memcache_pool_conn_get_timeout", "memcache_use_advanced_pool"),
	)
}
