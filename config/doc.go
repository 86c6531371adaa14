// Package config turns files, the environment and the command line into one
// validated app.Options.
//
// Every option stands once, in a table (the files table_*.go): its name, type,
// default, what is allowed, whether it is a secret and whether a running server
// can take a change. Reading, checking, the sample file, the
// printed configuration and docs/configuration.md all come from that table.
//
// It promises that an existing zaqar.conf loads as it is or says why not:
// keys are kept, ignored with a warning or refused, never silently
// misunderstood (operations §1). All mistakes are reported at once, each with
// file, line, key and what is allowed; a secret is never part of a report.
//
// It runs nothing. Package ini reads the file format. Start reading at Load.
package config
