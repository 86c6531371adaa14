package config

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"

	"zaqar/broker"
)

// publicKey is the value that older servers fall back to. Everybody knows it.
const publicKey = "AES256"

// encryption derives the keys that seal and open messages (operations §9).
func (c *rules) encryption() {
	if c.algorithm == "RSA" {
		c.refuse("transport", "message_encryption_algorithms", "RSA never worked and is not offered; set it to AES256")
	}
	valid := regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	for _, p := range c.keys {
		if !valid.MatchString(p.key) {
			c.refuse("transport", "message_encryption_keys", "the name %q is not allowed; allowed are 1 to 32 letters, digits, - and _", p.key)
		}
		c.addKey("message_encryption_keys", p.key, p.value)
	}
	if c.key != "" {
		c.addKey("message_encryption_key", "", c.key)
	}
}

// addKey adds the key derived from a secret. Without a name it gets one that
// is derived from the key, so that all nodes agree on it.
func (c *rules) addKey(option, name, secret string) {
	if secret == publicKey || secret == "" {
		c.refuse("transport", option, "the secret is empty or the word %s, which everybody knows; choose a long random text", publicKey)
		return
	}
	if len(secret) < 16 {
		c.warn("transport", option, "the secret is shorter than 16 characters, which can be guessed; put a longer one in front of it")
	}
	key := sha256.Sum256([]byte(secret))
	if name == "" {
		id := sha256.Sum256(append([]byte("key id "), key[:]...))
		name = "k-" + hex.EncodeToString(id[:6])
	}
	c.Broker.Keys = append(c.Broker.Keys, broker.Key{ID: name, Secret: key[:]})
}
