package config

import (
	"slices"
	"strings"
	"time"

	"zaqar/app"
	"zaqar/auth/keystone"
)

const keystoneSection = "keystone_authtoken"

func identitySections() []section {
	return []section{{
		Name: keystoneSection,
		Help: "Token validation, with auth_strategy = keystone.",
		Options: slices.Concat(
			[]Option{
				of("www_authenticate_uri", text(), func(s *settings) *string { return &s.Identity.Keystone.Public },
					"The identity service as clients reach it, told to those without a valid token. Empty: auth_url.").alias("auth_uri"),
				of("auth_section", text(), func(s *settings) *string { return &s.authSection },
					"The section that holds the credentials (auth_type to token below) instead of this one."),
			},
			loginOptions(),
			connectionOptions(),
			tokenCacheOptions(),
			tokenOptions(),
			ignored("only version 3 is spoken", "auth_version"),
			ignored("it named an object within a Python process", "cache"),
			ignored("the identity service no longer binds tokens", "enforce_token_bind"),
		),
	}}
}

// loginOptions are the credentials, which another section may hold.
func loginOptions() []Option {
	login := func(at func(*keystone.Login) *string) func(*settings) *string {
		return func(s *settings) *string { return at(&s.Identity.Keystone.Login) }
	}
	return []Option{
		of("auth_type", text(), func(s *settings) *string { return &s.authType },
			"How to log in: password, v3applicationcredential or v3token. Empty: as the keys that are set suggest.").alias("auth_plugin"),
		of("auth_url", text(), func(s *settings) *string { return &s.Identity.Keystone.AuthURL },
			"The identity service, with or without /v3. Without, it is asked where version 3 is."),
		of("username", text(), login(func(l *keystone.Login) *string { return &l.Username }), "User name.").alias("user_name", "user-name"),
		of("password", text(), login(func(l *keystone.Login) *string { return &l.Password }), "Password.").secret(),
		of("user_id", text(), login(func(l *keystone.Login) *string { return &l.UserID }), "User, by id."),
		of("user_domain_id", text(), login(func(l *keystone.Login) *string { return &l.UserDomainID }), "The user's domain, by id."),
		of("user_domain_name", text(), login(func(l *keystone.Login) *string { return &l.UserDomainName }), "The user's domain."),
		of("project_id", text(), login(func(l *keystone.Login) *string { return &l.ProjectID }), "Project of the service user, by id.").alias("tenant_id"),
		of("project_name", text(), login(func(l *keystone.Login) *string { return &l.ProjectName }), "Project of the service user.").alias("tenant_name"),
		of("project_domain_id", text(), login(func(l *keystone.Login) *string { return &l.ProjectDomainID }), "The project's domain, by id."),
		of("project_domain_name", text(), login(func(l *keystone.Login) *string { return &l.ProjectDomainName }), "The project's domain."),
		of("default_domain_id", text(), login(func(l *keystone.Login) *string { return &l.DefaultDomainID }), "Domain of user and project, by id."),
		of("default_domain_name", text(), login(func(l *keystone.Login) *string { return &l.DefaultDomainName }), "Domain of user and project."),
		of("system_scope", text(), login(func(l *keystone.Login) *string { return &l.SystemScope }), "Log in to the system instead of a project: all."),
		of("trust_id", text(), login(func(l *keystone.Login) *string { return &l.TrustID }), "Log in with a trust."),
		of("domain_id", text(), login(func(l *keystone.Login) *string { return &l.DomainID }), "Log in to a domain, by id."),
		of("domain_name", text(), login(func(l *keystone.Login) *string { return &l.DomainName }), "Log in to a domain."),
		of("application_credential_id", text(), login(func(l *keystone.Login) *string { return &l.CredentialID }), "Application credential, by id."),
		of("application_credential_name", text(), login(func(l *keystone.Login) *string { return &l.CredentialName }), "Application credential, with its user."),
		of("application_credential_secret", text(), login(func(l *keystone.Login) *string { return &l.CredentialSecret }), "Secret of the application credential.").secret(),
		of("token", text(), login(func(l *keystone.Login) *string { return &l.Token }), "A token to log in with. It cannot be renewed when it ends.").secret(),
	}
}

func withKeystone(s *settings) bool { return s.authStrategy == "keystone" }

func withMemcachedTLS(s *settings) bool { return withKeystone(s) && s.Identity.UseMemcachedTLS }

