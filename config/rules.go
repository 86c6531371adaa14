package config

import (
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"zaqar/app"
	"zaqar/observe"
)

// finish derives what follows from several options together, and reports what
// does not fit.
func finish(s *settings, v *values, files, search []string, r *Report) {
	check := &rules{s, v, files, search, r}
	check.adminMode()
	check.store()
	check.pipelines()
	check.transport()
	check.proxies()
	check.tls()
	check.metrics()
	check.audit()
	check.healthcheck()
	check.tracing()
	check.authentication()
	check.policyFiles()
	check.signing()
	check.mail()
	check.trustee()
	check.confirmation()
	check.subscriberTypes()
	check.pooling()
	check.encryption()
	check.limits()
	check.quotas()
}

// rules are the checks that need more than one value.
type rules struct {
	*settings
	values *values
	files  []string
	search []string // directories
	report *Report
}

// refuse and warn report on an option, at the place where it is set.
func (c *rules) refuse(section, key, format string, args ...any) {
	at, _ := c.values.set(section, key)
	c.report.add(Error, at, section, key, format, args...)
}

func (c *rules) warn(section, key, format string, args ...any) {
	at, _ := c.values.set(section, key)
	c.report.add(Warning, at, section, key, format, args...)
}

// adminMode turns the private endpoints on for the first steps without
// configuration, as long as only this machine can reach them.
func (c *rules) adminMode() {
	if _, set := c.values.set("DEFAULT", "admin_mode"); !set && len(c.files) == 0 && loopback(c.HTTP.Bind) {
		c.settings.adminMode = true
	}
	c.REST.Admin = c.settings.adminMode
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// store chooses the store: the one that is named, else the embedded one,
// unless the configuration shows that another one was meant.
func (c *rules) store() {
	if c.messages == "" && c.management == "" {
		if a, found := c.foreignStore(); found {
			c.report.add(Error, a.from, a.section, "", "configures a store, but [drivers] message_store and management_store "+
				"do not say which to use; set them to %s", c.offered())
			return
		}
		c.messages = app.Defaults().Store.Driver
	}
	if c.messages == "" {
		c.messages = c.management
	}
	if c.management == "" {
		c.management = c.messages
	}
	ok := true
	for _, store := range [][2]string{{"message_store", c.messages}, {"management_store", c.management}} {
		_, named := c.values.set("drivers", store[0])
		if !slices.Contains(c.drivers, store[1]) {
			ok = false
			if named { // what follows from the other key is reported there
				c.refuse("drivers", store[0], "the store %q is not offered by this version; set it to %s", store[1], c.offered())
			}
		}
	}
	if ok && c.messages != c.management {
		c.refuse("drivers", "management_store", "%q cannot be combined with message_store = %s: one store keeps both in this version",
			c.management, c.messages)
	}
	c.Store.Driver, c.Store.URI = c.messages, c.uris[c.messages]
}

func (c *rules) offered() string { return strings.Join(c.drivers, " or ") }

// foreignStore finds a value in the section of a store that is not offered.
func (c *rules) foreignStore() (assignment, bool) {
	for _, l := range c.values.layers {
		for _, a := range l {
			plane, name, _ := strings.Cut(strings.TrimPrefix(a.section, "drivers:"), ":")
			if (plane == "message_store" || plane == "management_store") && !slices.Contains(c.drivers, name) {
				return a, true
			}
		}
	}
	return assignment{}, false
}

func (c *rules) transport() {
	switch {
	case !slices.Contains(c.transports, "wsgi"):
		c.refuse("drivers", "transport", "this version serves HTTP only; set it to wsgi")
	case len(c.transports) > 1:
		c.warn("drivers", "transport", "this version serves HTTP only; there will be no WebSocket")
	}
}

// proxies warns when anybody can say where his requests come from.
func (c *rules) proxies() {
	trust := &c.REST.Trust
	trust.Anyone = trust.Anyone || c.proxyHeaders
	if trust.Anyone && len(trust.Proxies) == 0 && !loopback(c.HTTP.Bind) {
		section, key := "drivers:transport:wsgi", "trust_proxy"
		if c.proxyHeaders {
			section, key = "oslo_middleware", "enable_proxy_headers_parsing"
		}
		c.warn(section, key, "whoever reaches %s is believed about the address he comes from; "+
			"name the proxies in [drivers:transport:wsgi] trusted_proxies", c.HTTP.Bind)
	}
}

// metrics warns when anybody can have profiles taken.
func (c *rules) metrics() {
	if m := c.Monitor; m.Enabled && m.Profiles && !loopback(m.Bind) {
		c.warn("metrics", "pprof", "whoever reaches %s can have profiles taken, which tell much and slow the server down", m.Bind)
	}
}

// healthcheck takes the files of the switches that are on, and refuses a switch
// without one.
func (c *rules) healthcheck() {
	for _, b := range c.healthBackends {
		switch {
		case b == backendDisable && c.healthDisable != "":
			c.Health.DisableFile = c.healthDisable
		case b == backendPorts && len(c.healthPorts) > 0:
			c.Health.DisableFiles = c.healthPorts
		case b == backendEnable && len(c.healthEnable) > 0:
			c.Health.EnableFiles = c.healthEnable
		default:
			c.refuse("healthcheck", "backends", "%s has no file to look at", b)
		}
	}
}

// tracing checks where spans go.
func (c *rules) tracing() {
	t := &c.Tracing
	if u, err := url.Parse(t.Endpoint); t.Endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		c.refuse("tracing", "endpoint", "must be a URL: http://host:4318 or https://…") // it may hold a password
	}
	for _, h := range c.traceHeaders {
		if t.Headers == nil {
			t.Headers = map[string]string{}
		}
		t.Headers[h.key] = h.value
	}
}

