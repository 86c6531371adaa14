// Package signed makes and checks pre-signed URLs: grants with which somebody
// without credentials may send some requests to some paths of one project,
// until they expire (http-v2 §7.9).
//
// It promises:
//
//   - Signatures are those of the original Zaqar, byte for byte, so that what
//     one signed opens the other, given the same key.
//   - A grant opens its paths and what lies below them, compared byte by byte:
//     a path with escapes, empty segments or dots for segments is opened by
//     none.
//   - No two grants are signed as the same text: values that hold the
//     separator of the text are neither signed nor believed.
//   - Signatures are compared in constant time, with each key that counts.
//   - Whatever is wrong, the answer is a plain no.
package signed

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"zaqar/messaging"
)

// Grant says what a signature permits.
type Grant struct {
	Project messaging.Project
	Paths   []string  // of URLs, without a prefix that a proxy strips
	Methods []string  // as in requests: letter case counts
	Expires time.Time // in whole seconds
}

// separator stands between the parts of the signed text: a backslash and the
// letter n, not a line feed.
const separator = `\n`

// text is what is signed. Lists are sorted by code points.
func (g Grant) text() string {
	return strings.Join([]string{
		strings.Join(sorted(g.Paths), ","), strings.Join(sorted(g.Methods), ","), string(g.Project), FormatInstant(g.Expires),
	}, separator)
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// clear reports whether the text of the grant can be understood in one way
// only.
func (g Grant) clear() bool {
	ambiguous := func(s string) bool { return s == "" || strings.Contains(s, ",") || strings.Contains(s, separator) }
	return !strings.Contains(string(g.Project), separator) && g.Project != "" &&
		!slices.ContainsFunc(g.Paths, ambiguous) && !slices.ContainsFunc(g.Methods, ambiguous)
}

// Keys are the secrets of signatures. They can be exchanged while they are
// used.
type Keys struct {
	now atomic.Pointer[[]string]
}

// NewKeys returns Keys of which the first signs and all verify. Without any,
// nothing is signed and no signature is right.
func NewKeys(secrets ...string) *Keys {
	k := new(Keys)
	k.Set(secrets...)
	return k
}

// Set puts other secrets in force. Empty ones do not count.
func (k *Keys) Set(secrets ...string) {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return s == "" })
	k.now.Store(&secrets)
}

// Sign returns the signature of a grant, 64 lower-case hexadecimal digits.
// Unsupported: there is no key. Invalid: the grant holds something that no
// signature can cover.
func (k *Keys) Sign(g Grant) (string, error) {
	secrets := *k.now.Load()
	switch {
	case len(secrets) == 0:
		return "", messaging.E(messaging.Unsupported, "This server has no key to sign with ([signed_url] secret_key).")
	case !g.clear():
		return "", messaging.E(messaging.Invalid, "What is shared must not be empty, and hold neither a comma nor a backslash and an n: it cannot be signed.")
	}
	return mac(secrets[0], g.text()), nil
}

func mac(secret, text string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// Presented is what a request presents in place of credentials, as it stands
// in its headers.
type Presented struct {
	Project   string
	Signature string
	Expires   string
	Methods   string // separated by commas, in any order
	Paths     string // likewise
}

// Open reports whether what is presented lets a request pass. path is the path
// of the request as it was sent, with its escapes.
func (k *Keys) Open(p Presented, method, path string, now time.Time) bool {
	g := Grant{Project: messaging.Project(p.Project), Paths: strings.Split(p.Paths, ","), Methods: strings.Split(p.Methods, ",")}
	var err error
	if g.Expires, err = ParseInstant(p.Expires); err != nil {
		return false
	}
	if !slices.Contains(g.Methods, method) || !g.covers(path) || !g.Expires.After(now) || !g.clear() {
		return false
	}
	text, right := g.text(), false
	for _, secret := range *k.now.Load() {
		if hmac.Equal([]byte(mac(secret, text)), []byte(p.Signature)) {
			right = true
		}
	}
	return right
}

// covers reports whether the path is one of the grant's or lies below one.
func (g Grant) covers(path string) bool {
	if !plain(path) {
		return false
	}
	return slices.ContainsFunc(g.Paths, func(granted string) bool {
		rest, ok := strings.CutPrefix(path, granted)
		return ok && granted != "" && (rest == "" || rest[0] == '/')
	})
}

// plain reports whether a path means what it says, to everybody between client
// and server: it has neither escapes nor empty segments nor dots for segments.
func plain(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "%") {
		return false
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