// connectionOptions say how the identity service is reached.
func connectionOptions() []Option {
	return []Option{
		of("cafile", path(), func(s *settings) *string { return &s.Identity.KeystoneTLS.CAFile },
			"TLS authorities of the identity service, PEM. Empty: the system's.").read(withKeystone),
		of("certfile", path(), func(s *settings) *string { return &s.Identity.KeystoneTLS.CertFile },
			"TLS certificate shown to the identity service, PEM.").read(withKeystone),
		of("keyfile", path(), func(s *settings) *string { return &s.Identity.KeystoneTLS.KeyFile },
			"Its key, PEM. Empty: in certfile.").read(withKeystone),
		of("insecure", boolean(), func(s *settings) *bool { return &s.Identity.KeystoneTLS.Insecure },
			"Do not check the identity service's certificate: whoever answers in its place can let anybody in."),
		of("interface", choice("internal", "public", "admin"), func(s *settings) *string { return &s.Identity.Keystone.Interface },
			"Which of the identity service's addresses in the catalogue validates tokens. Without one, auth_url does."),
		of("region_name", text(), func(s *settings) *string { return &s.Identity.Keystone.Region },
			"Region of that address. Empty: any."),
		of("http_connect_timeout", seconds(10*time.Millisecond, time.Hour), func(s *settings) *time.Duration { return &s.Identity.Keystone.Timeout },
			"How long the identity service may take to answer, seconds. All tries together take 30 seconds at most, or one of these if that is more."),
		of("http_request_max_retries", whole[int64](0, 1000), func(s *settings) *int64 { return &s.Identity.Keystone.Retries },
			"Further tries after a failed connection or an answer 502, 503 or 504."),
		of("delay_auth_decision", boolean(), func(s *settings) *bool { return &s.Identity.Keystone.Delay },
			"Answer 401 instead of 503 while the identity service cannot be asked. The original passed such requests on; nothing here takes them."),
	}
}

// tokenOptions say which tokens pass.
func tokenOptions() []Option {
	return []Option{
		of("include_service_catalog", boolean(), func(s *settings) *bool { return &s.Identity.Keystone.Catalog },
			"Ask for the caller's catalogue. Without it, tokens with access rules are refused."),
		of("service_token_roles", list(), func(s *settings) *[]string { return &s.Identity.Keystone.ServiceRoles },
			"Roles, one of which a service token needs to let expired tokens of users pass, and tokens with access rules whatever the rules say."),
		of("service_token_roles_required", boolean(), func(s *settings) *bool { return &s.Identity.Keystone.ServiceRolesRequired },
			"Refuse requests with a service token that has none of those roles."),
		of("service_type", text(), func(s *settings) *string { return &s.Identity.Keystone.ServiceType },
			"This service's type in access rules of application credentials: messaging. Empty: tokens with access rules are refused."),
	}
}

func tokenCacheOptions() []Option {
	return slices.Concat(
		[]Option{
			of("token_cache_time", whole[int64](-1, 1<<31), func(s *settings) *int64 { return &s.tokenCacheTime },
				"Seconds for which a validated token is believed, at most to its end: so long can a revoked one be used. 0 or -1: each request is validated."),
			of("token_cache_refused_time", seconds(0, time.Hour), func(s *settings) *time.Duration { return &s.Identity.Keystone.RefusedTime },
				"Seconds for which a token that was refused stays refused. Not more than token_cache_time."),
			of("token_cache_entries", whole[int64](1, 10_000_000), func(s *settings) *int64 { return &s.Identity.Keystone.Entries },
				"Most tokens in the cache of the process, which take half a KiB each. As many refused ones are kept beside them."),
			of("memcached_servers", list(), func(s *settings) *[]string { return &s.Identity.Keystone.Memcached.Servers },
				"A cache of validated tokens that nodes share, behind the one in the process: host:port or unix:/path. Empty: none.").alias("memcache_servers"),
			of("memcache_security_strategy", protection(), func(s *settings) *keystone.Protection { return &s.Identity.Keystone.Memcached.Protection },
				"Protection of tokens in memcached: MAC keeps others from writing, ENCRYPT from reading too. With None, whoever reaches memcached can be anybody."),
			of("memcache_secret_key", text(), func(s *settings) *string { return &s.Identity.Keystone.Memcached.Key },
				"Key of that protection, the same on all nodes.").secret(),
			of("memcache_pool_maxsize", whole[int64](1, 1<<20), func(s *settings) *int64 { return &s.Identity.Keystone.Memcached.Connections },
				"Idle connections kept to a memcached server."),
			of("memcache_pool_socket_timeout", seconds(time.Millisecond, time.Hour), func(s *settings) *time.Duration { return &s.Identity.Keystone.Memcached.Timeout },
				"Seconds to wait for a memcached server. One that failed is left alone for half a minute."),
			of("memcache_tls_enabled", boolean(), func(s *settings) *bool { return &s.Identity.UseMemcachedTLS }, "Talk TLS to memcached."),
			of("memcache_tls_cafile", path(), func(s *settings) *string { return &s.Identity.MemcachedTLS.CAFile }, "TLS authorities of memcached, PEM.").read(withMemcachedTLS),
			of("memcache_tls_certfile", path(), func(s *settings) *string { return &s.Identity.MemcachedTLS.CertFile }, "TLS certificate shown to memcached, PEM.").read(withMemcachedTLS),
			of("memcache_tls_keyfile", path(), func(s *settings) *string { return &s.Identity.MemcachedTLS.KeyFile }, "Its key, PEM.").read(withMemcachedTLS),
			of("memcache_sasl_enabled", boolean(), func(s *settings) *bool { return &s.memcachedLogin },
				"Not offered: SASL needs memcached's binary protocol, which is on its way out. With True, the cache is in the process alone."),
		},
		ignored("the secure ones are used, of TLS 1.2 and 1.3", "memcache_tls_allowed_ciphers"),
		ignored("SASL is not offered", "memcache_username"),
		ignoredSecrets("SASL is not offered", "memcache_password"),
		ignored("connections are pooled and retried without it", "memcache_pool_dead_retry", "memcache_pool_unused_timeout",
			"memcache_pool_conn_get_timeout", "memcache_use_advanced_pool"),
	)
}

