// Package conn makes the connections of an HTTP server cheap.
//
// net/http and the handlers behind it change the deadlines of a connection ten
// times a request, and each change is an affair of the runtime's timers. It
// reads from the connection while a handler works, in vain but for clients that
// leave, and calls that off with another two changes and a failing read. A
// large answer leaves net/http in two pieces, with a system call and a wake-up
// of the client each. Connections of this package
//
//   - move a timer only when a deadline comes nearer; one that moved away is
//     looked at when the timer fires. Deadlines hold to the instant all the
//     same.
//   - gather what is written between Gather and Release, and send it at once.
//   - begin to watch for the client's going away, as net/http does while a
//     handler works, only when the handler has worked for some time (lounge.go).
//
// A request that waits for long can be parked (park.go): it gives up its server
// and its handler, and comes back through the listener when its time has come.
//
// What net/http says to clients whose request it cannot read is replaced by what
// the API says of errors (refusal.go).
//
// Connections under TLS come from the wrapped listener with their handshake
// done. Those of HTTP/2 are handed on as they are.
//
// They behave like the connections they wrap in everything else.
package conn
