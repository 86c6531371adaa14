package messaging

import (
	"strconv"
	"time"
)

// MessageID identifies a message for its whole life, also when it moves to a
// dead-letter queue. Opaque; letters, digits, '-' and '_', at most 64
// characters, and never a decimal number that fits 64 bits, so that it cannot
// be mistaken for a Position (http-v2 §4.4).
type MessageID string

// ClientID identifies a client instance in canonical form: a lower-case
// hyphenated UUID where the client sent any spelling of one, else the string
// as sent (http-v2 §4.3).
type ClientID string

// Position is the place of a message in its queue. Positions of a queue grow
// strictly in the order in which posts become visible, survive restarts and
// are never used twice. 0 stands before every message. Those of messages are
// below 1<<53, which every number format can hold; readers may name any.
type Position uint64

// String returns the marker clients see in a next link.
func (p Position) String() string { return strconv.FormatUint(uint64(p), 10) }

// Draft is a message to be stored.
type Draft struct {
	TTL      int64  // seconds, counted from posting
	Delay    int64  // seconds from posting until it becomes available; 0: at once
	Body     []byte // JSON text, or the sealed form of one when Key is set
	Key      string // id of the key that seals Body; empty when Body is plain
	Checksum string // "MD5:<hex>", or empty when none was recorded
}

// Message is a stored message.
type Message struct {
	ID        MessageID
	Position  Position
	Poster    ClientID
	Posted    time.Time
	TTL       int64     // seconds, as shown to clients; claims may raise it
	Expires   time.Time // the message is gone when now ≥ Expires
	Available time.Time // end of the delay; zero when it was never delayed
	Body      []byte    // as in Draft; callers must not change it
	Key       string
	Checksum  string
	Claim     ClaimID // the live claim that holds it, or empty
	Claims    int     // successful claims so far that included it
}

// Age returns the whole seconds since the message was posted, never negative.
func (m *Message) Age(now time.Time) int64 { return age(m.Posted, now) }

func age(from, now time.Time) int64 {
	if s := int64(now.Sub(from) / time.Second); s > 0 {
		return s
	}
	return 0
}
