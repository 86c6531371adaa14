package notify

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// strayEvery is how often parts are looked for that nobody would look at.
const strayEvery = time.Hour

// findStrays looks at the parts of all queues and topics. It lets go of what waits
// for subscriptions that are gone: they ended while no server ran, or while one did
// that had nothing to deliver to them, or was killed. Outboxes whose subscriptions
// are all gone are woken, to be emptied. Other servers may do the same: ids of
// subscriptions do not come back, so what belongs to one that is gone is never
// needed again.
func (n *Notifier) findStrays(ctx context.Context) error {
	lister, ok := n.data.(storage.PartLister)
	if !ok {
		return nil // what is left expires
	}
	var parts []messaging.QueueRef
	if err := lister.Parts(ctx, func(q messaging.QueueRef) { parts = append(parts, q) }); err != nil {
		return err
	}
	var failure atomic.Pointer[error]
	manyAtOnce(parts, func(part messaging.QueueRef) {
		if err := n.lookAtPart(ctx, part); err != nil {
			failure.CompareAndSwap(nil, &err)
		}
	})
	if err := failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (n *Notifier) lookAtPart(ctx context.Context, part messaging.QueueRef) error {
	id, one := part.Part.Subscription()
	if !one {
		n.Wake(part)
		return nil
	}
	_, err := n.data.Subscription(ctx, part.Whole(), id)
	if errors.Is(err, messaging.NotFound) {
		err = n.data.Drop(ctx, part)
	}
	return err
}
