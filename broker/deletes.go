package broker

import (
	"context"

	"zaqar/messaging"
	"zaqar/storage"
)

// DeleteMessage deletes a message if it is under no claim or, with a claim,
// under that one. A message that does not exist is no error, whatever the claim
// (http-v2 §8.7).
func (b *Broker) DeleteMessage(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.MessageID, claim messaging.ClaimID) error {
	defer b.follow(&ctx, who, "DeleteMessage")()
	if _, err := b.enter(ctx, who, q, "messages:delete"); err != nil {
		return err
	}
	ids := []messaging.MessageID{id}
	if claim != "" && !messaging.ValidID(string(claim)) {
		found, err := b.data.Fetch(ctx, q, ids)
		if err != nil || len(found) == 0 {
			return fault(err)
		}
		return invalid("claim_id must be the id of a claim, not %s.", quoted(string(claim)))
	}
	hold := storage.Hold{Unclaimed: true}
	if claim != "" {
		hold = storage.Hold{By: []messaging.ClaimID{claim}}
	}
	err := b.remove(ctx, q, ids, hold)
	switch {
	case is(err, messaging.Claimed) && claim == "":
		return messaging.Wrap(messaging.Claimed, "The message is claimed: its claim_id is needed to delete it.", err)
	case is(err, messaging.Claimed):
		return messaging.Wrap(messaging.Claimed, "The message is under another claim than claim_id.", err)
	case is(err, messaging.NotClaimed):
		return messaging.Wrap(messaging.NotClaimed, "The message is under no claim: claim_id has expired or was never its claim.", err)
	}
	return fault(err)
}

// DeleteMessages deletes the messages, claimed or not; those that do not exist
// are no error. If the configuration says so, the claims must be given and
// hold every one of the messages, else nothing is deleted (http-v2 §8.6).
func (b *Broker) DeleteMessages(ctx context.Context, who messaging.Caller, q messaging.QueueRef, ids []messaging.MessageID, claims []messaging.ClaimID) error {
	defer b.follow(&ctx, who, "DeleteMessages")()
	s, err := b.enter(ctx, who, q, "messages:delete_all")
	if err != nil {
		return err
	}
	if err := counted("The number of ids", len(ids), s.MaxMessagesPerPage); err != nil {
		return err
	}
	var hold storage.Hold
	if s.DeleteNeedsClaims {
		if len(claims) == 0 {
			return invalid("claim_ids must name the claims that hold the messages.")
		}
		hold.By = claims
	}
	err = b.remove(ctx, q, ids, hold)
	switch {
	case is(err, messaging.Claimed):
		return messaging.Wrap(messaging.Claimed, "One of the messages is under a claim that claim_ids does not name.", err)
	case is(err, messaging.NotClaimed):
		return messaging.Wrap(messaging.NotClaimed, "One of the messages is under no claim.", err)
	}
	return fault(err)
}

func (b *Broker) remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, hold storage.Hold) error {
	err := b.data.Remove(ctx, q, ids, hold)
	if err == nil {
		b.counters.deleted.Add(int64(len(ids)))
	}
	return err
}

// PopMessages removes and returns up to n of the oldest available messages
// (http-v2 §8.6). It passes over messages whose key the server does not have.
func (b *Broker) PopMessages(ctx context.Context, who messaging.Caller, q messaging.QueueRef, n int) (Messages, error) {
	defer b.follow(&ctx, who, "PopMessages")()
	s, err := b.enter(ctx, who, q, "messages:delete_all")
	if err != nil {
		return Messages{}, err
	}
	if err := counted("pop", n, s.MaxMessagesPerClaimOrPop); err != nil {
		return Messages{}, err
	}
	r, err := b.record(ctx, q)
	if err != nil {
		return Messages{}, err
	}
	popped, err := b.data.Pop(ctx, q, storage.Take{Limit: n, Delayed: s.undelayed(r), Keys: s.keys.ids})
	if err != nil {
		return Messages{}, fault(err)
	}
	b.counters.popped.Add(int64(len(popped)))
	if popped, err = b.opened(ctx, s, q, popped); err != nil {
		return Messages{}, err
	}
	return Messages{Now: b.now(), List: popped}, nil
}
