// Package messaging is the vocabulary of the service: projects, queues,
// messages, claims, subscriptions, pools and flavors, who is asking (Caller)
// and what went wrong (Error, Kind).
//
// It owns plain values only. It keeps no state, reads no clock, does no I/O
// and imports no other package of the module, so every layer may use it.
//
// Conventions that hold everywhere:
//
//   - A tenant is part of every key: a queue is named by QueueRef, never by a
//     bare string, so no driver can forget the project.
//   - Lifetimes (TTL, grace, delay) are whole seconds in an int64, because
//     subscriptions may live longer than a time.Duration can say. Instants are
//     time.Time; stores keep them at least to the millisecond.
//   - Bodies and metadata are JSON texts kept as the bytes that came in.
//
// Start reading at Message and Queue, then storage.Data and storage.Control.
package messaging
