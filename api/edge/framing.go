package edge

import (
	"net/http"

	"zaqar/api/conn"
)

// Handler serves the requests of connections with h, when what a connection
// owes them is done.
//
// A request is the last one of its connection if a server in front might see
// another end of it than this one does: what follows would be the end of this
// request there, and a request of its own here. That are chunked requests, which
// may have had a Content-Length as well, and those of HTTP/1.0, which may have
// been chunked; net/http has removed those headers where it did not use them
// (RFC 9112 §6.1). The beginning of HTTP/2 on a connection of HTTP/1, which
// net/http hands on as a request, is refused.
//
// Under TLS requests carry what was agreed in the handshake, as those of HTTP/2
// do already.
func Handler(h http.Handler) http.Handler { return &handler{h} }

// handler is a type, and one for all of it, because who waits over HTTP/2 has
// it on the stack: with one frame more the stack would take twice the memory.
type handler struct{ next http.Handler }

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.begin(w, r) {
		h.next.ServeHTTP(w, r)
	}
}

// begin reports whether the request is to be served; otherwise it was answered.
//
//go:noinline
func (h *handler) begin(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.ProtoMajor == 1 && (r.TransferEncoding != nil || r.ProtoMinor == 0):
		w.Header()["Connection"] = []string{"close"}
	case r.ProtoMajor == 2 && r.Method == "PRI":
		w.Header()["Connection"] = []string{"close"}
		w.WriteHeader(http.StatusHTTPVersionNotSupported)
		return false
	}
	if c := conn.From(r.Context()); r.TLS == nil && c != nil {
		r.TLS = c.TLS()
	}
	return true
}
