// Package webhook delivers to http and https subscribers.
//
// An attempt is one POST to the subscriber's URL. A Sender promises that
//
//   - it goes to the public Internet, or where the operator allows
//     (internal/egress), and through the operator's proxy if there is one. What
//     the environment says of proxies is not heeded;
//   - it ends within Config.Timeout, whatever the receiver does, and takes a
//     bounded amount of memory;
//   - redirects are not followed;
//   - nothing of a receiver's answer reaches the owner of the subscription but
//     its status, and neither queries, credentials, headers nor bodies get
//     into errors.
//
// Connections stay open and are used again. Each carries one attempt at a time
// (HTTP/1.1), so that a receiver which is slow with one does not hold up
// others.
package webhook
