package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"zaqar/messaging"
)

// RateStatus is the status of an answer to who goes too fast.
type RateStatus int

// The statuses. ByClient is 429, but 503 for clients that take 429 for success.
const (
	ByClient    RateStatus = 0
	TooMany     RateStatus = http.StatusTooManyRequests
	Unavailable RateStatus = http.StatusServiceUnavailable
)

// misreads is how the User-Agent begins of clients that take every status they
// do not know for success, 429 among them: python-zaqarclient, which leaves the
// header to the library under it, would lose messages without noticing. To
// other users of that library 503 with Retry-After says the same.
const misreads = "python-requests/"

// slowDown says when to try again and returns the status of the answer.
func (c *call) slowDown(e *messaging.Error) int {
	after := time.Second
	if e != nil && e.After > after {
		after = e.After
	}
	seconds := int64((after + time.Second - 1) / time.Second)
	c.w.Header()["Retry-After"] = []string{strconv.FormatInt(seconds, 10)}
	switch {
	case c.RateStatus != ByClient:
		return int(c.RateStatus)
	case strings.HasPrefix(first(c.r.Header["User-Agent"]), misreads):
		return http.StatusServiceUnavailable
	}
	return http.StatusTooManyRequests
}
