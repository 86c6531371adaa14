// Package broker is the core: every use case once, free of any transport and
// of any database.
//
// A use case is one method: it asks the policy, applies defaults and limits,
// acts on storage and wakes those who wait. Dead letters, delays, claim
// counts, encryption, checksums and long polling are decided here and nowhere
// else, so that fronts cannot drift apart.
//
// Fronts hand over decoded, well-formed values (see the ...Request types) and
// get plain structs back. Failures are messaging.Errors.
//
// Start reading at Broker, then messages.go and claims.go.
package broker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// Limits are the limits and defaults of the [transport] section
// (http-v2 §4.5). Sizes are bytes, lifetimes seconds.
type Limits struct {
	DefaultMessageTTL, DefaultMessageDelay int64
	DefaultClaimTTL, DefaultClaimGrace     int64
	DefaultSubscriptionTTL                 int64

	MaxQueuesPerPage, MaxMessagesPerPage, MaxSubscriptionsPerPage int
	MaxPoolsPerPage, MaxFlavorsPerPage                            int
	MaxMessagesPerClaimOrPop                                      int

	MaxQueueMetadata, MaxMessagesPostSize int64
	MaxMessageTTL, MaxMessageDelay        int64
	MaxClaimTTL, MaxClaimGrace            int64

	MaxWait int64 // longest wait of a long poll, seconds
}

// Config is what an operator decides about the core.
type Config struct {
	Limits
	// Checksums records a checksum with each posted message ([DEFAULT]
	// enable_checksum).
	Checksums bool
	// DeleteNeedsClaims makes bulk delete require claim ids ([transport]
	// message_delete_with_claim_id).
	DeleteNeedsClaims bool
	// Keys seal and open message bodies. The first one seals. Without keys no
	// queue can enable encryption.
	Keys []Key
}

// Key is an encryption key.
type Key struct {
	ID     string // 1-32 letters, digits, '-', '_'; stored with each message
	Secret []byte // 32 bytes
}

// Defaults returns the configuration of a server that was told nothing.
func Defaults() Config {
	return Config{Limits: Limits{
		DefaultMessageTTL: 3600, DefaultMessageDelay: 0,
		DefaultClaimTTL: 300, DefaultClaimGrace: 60,
		DefaultSubscriptionTTL: 3600,
		MaxQueuesPerPage:       20, MaxMessagesPerPage: 20, MaxSubscriptionsPerPage: 20,
		MaxPoolsPerPage: 20, MaxFlavorsPerPage: 20, MaxMessagesPerClaimOrPop: 20,
		MaxQueueMetadata: 65536, MaxMessagesPostSize: 262144,
		MaxMessageTTL: 1209600, MaxMessageDelay: 900,
		MaxClaimTTL: 43200, MaxClaimGrace: 43200,
		MaxWait: 20,
	}}
}

// Policy says what callers may do.
type Policy interface {
	// Allow returns nil, or a Denied error. rule is a name of http-v2 §2.3.
	Allow(ctx context.Context, who messaging.Caller, rule string) error
}

// Parts are what a Broker is built from.
type Parts struct {
	Control storage.Control
	Data    storage.Data
	Policy  Policy
	Now     func() time.Time
	Log     *slog.Logger
}

// Broker serves the use cases. Its methods may be called concurrently.
type Broker struct {
	Parts
	config atomic.Pointer[Config]
}