// audit refuses to drop records that were asked for.
func (c *rules) audit() {
	if c.Audit && c.auditFile == "" && c.logging().Level > slog.LevelInfo {
		c.refuse("audit", "enabled", "log_level = %s keeps the records out of the log; name a file for them in [audit] file", c.level)
	}
	if _, set := c.values.set("audit", "file"); set && !c.Audit && c.auditFile != "" {
		c.warn("audit", "file", "is set, but enabled is not: there will be no records")
	}
}

// tls refuses half of a configuration: who asks for TLS, or for certificates
// of clients, is not served without.
func (c *rules) tls() {
	o := &c.HTTP.TLS
	o.Optional, o.Newest = c.clientCertificates == "optional", c.minTLS == "1.3"
	for key, value := range map[string]string{"key_file": o.Key, "ca_file": o.CA} {
		if value != "" && o.Cert == "" {
			c.refuse("ssl", key, "is set, but cert_file is not: there would be no TLS")
		}
	}
	if o.Optional && o.CA == "" {
		c.warn("ssl", "client_certificates", "has no effect without ca_file: clients are not asked for certificates")
	}
}

// authentication refuses to run open where the operator asked for checks.
func (c *rules) authentication() {
	c.Identity.Strategy = c.authStrategy
	c.Identity.Keystone.CacheTime = time.Duration(c.tokenCacheTime) * time.Second
	switch c.authStrategy {
	case "":
		c.openWarnings()
	case "keystone":
		c.keystone()
	default:
		c.refuse("DEFAULT", "auth_strategy", "%q is not allowed; allowed are keystone and the empty value (no authentication)", c.authStrategy)
	}
}

func (c *rules) openWarnings() {
	for _, key := range []string{"auth_url", "www_authenticate_uri", "username", "application_credential_id"} {
		text, _ := c.values.raw(optionID{keystoneSection, key})
		if at, set := c.values.set(keystoneSection, key); set && text != "" {
			c.report.add(Warning, at, keystoneSection, key,
				"is set, but [DEFAULT] auth_strategy is empty: NOBODY IS AUTHENTICATED and every project is open to whoever reaches this server")
			return
		}
	}
	if !loopback(c.HTTP.Bind) {
		c.warn("drivers:transport:wsgi", "bind", "%s can be reached from other machines, and nobody is authenticated: "+
			"every project is open to whoever reaches this server", c.HTTP.Bind)
	}
}

// policyFiles says where the rules are and what is wrong or odd about them.
func (c *rules) policyFiles() {
	names := []string{c.policyFile}
	if c.policyFile == defaults().policyFile {
		names = append(names, "policy.json") // as it was called once
	}
	for _, name := range names {
		c.Policy.Files = append(c.Policy.Files, c.near(name)...)
	}
	dirs := c.policyDirs
	if len(dirs) == 0 {
		dirs = []string{"policy.d"}
	}
	for _, dir := range dirs {
		if places := c.near(dir); len(places) > 0 {
			c.Policy.Dirs = append(c.Policy.Dirs, places)
		}
	}
	rules, findings, sources := c.Policy.Load()
	read := func(name string) bool { return slices.Contains(sources, name) }
	for _, f := range findings {
		severity, text := Warning, f.Text
		if f.Error {
			severity = Error
		}
		if f.Rule != "" {
			text = "rule " + strconv.Quote(f.Rule) + ": " + text
		}
		c.report.add(severity, Origin{File: f.File, Line: f.Line}, "oslo_policy", "policy_file", "%s", text)
	}
	named := c.policyFile != defaults().policyFile
	if _, set := c.values.set("oslo_policy", "policy_file"); set && named && rules != nil && !slices.ContainsFunc(c.near(c.policyFile), read) {
		c.warn("oslo_policy", "policy_file", "%s does not exist; the default rules are in force, and those of policy_dirs", c.policyFile)
	}
}

