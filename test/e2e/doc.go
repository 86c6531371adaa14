// Package e2e runs the real program through what its operators and users do to
// it: restarts, signals, full disks, changed keys, too many connections,
// nonsense on the wire.
//
// Tests wait for what they expect, by answers, log records and reports, and
// never for a time to pass. Run with the race detector, the servers have it,
// too, and a race that they report fails the test.
package e2e
