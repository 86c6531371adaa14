package storage

import (
	"context"
	"time"

	"zaqar/messaging"
)

// Messages stores messages in queues.
type Messages interface {
	// Append stores the drafts at the end of the queue and returns their ids
	// in order. All of them become visible together or none does.
	Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o AppendOptions) (Appended, error)
	// Scan returns a page of messages, oldest first.
	Scan(ctx context.Context, q messaging.QueueRef, s Scan) ([]messaging.Message, error)
	// Fetch returns the messages with the ids, in the order of the ids, each
	// once, leaving out those that do not exist. Claimed and delayed messages
	// are included.
	Fetch(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID) ([]messaging.Message, error)
	// Remove deletes the messages with the ids, on the condition hold. If the
	// condition fails for one of those that exist, nothing is deleted and the
	// error is Claimed (the message is under a live claim that does not fit)
	// or NotClaimed (a claim is required and the message is under none).
	// Claimed is reported in preference to NotClaimed.
	Remove(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, hold Hold) error
	// Pop removes and returns up to t.Limit of the oldest available messages:
	// unexpired, not under a live claim and, unless t.Delayed is true, past
	// their delay. It passes over messages that the caller could not open, so
	// that removing never destroys what nobody read. The Claim of each is empty;
	// it does not count as a claim.
	Pop(ctx context.Context, q messaging.QueueRef, t Take) ([]messaging.Message, error)
	// Move takes those of the messages that the live claim holds to the end of
	// the queue to, in the order of the ids. There they are unclaimed and
	// undelayed, and their claim count restarts at 0. They keep ID, body,
	// checksum, poster and Posted. With ttl > 0 that is their new TTL and they
	// expire that many seconds from now; with 0 both stay. It returns how many
	// moved. They are never in both queues. They are in neither only where a store
	// spreads queues over machines: during the call, and after a crash in between
	// until a Sweep brings them to where they go.
	Move(ctx context.Context, q messaging.QueueRef, ids []messaging.MessageID, held messaging.ClaimID, to messaging.QueueRef, ttl int64) (int, error)
	// Tally counts the unexpired messages. It may be slow in proportion to them.
	Tally(ctx context.Context, q messaging.QueueRef) (messaging.Tally, error)
	// Volume counts the unexpired messages of all queues and topics of all
	// projects, delayed and claimed ones included, and those of them under a
	// live claim. What is in their parts does not count, here and in Stored.
	// Changes made meanwhile may or may not be counted, and the call may be
	// slow.
	Volume(ctx context.Context) (total, claimed int, err error)
	// Stored tells what the unexpired messages of a project amount to. A message
	// counts from the moment it can be read until it is gone; changes made
	// meanwhile may or may not be counted. The call is quick however many messages
	// there are.
	Stored(ctx context.Context, p messaging.Project) (messaging.Stored, error)
	// Purge deletes every message that is not under a live claim, delayed ones
	// included. It may do so in parts: after a failure some may be left.
	Purge(ctx context.Context, q messaging.QueueRef) error
	// Drop deletes every message and dissolves every claim of the queue.
	Drop(ctx context.Context, q messaging.QueueRef) error
	// Due returns the earliest instant after now at which a message that is
	// now claimed or delayed may become available by itself, and false if there
	// is none. It may be early, never late. Instants change with every claim,
	// renewal and delayed post.
	Due(ctx context.Context, q messaging.QueueRef) (time.Time, bool, error)
}

// Scan says which messages a page holds. Filters apply before the page is cut.
type Scan struct {
	// The page starts strictly after this place. AfterID, if set, wins: the
	// place of that message, and an empty page if the id is unknown. A message
	// that is gone keeps its place for as long as the store can tell it.
	After   messaging.Position
	AfterID messaging.MessageID
	// Limit is the largest number of messages returned, ≥ 1.
	Limit int
	// Hide leaves out messages posted by this client; empty hides none.
	Hide messaging.ClientID
	// Claimed includes messages under a live claim.
	Claimed bool
	// Delayed includes messages whose delay has not elapsed.
	Delayed bool
	// Arena may get the bodies; nil is fine.
	Arena *Arena
}

// Take says which messages Pop may have.
type Take struct {
	Limit   int  // ≥ 1
	Delayed bool // messages whose delay has not elapsed are available too
	// Keys are the ids of the keys the caller can open: messages whose Key is
	// neither empty nor one of these stay where they are.
	Keys []string
}

// Hold is the condition on which Remove deletes. The zero value deletes
// whatever the claims.
type Hold struct {
	// Unclaimed asks that no live claim holds any of the messages.
	Unclaimed bool
	// By, when not empty, asks that each message is held by one of these
	// claims, live ones.
	By []messaging.ClaimID
}
