// Package pipeline puts stages between the service and its store: code that
// sees, changes, refuses or answers what is done to queues, messages, claims and
// subscriptions.
//
// A stage is a wrapper of one of the store's interfaces, made by a function that
// gets the next stage. It embeds that and overrides the operations it cares
// for:
//
//	type audit struct{ pipeline.MessageStore }
//
//	func (a audit) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID,
//		drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
//		who, _ := pipeline.Caller(ctx)
//		done, err := a.MessageStore.Append(ctx, q, by, drafts, o)
//		log.Print(who.User, " posted ", len(done.IDs), " messages to ", q.Name)
//		return done, err
//	}
//
// What stands before the call of the next stage happens before, what stands
// behind it, after; a stage that does not call it answers in place of the store;
// one that returns a messaging.Error refuses with its kind.
//
// What stages can rely on:
//
//   - Each sees an operation once, in the order in which the configuration lists
//     them; the store comes last. An operation of the store is what the contract
//     in package storage says it is: one request may cause several, and a request
//     that was refused before causes none.
//   - What the service keeps for itself, on its way to subscribers, is not shown.
//   - Caller tells who asks, if it was a client.
//   - A stage that panics fails the operation, as an internal error, and nothing
//     else.
//
// What they have to keep: the contract of the store, toward their caller. They
// are called concurrently. Drafts and bodies belong to somebody else: they may be
// replaced, not written to, and not kept. Bodies are sealed where Key is set.
package pipeline
