package broker

import (
	"context"
	"errors"
	"fmt"

	"zaqar/messaging"
)

// invalid returns an Invalid error with the text for the client.
func invalid(format string, args ...any) error {
	return messaging.E(messaging.Invalid, fmt.Sprintf(format, args...))
}

// noQueue is the answer to a use case that needs an existing queue.
func noQueue(q messaging.QueueRef) error {
	return messaging.E(messaging.NotFound, fmt.Sprintf("The %s %s does not exist.", noun(q), quoted(q.Name)))
}

func is(err error, kind messaging.Kind) bool { return errors.Is(err, kind) }

// fault makes sure that an error of a store or the policy is a
// messaging.Error: one without is a request that was given up, or a defect.
func fault(err error) error {
	if err == nil {
		return nil
	}
	var known *messaging.Error
	var kind messaging.Kind
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &kind):
		return messaging.Wrap(kind, "The store could not do this.", err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return messaging.Wrap(messaging.Unavailable, "The request was given up before it was done.", err)
	}
	return messaging.Wrap(messaging.Internal, "", err)
}

// quoted returns foreign text for use in an error.
func quoted(s string) string { return messaging.Quoted(s) }

// given returns a JSON text for use in an error.
func given(value []byte) string { return messaging.Given(value) }
