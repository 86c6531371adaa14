// Package rest is the Zaqar v2 API over HTTP: it turns requests into calls of
// the broker and what comes back into replies. It decides nothing the broker
// could decide.
//
// It promises:
//
//   - Every request passes the same steps in the order of http-v2 §2.1, and
//     the first that fails decides the answer (pipeline.go).
//   - Every answer carries a request id of its own; every failure has a JSON
//     body with title and description, and shows no internal text.
//   - Bodies are read up to a limit known beforehand and within a time limit;
//     what is refused leaves nothing behind.
//   - A client that goes away ends its request, a waiting one too.
//   - One access record per request, without bodies and credentials.
//
// The table in routes.go says what exists: the router, the Allow header, the
// answer to OPTIONS and the home document are derived from it, and a test
// holds the OpenAPI description against it. The router is our own because the
// standard one redirects paths that are not clean, while here an empty name
// is a name that is wrong.
//
// Of the [net/http.Server] around it, it expects limits on the time for
// headers, on their size and on idle connections. It sets the time limits for
// bodies and replies itself, since a long poll outlives any fixed one:
// ReadTimeout and WriteTimeout of the server must be zero. Over connections of
// package conn, large replies leave in one piece.
//
// Start reading at routes.go, then pipeline.go, then any resource.
package rest
