package messaging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Metadata is the JSON object stored with a queue. It is immutable, keeps the
// order of its members and the text of their values, and carries the settings
// its reserved members make, decoded once. A nil *Metadata is an empty object.
type Metadata struct {
	raw      []byte
	settings Settings
}

// Member is one top-level member of a metadata object.
type Member struct {
	Name  string
	Value []byte // JSON text
}

// Settings are the reserved members of queue metadata that change what the
// service does (http-v2 §10). A nil pointer or zero value means "not set"; the
// broker supplies the default. Values of the wrong type count as not set: the
// broker refuses them before they are stored.
type Settings struct {
	MaxPostSize     *int64 // _max_messages_post_size, bytes
	DefaultTTL      *int64 // _default_message_ttl, seconds
	DefaultDelay    *int64 // _default_message_delay, seconds
	DeadLetterQueue string // _dead_letter_queue
	DeadLetterTTL   *int64 // _dead_letter_queue_messages_ttl, seconds
	MaxClaimCount   *int64 // _max_claim_count
	Encrypt         bool   // _enable_encrypt_messages
	Flavor          string // _flavor
}

// The reserved names of queue metadata.
const (
	KeyMaxPostSize     = "_max_messages_post_size"
	KeyDefaultTTL      = "_default_message_ttl"
	KeyDefaultDelay    = "_default_message_delay"
	KeyDeadLetterQueue = "_dead_letter_queue"
	KeyDeadLetterTTL   = "_dead_letter_queue_messages_ttl"
	KeyMaxClaimCount   = "_max_claim_count"
	KeyEncrypt         = "_enable_encrypt_messages"
	KeyFlavor          = "_flavor"
	KeyRetryPolicy     = "_retry_policy"
	KeyAcceptFrom      = "_accept_from"
)

// NewMetadata builds a metadata object of the members in their order. Of
// members with one name the last value wins, at the place of the first.
func NewMetadata(members []Member) *Metadata {
	members = dedupe(members)
	if len(members) == 0 {
		return nil
	}
	raw := append([]byte(nil), '{')
	for i, m := range members {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw, _ = jsontext.AppendQuote(raw, m.Name)
		raw = append(raw, ':')
		raw = append(raw, m.Value...)
	}
	raw = append(raw, '}')
	return &Metadata{raw: raw, settings: settingsOf(members)}
}

// DecodeMetadata reads a JSON object text, as JSON returned it or as a client
// sent it. An empty text is an empty object. It fails if the text is not one
// well-formed JSON object.
func DecodeMetadata(raw []byte) (*Metadata, error) {
	members, err := decodeMembers(raw)
	if err != nil {
		return nil, err
	}
	return NewMetadata(members), nil
}

// JSON returns the object as JSON text; "{}" when empty. Callers must not
// change it.
func (m *Metadata) JSON() []byte {
	if m == nil {
		return []byte("{}")
	}
	return m.raw
}

// Settings returns what the reserved members say.
func (m *Metadata) Settings() Settings {
	if m == nil {
		return Settings{}
	}
	return m.settings
}

// Members returns the top-level members in order.
func (m *Metadata) Members() []Member {
	if m == nil {
		return nil
	}
	members, err := decodeMembers(m.raw)
	if err != nil {
		panic("messaging: metadata was built from bad JSON: " + err.Error())
	}
	return members
}

// Equal reports whether both hold the same text.
func (m *Metadata) Equal(o *Metadata) bool { return bytes.Equal(m.JSON(), o.JSON()) }

func decodeMembers(raw []byte) ([]Member, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true))
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	if tok.Kind() != '{' {
		return nil, fmt.Errorf("a JSON object is expected, not %v", tok.Kind())
	}
	var members []Member
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		members = append(members, Member{Name: key, Value: bytes.Clone(value)})
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if len(bytes.TrimLeft(raw[dec.InputOffset():], " \t\r\n")) > 0 {
		return nil, fmt.Errorf("unexpected text after the JSON object")
	}
	return dedupe(members), nil
}

func dedupe(members []Member) []Member {
	if len(members) < 2 {
		return members
	}
	at := make(map[string]int, len(members))
	out := members[:0:0]
	for _, m := range members {
		if i, ok := at[m.Name]; ok {
			out[i].Value = m.Value
			continue
		}
		at[m.Name] = len(out)
		out = append(out, m)
	}
	return out
}

func settingsOf(members []Member) Settings {
	var s Settings
	for _, m := range members {
		switch m.Name {
		case KeyMaxPostSize:
			s.MaxPostSize = number(m.Value)
		case KeyDefaultTTL:
			s.DefaultTTL = number(m.Value)
		case KeyDefaultDelay:
			s.DefaultDelay = number(m.Value)
		case KeyDeadLetterQueue:
			s.DeadLetterQueue = text(m.Value)
		case KeyDeadLetterTTL:
			s.DeadLetterTTL = number(m.Value)
		case KeyMaxClaimCount:
			s.MaxClaimCount = number(m.Value)
		case KeyEncrypt:
			s.Encrypt = string(m.Value) == "true"
		case KeyFlavor:
			s.Flavor = text(m.Value)
		}
	}
	return s
}

func number(value []byte) *int64 {
	if n, ok := Integer(value); ok {
		return &n
	}
	return nil
}

func text(value []byte) string {
	s, _ := Text(value)
	return s
}

// Integer reads the JSON text of an integer of 64 bits: no fraction, no
// exponent. It is for values of documents that are known to be JSON.
func Integer(value []byte) (int64, bool) {
	// What ParseInt takes and JSON does not cannot come from a JSON text.
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil
}

// Text reads the JSON text of a string.
func Text(value []byte) (string, bool) {
	var s *string
	if err := json.Unmarshal(value, &s); err != nil || s == nil {
		return "", false
	}
	return *s, true
}

// Projects reads the JSON text of whom a queue takes messages from: an array of
// projects, or "*", which is everybody. It is false for anything else.
func Projects(value []byte) (list []Project, everybody, ok bool) {
	if text, isText := Text(value); isText {
		return nil, text == everyProject, text == everyProject
	}
	if err := json.Unmarshal(value, &list); err != nil {
		return nil, false, false
	}
	for _, p := range list {
		if p == "" {
			return nil, false, false
		}
		everybody = everybody || p == everyProject
	}
	return list, everybody, true
}

const everyProject = "*"
