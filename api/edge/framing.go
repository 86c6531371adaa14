package edge

import "net/http"

// Framing has a request be the last one of its connection if a server in front
// might see another end of it than this one does: what follows would be the
// end of this request there, and a request of its own here. That are chunked
// requests, which may have had a Content-Length as well, and those of
// HTTP/1.0, which may have been chunked; net/http has removed those headers
// where it did not use them (RFC 9112 §6.1). The beginning of HTTP/2 on a
// connection of HTTP/1, which net/http hands on as a request, is refused.
func Framing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.ProtoMajor == 1 && (r.TransferEncoding != nil || r.ProtoMinor == 0):
			w.Header()["Connection"] = []string{"close"}
		case r.ProtoMajor == 2 && r.Method == "PRI":
			w.Header()["Connection"] = []string{"close"}
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
			return
		}
		h.ServeHTTP(w, r)
	})
}
