package keystone

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// sealer protects entries.
type sealer struct {
	names []byte      // key of the names
	mac   []byte      // key of MACs
	aead  cipher.AEAD // nil: no encryption
}

func newSealer(p Protection, secret string) sealer {
	if p != MAC && p != Encrypt {
		return sealer{}
	}
	s := sealer{names: derive(secret, "names"), mac: derive(secret, "mac")}
	if p == Encrypt {
		block, err := aes.NewCipher(derive(secret, "encryption"))
		if err != nil {
			panic("keystone: " + err.Error()) // 32 bytes are a key
		}
		if s.aead, err = cipher.NewGCM(block); err != nil {
			panic("keystone: " + err.Error())
		}
	}
	return s
}

func derive(secret, purpose string) []byte {
	k, err := hkdf.Key(sha256.New, []byte(secret), nil, "zaqar token cache "+purpose, 32)
	if err != nil {
		panic("keystone: " + err.Error()) // 32 bytes are not too many
	}
	return k
}

// name is what the entry of a token is stored under.
func (s *sealer) name(k *key) string {
	id := k.id()
	if s.names != nil {
		id = s.sum(s.names, id)
	}
	return "zaqar/tokens/" + hex.EncodeToString(id)
}

// id is the key as bytes.
func (k *key) id() []byte {
	id := slices.Clone(k.hash[:])
	if k.late {
		id = append(id, 1)
	}
	return id
}

func (*sealer) sum(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		_, _ = h.Write(p)
	}
	return h.Sum(nil)
}

// seal protects the text of the entry of a token. It cannot be moved to
// another one.
func (s *sealer) seal(k *key, text []byte) []byte {
	switch {
	case s.aead != nil:
		nonce := make([]byte, s.aead.NonceSize())
		_, _ = rand.Read(nonce) // never fails
		return s.aead.Seal(nonce, nonce, text, k.id())
	case s.mac != nil:
		return append(s.sum(s.mac, []byte(s.name(k)), text), text...)
	}
	return text
}

// open returns the text of an entry, and false if it is not what was sealed.
func (s *sealer) open(k *key, sealed []byte) ([]byte, bool) {
	switch {
	case s.aead != nil:
		n := s.aead.NonceSize()
		if len(sealed) < n {
			return nil, false
		}
		text, err := s.aead.Open(nil, sealed[:n], sealed[n:], k.id())
		return text, err == nil
	case s.mac != nil:
		if len(sealed) < sha256.Size {
			return nil, false
		}
		text := sealed[sha256.Size:]
		return text, hmac.Equal(sealed[:sha256.Size], s.sum(s.mac, []byte(s.name(k)), text))
	}
	return bytes.Clone(sealed), true
}
