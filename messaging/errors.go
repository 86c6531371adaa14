package messaging

import (
	"strings"
	"time"
)

// Kind classifies a failure. A Kind is an error, so that
// errors.Is(err, messaging.NotFound) holds through any wrapping. Each front
// has one table from kinds to its statuses.
type Kind string

// The kinds of failure. Drivers assign them where they understand the failure.
const (
	Invalid         Kind = "invalid request"    // the input breaks a rule
	Unauthenticated Kind = "not authenticated"  // no or bad credentials
	Denied          Kind = "not permitted"      // the policy says no
	NotFound        Kind = "not found"          // the thing addressed does not exist
	Conflict        Kind = "conflict"           // the state of the thing forbids it
	Claimed         Kind = "message is claimed" // another live claim holds the message
	NotClaimed      Kind = "not claimed"        // the claim named does not hold the message
	Exceeded        Kind = "limit exceeded"     // a rate is used up, and will not be for long
	OverQuota       Kind = "over quota"         // a project has as much of something as it may have
	Unsupported     Kind = "not supported"      // the store or the server cannot do it
	Unavailable     Kind = "unavailable"        // the store cannot be reached, is full or failed
	Internal        Kind = "internal error"     // a defect
)

// Kinds lists every kind, for tests that walk them.
func Kinds() []Kind {
	return []Kind{Invalid, Unauthenticated, Denied, NotFound, Conflict, Claimed,
		NotClaimed, Exceeded, OverQuota, Unsupported, Unavailable, Internal}
}

// Error makes a Kind an error, so that errors.Is finds it in an Error.
func (k Kind) Error() string { return string(k) }

// Error is a failure with its kind. What is a sentence for the client; it
// holds no secret and no internal text. Err is the cause, for logs only.
// After is how long to wait before the next try, 0 if that cannot be told.
type Error struct {
	Kind  Kind
	What  string
	Err   error
	After time.Duration
}

// E returns an Error of the kind with the text for the client.
func E(kind Kind, what string) *Error { return &Error{Kind: kind, What: what} }

// Wrap returns an Error of the kind with a cause that only logs may show.
func Wrap(kind Kind, what string, err error) *Error {
	return &Error{Kind: kind, What: what, Err: err}
}

// Error is for logs: the kind, the text for the client and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Kind))
	if e.What != "" {
		b.WriteString(": ")
		b.WriteString(e.What)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the kind first, then the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
