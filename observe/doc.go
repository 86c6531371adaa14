// Package observe shows operators what the process does. Today that is its
// log: lines as text or JSON, to standard output, a file or syslog.
//
// It promises that the level and the file can change while loggers are in
// use, that one record is one Write, and that every record has the same names
// for the same things: time, level, msg, then the attributes.
//
// Attribute names used across the product: request_id (of the answer),
// global_request_id (given by the calling service), project_id, user_id,
// client_id, queue, topic, method, path, status, bytes, duration, error.
//
// It knows nothing of queues. Start reading at Open.
package observe
