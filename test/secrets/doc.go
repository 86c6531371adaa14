// Package secrets runs the real program with a configuration and with requests
// that are full of secrets, has everything that it can tell about itself turned
// on, and looks for each of the secrets in all that it said: the log, the
// access log, the audit log, spans, metrics, profiles, answers that are
// errors, reports, and what the tools say about the configuration.
//
// The services around it are fakes that got the secrets, to be sure that they
// were used, and that answer with them, since others do so, too.
package secrets
