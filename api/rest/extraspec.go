package rest

import (
	"context"
	"errors"
	"strings"

	"zaqar/messaging"
)

// Proof is what a request brings in its EXTRA-SPEC header beside its
// credentials: the name of a task, a colon, and data for it (http-v2 §2.4).
type Proof struct {
	Caller       messaging.Caller
	Method, Path string // as sent
	Queue        messaging.QueueRef
	Subscription messaging.SubscriptionID // as the path names it (ConfirmationID, too); empty where it names none
	Task, Data   string
}

// Verifier says whether a proof is right. It may be called concurrently. A
// messaging.Error is the answer to the client; any other error is a 403 that
// does not show it.
type Verifier func(ctx context.Context, p Proof) error

// acceptAll is the task that the original ships, which accepts everything.
const acceptAll = "messagecode"

// checkExtraSpec has proofs verified and refuses tasks nobody knows. It comes
// beside authentication, never in place of it. Who has waited had them verified
// when he came: they may be good for one time.
func (c *call) checkExtraSpec() error {
	if c.waiting != nil {
		return nil
	}
	for _, spec := range c.r.Header["Extra-Spec"] {
		task, data, _ := strings.Cut(strings.TrimSpace(spec), ":")
		verify, known := c.Tasks[task]
		switch {
		case known:
			if err := c.verify(verify, task, data); err != nil {
				return err
			}
		case task != "" && task != acceptAll:
			return invalid("The EXTRA-SPEC header names an unknown task.")
		}
	}
	return nil
}

func (c *call) verify(verify Verifier, task, data string) error {
	p := Proof{Caller: c.who, Method: c.r.Method, Path: c.r.URL.EscapedPath(), Queue: c.queue, Task: task, Data: data}
	if len(c.route.segments) > 4 && c.route.segments[4] == "{subscription_id}" {
		p.Subscription = c.subscription()
	}
	err := verify(c.r.Context(), p)
	if known := (*messaging.Error)(nil); err == nil || errors.As(err, &known) {
		return err
	}
	return messaging.Wrap(messaging.Denied, "What the EXTRA-SPEC header brings is not accepted.", err)
}
