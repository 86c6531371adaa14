package mail

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// Composed is a message as tests see it.
type Composed struct {
	From, Subject string
	Recipients    []string
	Text          []byte
}

// Compose writes a mail as Send does.
func Compose(subscriber, from, subject string, document []byte) (*Composed, error) {
	u, err := url.Parse(subscriber)
	if err != nil {
		return nil, err
	}
	to, err := parseTarget(u)
	if err != nil {
		return nil, err
	}
	subject = cmp.Or(to.subject, subject)
	m, err := compose(to, from, subject, document)
	if err != nil {
		return nil, err
	}
	return &Composed{m.from, subject, m.recipients, m.text}, nil
}

// Decode reads base64 in lines.
func Decode(t testing.TB, text []byte) []byte {
	t.Helper()
	plain, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
