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

// reply returns a whole reply, for those of whom no request is read.
func reply(status int, headers, title, what string) []byte {
	body := wire.AppendError(nil, title, what)
	return append([]byte("HTTP/1.1 "+strconv.Itoa(status)+" "+http.StatusText(status)+"\r\nConnection: close\r\n"+
		"Content-Type: application/json\r\n"+headers+"Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"), body...)
}
