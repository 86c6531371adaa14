// Package observe is the log of the process: lines as text or JSON, to standard
// output, a file or syslog. What is counted and what is followed through the
// server are packages metrics and trace below it.
//
// It promises that the level and the file can change while loggers are in
// use, that one record is one Write, and that every record has the same names
// for the same things: time, level, msg, then the attributes.
//
// Attribute names used across the product: request_id, project, user, client,
// queue, topic, message, claim, method, route, status, bytes, took, count,
// error. Durations are numbers of seconds in JSON.
//
// It knows nothing of queues. Start reading at Open.
package observe