// ignoredSecrets makes ignored options whose values are not shown.
func ignoredSecrets(note string, keys ...string) []Option {
	os := ignored(note, keys...)
	for i := range os {
		os[i] = os[i].secret()
	}
	return os
}

// protection reads the strategies in any letter case, and empty as None.
func protection() kind[keystone.Protection] {
	return kind[keystone.Protection]{
		parse: func(s string) (keystone.Protection, error) {
			for _, p := range []keystone.Protection{keystone.None, keystone.MAC, keystone.Encrypt} {
				if strings.EqualFold(s, string(p)) {
					return p, nil
				}
			}
			if s == "" {
				return keystone.None, nil
			}
			return "", errBad
		},
		format:  func(p keystone.Protection) string { return string(p) },
		allowed: "one of None, MAC, ENCRYPT",
	}
}

// authSection is the section that the credentials of [keystone_authtoken] are
// in, if it is another one.
func (v *values) authSection() string {
	text, _ := v.raw(optionID{keystoneSection, "auth_section"})
	name, _, err := v.expand(keystoneSection, text, nil)
	if err != nil || name == keystoneSection {
		return ""
	}
	return name
}

// keystone derives how tokens are validated, and refuses what cannot work.
func (c *rules) keystone() {
	c.loginSection()
	k := &c.Identity.Keystone
	methods := map[string]keystone.Method{
		"": "", "password": keystone.Password, "v3password": keystone.Password,
		"v3applicationcredential": keystone.ApplicationCredential, "token": keystone.Token, "v3token": keystone.Token,
	}
	method, known := methods[c.authType]
	if !known {
		c.refuse(keystoneSection, "auth_type", "%q is not offered; offered are password, v3applicationcredential and v3token", c.authType)
		return
	}
	k.Login.Method = method
	if c.memcachedLogin && len(k.Memcached.Servers) > 0 {
		c.warn(keystoneSection, "memcache_sasl_enabled", "a login at memcached is not offered: tokens are cached in the process alone")
		k.Memcached.Servers = nil
	}
	if err := k.Check(); err != nil {
		at, _ := c.values.set("DEFAULT", "auth_strategy")
		c.report.add(Error, at, keystoneSection, "", "%v", err)
	}
	if k.Public == "" {
		c.warn(keystoneSection, "www_authenticate_uri", "is not set: clients without a token are told auth_url, which they may not reach")
	}
	if c.Identity.KeystoneTLS.Insecure {
		c.warn(keystoneSection, "insecure", "the identity service's certificate is not checked: whoever answers in its place can let anybody in")
	}
	if k.Memcached.Protection == keystone.None && len(k.Memcached.Servers) > 0 {
		c.warn(keystoneSection, "memcache_security_strategy", "is None: whoever can write to memcached can be anybody; set ENCRYPT and memcache_secret_key")
	}
}

// loginSection takes the credentials from the section that auth_section names.
func (c *rules) loginSection() {
	section := c.values.authSection()
	if section == "" {
		return
	}
	c.Identity.Keystone.Login, c.Identity.Keystone.AuthURL, c.authType = keystone.Login{}, app.Defaults().Identity.Keystone.AuthURL, ""
	found := false
	for _, o := range loginOptions() {
		given := c.values.given(optionID{section, o.Key}, o)
		if len(given) == 0 {
			continue
		}
		found = true
		a := given[len(given)-1]
		text, _, err := c.values.expand(section, a.text, []optionID{{section, o.Key}})
		if err == nil {
			err = o.set(c.settings, text)
		}
		if err != nil {
			c.report.add(Error, a.from, section, a.key, "%v", err)
		}
	}
	if !found {
		c.refuse(keystoneSection, "auth_section", "there are no credentials in [%s]", section)
	}
}