// near resolves a path relative to the directories of the configuration, those
// of later files first, then relative to the searched ones.
func (c *rules) near(name string) []string {
	if filepath.IsAbs(name) {
		return []string{name}
	}
	var paths []string
	add := func(dir string) {
		if p := filepath.Join(dir, name); !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	for _, f := range slices.Backward(c.files) {
		add(filepath.Dir(f))
	}
	for _, dir := range c.search {
		add(dir)
	}
	return paths
}

// signing warns of keys that can be guessed. They are not refused: URLs that
// are signed with them have to stay valid.
func (c *rules) signing() {
	if key := c.SignedURL.Key; key != "" && len(key) < 16 {
		c.warn("signed_url", "secret_key", "the key is shorter than 16 characters, which can be guessed; make it an old_secret_key and set a longer one")
	}
	if len(c.SignedURL.Old) > 0 && c.SignedURL.Key == "" {
		c.warn("signed_url", "old_secret_key", "there is no secret_key: URLs cannot be signed")
	}
}

func (c *rules) pooling() {
	if c.settings.pooling {
		c.refuse("DEFAULT", "pooling", "pools are not offered by this version, and queues that live in pools could not be found")
	}
}

// limits keeps defaults within what clients may ask. Who lowers a maximum
// need not repeat himself: a default that nobody set follows.
func (c *rules) limits() {
	b := &c.Broker
	for _, l := range []struct {
		lower, upper string
		lo           *int64
		hi           int64
	}{
		{"default_message_ttl", "max_message_ttl", &b.DefaultMessageTTL, b.MaxMessageTTL},
		{"default_message_delay", "max_message_delay", &b.DefaultMessageDelay, b.MaxMessageDelay},
		{"default_claim_ttl", "max_claim_ttl", &b.DefaultClaimTTL, b.MaxClaimTTL},
		{"default_claim_grace", "max_claim_grace", &b.DefaultClaimGrace, b.MaxClaimGrace},
	} {
		if *l.lo <= l.hi {
			continue
		}
		if _, set := c.values.set("transport", l.lower); set {
			c.refuse("transport", l.lower, "%d exceeds %s, which is %d", *l.lo, l.upper, l.hi)
			continue
		}
		c.warn("transport", l.upper, "is below the default of %s, which becomes %d as well", l.lower, l.hi)
		*l.lo = l.hi
	}
	ids := &c.REST.ClientIDs
	ids.AnyString = c.clientIDs == "off"
	if ids.MinLength > ids.MaxLength {
		c.refuse("transport", "min_length_client_id", "%d exceeds max_length_client_id, which is %d", ids.MinLength, ids.MaxLength)
	}
}

// logging derives where and what to log.
func (s *settings) logging() observe.Config {
	c := observe.Config{Format: observe.Format(s.format), Syslog: s.syslog, Facility: s.facility, Stderr: s.stderr, File: s.logFile}
	if s.json {
		c.Format = observe.JSON
	}
	switch {
	case s.logFile == "" && s.logDir != "":
		c.File = filepath.Join(s.logDir, "zaqar-server.log")
	case s.logFile != "" && s.logDir != "" && !filepath.IsAbs(s.logFile):
		c.File = filepath.Join(s.logDir, s.logFile)
	}
	c.Level = map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warning": slog.LevelWarn, "error": slog.LevelError,
	}[s.level]
	if s.debug {
		c.Level = slog.LevelDebug
	}
	return c
}

// runtime derives how memory is used. What the Go runtime reads from the
// environment itself stays as it is.
func (s *settings) runtime(environ []string) app.Runtime {
	r := app.Runtime{MemoryLimit: s.memoryLimit << 20, GCPercent: s.gcPercent}
	for _, kv := range environ {
		switch name, value, _ := strings.Cut(kv, "="); {
		case name == "GOMEMLIMIT" && value != "":
			r.MemoryLimit = -1
		case name == "GOGC" && value != "":
			r.GCPercent = 0
		}
	}
	return r
}

// facilityName spells a syslog facility LOG_USER.
func facilityName(s string) string {
	return "LOG_" + strings.TrimPrefix(strings.ToUpper(s), "LOG_")
}
