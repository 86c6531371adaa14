package delivery

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Secret is a key that signs what is delivered to a subscription, by the
// Standard Webhooks scheme. Its owner verifies with the same key.
type Secret struct {
	Key     []byte
	Created time.Time
	Expires time.Time // when it signs no longer; zero: it has no successor yet
}

const (
	secretPrefix = "whsec_"
	secretSize   = 32             // of the keys made here, bytes
	retireAfter  = 24 * time.Hour // how long a key signs beside its successor
	maxSecrets   = 4              // of a subscription
)

// NewSecret returns a secret with a random key.
func NewSecret(now time.Time) Secret {
	key := make([]byte, secretSize)
	rand.Read(key) // never fails
	return Secret{Key: key, Created: now}
}

// ParseKey reads a key as clients write it: whsec_ and base64 of 24 to 64 bytes.
func ParseKey(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("not whsec_ and the base64 of 24 to 64 bytes")
	}
	return key, nil
}

// Text is the key as clients write it. It is for the subscription's owner only.
func (s Secret) Text() string { return secretPrefix + base64.StdEncoding.EncodeToString(s.Key) }

// String keeps the key out of logs.
func (s Secret) String() string { return secretPrefix + "***" }

// GoString keeps the key out of logs.
func (s Secret) GoString() string { return s.String() }

// Secrets are those of one subscription, the newest first. All that have not
// expired sign, so that receivers can change to a new one at their leisure.
type Secrets []Secret

// storedSecret is a Secret as Subscription.Secrets holds it, in a JSON array.
type storedSecret struct {
	Key     string `json:"key"`
	Created int64  `json:"created"` // ms since 1970
	Expires int64  `json:"expires,omitzero"`
}

// ParseSecrets reads Subscription.Secrets, as Encode wrote them; an empty text
// holds none. The error shows no key.
func ParseSecrets(raw []byte) (Secrets, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var stored []storedSecret
	if err := json.Unmarshal(raw, &stored); err != nil {
		return nil, errors.New("secrets of a subscription: no JSON of ours") // the cause could quote a key
	}
	var all Secrets
	for _, s := range stored {
		key, err := ParseKey(s.Key)
		if err != nil {
			return nil, errors.New("secrets of a subscription: a key is " + err.Error())
		}
		one := Secret{Key: key, Created: time.UnixMilli(s.Created).UTC()}
		if s.Expires != 0 {
			one.Expires = time.UnixMilli(s.Expires).UTC()
		}
		all = append(all, one)
	}
	return all, nil
}

// Encode returns what ParseSecrets reads, to the millisecond.
func (ss Secrets) Encode() []byte {
	stored := make([]storedSecret, len(ss))
	for i, s := range ss {
		stored[i] = storedSecret{Key: s.Text(), Created: s.Created.UnixMilli()}
		if !s.Expires.IsZero() {
			stored[i].Expires = s.Expires.UnixMilli()
		}
	}
	raw, err := json.Marshal(stored)
	if err != nil {
		panic(err) // strings in ASCII and numbers always are JSON
	}
	return raw
}

// Rotate puts a new secret in front. The one that was there signs for another
// 24 hours. Beyond four secrets the oldest goes at once.
func (ss Secrets) Rotate(next Secret) Secrets {
	now := next.Created
	all := append(Secrets{next}, ss.At(now)...)
	for i := range all[1:] {
		if s := &all[i+1]; s.Expires.IsZero() {
			s.Expires = now.Add(retireAfter)
		}
	}
	return all[:min(len(all), maxSecrets)]
}

// At returns the secrets that sign at an instant.
func (ss Secrets) At(now time.Time) Secrets {
	return slices.DeleteFunc(slices.Clone(ss), func(s Secret) bool { return s.expired(now) })
}

func (s *Secret) expired(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }

// Sign returns the value of the webhook-signature header for a body that is
// sent at an instant under an id, which has no dots: one signature for each
// secret in force, separated by spaces. Without any it is empty.
func (ss Secrets) Sign(id string, at time.Time, body []byte) string {
	const each = len("v1,") + 44
	out := make([]byte, 0, len(ss)*(each+1))
	head := make([]byte, 0, 96)
	head = append(append(head, id...), '.')
	head = append(strconv.AppendInt(head, at.Unix(), 10), '.')
	var sum [sha256.Size]byte
	for i := range ss {
		if ss[i].expired(at) {
			continue
		}
		mac := hmac.New(sha256.New, ss[i].Key)
		mac.Write(head)
		mac.Write(body)
		if len(out) > 0 {
			out = append(out, ' ')
		}
		out = base64.StdEncoding.AppendEncode(append(out, "v1,"...), mac.Sum(sum[:0]))
	}
	return string(out)
}
