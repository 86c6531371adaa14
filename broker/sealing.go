package broker

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"zaqar/messaging"
)

// Encryption at rest (http-v2 §11.7).
//
// Whether a body is sealed is a property of the message, decided when it is
// posted: Message.Key is empty or names the key. Turning a queue's encryption
// on or off changes nothing for messages that are there.
//
// A sealed body, version 1:
//
//	+---------+-------------+--------------+---------------------------+
//	| 01      | salt        | nonce        | AES-256-GCM of the body   |
//	| 1 byte  | 16 random   | 12 random    | as sent, with its 16-byte |
//	|         |             |              | tag at the end            |
//	+---------+-------------+--------------+---------------------------+
//
// Each message has a key of its own, made of the secret and the salt with
// HKDF-SHA256, so that there is no number of messages after which random nonces
// become dangerous.
//
// The tag also covers the key's name, the message's checksum and its project:
// what a message keeps for life, also when it moves to a dead-letter queue. A
// sealed body put under another project, or paired with another checksum, does
// not open. The queue, id and times are not covered: they change or are not
// known yet.
//
// The name stored with a message is the key's id and 8 hex digits derived from
// its secret. An operator who mistypes a secret thus has an unknown key, not
// one that seems to find damage everywhere.
//
// A message whose key the server does not have, or that is damaged, is not
// shown and not lost. Reading it alone fails with Unavailable. Reads of several
// leave it out, so that it does not bar the way to others, and log an error;
// if nothing else was asked for, they fail too. Pop passes over unknown keys,
// so that it removes nothing that a key could still open. A claim takes such
// messages along but does not show them, so that they stand aside until it
// expires; they may end in the dead-letter queue, still sealed.

const (
	secretSize    = 32
	sealedVersion = 1
	saltSize      = 16
	nonceSize     = 12
	tagSize       = 16
	headSize      = 1 + saltSize + nonceSize
)

// keyring holds the keys in force. It is immutable.
type keyring struct {
	first *sealer // seals; nil if there is no key
	byID  map[string]*sealer
	ids   []string
}

// sealer seals and opens with one key.
type sealer struct {
	id     string // as stored with messages
	secret []byte
}

func newKeyring(keys []Key) (*keyring, error) {
	r := &keyring{byID: map[string]*sealer{}}
	for _, k := range keys {
		fingerprint, err := hkdf.Key(sha256.New, k.Secret, nil, "zaqar key name", 4)
		if err != nil {
			return nil, fmt.Errorf("encryption key %q: %w", k.ID, err)
		}
		s := &sealer{id: k.ID + ":" + hex.EncodeToString(fingerprint), secret: k.Secret}
		if r.first == nil {
			r.first = s
		}
		r.byID[s.id] = s
		r.ids = append(r.ids, s.id)
	}
	return r, nil
}

// none reports whether there is no key to seal with.
func (r *keyring) none() bool { return r.first == nil }

// seal encrypts the body of a draft of the project.
func (r *keyring) seal(p messaging.Project, d *messaging.Draft) error {
	if r.none() {
		return messaging.E(messaging.Unavailable, "The queue encrypts messages, but this server has no encryption key.")
	}
	head := make([]byte, headSize, headSize+len(d.Body)+tagSize)
	head[0] = sealedVersion
	rand.Read(head[1:]) // never fails
	aead, err := r.first.aead(head[1 : 1+saltSize])
	if err != nil {
		return messaging.Wrap(messaging.Internal, "", err)
	}
	d.Body = aead.Seal(head, head[1+saltSize:], d.Body, bound(r.first.id, d.Checksum, p))
	d.Key = r.first.id
	return nil
}

// open decrypts the body of a message of the project, unless it is plain.
func (r *keyring) open(p messaging.Project, m *messaging.Message) error {
	if m.Key == "" {
		return nil
	}
	s := r.byID[m.Key]
	if s == nil {
		return messaging.Wrap(messaging.Unavailable,
			"The message is encrypted with a key that this server does not have.",
			fmt.Errorf("message %s: unknown key %q", m.ID, m.Key))
	}
	body, err := s.open(p, m)
	if err != nil {
		return messaging.Wrap(messaging.Unavailable, "The message cannot be decrypted: what is stored is damaged.",
			fmt.Errorf("message %s, key %q: %w", m.ID, m.Key, err))
	}
	m.Body, m.Key = body, ""
	return nil
}

func (s *sealer) open(p messaging.Project, m *messaging.Message) ([]byte, error) {
	if len(m.Body) < headSize+tagSize {
		return nil, errors.New("sealed body is cut short")
	}
	if m.Body[0] != sealedVersion {
		return nil, fmt.Errorf("sealed body has version %d", m.Body[0])
	}
	aead, err := s.aead(m.Body[1 : 1+saltSize])
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, m.Body[1+saltSize:headSize], m.Body[headSize:], bound(m.Key, m.Checksum, p))
}

// aead returns the cipher of the message with the salt.
func (s *sealer) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.secret, salt, "zaqar message body", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// bound is what the tag covers besides the body. Neither key ids nor checksums
// hold a zero byte, so different values never give the same text.
func bound(key, checksum string, p messaging.Project) []byte {
	return fmt.Appendf(nil, "%c%s\x00%s\x00%s", sealedVersion, key, checksum, p)
}

// opened returns the messages with plain bodies, without those that cannot be
// opened. It changes the slice. If none is left of some, the error says why.
func (b *Broker) opened(ctx context.Context, s *setup, q messaging.QueueRef, list []messaging.Message) ([]messaging.Message, error) {
	if allPlain(list) {
		return list, nil
	}
	var first error
	shut := 0
	readable := list[:0]
	for _, m := range list {
		if err := s.keys.open(q.Project, &m); err != nil {
			shut++
			if first == nil {
				first = err
			}
			continue
		}
		readable = append(readable, m)
	}
	if shut == 0 {
		return readable, nil
	}
	b.log.ErrorContext(ctx, "messages cannot be decrypted and are left out",
		"project", q.Project, noun(q), q.Name, "count", shut, "error", first)
	if len(readable) > 0 {
		return readable, nil
	}
	return nil, first
}

func allPlain(list []messaging.Message) bool {
	for i := range list {
		if list[i].Key != "" {
			return false
		}
	}
	return true
}
