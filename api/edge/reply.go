package edge

import (
	"net/http"
	"strconv"

	"zaqar/api/wire"
)

// TooMany returns what those are told for whom there is no connection.
func TooMany() []byte {
	return reply(http.StatusServiceUnavailable, "Retry-After: 1\r\n", "Service unavailable", "There are too many connections. Try again later.")
}

// notTLS returns what those are told who do not begin with a handshake.
func notTLS() []byte {
	return reply(http.StatusBadRequest, "", "Invalid request", "This port speaks TLS: the URL begins with https.")
}

// Unreadable returns what those are told whose request net/http cannot read.
func Unreadable(status int, request string) []byte {
	what := "This is not HTTP as the server understands it."
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		what = "The headers of the request are too large."
	case http.StatusNotImplemented:
		what = "The server does not know this transfer encoding."
	case http.StatusHTTPVersionNotSupported:
		what = "The server does not speak this version of HTTP."
	}
	title := "Invalid request"
	if status != http.StatusBadRequest {
		title = http.StatusText(status)
	}
	return reply(status, "X-Openstack-Request-Id: "+request+"\r\n", title, what)
}

// reply returns a whole reply, for those of whom no request is read.
func reply(status int, headers, title, what string) []byte {
	body := wire.AppendError(nil, title, what)
	return append([]byte("HTTP/1.1 "+strconv.Itoa(status)+" "+http.StatusText(status)+"\r\nConnection: close\r\n"+
		"Content-Type: application/json\r\n"+headers+"Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"), body...)
}
