package edge

import (
	"strconv"

	"zaqar/api/wire"
)

// TooMany returns what those are told for whom there is no connection: the
// whole reply, because no request of theirs is ever read.
func TooMany() []byte {
	body := wire.AppendError(nil, "Service unavailable", "There are too many connections. Try again later.")
	return append([]byte("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"+
		"Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"), body...)
}
