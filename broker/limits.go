package broker

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

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
	// SubscriberTypes are the URI schemes that subscribers may have, in lower
	// case ([transport] subscriber_types).
	SubscriberTypes []string
	// RequireConfirmation makes new subscribers confirm before anything is
	// delivered ([notification] require_confirmation).
	RequireConfirmation bool
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
	}, SubscriberTypes: []string{"http", "https", "mailto", "trust+http", "trust+https", "queue"}}
}

// What no configuration changes (http-v2 §4.5), in seconds.
const (
	minMessageTTL      = 60
	minClaimTTL        = 60
	minClaimGrace      = 60
	minSubscriptionTTL = 60
)

// defaultPageSize is the page size when the caller names none and the
// configured maximum is not smaller.
const defaultPageSize = 10

// What no configuration may exceed, so that every store can hold what the
// limits let pass (see package storage).
const (
	longest             = storage.MaxLifetime / 2 // seconds: ttl and grace of a claim add up
	longestSubscription = 1 << 37                 // seconds: 4,355 years, so that instants stay before year 9999
	largestPost         = 64 << 20                // bytes, a few of which may be a message
	largest             = math.MaxInt32           // bytes or items
	longestWait         = 3600                    // seconds
)

// check reports everything that is wrong, naming settings as http-v2 §4.5 does.
func (c *Config) check() error {
	var mistakes []error
	within := func(name string, value, low, high int64) {
		if value < low || value > high {
			mistakes = append(mistakes, fmt.Errorf("%s must be between %d and %d, not %d", name, low, max(low, high), value))
		}
	}
	within("max_message_ttl", c.MaxMessageTTL, minMessageTTL, longest)
	within("default_message_ttl", c.DefaultMessageTTL, minMessageTTL, c.MaxMessageTTL)
	within("max_message_delay", c.MaxMessageDelay, 0, longest)
	within("default_message_delay", c.DefaultMessageDelay, 0, c.MaxMessageDelay)
	within("max_claim_ttl", c.MaxClaimTTL, minClaimTTL, longest)
	within("default_claim_ttl", c.DefaultClaimTTL, minClaimTTL, c.MaxClaimTTL)
	within("max_claim_grace", c.MaxClaimGrace, minClaimGrace, longest)
	within("default_claim_grace", c.DefaultClaimGrace, minClaimGrace, c.MaxClaimGrace)
	within("default_subscription_ttl", c.DefaultSubscriptionTTL, minSubscriptionTTL, longestSubscription)
	within("max_queues_per_page", int64(c.MaxQueuesPerPage), 1, largest)
	within("max_messages_per_page", int64(c.MaxMessagesPerPage), 1, largest)
	within("max_subscriptions_per_page", int64(c.MaxSubscriptionsPerPage), 1, largest)
	within("max_pools_per_page", int64(c.MaxPoolsPerPage), 1, largest)
	within("max_flavors_per_page", int64(c.MaxFlavorsPerPage), 1, largest)
	within("max_messages_per_claim_or_pop", int64(c.MaxMessagesPerClaimOrPop), 1, largest)
	within("max_queue_metadata", c.MaxQueueMetadata, 1, largest)
	within("max_messages_post_size", c.MaxMessagesPostSize, 1, largestPost)
	within("max_wait", c.MaxWait, 0, longestWait)
	for _, scheme := range c.SubscriberTypes {
		if scheme == "" || strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" {
			mistakes = append(mistakes, fmt.Errorf("subscriber_types must hold URI schemes in lower case, not %q", scheme))
		}
	}
	return errors.Join(append(mistakes, checkKeys(c.Keys)...)...)
}

func checkKeys(keys []Key) (mistakes []error) {
	seen := map[string]bool{}
	for i, k := range keys {
		if !messaging.ValidID(k.ID) || len(k.ID) > 32 {
			mistakes = append(mistakes, fmt.Errorf("encryption key %d: the id must be 1 to 32 letters, digits, '-' or '_', not %q", i+1, k.ID))
		}
		if len(k.Secret) != secretSize {
			mistakes = append(mistakes, fmt.Errorf("encryption key %q: the secret must have %d bytes, not %d", k.ID, secretSize, len(k.Secret)))
		}
		if seen[k.ID] {
			mistakes = append(mistakes, fmt.Errorf("encryption key %q is given twice", k.ID))
		}
		seen[k.ID] = true
	}
	return mistakes
}

// clone returns a copy that shares no memory.
func (c Config) clone() Config {
	c.Keys, c.SubscriberTypes = slices.Clone(c.Keys), slices.Clone(c.SubscriberTypes)
	for i := range c.Keys {
		c.Keys[i].Secret = slices.Clone(c.Keys[i].Secret)
	}
	return c
}

// String is the id alone: the secret stays out of logs.
func (k Key) String() string { return k.ID + ":" + "****" }

// GoString is String: no verb shows the secret.
func (k Key) GoString() string { return k.String() }

// pageSize returns how many items to return: the limit asked for, or the
// default (http-v2 §4.5).
func pageSize(asked *int, maximum int) (int, error) {
	if asked == nil {
		return min(defaultPageSize, maximum), nil
	}
	if err := counted("limit", *asked, maximum); err != nil {
		return 0, err
	}
	return *asked, nil
}

// counted refuses numbers of items outside 1..maximum.
func counted(field string, n, maximum int) error {
	return ranged(field, int64(n), 1, int64(maximum))
}

// ranged refuses values outside low..high.
func ranged(field string, value, low, high int64) error {
	if value < low || value > high {
		return invalid("%s must be between %d and %d, not %d.", field, low, high, value)
	}
	return nil
}
